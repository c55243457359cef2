"""Portraits: what happens with a member, added up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.members.domain.members import NoMemberError
from services.members.domain.timeline import Happening, HappeningKind
from services.members.domain.visits import Paid, Visits, after

InChain = tuple[str, str]
"""A chain, and the id of a member of it."""

_COUPONS = {HappeningKind.COUPON_ISSUED: 1, HappeningKind.COUPON_REDEEMED: -1}


@dataclass(frozen=True, slots=True)
class Portrait:
    """What is known of a member beside what it said itself."""

    visits: Visits = field(default_factory=Visits)
    open_coupons: int = 0
    open_cases: int = 0


def taken_in(
    told: Sequence[Happening], portraits: Mapping[InChain, Portrait], *, gone_to: Mapping[InChain, InChain]
) -> dict[InChain, Portrait]:
    """Return the portraits that `told` changes, folded in its order. Raises NoMemberError where there is none.

    What is told of a member that was merged belongs to the portrait of the one that it has gone to.
    """
    changed: dict[InChain, Portrait] = {}
    for one in told:
        key = gone_to.get((one.chain, one.member), (one.chain, one.member))
        portrait = changed.get(key) or portraits.get(key)
        if portrait is None:
            raise NoMemberError(member=one.member)
        changed[key] = _with(portrait, one)
    return changed


@dataclass(frozen=True, slots=True)
class FirstPurchase:
    """A member has bought for the first time, under whichever id; `ref` is the purchase."""

    chain: str
    member: str
    at: datetime
    ref: str


def first_purchases(
    told: Sequence[Happening], portraits: Mapping[InChain, Portrait], *, gone_to: Mapping[InChain, InChain]
) -> list[FirstPurchase]:
    """Return who, by these portraits of before, has bought for the first time, and when of all that is told of it."""
    first: dict[InChain, Happening] = {}
    for one in told:
        key = gone_to.get((one.chain, one.member), (one.chain, one.member))
        if one.kind is HappeningKind.PURCHASE and not portraits[key].visits.count:
            first[key] = min(first.get(key, one), one, key=lambda each: (each.at, each.ref))
    return [FirstPurchase(chain, member, one.at, one.ref) for (chain, member), one in first.items()]


def portrait_from(happenings: Iterable[Happening]) -> Portrait:
    """Return the portrait of all that ever happened, in whatever order it is told."""
    portrait = Portrait()
    for one in happenings:
        portrait = _with(portrait, one)
    return portrait


def _with(portrait: Portrait, one: Happening) -> Portrait:
    match one.kind:
        case HappeningKind.PURCHASE:
            return replace(
                portrait, visits=after(portrait.visits, Paid(one.at, one.amount, one.currency, one.time_zone))
            )
        case HappeningKind.COUPON_ISSUED | HappeningKind.COUPON_REDEEMED:
            return replace(portrait, open_coupons=portrait.open_coupons + _COUPONS[one.kind])
        case HappeningKind.CASE_OPENED:
            return replace(portrait, open_cases=portrait.open_cases + 1)
        case _:
            return portrait
