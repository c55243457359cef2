"""A program's terms in the graph. Each type is written once: `terms` makes the input of it beside the output, and both
mirror protos/points/v1/programs.proto field by field."""

from copy import copy
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

import strawberry
from typing_extensions import dataclass_transform

from services.kit.graph import SafeInt
from services.points.graph import program_choices as choices
from services.points.graph.balances import PointsCurrency
from services.points.graph.receipts import SaleChannel

T = TypeVar("T")
_inputs: dict[Any, Any] = {}


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def terms(description: str) -> Any:
    """Make a GraphQL type of a class, and its input of the same fields."""

    def make(cls: type[T]) -> type[T]:
        own = cls.__annotations__
        namespace: dict[str, Any] = {name: copy(cls.__dict__[name]) for name in own}
        namespace["__annotations__"] = {name: _for_input(annotation) for name, annotation in own.items()}
        namespace["__module__"], namespace["__doc__"] = cls.__module__, cls.__doc__
        output = strawberry.type(cls, description=description)
        _inputs[output] = strawberry.input(type(f"{cls.__name__}Input", (), namespace), description=description)
        return output

    return make


def _for_input(annotation: Any) -> Any:
    """Return the annotation with inputs in place of the types that were made before."""
    if get_origin(annotation) is list:
        return list[_for_input(get_args(annotation)[0])]  # type: ignore[misc]  # made while the program starts
    if NoneType in get_args(annotation):
        return _for_input(get_args(annotation)[0]) | None
    return _inputs.get(annotation, annotation)


@terms("So many months and days, added in this order.")
class ProgramSpan:
    """So many months and days, added in this order."""

    days: SafeInt = strawberry.field(default=0, description="Days.")
    months: SafeInt = strawberry.field(default=0, description="Months.")


@terms(
    "Which lines a rule is about; what is empty matches everything. With items and categories, either may name a line."
)
class ProgramLines:
    """Lines."""

    items: list[str] = strawberry.field(default_factory=list, description="Item codes, up to 500.")
    categories: list[str] = strawberry.field(default_factory=list, description="Categories, up to 500.")
    not_items: list[str] = strawberry.field(default_factory=list, description="Not these item codes.")
    not_categories: list[str] = strawberry.field(default_factory=list, description="Not these categories.")
    launched_within_days: SafeInt = strawberry.field(
        default=0, description="The item was launched at most so many days before; 0: any."
    )


@terms("A part of the week by the store's clocks. One that ends before it begins goes on after midnight.")
class ProgramSlot:
    """A part of the week by the store's clocks. One that ends before it begins goes on after midnight."""

    weekdays: list[int] = strawberry.field(default_factory=list, description="1 Monday to 7 Sunday; none: every day.")
    from_minute: SafeInt = strawberry.field(default=0, description="Minutes since midnight, inclusive.")
    until_minute: SafeInt = strawberry.field(default=1_440, description="Minutes since midnight, exclusive.")


@terms("Which receipts a rule is about; what is empty matches everything.")
class ProgramWhere:
    """Which receipts a rule is about; what is empty matches everything."""

    channels: list[SaleChannel] = strawberry.field(default_factory=list, description="Over which channels.")
    stores: list[str] = strawberry.field(default_factory=list, description="Store ids.")
    partners: list[str] = strawberry.field(default_factory=list, description="Partner ids.")
    payment_kinds: list[str] = strawberry.field(default_factory=list, description="How it was paid.")
    levels: list[str] = strawberry.field(default_factory=list, description="Codes of the program's levels.")
    slots: list[ProgramSlot] = strawberry.field(default_factory=list, description="At which times, up to 20.")
    first_day: str | None = strawberry.field(
        default=None, description='Of the store\'s calendar, like "2026-03-01", inclusive.'
    )
    last_day: str | None = strawberry.field(default=None, description="Inclusive.")
    min_spend_minor: SafeInt = strawberry.field(default=0, description="Of what counts of the receipt, in minor units.")
    condition: str = strawberry.field(
        default="", description="Whatever else, in CEL over `purchase` and `member`; empty: nothing."
    )


@terms("At most so much, for each member.")
class ProgramCap:
    """At most so much, for each member."""

    limit: SafeInt = strawberry.field(description="At least 1.")
    window: choices.ProgramCapWindow = strawberry.field(description="Within what it counts.")
    unit: choices.ProgramCapUnit = strawberry.field(
        default=choices.ProgramCapUnit.POINTS, description="What it counts."
    )


@terms("So many points for each `perMinor` of what was spent; a base, which factors multiply.")
class ProgramRate:
    """So many points for each `perMinor` of what was spent; a base, which factors multiply."""

    points: SafeInt = strawberry.field(description="Points or stamps.")
    per_minor: SafeInt = strawberry.field(description="Minor units.")
    step_minor: SafeInt = strawberry.field(
        default=0, description="Rounding the amount makes it whole steps of this, in minor units; 0: of `perMinor`."
    )


@terms("So many points for the purchase; a base.")
class ProgramPerVisit:
    """So many points for the purchase; a base."""

    points: SafeInt = strawberry.field(description="Points or stamps.")


@terms("So many points for each piece; a base.")
class ProgramPerPiece:
    """So many points for each piece; a base."""

    points: SafeInt = strawberry.field(description="Points or stamps.")


@terms("Multiplies what the bases give for the lines that match.")
class ProgramFactor:
    """Multiplies what the bases give for the lines that match."""

    permille: SafeInt = strawberry.field(description="Thousandths, 1,000 to 100,000: 1,500 is once and a half.")


@terms("Adds points that nothing multiplies.")
class ProgramFixed:
    """Adds points that nothing multiplies."""

    points: SafeInt = strawberry.field(description="Points or stamps.")
    for_each_piece: bool = strawberry.field(default=False, description="For each piece that matches; else once.")


@terms("What a rule gives: exactly one of these.")
class ProgramEffect:
    """What a rule gives: exactly one of these."""

    rate: ProgramRate | None = strawberry.field(default=None, description="Points for money.")
    per_visit: ProgramPerVisit | None = strawberry.field(default=None, description="Points for the purchase.")
    per_piece: ProgramPerPiece | None = strawberry.field(default=None, description="Points for each piece.")
    factor: ProgramFactor | None = strawberry.field(default=None, description="A multiplier.")
    fixed: ProgramFixed | None = strawberry.field(default=None, description="A bonus.")


@terms("What is given, for which lines of which receipts, and at most how much.")
class ProgramRule:
    """What is given, for which lines of which receipts, and at most how much."""

    code: str = strawberry.field(
        description="1 to 64 characters, unique in the program; stands in what a purchase is explained by."
    )
    effect: ProgramEffect = strawberry.field(description="What it gives.")
    lines: ProgramLines | None = strawberry.field(default=None, description="For which lines; null: all.")
    where: ProgramWhere | None = strawberry.field(default=None, description="On which receipts; null: all.")
    caps: list[ProgramCap] = strawberry.field(default_factory=list, description="At most so much, up to 10.")
    currency: PointsCurrency = strawberry.field(
        default=PointsCurrency.POINTS, description="What it gives is counted in."
    )


@terms("How purchases earn.")
class ProgramEarning:
    """How purchases earn."""

    rules: list[ProgramRule] = strawberry.field(description="1 to 200.")
    rounding: choices.ProgramRounding = strawberry.field(
        default=choices.ProgramRounding.FLOOR, description="How fractions are rounded."
    )
    stage: choices.ProgramStage = strawberry.field(
        default=choices.ProgramStage.TOTAL, description="What is rounded first."
    )
    per: choices.ProgramPer = strawberry.field(default=choices.ProgramPer.RECEIPT, description="Over what is rounded.")
    stacking: choices.ProgramStacking = strawberry.field(
        default=choices.ProgramStacking.ADD, description="How factors meet."
    )
    excluded: ProgramLines | None = strawberry.field(
        default=None, description="Lines that earn nothing: items and categories only."
    )
    excluded_payment_kinds: list[str] = strawberry.field(
        default_factory=list, description="Receipts paid so earn nothing."
    )
    min_spend_minor: SafeInt = strawberry.field(default=0, description="Below it a receipt earns nothing; minor units.")
    tax_counts: bool = strawberry.field(default=True, description="Tax earns too.")
    tip_counts: bool = strawberry.field(default=False, description="The tip earns too.")
    caps: list[ProgramCap] = strawberry.field(
        default_factory=list, description="Over all rules that give points, up to 10."
    )


@terms("At least so much of one thing.")
class ProgramNeed:
    """At least so much of one thing."""

    metric: choices.ProgramMetric = strawberry.field(description="Of what.")
    at_least: SafeInt = strawberry.field(description="Minor units for spend, else points or purchases.")


@terms("What a level brings besides points.")
class ProgramBenefit:
    """What a level brings besides points."""

    kind: choices.ProgramBenefitKind = strawberry.field(description="What.")
    code: str = strawberry.field(default="", description="Which pack, where there are several.")


@terms("A level of the program.")
class ProgramLevel:
    """A level of the program."""

    code: str = strawberry.field(description="1 to 64 characters, unique in the program.")
    needs: list[ProgramNeed] = strawberry.field(
        default_factory=list,
        description="What it asks for; none: everybody's, when it is the first, else by invitation only.",
    )
    any_of: SafeInt = strawberry.field(default=0, description="So many of the needs are enough; 0: all of them.")
    keeps: list[ProgramNeed] | None = strawberry.field(
        default=None, description="What it takes to stay; null: the same."
    )
    earn_permille: SafeInt = strawberry.field(
        default=1_000, description="What purchases earn at this level, in thousandths, 1,000 to 100,000."
    )
    extends: ProgramSpan | None = strawberry.field(
        default=None, description="By how much points live longer that are earned at this level."
    )
    benefits: list[ProgramBenefit] = strawberry.field(default_factory=list, description="What it brings, up to 20.")


@terms("Over what the metrics of levels are counted.")
class ProgramWindow:
    """Over what the metrics of levels are counted."""

    kind: choices.ProgramWindowKind = strawberry.field(description="Which kind.")
    months: SafeInt = strawberry.field(
        default=0, description="Rolling 1 to 24, calendar 1, 3, 6 or 12, joining 0 to 24."
    )


@terms("How long a level lasts once it was reached; then it is renewed or lost.")
class ProgramLasts:
    """How long a level lasts once it was reached; then it is renewed or lost."""

    kind: choices.ProgramLastsKind = strawberry.field(description="Which kind.")
    count: SafeInt = strawberry.field(default=0, description="Periods, 0 to 8, or months, 1 to 60.")
    grace_days: SafeInt = strawberry.field(
        default=0, description="Days after the term before the level is lost, 0 to 90."
    )


@terms("The levels, ascending.")
class ProgramTiers:
    """The levels, ascending."""

    levels: list[ProgramLevel] = strawberry.field(description="1 to 20; the first is everybody's.")
    window: ProgramWindow | None = strawberry.field(
        default=None, description="Over what is counted; null: the lifetime."
    )
    lasts: ProgramLasts | None = strawberry.field(default=None, description="How long a level lasts; null: for ever.")
    starts: choices.ProgramLevelStarts = strawberry.field(
        default=choices.ProgramLevelStarts.AT_ONCE, description="When a level begins."
    )
    falls: choices.ProgramFalls = strawberry.field(
        default=choices.ProgramFalls.TO_FIT, description="How far a member falls."
    )
    crossing: choices.ProgramCrossing = strawberry.field(
        default=choices.ProgramCrossing.OLD, description="What the purchase earns by that reaches a level."
    )
    counts_anew: bool = strawberry.field(
        default=False, description="At every change of level the counters begin at nothing."
    )


@terms("A day of every year; 29 February is the 28th where there is none.")
class ProgramMonthDay:
    """A day of every year; 29 February is the 28th where there is none."""

    month: SafeInt = strawberry.field(description="1 to 12.")
    day: SafeInt = strawberry.field(description="1 to 31.")


@terms("What is earned up to one day can be used to the end of another.")
class ProgramCycle:
    """What is earned up to one day can be used to the end of another."""

    last_day: ProgramMonthDay = strawberry.field(description="What is earned up to this day, after the cycle before.")
    expires: ProgramMonthDay = strawberry.field(description="Can be used to the end of the next such day.")


@terms("How long points live. Several may apply, and the first to come ends them; none: for ever.")
class ProgramExpiry:
    """How long points live. Several may apply, and the first to come ends them; none: for ever."""

    life: ProgramSpan | None = strawberry.field(default=None, description="So long.")
    starts: choices.ProgramLifeStarts = strawberry.field(
        default=choices.ProgramLifeStarts.EARNED, description="From when on the life is counted."
    )
    rounds_to: choices.ProgramRoundsTo = strawberry.field(
        default=choices.ProgramRoundsTo.DAY, description="To the end of what it is stretched."
    )
    cycles: list[ProgramCycle] = strawberry.field(default_factory=list, description="By the calendar, up to 12.")
    idle: ProgramSpan | None = strawberry.field(default=None, description="So long without activity.")
    active_by: list[choices.ProgramActivity] = strawberry.field(
        default_factory=list, description="What counts as activity; none: earning and redemption."
    )


@terms("When points become available: after so many whole days, when an action is told, or whichever comes first.")
class ProgramRelease:
    """When points become available: after so many whole days, when an action is told, or whichever comes first."""

    days: SafeInt = strawberry.field(default=0, description="Whole days, 0 to 365; 0 without an action: at once.")
    on_action: bool = strawberry.field(default=False, description="When an action, such as a delivery, is told.")


@terms("What both sides get when a member who was brought by another one buys for the first time.")
class ProgramReferral:
    """What both sides of a referral get."""

    referrer_points: SafeInt = strawberry.field(
        default=0, description="Points for who brought a guest, 0 to 1,000,000; 0: none."
    )
    referred_points: SafeInt = strawberry.field(
        default=0, description="Points for the guest who was brought, 0 to 1,000,000; 0: none."
    )
    most_a_month: SafeInt = strawberry.field(
        default=0,
        description="Rewards of one referrer in a month of the chain's zone, 0 to 10,000; 0: without a limit.",
    )


@terms("How points are earned, how long they live, and the levels.")
class ProgramTerms:
    """How points are earned, how long they live, and the levels."""

    earning: ProgramEarning = strawberry.field(description="How purchases earn.")
    tiers: ProgramTiers = strawberry.field(description="The levels.")
    expiry: ProgramExpiry | None = strawberry.field(default=None, description="How long points live; null: for ever.")
    release: ProgramRelease | None = strawberry.field(
        default=None, description="When they become available; null: at once."
    )
    remind_days: SafeInt = strawberry.field(
        default=0, description="Days before points expire on which their member is reminded, 0 to 90; 0: not at all."
    )
    take_back: choices.ProgramTakeBack = strawberry.field(
        default=choices.ProgramTakeBack.DEBT, description="How far a refund goes for points that are spent."
    )
    refund_basis: choices.ProgramRefundBasis = strawberry.field(
        default=choices.ProgramRefundBasis.KEPT, description="What a refund takes back."
    )
    adjustment_limit: SafeInt = strawberry.field(
        default=10_000,
        description="Of points or stamps, in either direction: more than this by hand waits for a second person.",
    )
    referral: ProgramReferral | None = strawberry.field(
        default=None, description="What bringing a new guest gives; null: nothing."
    )


if TYPE_CHECKING:
    ProgramTermsInput = ProgramTerms
else:
    ProgramTermsInput = _inputs[ProgramTerms]
