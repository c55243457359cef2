"""members, asked over gRPC: who has an identity, who exists, which stores and menu items there are, what is planned."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from protos.members.v1 import (
    activities_pb2,
    activities_pb2_grpc,
    chains_pb2,
    chains_pb2_grpc,
    members_pb2,
    members_pb2_grpc,
)
from services.kit.clock import Clock
from services.kit.principal import Caller, Principal
from services.kit.rpc.client import RpcChannel
from services.kit.timestamps import to_timestamp
from services.points.domain.expectations import Known
from services.points.domain.items import Item
from services.points.usecases.record_purchases import CARD_CODE, Identity, Payer, Store

CACHE_SIZE = 100_000
CACHE_LIFETIME = timedelta(minutes=1)
"""How long an identity may still lead to the member who had it."""

KINDS = {
    "phone": members_pb2.IDENTITY_KIND_PHONE,
    "email": members_pb2.IDENTITY_KIND_EMAIL,
    "external": members_pb2.IDENTITY_KIND_EXTERNAL,
    CARD_CODE: members_pb2.IDENTITY_KIND_CARD_CODE,
}


PAYERS_AT_ONCE = 1_000
CODES_AT_ONCE = 500
"""Menu items that members finds by code in one call; for more, the whole menu is fetched, in one call too."""
SALE_WAITS_S = 1.0
"""For its items' categories and its chain's zone: it can be booked without them, and its till waits."""

PLANNED_WAITS_S = 1.0
"""For what is planned in a store: it can be forecast without."""
PLANNED_LIFETIME = timedelta(seconds=30)
"""How long a forecast may go on with what was planned before."""
PLANNED_SIZE = 3_000
"""Stores of which a process remembers what is planned."""

UNKNOWN_KIND = "unknown"
LONGEST_KIND = 32


def _identity(one: Identity) -> members_pb2.Identity:
    at = None if one.at is None else to_timestamp(one.at)
    return members_pb2.Identity(kind=KINDS[one.kind], value=one.value, at=at, store_id=one.store)


def _payer(payer: Payer) -> members_pb2.Payer:
    return members_pb2.Payer(
        hash=payer.hash,
        payment_kind=payer.payment_kind[:LONGEST_KIND] or UNKNOWN_KIND,
        store_id=payer.store,
        paid_at=to_timestamp(payer.paid_at),
    )


def _item(item: chains_pb2.MenuItem) -> Item:
    return Item(
        code=item.code,
        version=item.version,
        category=item.category,
        launched_on=date.fromisoformat(item.launched_on) if item.launched_on else None,
    )


def _service(chain: str) -> Principal:
    return Principal(chain=chain, kind=Caller.SERVICE, id="points")


class MembersClient:
    """Asks members in the service's own name; what nobody has is not remembered, since it may be enrolled next."""

    def __init__(self, channel: RpcChannel, *, clock: Clock) -> None:
        self._channel, self._clock = channel, clock
        self._members = channel.stub(members_pb2_grpc.MembersStub)
        self._chains = channel.stub(chains_pb2_grpc.ChainsStub)
        self._resolved: OrderedDict[tuple[str, Identity], tuple[datetime, str]] = OrderedDict()

    async def resolve(self, chain: str, identities: frozenset[Identity]) -> Mapping[Identity, str]:
        """Return the members' ids of those identities that somebody has; of an unknown kind, nobody has any."""
        now = self._clock()
        cached = {one: self._resolved.get((chain, one)) for one in identities}
        known = {one: kept[1] for one, kept in cached.items() if kept is not None and now < kept[0]}
        missing = [one for one in identities if one not in known and one.kind in KINDS]
        if missing:
            asked = [_identity(one) for one in missing]
            request = members_pb2.ResolveIdentitiesRequest(identities=asked)
            answer = await self._channel.call(
                self._members.ResolveIdentities, request, principal=_service(chain), idempotent=True
            )
            found = {one: id_ for one, id_ in zip(missing, answer.member_ids, strict=True) if id_}
            lasting = {one: id_ for one, id_ in found.items() if one.kind != CARD_CODE}
            self._remember(chain, lasting, until=now + CACHE_LIFETIME)
            known |= found
        return known

    async def enroll_payers(self, chain: str, payers: Sequence[Payer]) -> Mapping[str, str]:
        """Return the member of each payer by hash; whoever is new becomes a provisional member."""
        now = self._clock()
        cached = {one.hash: self._resolved.get((chain, Identity("payer", one.hash))) for one in payers}
        known = {hash_: kept[1] for hash_, kept in cached.items() if kept is not None and now < kept[0]}
        missing = [one for one in payers if one.hash not in known]
        for start in range(0, len(missing), PAYERS_AT_ONCE):
            some = missing[start : start + PAYERS_AT_ONCE]
            request = members_pb2.EnrollPayersRequest(payers=[_payer(one) for one in some])
            answer = await self._channel.call(
                self._members.EnrollPayers, request, principal=_service(chain), idempotent=True
            )
            found = {one.hash: found.member_id for one, found in zip(some, answer.payers, strict=True)}
            self._remember(
                chain, {Identity("payer", hash_): id_ for hash_, id_ in found.items()}, until=now + CACHE_LIFETIME
            )
            known |= found
        return known

    async def existing(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        """Return those of `ids` that are members."""
        request = members_pb2.GetMembersRequest(ids=sorted(ids))
        answer = await self._channel.call(self._members.GetMembers, request, principal=_service(chain), idempotent=True)
        return frozenset(answer.asked_ids)  # one that was merged answers under another id

    async def stores(self, chain: str, ids: frozenset[str]) -> Mapping[str, Store]:
        """Return those of `ids` that exist, by id."""
        request = chains_pb2.GetStoresRequest(ids=sorted(ids))
        answer = await self._channel.call(self._chains.GetStores, request, principal=_service(chain), idempotent=True)
        return {
            store.id: Store(
                id=store.id,
                version=store.version,
                time_zone=store.time_zone,
                currency=store.currency,
                region=store.region,
            )
            for store in answer.stores
        }

    async def zone(self, chain: str) -> str:
        """Return the IANA name of the zone in which the chain counts its days."""
        answer = await self._channel.call(
            self._chains.GetChain,
            chains_pb2.GetChainRequest(),
            principal=_service(chain),
            timeout_s=SALE_WAITS_S,
            idempotent=True,
        )
        return answer.chain.time_zone

    async def items(self, chain: str, codes: frozenset[str]) -> Mapping[str, Item]:
        """Return those of `codes` that are on the menu, by code."""
        channel, chains, caller = self._channel, self._chains, _service(chain)
        found: Sequence[chains_pb2.MenuItem]
        if len(codes) <= CODES_AT_ONCE:
            some = chains_pb2.GetMenuItemsRequest(codes=sorted(codes))
            found = (
                await channel.call(chains.GetMenuItems, some, principal=caller, timeout_s=SALE_WAITS_S, idempotent=True)
            ).items
        else:
            every = chains_pb2.ListMenuItemsRequest()
            found = (
                await channel.call(
                    chains.ListMenuItems, every, principal=caller, timeout_s=SALE_WAITS_S, idempotent=True
                )
            ).items
        return {item.code: _item(item) for item in found if item.code in codes}

    def _remember(self, chain: str, found: Mapping[Identity, str], *, until: datetime) -> None:
        for identity, id_ in found.items():
            self._resolved[chain, identity] = (until, id_)
            self._resolved.move_to_end((chain, identity))
        while len(self._resolved) > CACHE_SIZE:
            self._resolved.popitem(last=False)


class PlannedClient:
    """Asks members what is planned in stores, in the service's own name."""

    def __init__(self, channel: RpcChannel, *, clock: Clock) -> None:
        self._channel, self._clock = channel, clock
        self._activities = channel.stub(activities_pb2_grpc.ActivitiesStub)
        self._planned: OrderedDict[tuple[str, str, date, date], tuple[datetime, Sequence[Known]]] = OrderedDict()

    async def known(self, chain: str, store: str, days: Sequence[date]) -> Sequence[Known]:
        """Return what is planned by the hours of the store's days, which follow each other."""
        asked, now = (chain, store, days[0], days[-1]), self._clock()
        until, planned = self._planned.get(asked, (now, ()))
        if now < until:
            return planned
        request = activities_pb2.CountPlannedRequest(
            store_id=store, from_day=days[0].isoformat(), until_day=days[-1].isoformat()
        )
        answer = await self._channel.call(
            self._activities.CountPlanned,
            request,
            principal=_service(chain),
            timeout_s=PLANNED_WAITS_S,
            idempotent=True,
        )
        planned = [
            Known(date.fromisoformat(one.day), one.hour, covers=one.guests, items=one.items) for one in answer.hours
        ]
        self._planned[asked] = (now + PLANNED_LIFETIME, planned)
        self._planned.move_to_end(asked)
        if len(self._planned) > PLANNED_SIZE:
            self._planned.popitem(last=False)
        return planned
