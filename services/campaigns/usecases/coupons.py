"""What campaigns does: offers for levels, coupons for those who reach them, and their one use."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol, TypeVar

from services.campaigns import domain
from services.campaigns.domain import Coupon, CouponNotFoundError, StoreMissingError, TierOffer, TierReached
from services.kit.errors import Kind, Problem
from services.kit.ids import MakeId
from services.kit.principal import NotAllowedError, Principal

T = TypeVar("T")
Level = tuple[str, str]
"""A chain, and the code of a level in it."""


MAX_MEMBERS = 100
MAX_COUPONS = 1_000
DEFAULT_FIRST = 20
MAX_FIRST = 100


class PageTooLargeError(Problem):
    """Too much for one call: {why}."""

    kind = Kind.INVALID
    code = "TOO_MANY"


@dataclass(frozen=True, slots=True)
class SaveTierOffer:
    """The wish to give a coupon to whoever reaches `level` from now on."""

    key: str
    level: str
    title: str
    value_minor: int
    valid_days: int

    def fingerprint(self) -> bytes:
        """Return a hash over the content, equal only for equal content (16 bytes)."""
        return _hash("save tier offer", self.level, self.title, self.value_minor, self.valid_days)


@dataclass(frozen=True, slots=True)
class RedeemCoupon:
    """The wish to use a member's coupon up in a store."""

    key: str
    coupon: str
    member: str
    store: str
    traceparent: str = ""

    def fingerprint(self) -> bytes:
        """Return a hash over the content, equal only for equal content (16 bytes)."""
        return _hash("redeem coupon", self.coupon, self.member, self.store)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The answer to a redemption: the coupon as it was then, and whether the key had been used before."""

    coupon: Coupon
    repeated_call: bool


@dataclass(frozen=True, slots=True)
class Issued:
    """A new coupon, and what it was issued for."""

    reached: TierReached
    coupon: Coupon


@dataclass(frozen=True, slots=True)
class CouponPage:
    """Coupons, the newest first, and the coupon after which to go on; empty: this was the last page."""

    coupons: tuple[Coupon, ...]
    next_after: str


class Unit(Protocol):
    """One transaction: what it reads is one state, and what it writes is written together or not at all."""

    async def offer_saved_before(self, chain: str, command: SaveTierOffer) -> TierOffer | None:
        """Return the first answer to the key; raise when the key came with other content."""

    async def newest_offers(self, levels: Collection[Level]) -> Mapping[Level, TierOffer]:
        """Return the offer that holds for each level that has one."""

    async def add_offer(self, chain: str, command: SaveTierOffer, offer: TierOffer, *, now: datetime) -> None:
        """Write the offer and the answer to the key."""

    async def redeemed_before(self, chain: str, command: RedeemCoupon) -> Coupon | None:
        """Return the first answer to the key; raise when the key came with other content."""

    async def coupon(self, chain: str, *, coupon: str, member: str) -> Coupon | None:
        """Return the coupon, whoever has it; `member` is who should."""

    async def family(self, chain: str, member: str) -> frozenset[str]:
        """Return the ids that are one with the member, its own among them."""

    async def save_use(self, chain: str, command: RedeemCoupon, coupon: Coupon, *, now: datetime) -> None:
        """Write the coupon's use, its event and the answer to the key."""

    async def granted(self, reached: Sequence[TierReached]) -> Collection[TierReached]:
        """Return those of `reached` that have brought a coupon already."""

    async def given_to_relatives(
        self, reached: Sequence[TierReached], nows: Mapping[str, datetime]
    ) -> Mapping[TierReached, frozenset[str] | None]:
        """Return, for those of `reached` whose member was merged, the ids that are one with it; None: one of these, not
        its own, was given a coupon for that level within `domain.ONCE_WITHIN`."""

    async def add_coupons(self, issued: Sequence[Issued]) -> None:
        """Write the coupons and their events."""


class Work(Protocol):
    """Runs transactions."""

    async def in_unit(self, body: Callable[[Unit], Awaitable[T]]) -> T:
        """Return what `body` returns once it is committed; `body` runs again when somebody else was faster."""


class Coupons(Protocol):
    """Where coupons are read."""

    async def coupons(
        self, chain: str, members: Sequence[str], *, after: str, first: int
    ) -> Mapping[str, Sequence[Coupon]]:
        """Return up to `first` coupons of each member that are older than the coupon `after`, the newest first."""


async def save_tier_offer(
    command: SaveTierOffer, *, caller: Principal, work: Work, make_id: MakeId, now: datetime
) -> TierOffer:
    """Let the offer hold for its level from now on; coupons issued before keep what they were issued with."""
    domain.check_command_key(command.key)

    async def body(unit: Unit) -> TierOffer:
        if (first := await unit.offer_saved_before(caller.chain, command)) is not None:
            return first
        level = caller.chain, command.level
        before = (await unit.newest_offers([level])).get(level)
        offer = TierOffer(
            id=make_id("off", now),
            level=command.level,
            version=before.version + 1 if before else 1,
            title=command.title.strip(),
            value_minor=command.value_minor,
            valid_days=command.valid_days,
        )
        domain.check_offer(offer)
        await unit.add_offer(caller.chain, command, offer, now=now)
        return offer

    return await work.in_unit(body)


async def redeem_coupon(command: RedeemCoupon, *, caller: Principal, work: Work, now: datetime) -> Redeemed:
    """Use the coupon up, once."""
    domain.check_command_key(command.key)
    if not command.store:
        raise StoreMissingError(field="storeId")
    if not caller.may_use_store(command.store):
        raise NotAllowedError(field="storeId", why="it works for other stores")

    async def body(unit: Unit) -> Redeemed:
        if (first := await unit.redeemed_before(caller.chain, command)) is not None:
            return Redeemed(first, repeated_call=True)
        found = await unit.coupon(caller.chain, coupon=command.coupon, member=command.member)
        if found is None:
            raise CouponNotFoundError(field="couponId", coupon=command.coupon)
        holders = await unit.family(caller.chain, command.member)
        coupon = domain.redeem(found, holders=holders, store=command.store, now=now)
        await unit.save_use(caller.chain, command, coupon, now=now)
        return Redeemed(coupon, repeated_call=False)

    return await work.in_unit(body)


async def issue_coupons(
    reached: Sequence[TierReached], *, unit: Unit, make_id: MakeId, nows: Mapping[str, datetime]
) -> None:
    """Give a coupon to each who reached a level that has an offer; a grant that was used before gives nothing.

    `nows`: what time it is for each chain.
    """
    if not reached:
        return
    offers = await unit.newest_offers({(one.chain, one.level) for one in reached})
    due = [one for one in reached if (one.chain, one.level) in offers]
    granted = await unit.granted(due) if due else ()
    relatives = await unit.given_to_relatives(due, nows) if due else {}
    issued: list[Issued] = []
    for one in due:
        if one not in granted and not _given(one, relatives.get(one, frozenset()), issued):
            offer, now = offers[one.chain, one.level], nows[one.chain]
            issued.append(Issued(one, domain.issue(offer, one, coupon_id=make_id("cpn", now), now=now)))
    if issued:
        await unit.add_coupons(issued)


def _given(reached: TierReached, family: frozenset[str] | None, issued: Sequence[Issued]) -> bool:
    """Tell whether another id of the same member has a coupon for the level, from before or from this batch."""
    return family is None or any(
        (one.reached.chain, one.reached.level) == (reached.chain, reached.level)
        and one.reached.member in family - {reached.member}
        for one in issued
    )


async def list_coupons(
    members: Sequence[str], *, caller: Principal, first: int, after: str, coupons: Coupons
) -> list[CouponPage]:
    """Return a page of the coupons of each of `members`, in order; empty for those whom the caller may not see."""
    first = first or DEFAULT_FIRST
    if not 1 <= first <= MAX_FIRST:
        raise PageTooLargeError(field="first", why=f"first must be 1 to {MAX_FIRST}")
    if len(members) > MAX_MEMBERS or len(members) * first > MAX_COUPONS:
        raise PageTooLargeError(field="first", why=f"{len(members)} members of {first} coupons; ask for fewer")
    visible = [member for member in members if caller.may_see_member(member)]
    # One more than asked for tells whether there is a next page.
    found = await coupons.coupons(caller.chain, visible, after=after, first=first + 1) if visible else {}
    return [_page(found.get(member, ()), first) for member in members]


def _page(coupons: Sequence[Coupon], first: int) -> CouponPage:
    shown = tuple(coupons[:first])
    return CouponPage(shown, shown[-1].id if len(coupons) > first else "")


def _hash(*content: object) -> bytes:
    # repr quotes strings, so neighbours cannot run into each other.
    return sha256(repr(content).encode()).digest()[:16]
