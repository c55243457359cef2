"""Offers for reaching a level, and the coupons that members get by them."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.kit.errors import Kind, Problem

MIN_KEY_LENGTH = 8
MAX_KEY_LENGTH = 128
MAX_CODE_LENGTH = 64
MAX_TITLE_LENGTH = 200
MAX_VALUE_MINOR = 10**12
"""Ten billion of a currency with cents: far above any coupon, far below what 64 bits hold."""

MAX_VALID_DAYS = 3_650

ONCE_WITHIN = timedelta(days=365)
"""So long a coupon for a level is the only one for all ids that are one member: points itself tells of a level that one
id reaches again within a year as such, and cannot know of what another id was given."""


class InvalidKeyError(Problem):
    """A command key has 8 to 128 characters: make a new one for each wish, and send it again with each try."""

    kind = Kind.INVALID
    code = "INVALID_KEY"


class InvalidTierOfferError(Problem):
    """The offer is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_TIER_OFFER"


class StoreMissingError(Problem):
    """A coupon is used in a store: say which."""

    kind = Kind.INVALID
    code = "STORE_MISSING"


class CouponNotFoundError(Problem):
    """There is no coupon {coupon}. Look at the member's coupons for the right one."""

    kind = Kind.NOT_FOUND
    code = "COUPON_NOT_FOUND"


class CouponOfAnotherMemberError(Problem):
    """Coupon {coupon} was given to somebody else. Only the member who got it can use it."""

    kind = Kind.REFUSED
    code = "COUPON_OF_ANOTHER_MEMBER"


class CouponRedeemedError(Problem):
    """Coupon {coupon} was used on {redeemed_at} in store {store}. It is good for one use."""

    kind = Kind.REFUSED
    code = "COUPON_REDEEMED"


class CouponExpiredError(Problem):
    """Coupon {coupon} expired on {expires_at}."""

    kind = Kind.REFUSED
    code = "COUPON_EXPIRED"


@dataclass(frozen=True, slots=True)
class TierOffer:
    """What members get when they reach a level. An offer never changes: a newer one of the level takes its place."""

    id: str
    level: str
    version: int  # 1 for the level's first offer; the highest holds
    title: str
    value_minor: int
    valid_days: int


@dataclass(frozen=True, slots=True)
class TierReached:
    """A member has come to a level. `grant` names the very change, so that it brings one coupon for ever."""

    chain: str
    member: str
    level: str
    grant: str
    traceparent: str = ""


class CouponState(StrEnum):
    """What a coupon is at a moment."""

    OPEN = "open"
    REDEEMED = "redeemed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Use:
    """When and where a coupon was used up."""

    at: datetime
    store: str


@dataclass(frozen=True, slots=True)
class Coupon:
    """What one member may take off one sale, before `expires_at`. It keeps what the offer said when it was issued."""

    id: str
    member: str
    offer: str
    grant: str
    title: str
    value_minor: int
    reason: str  # "tier:silver"
    issued_at: datetime
    expires_at: datetime
    use: Use | None = None

    def state_at(self, moment: datetime) -> CouponState:
        """Return what the coupon is at `moment`; `expires_at` itself is already too late."""
        if self.use is not None:
            return CouponState.REDEEMED
        return CouponState.OPEN if moment < self.expires_at else CouponState.EXPIRED


def check_command_key(key: str) -> None:
    """Refuse a key that is too short to be unique, or too long to keep."""
    if not MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidKeyError(field="key")


def check_offer(offer: TierOffer) -> None:
    """Refuse, with the field at fault, what no offer can be."""
    if not 1 <= len(offer.level) <= MAX_CODE_LENGTH:
        raise InvalidTierOfferError(field="level", why=f"the level's code must have 1 to {MAX_CODE_LENGTH} characters")
    if not 1 <= len(offer.title.strip()) <= MAX_TITLE_LENGTH:
        raise InvalidTierOfferError(field="title", why=f"the title must have 1 to {MAX_TITLE_LENGTH} characters")
    if not 1 <= offer.value_minor <= MAX_VALUE_MINOR:
        raise InvalidTierOfferError(field="valueMinor", why=f"the value must be 1 to {MAX_VALUE_MINOR}")
    if not 1 <= offer.valid_days <= MAX_VALID_DAYS:
        raise InvalidTierOfferError(field="validDays", why=f"it must be valid for 1 to {MAX_VALID_DAYS} days")


def issue(offer: TierOffer, reached: TierReached, *, coupon_id: str, now: datetime) -> Coupon:
    """Return the coupon that `offer` gives for reaching its level."""
    return Coupon(
        id=coupon_id,
        member=reached.member,
        offer=offer.id,
        grant=reached.grant,
        title=offer.title,
        value_minor=offer.value_minor,
        reason=reason_of(offer.level),
        issued_at=now,
        expires_at=now + timedelta(days=offer.valid_days),
    )


def reason_of(level: str) -> str:
    """Return what a coupon for reaching a level was issued for."""
    return f"tier:{level}"


def redeem(coupon: Coupon, *, holders: Collection[str], store: str, now: datetime) -> Coupon:
    """Use `coupon` up, or say why not: somebody else's, used before, or expired.

    `holders`: the ids of whoever uses it, more than one where members were merged.
    """
    if coupon.member not in holders:
        raise CouponOfAnotherMemberError(field="memberId", coupon=coupon.id)
    if coupon.use is not None:
        used = coupon.use
        raise CouponRedeemedError(field="couponId", coupon=coupon.id, redeemed_at=used.at.isoformat(), store=used.store)
    if coupon.state_at(now) is CouponState.EXPIRED:
        raise CouponExpiredError(field="couponId", coupon=coupon.id, expires_at=coupon.expires_at.isoformat())
    return replace(coupon, use=Use(now, store))
