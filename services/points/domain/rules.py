"""Earning rules as data: what a rule gives, to which lines, when, and at most how much."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.points.domain.items import Item, category_of
from services.points.domain.purchases import Channel, Line

POINTS = "points"
STAMPS = "stamps"
CURRENCIES = (POINTS, STAMPS)
"""What a chain's program counts in: points for money, stamps for pieces ("buy five, get one")."""

ONE = 1_000
"""A factor of 1, in thousandths."""

MINUTES_A_DAY = 24 * 60


class Rounding(StrEnum):
    """How a fraction of a point becomes a whole one."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    UP = "up"

    def whole(self, numerator: int, denominator: int) -> int:
        """Return the fraction as a whole number; neither part is negative."""
        if self is Rounding.FLOOR:
            return numerator // denominator
        if self is Rounding.UP:
            return -(-numerator // denominator)
        return (2 * numerator + denominator) // (2 * denominator)


class Stage(StrEnum):
    """What is rounded before anything is multiplied; the result is rounded in any case."""

    AMOUNT = "amount"  # to whole steps of the rate
    BASE = "base"  # the base points, before multipliers
    TOTAL = "total"  # nothing: only the result


class Per(StrEnum):
    """Over what is rounded."""

    RECEIPT = "receipt"
    LINE = "line"


class Stacking(StrEnum):
    """How factors meet on one line, the level's included: × 1.2 and × 2 make 2.2, 2.4 or 2."""

    ADD = "add"
    MULTIPLY = "multiply"
    BEST = "best"  # and of fixed bonuses only the largest


@dataclass(frozen=True, slots=True)
class Rate:
    """So many points for each `per_minor` of what was spent; a base, which factors multiply."""

    points: int
    per_minor: int
    step_minor: int = 0  # rounding the amount makes it whole steps of this; 0: of `per_minor`


@dataclass(frozen=True, slots=True)
class PerVisit:
    """So many points for the purchase; a base."""

    points: int


@dataclass(frozen=True, slots=True)
class PerPiece:
    """So many points for each piece; a base."""

    points: int


@dataclass(frozen=True, slots=True)
class Factor:
    """Multiplies what the bases give for the lines that match: 1,500 is once and a half."""

    permille: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """Adds points that nothing multiplies: once, or for each piece that matches."""

    points: int
    for_each_piece: bool = False


Effect = Rate | PerVisit | PerPiece | Factor | Fixed
Base = Rate | PerVisit | PerPiece


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of the week by the store's clocks. One that ends before it begins goes on after midnight."""

    weekdays: frozenset[int] = frozenset()  # ISO: 1 is Monday; none: every day
    from_minute: int = 0  # since midnight, inclusive
    until_minute: int = MINUTES_A_DAY  # exclusive

    def has(self, moment: datetime) -> bool:
        """Tell whether the slot has this local time; the hours after midnight belong to the day that it began on."""
        minute, weekday = moment.hour * 60 + moment.minute, moment.isoweekday()
        if self.from_minute < self.until_minute:
            return self.from_minute <= minute < self.until_minute and self._on(weekday)
        if minute >= self.from_minute:
            return self._on(weekday)
        return minute < self.until_minute and self._on((moment - timedelta(days=1)).isoweekday())

    def _on(self, weekday: int) -> bool:
        return not self.weekdays or weekday in self.weekdays


@dataclass(frozen=True, slots=True)
class LineMatch:
    """Which lines a rule is about; what is empty matches everything."""

    items: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    not_items: frozenset[str] = frozenset()
    not_categories: frozenset[str] = frozenset()
    launched_within_days: int = 0  # the item was launched at most so many days before; 0: any

    def __bool__(self) -> bool:
        return bool(self.items or self.categories or self.not_items or self.not_categories or self.launched_within_days)

    def has(self, line: Line, items: Mapping[str, Item], today: date) -> bool:
        """Tell whether the line is one of these. With items and categories, either may name it."""
        item = items.get(line.item_code)
        category = category_of(line, items)
        if line.item_code in self.not_items or category in self.not_categories:
            return False
        if (self.items or self.categories) and not (line.item_code in self.items or category in self.categories):
            return False
        if not self.launched_within_days:
            return True
        launched = item.launched_on if item else None
        return launched is not None and launched <= today < launched + timedelta(days=self.launched_within_days)


ANY_LINE = LineMatch()


@dataclass(frozen=True, slots=True)
class Where:
    """Which receipts a rule is about; what is empty matches everything."""

    channels: frozenset[Channel] = frozenset()
    stores: frozenset[str] = frozenset()
    partners: frozenset[str] = frozenset()
    payment_kinds: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    slots: tuple[Slot, ...] = ()
    first_day: date | None = None  # of the store's calendar, inclusive
    last_day: date | None = None  # inclusive
    min_spend_minor: int = 0  # of what counts of the receipt
    condition: str = ""  # CEL: see `conditions`


ANYWHERE = Where()


class CapWindow(StrEnum):
    """Within what a cap counts: days and months of the chain's calendar."""

    PURCHASE = "purchase"
    DAY = "day"
    MONTH = "month"
    EVER = "ever"


class CapUnit(StrEnum):
    """What a cap counts."""

    POINTS = "points"
    TIMES = "times"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so much, for each member."""

    limit: int
    window: CapWindow
    unit: CapUnit = CapUnit.POINTS

    def name(self, rule: str) -> str:
        """Return under which name its use is counted."""
        return f"{rule}/{self.window}/{self.unit}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is given, for which lines of which receipts, and at most how much."""

    code: str
    effect: Effect
    lines: LineMatch = ANY_LINE
    where: Where = ANYWHERE
    caps: tuple[Cap, ...] = ()
    currency: str = POINTS


ALL = "*"
"""The name under which caps over all rules count."""


@dataclass(frozen=True, slots=True)
class Earning:
    """How a program's purchases earn: the rules, what counts of a receipt, and how it is rounded."""

    rules: tuple[Rule, ...]
    rounding: Rounding = Rounding.FLOOR
    stage: Stage = Stage.TOTAL
    per: Per = Per.RECEIPT
    stacking: Stacking = Stacking.ADD
    excluded: LineMatch = ANY_LINE  # lines that earn nothing: only `items` and `categories` of it
    excluded_payment_kinds: frozenset[str] = frozenset()  # such receipts earn nothing
    min_spend_minor: int = 0  # below it a receipt earns nothing
    tax_counts: bool = True
    tip_counts: bool = False
    caps: tuple[Cap, ...] = ()  # over all rules that give points

    @property
    def needs_items(self) -> bool:
        """Tell whether a rule looks at what the menu says of an item."""
        return bool(self.excluded) or any(rule.lines or "categories" in rule.where.condition for rule in self.rules)

    @property
    def needs_facts(self) -> bool:
        """Tell whether a rule looks at more of the member than the level."""
        return any(rule.where.condition for rule in self.rules)

    @property
    def has_caps(self) -> bool:
        """Tell whether anything is capped over more than one purchase."""
        caps = [*self.caps, *(cap for rule in self.rules for cap in rule.caps)]
        return any(cap.window is not CapWindow.PURCHASE for cap in caps)
