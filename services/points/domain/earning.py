"""What a purchase earns, and why: each rule's part, so that the parts sum to what is booked.

A base (a rate, a visit, a piece) is multiplied by the level's factor and by those of the rules, then come the fixed
bonuses, then the caps. All arithmetic is on whole numbers; a fraction of a point appears only to be rounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.points.domain.purchases import Line
from services.points.domain.rules import (
    ALL,
    ONE,
    POINTS,
    Base,
    Cap,
    CapUnit,
    CapWindow,
    Earning,
    Factor,
    Fixed,
    Per,
    PerPiece,
    PerVisit,
    Rate,
    Rule,
    Stacking,
    Stage,
)
from services.points.domain.sale_facts import Sale, holds

NO_LINE = Line("", 1, 0)
"""Stands for what no line says: a tip that counts, and the visit itself."""


@dataclass(frozen=True, slots=True)
class EarnedPart:
    """What one rule added to what a purchase granted."""

    rule: str
    program_version: int
    points: int
    currency: str = POINTS
    base: int = 0  # what it worked on: minor units for a rate, points for a factor, pieces or visits for the others
    factor_permille: int = ONE
    cap: str = ""  # which cap cut it
    uncapped: int = 0  # what it would have been; 0 where nothing was cut


@dataclass(frozen=True, slots=True)
class CapUse:
    """How much of a cap a purchase used, or has left for it: `period` is a day, a month, or empty."""

    cap: str
    period: str
    amount: int


@dataclass(frozen=True, slots=True)
class Earned:
    """The parts, in the order in which they were given, and what of the caps they used."""

    parts: tuple[EarnedPart, ...]
    used: tuple[CapUse, ...] = ()


def earn(earning: Earning, version: int, sale: Sale) -> Earned:
    """Return what the sale earns by version `version` of a program."""
    counted = _counted(earning, sale)
    if counted is None:
        return Earned((_nothing(earning, version),))
    rating = _Rating(earning, version, sale, counted)
    holding = [rule for rule in earning.rules if _holds(rule, sale, counted.spend_minor)]
    factors = [(rule, rule.effect.permille) for rule in holding if isinstance(rule.effect, Factor)]
    parts: list[EarnedPart] = []
    for rule in holding:
        if isinstance(rule.effect, Rate | PerVisit | PerPiece):
            parts += _BaseSum(rating, rule, rule.effect, factors).parts()
    parts += _fixed(rating, holding)
    if not any(part.currency == POINTS for part in parts):
        parts.insert(0, _nothing(earning, version))
    return _capped(earning, sale, parts)


def sums(parts: Sequence[EarnedPart]) -> dict[str, int]:
    """Return what the parts sum to, by currency; points are always there."""
    found = {POINTS: 0}
    for part in parts:
        found[part.currency] = found.get(part.currency, 0) + part.points
    return found


def _nothing(earning: Earning, version: int) -> EarnedPart:
    """Return the part of a purchase that earned no points: the first base, with none."""
    code = next((rule.code for rule in earning.rules if isinstance(rule.effect, Rate | PerVisit | PerPiece)), "base")
    return EarnedPart(code, version, 0)


@dataclass(frozen=True, slots=True)
class _Counted:
    """The lines that count, each with its amount; a tip that counts stands last, as a line without an item."""

    lines: tuple[tuple[Line, int], ...]

    @property
    def spend_minor(self) -> int:
        return sum(amount for _, amount in self.lines)


@dataclass(frozen=True, slots=True)
class _Rating:
    """What all rules work on."""

    earning: Earning
    version: int
    sale: Sale
    counted: _Counted


def _counted(earning: Earning, sale: Sale) -> _Counted | None:
    """Return what of the receipt counts, None when nothing does."""
    purchase = sale.purchase
    if purchase.payment_kind and purchase.payment_kind in earning.excluded_payment_kinds:
        return None
    tax = 0 if earning.tax_counts else purchase.tax_minor
    paid = before = net = 0
    total = purchase.paid_minor
    lines: list[tuple[Line, int]] = []
    excluded = earning.excluded
    for line in purchase.lines:
        amount = line.paid_minor
        if tax:  # the tax is known for the whole receipt: each line bears its share, and the shares sum to it
            paid += amount
            net = paid - tax * paid // total if total else 0
            amount, before = max(net, before) - before, max(net, before)
        if not (excluded and excluded.has(line, sale.items, sale.at.date())):
            lines.append((line, amount))
    if earning.tip_counts and purchase.tip_minor:
        lines.append((NO_LINE, purchase.tip_minor))
    counted = _Counted(tuple(lines))
    return None if counted.spend_minor < earning.min_spend_minor else counted


def _holds(rule: Rule, sale: Sale, spend_minor: int) -> bool:
    where, purchase = rule.where, sale.purchase
    today = sale.at.date()
    return (
        (not where.channels or purchase.channel in where.channels)
        and (not where.stores or purchase.store in where.stores)
        and (not where.partners or purchase.partner in where.partners)
        and (not where.payment_kinds or purchase.payment_kind in where.payment_kinds)
        and (not where.levels or sale.level in where.levels)
        and (where.first_day is None or where.first_day <= today)
        and (where.last_day is None or today <= where.last_day)
        and spend_minor >= where.min_spend_minor
        and (not where.slots or any(slot.has(sale.at) for slot in where.slots))
        and (not where.condition or holds(where.condition, sale))
    )


def _has(rule: Rule, line: Line, sale: Sale) -> bool:
    """Tell whether a rule is about this line; one that is about some lines is not about a tip."""
    return not rule.lines or (line is not NO_LINE and rule.lines.has(line, sale.items, sale.at.date()))


class _BaseSum:
    """What one base gives, multiplied step by step: the level's factor first, then each rule's."""

    def __init__(self, rating: _Rating, rule: Rule, effect: Base, factors: Sequence[tuple[Rule, int]]) -> None:
        self._earning, self._version, self._rule, self._effect = rating.earning, rating.version, rule, effect
        sale = rating.sale
        self._steps: list[tuple[str, int, Rule | None]] = []
        if rule.currency == POINTS and sale.level_permille != ONE:
            self._steps.append((f"tier:{sale.level}", sale.level_permille, None))
        self._steps += [(by.code, permille, by) for by, permille in factors if by.currency == rule.currency]
        matched = [(line, amount) for line, amount in rating.counted.lines if _has(rule, line, sale)]
        self._weights = self._weigh(matched)
        self._applies = [[by is None or _has(by, line, sale) for _, _, by in self._steps] for line, _ in matched]
        if isinstance(effect, PerVisit):  # a factor multiplies a visit when any of its lines matches
            self._applies = [[any(on) for on in zip(*self._applies, strict=True)]]

    def _weigh(self, matched: Sequence[tuple[Line, int]]) -> list[int]:
        """Return what each line brings in: minor units, pieces; of a visit, one for all."""
        if isinstance(self._effect, Rate):
            return [amount for _, amount in matched]
        if isinstance(self._effect, PerVisit):
            return [1] if matched else []
        return [line.quantity if line is not NO_LINE else 0 for line, _ in matched]

    def parts(self) -> list[EarnedPart]:
        """Return the base's own part, then what each factor added."""
        total = sum(self._weights)
        given = before = self._points(0)
        found = [EarnedPart(self._rule.code, self._version, given, self._rule.currency, base=total)]
        for number, (code, permille, _) in enumerate(self._steps, start=1):
            after = self._points(number)
            if after != before:
                found.append(
                    EarnedPart(
                        code, self._version, after - before, self._rule.currency, base=given, factor_permille=permille
                    )
                )
            before = after
        return found if total or self._rule.currency == POINTS else []

    def _points(self, steps: int) -> int:
        """Return what all lines give with the first `steps` factors."""
        if self._earning.per is Per.RECEIPT:
            return self._rounded(range(len(self._weights)), steps)
        return sum(self._rounded((number,), steps) for number in range(len(self._weights)))

    def _rounded(self, lines: Sequence[int], steps: int) -> int:
        rounding, effect = self._earning.rounding, self._effect
        points, per = (effect.points, effect.per_minor) if isinstance(effect, Rate) else (effect.points, 1)
        plain = sum(self._weights[line] for line in lines)
        factored, scale = self._factored(lines, steps)
        if plain == 0:
            return 0
        if self._earning.stage is Stage.TOTAL:
            return rounding.whole(factored * points, scale * per)
        if self._earning.stage is Stage.AMOUNT:
            step = (effect.step_minor or per) if isinstance(effect, Rate) else 1
            steps_whole = rounding.whole(plain, step) * step
            return rounding.whole(factored * steps_whole * points, plain * scale * per)
        return rounding.whole(rounding.whole(plain * points, per) * factored, plain * scale)

    def _factored(self, lines: Sequence[int], steps: int) -> tuple[int, int]:
        """Return the lines' sum with the first `steps` factors, as a fraction."""
        factors = [permille for _, permille, _ in self._steps[:steps]]
        if not factors:
            return sum(self._weights[line] for line in lines), 1
        stacking = self._earning.stacking
        found = 0
        for line in lines:
            on_line = [factor for factor, on in zip(factors, self._applies[line], strict=False) if on]
            found += self._weights[line] * _combined(on_line, len(factors), stacking)
        scale: int = ONE ** len(factors) if stacking is Stacking.MULTIPLY else ONE
        return found, scale


def _combined(factors: Sequence[int], of: int, stacking: Stacking) -> int:
    """Return the factors on one line as one, over 1,000 or, multiplied, over 1,000 to the power of `of`."""
    if stacking is Stacking.ADD:
        return ONE + sum(factor - ONE for factor in factors)
    if stacking is Stacking.BEST:
        return max(factors, default=ONE)
    product: int = ONE ** (of - len(factors))
    for factor in factors:
        product *= factor
    return product


def _fixed(rating: _Rating, holding: Sequence[Rule]) -> list[EarnedPart]:
    sale, version = rating.sale, rating.version
    found: list[EarnedPart] = []
    for rule in holding:
        if not isinstance(rule.effect, Fixed):
            continue
        matched = [line for line, _ in rating.counted.lines if _has(rule, line, sale)]
        pieces = sum(line.quantity for line in matched if line is not NO_LINE) if rule.effect.for_each_piece else 1
        if matched and pieces:
            found.append(EarnedPart(rule.code, version, rule.effect.points * pieces, rule.currency, base=pieces))
    if rating.earning.stacking is Stacking.BEST:
        best = {part.currency: part for part in sorted(found, key=lambda part: part.points)}
        return list(best.values())
    return found


def _capped(earning: Earning, sale: Sale, parts: Sequence[EarnedPart]) -> Earned:
    rules = {rule.code: rule for rule in earning.rules if rule.caps}
    if not rules and not earning.caps:
        return Earned(tuple(parts))
    left = _Room(sale)
    kept = [left.cut(part, part.rule, rules[part.rule].caps) if part.rule in rules else part for part in parts]
    if earning.caps:
        kept = [left.cut(part, ALL, earning.caps) if part.currency == POINTS else part for part in kept]
    return Earned(tuple(kept), left.used())


class _Room:
    """What is left of the caps while a purchase's parts are cut."""

    def __init__(self, sale: Sale) -> None:
        self._sale = sale
        self._used: dict[tuple[str, str], int] = {}

    def cut(self, part: EarnedPart, rule: str, caps: Sequence[Cap]) -> EarnedPart:
        """Return the part as far as there is room, and count it."""
        allowed, by = part.points, ""
        for cap in caps:
            room = self._left(cap, rule)
            most = room if cap.unit is CapUnit.POINTS else part.points if room else 0
            if most < allowed:
                allowed, by = most, cap.name(rule)
        if allowed:
            for cap in caps:
                key = self._key(cap, rule)
                once = 1 if key not in self._used else 0
                self._used[key] = self._used.get(key, 0) + (allowed if cap.unit is CapUnit.POINTS else once)
        return replace(part, points=allowed, cap=by, uncapped=part.points) if by else part

    def used(self) -> tuple[CapUse, ...]:
        """Return what is to be counted for later purchases."""
        return tuple(CapUse(name, period, amount) for (name, period), amount in self._used.items() if period != "-")

    def _key(self, cap: Cap, rule: str) -> tuple[str, str]:
        return cap.name(rule), period_of_cap(cap, self._sale.day)

    def _left(self, cap: Cap, rule: str) -> int:
        key = self._key(cap, rule)
        used = self._used.get(key, 0)
        if cap.unit is CapUnit.TIMES and used:
            return 1  # this purchase is one time, however many parts it has
        return max(0, self._sale.room.get(key, cap.limit) - used)


def period_of_cap(cap: Cap, day: str) -> str:
    """Return in which day or month of the chain's calendar a cap's use counts: "-" for the purchase itself."""
    match cap.window:
        case CapWindow.PURCHASE:
            return "-"
        case CapWindow.DAY:
            return day
        case CapWindow.MONTH:
            return day[: len("2026-03")]
        case _:
            return ""
