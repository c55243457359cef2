"""Pay to become a member: say who payers are, and enroll those who are new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.errors import Kind, Problem
from services.kit.principal import Principal
from services.members.domain.chains import Chain
from services.members.domain.enrollment import Enroll
from services.members.domain.identities import IdentityKind, identity, identity_hash
from services.members.domain.members import Channel, FirstPayment, Member, Source
from services.members.domain.profiles import Profile
from services.members.domain.stores import NoStoreError, Store
from services.members.usecases.chains import callers_chain
from services.members.usecases.enrollment import Desk
from services.members.usecases.limits import check_count

MAX_PAYMENT_KIND_LENGTH = 32


class InvalidPayerError(Problem):
    """The payer is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_PAYER"


@dataclass(frozen=True, slots=True)
class WantedPayer:
    """A payer as points tells of it. `hash` is the keyed hash of the payment account; `paid_at` None means now."""

    hash: str
    payment_kind: str
    store: str
    paid_at: datetime | None


@dataclass(frozen=True, slots=True)
class EnrolledPayer:
    """The member that a payer is, and whether this very call made it one."""

    member: str
    enrolled: bool


class StoreFinder(Protocol):
    """Where stores are looked up."""

    async def find(self, chain: str, ids: frozenset[str]) -> Sequence[Store]:
        """Return those of `ids` that exist."""


async def enroll_payers(
    wanted: Sequence[WantedPayer],
    *,
    caller: Principal,
    now: datetime,
    desk: Desk,
    stores: StoreFinder,
    traceparent: str = "",
) -> list[EnrolledPayer]:
    """Return who the payers are, in the order of the input. One that is not right refuses the call, all unchanged."""
    check_count(wanted, field="payers")
    chain = await callers_chain(caller, chains=desk.chains)
    commands = [
        _command(
            one,
            chain=chain,
            member_id=desk.make_id("mem", now),
            now=now,
            field=f"payers.{number}",
            traceparent=traceparent,
        )
        for number, one in enumerate(wanted)
    ]
    if not commands:
        return []
    await _check_stores(wanted, chain=chain, stores=stores)
    found = []
    for answer in await desk.batches.submit_all(commands):
        if isinstance(answer, Problem):
            raise answer.with_traceback(None)
        found.append(EnrolledPayer(answer.member.id, enrolled=not answer.repeated_call))
    return found


async def _check_stores(wanted: Sequence[WantedPayer], *, chain: Chain, stores: StoreFinder) -> None:
    """Refuse a store that does not exist. The fold would, too, but by then the other payers were enrolled."""
    named = frozenset(one.store for one in wanted if one.store)
    existing = {store.id for store in await stores.find(chain.id, named)} if named else set()
    for number, one in enumerate(wanted):
        if one.store and one.store not in existing:
            raise NoStoreError(field=f"payers.{number}.storeId", store=one.store)


def _command(
    wanted: WantedPayer, *, chain: Chain, member_id: str, now: datetime, field: str, traceparent: str
) -> Enroll:
    payer = identity(IdentityKind.PAYER, wanted.hash, calling_code="", field=f"{field}.hash")
    kind = wanted.payment_kind
    if not 1 <= len(kind) <= MAX_PAYMENT_KIND_LENGTH or not kind.isprintable():
        why = f"what was paid with has 1 to {MAX_PAYMENT_KIND_LENGTH} visible characters"
        raise InvalidPayerError(field=f"{field}.paymentKind", why=why)
    # A till's clock may run ahead, and what was paid for is not refused for that.
    payment = FirstPayment(kind, at=min(wanted.paid_at or now, now))
    return Enroll(
        chain=chain.id,
        key="",
        asked_for=b"",
        member=Member(
            id=member_id,
            profile=Profile("", (payer,)),
            enrolled_at=now,
            channel=Channel.PAYMENT,
            source=Source(store=wanted.store),
            provisional=True,
            first_payment=payment,
        ),
        hashes=(identity_hash(payer, key=chain.identity_key),),
        at=now,
        traceparent=traceparent,
    )
