"""Tiers in the graph: where a member stands, and a level given by hand."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import ledger_pb2, points_pb2
from protos.points.v1.ledger_pb2_grpc import LedgerStub
from services.kit.graph import (
    INPUT,
    Caller,
    Info,
    Instant,
    Money,
    SafeInt,
    UserError,
    allow,
    instant,
    mutation,
    timestamp,
)
from services.points.graph.codes import KEY, code

GRANTERS = allow(Caller.STAFF, scope="ledger:level")
ONE = 1_000


@strawberry.enum(description="What a level may ask for.")
class TierMetric(Enum):
    """Metrics, named as in the proto."""

    SPEND = strawberry.enum_value("SPEND", description="What was spent, in minor units.")
    POINTS = strawberry.enum_value("POINTS", description="Points earned, less what refunds took back.")
    VISITS = strawberry.enum_value("VISITS", description="Purchases.")
    BALANCE = strawberry.enum_value("BALANCE", description="Points available now.")


@strawberry.type(description="How far one of a level's needs is met, over the window in which the program counts.")
class TierProgress:
    """A need."""

    metric: TierMetric = strawberry.field(description="What is counted.")
    has: SafeInt = strawberry.field(description="What counts now.")
    at_least: SafeInt = strawberry.field(description="What it takes.")
    missing: SafeInt = strawberry.field(description="What is left to it; 0: met.")


@strawberry.enum(description="What a level brings besides points.")
class TierBenefitKind(Enum):
    """Kinds, named as in the proto."""

    COUPON_PACK = strawberry.enum_value("COUPON_PACK", description="A pack of coupons.")
    BIRTHDAY_PACK = strawberry.enum_value("BIRTHDAY_PACK", description="Something for the birthday.")
    EARLY_TASTING = strawberry.enum_value("EARLY_TASTING", description="New products before others.")
    ACCOUNT_MANAGER = strawberry.enum_value("ACCOUNT_MANAGER", description="Somebody to turn to.")
    FREE_DELIVERY = strawberry.enum_value("FREE_DELIVERY", description="Delivery for nothing.")
    PRIORITY_BOOKING = strawberry.enum_value("PRIORITY_BOOKING", description="A table before others.")


@strawberry.type(description="What a level brings besides points.")
class TierBenefit:
    """A benefit."""

    kind: TierBenefitKind = strawberry.field(description="What it is.")
    code: str | None = strawberry.field(description="Which one of these, by the chain's own code; null: the only one.")


@strawberry.type(description="Where a member stands in the program.")
class Tier:
    """A member's tier."""

    level: str = strawberry.field(description="The level's code in the chain's program, like \"silver\".")
    since: Instant | None = strawberry.field(description="From when on purchases earn by it; null on the first level.")
    until: Instant | None = strawberry.field(description="Then it is renewed or lost, grace included; null: it stays.")
    given: bool = strawberry.field(description="By hand, above what was reached.")
    earn_factor: float = strawberry.field(description="What purchases earn by: 1 is the base rate, 1.2 a fifth more.")
    benefits: list[TierBenefit] = strawberry.field(description="What it brings besides.")
    qualifying_spend: Money | None = strawberry.field(description="What counts so far; null before the first purchase.")
    next_level: str | None = strawberry.field(
        description="The next level up; null at the top, and where only an invitation leads higher."
    )
    next_begins_at: Instant | None = strawberry.field(
        description="The next level was reached already, and begins then; null: it was not."
    )
    missing_minor: SafeInt = strawberry.field(
        description="What is still to be spent for the next level, in the currency's minor unit; 0 at the top."
    )
    reaches: list[TierProgress] = strawberry.field(description="What the next level asks for.")
    reaches_any_of: int = strawberry.field(description="So many of these are enough.")
    keeps: list[TierProgress] = strawberry.field(description="What it takes to stay beyond `until`.")
    falls_to: str | None = strawberry.field(
        description="Where the member falls at `until` unless the level is renewed; null: nothing would be lost."
    )


@strawberry.input(description="A level given by hand.")
class GrantLevelInput:
    """A gesture or an invitation."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="To whom.")
    level: str | None = strawberry.field(description="The level's code; null: what was given is taken back.")
    until: Instant | None = strawberry.field(default=None, description="Exclusive; null: until it is taken back.")
    reason: str = strawberry.field(description="In words, 1 to 500 characters.")


@strawberry.enum(description="Why no level was given.")
class GrantLevelErrorCode(Enum):
    """Codes of `GrantLevelError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    INVALID_ADJUSTMENT = code("INVALID_ADJUSTMENT")
    MEMBER_NOT_FOUND = code("MEMBER_NOT_FOUND")
    LEVEL_NOT_FOUND = code("LEVEL_NOT_FOUND")
    GRANT_ENDED = code("GRANT_ENDED")


@strawberry.type(description="Why no level was given.")
class GrantLevelError(UserError):
    """An item of `userErrors`."""

    code: GrantLevelErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="Where the member stands now, or why no level was given.")
class GrantLevelPayload:
    """The answer to `grantLevel`."""

    user_errors: list[GrantLevelError] = strawberry.field(description="Empty: it is given, or taken back.")
    tier: Tier | None = strawberry.field(default=None, description="Afterwards; null: nothing changed.")
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type
class TierMutation:
    """What people do to levels by hand."""

    @mutation(
        GRANTERS,
        description="Gives a level by hand, by invitation or as a gesture, beside what the member reaches by itself: "
        "the higher of the two holds. A new one replaces the one given before.",
    )
    async def grant_level(self, info: Info, wish: Annotated[GrantLevelInput, INPUT]) -> GrantLevelPayload:
        """Give a level."""
        request = ledger_pb2.GrantLevelRequest(
            key=wish.key, member_id=wish.member_id, level=wish.level or "", reason=wish.reason
        )
        if wish.until is not None:
            request.until.CopyFrom(timestamp(wish.until))
        points = info.context.channel("points")
        answer = await points.ask(points.stub(LedgerStub).GrantLevel, request)
        return GrantLevelPayload(user_errors=[], tier=tier_of(answer.tier), repeated_call=answer.repeated_call)


def tier_of(tier: points_pb2.Tier) -> Tier:
    """Return a tier from its proto."""
    return Tier(
        level=tier.level,
        since=instant(tier.since) if tier.HasField("since") else None,
        until=instant(tier.until) if tier.HasField("until") else None,
        given=tier.given,
        earn_factor=(tier.earn_permille or ONE) / ONE,
        benefits=[
            TierBenefit(
                kind=TierBenefitKind[points_pb2.BenefitKind.Name(one.kind).removeprefix("BENEFIT_KIND_")],
                code=one.code or None,
            )
            for one in tier.benefits
        ],
        qualifying_spend=Money.of(tier.qualifying_spend) if tier.HasField("qualifying_spend") else None,
        next_level=tier.next_level or None,
        next_begins_at=instant(tier.next_begins_at) if tier.HasField("next_begins_at") else None,
        missing_minor=tier.missing_minor,
        reaches=[_progress(one) for one in tier.reaches],
        reaches_any_of=tier.reaches_any_of,
        keeps=[_progress(one) for one in tier.keeps],
        falls_to=tier.falls_to or None,
    )


def _progress(one: points_pb2.Progress) -> TierProgress:
    return TierProgress(
        metric=TierMetric[points_pb2.Metric.Name(one.metric).removeprefix("METRIC_")],
        has=one.has,
        at_least=one.at_least,
        missing=max(0, one.at_least - one.has),
    )
