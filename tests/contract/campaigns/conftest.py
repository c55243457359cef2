"""The campaigns service on a real database: its store, its handler and its servicer."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from protos.campaigns.v1 import campaigns_pb2 as pb
from protos.campaigns.v1.campaigns_pb2_grpc import CampaignsStub, add_CampaignsServicer_to_server
from protos.common.v1.page_pb2 import Page
from protos.events.v1.points_pb2 import PurchaseBooked, TierChanged
from services.campaigns.consumers import NewsHandler
from services.campaigns.rpc import CampaignsServicer
from services.campaigns.store.collections import COUPONS, TIER_OFFERS
from services.campaigns.store.coupons import MongoCoupons
from services.campaigns.store.migrations import MIGRATIONS
from services.kit.ids import make_id
from services.kit.mongo import command_keys
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.collections import Keyed
from services.kit.mongo.command_keys import COMMAND_KEYS
from services.kit.mongo.database import Database, Driver
from services.kit.outbox import outbox
from services.kit.outbox.events import Event
from services.kit.outbox.outbox import OUTBOX, Outbox
from services.kit.principal import Caller, Principal
from services.kit.rabbit import inbox
from services.kit.rpc import RemoteProblem, RpcChannel
from tests.support.clock import START, FixedClock
from tests.support.recycled import Recycled
from tests.support.served import served

if TYPE_CHECKING:
    from protos.campaigns.v1.campaigns_pb2_grpc import CampaignsAsyncStub

SCOPES = frozenset({"campaigns:write", "coupons:read", "coupons:redeem"})
STAFF = Principal(chain="chn_1", kind=Caller.STAFF, id="key_1", scopes=SCOPES)
TILL = Principal(chain="chn_1", kind=Caller.TILL, id="key_2", scopes=SCOPES, stores=frozenset({"sto_1"}))
ADA = Principal(chain="chn_1", kind=Caller.MEMBER, id="mem_ada")


def told(body: TierChanged | PurchaseBooked, sequence: int, *, chain: str = "chn_1") -> Event:
    return Event(
        id=f"{chain}/{body.member_id}/{sequence}",
        chain=chain,
        stream="points.account",
        aggregate=body.member_id,
        sequence=sequence,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


def tier_changed(member: str = "mem_ada", *, level: str = "silver", sequence: int = 2, chain: str = "chn_1") -> Event:
    return told(TierChanged(member_id=member, from_level="regular", to_level=level), sequence, chain=chain)


@dataclass
class Campaigns:
    """The service as its callers and its broker have it."""

    channel: RpcChannel
    stub: "CampaignsAsyncStub"
    database: Database
    handler: NewsHandler
    clock: FixedClock

    async def hear(self, *events: Event) -> None:
        await self.database.in_transaction(partial(self.handler, events))

    async def save_offer(
        self,
        key: str = "offer-key-1",
        *,
        level: str = "silver",
        valid_days: int = 30,
        caller: Principal = STAFF,
        **changed: Any,
    ) -> pb.TierOffer:
        content: dict[str, Any] = {"title": "¥10 off", "value_minor": 1_000} | changed
        request = pb.SaveTierOfferRequest(key=key, level=level, valid_days=valid_days, **content)
        return (await self.channel.call(self.stub.SaveTierOffer, request, principal=caller)).offer

    async def pages(
        self, members: Sequence[str], *, first: int = 0, after: str = "", caller: Principal = STAFF
    ) -> Sequence[pb.CouponPage]:
        request = pb.ListCouponsRequest(member_ids=members, page=Page(first=first, after=after))
        return (await self.channel.call(self.stub.ListCoupons, request, principal=caller)).pages

    async def coupons(self, member: str = "mem_ada", *, caller: Principal = STAFF) -> list[pb.Coupon]:
        [page] = await self.pages([member], caller=caller)
        return list(page.coupons)

    async def redeem(
        self,
        coupon: str,
        *,
        key: str = "redeem-key-1",
        member: str = "mem_ada",
        store: str = "sto_1",
        caller: Principal = TILL,
    ) -> pb.RedeemCouponResponse:
        request = pb.RedeemCouponRequest(key=key, coupon_id=coupon, member_id=member, store_id=store)
        return await self.channel.call(self.stub.RedeemCoupon, request, principal=caller)

    async def refusal(self, call: Callable[[], Any]) -> RemoteProblem:
        """Return why `call` was refused; it must have changed nothing."""
        before = await self.everything()
        with pytest.raises(RemoteProblem) as refused:
            await call()
        assert await self.everything() == before
        return refused.value

    async def everything(self) -> list[list[dict[str, Any]]]:
        return [await self.rows(keyed) for keyed in (TIER_OFFERS, COUPONS, OUTBOX, COMMAND_KEYS)]

    async def rows(self, keyed: Keyed) -> list[dict[str, Any]]:
        found = self.database.collection(keyed).find({"chain": {"$in": ["chn_1", "chn_2"]}})
        return await found.sort("_id", 1).to_list(10_000)


async def set_up(database: Database) -> None:
    for step in (command_keys.set_up, outbox.set_up, inbox.set_up, *(each.apply for each in MIGRATIONS)):
        await step(database)


@pytest.fixture
async def database(recycled: Recycled, driver: Driver) -> AsyncIterator[Database]:
    """Yield an empty database of campaigns."""
    async with recycled.database(set_up, driver) as database:
        yield database


@pytest.fixture
async def campaigns(database: Database, clock: FixedClock) -> AsyncIterator[Campaigns]:
    coupons, clocks = MongoCoupons(database, Outbox(database)), MongoChainClocks(database, system=clock)
    servicer = CampaignsServicer(work=coupons, coupons=coupons, make_id=make_id, clocks=clocks)
    descriptor = pb.DESCRIPTOR.services_by_name["Campaigns"]
    handler = NewsHandler(coupons.unit, make_id=make_id, clocks=clocks)
    async with served([(add_CampaignsServicer_to_server, servicer, descriptor)]) as channel:
        yield Campaigns(channel, channel.stub(CampaignsStub), database, handler, clock)
