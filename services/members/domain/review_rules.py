"""By which rules a chain wants to be told that something looks like fraud: data, with bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, is_code

MAX_RULES = 20

MAX_MOST = 100
"""Receipts that a rule may leave unquestioned; what is looked at of a person (`signals.MOST_LOOKED_AT`) is more."""


class SignalKind(StrEnum):
    """What looks like fraud."""

    STAFF_OWN_CARD = "staff_own_card"
    TOO_MANY_RECEIPTS = "too_many_receipts"
    IMPOSSIBLE_TRAVEL = "impossible_travel"


class Severity(StrEnum):
    """How bad the chain holds it to be."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class InvalidReviewRuleError(Problem):
    """The rule is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_REVIEW_RULE"


class ReviewRulesChangedError(Problem):
    """The rules are at version {version} by now, not {wanted}. Look at them again."""

    kind = Kind.CONFLICT
    code = "REVIEW_RULES_CHANGED"


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """A rule. What its kind has no use for is 0.

    `window_minutes` is how far apart receipts may lie that count together; `most` how many of them are still all
    right. Who went from store to store faster than `speed_kmh`, `min_distance_m` or more in a straight line over the
    globe, was not at both.
    """

    code: str
    kind: SignalKind
    severity: Severity
    window_minutes: int
    most: int = 0
    speed_kmh: int = 0
    min_distance_m: int = 0
    on: bool = True

    @property
    def window(self) -> timedelta:
        """How far apart receipts may lie that count together."""
        return timedelta(minutes=self.window_minutes)


@dataclass(frozen=True, slots=True)
class ReviewRules:
    """A chain's rules. `version` is 0 until the chain has said anything."""

    rules: tuple[ReviewRule, ...]
    version: int = 0


USUAL = ReviewRules(
    (
        ReviewRule("staff-own-card", SignalKind.STAFF_OWN_CARD, Severity.HIGH, window_minutes=24 * 60, most=2),
        ReviewRule("too-many-receipts", SignalKind.TOO_MANY_RECEIPTS, Severity.MEDIUM, window_minutes=60, most=5),
        # Faster than the fastest trains, slower than a flight from door to door.
        ReviewRule(
            "impossible-travel",
            SignalKind.IMPOSSIBLE_TRAVEL,
            Severity.MEDIUM,
            window_minutes=12 * 60,
            speed_kmh=400,
            min_distance_m=50_000,
        ),
    )
)
"""What holds for a chain that has said nothing."""

_Bounds = Mapping[str, tuple[int, int]]

BOUNDS: Mapping[SignalKind, _Bounds] = MappingProxyType(
    {
        SignalKind.STAFF_OWN_CARD: {"window_minutes": (1, 31 * 24 * 60), "most": (0, MAX_MOST)},
        SignalKind.TOO_MANY_RECEIPTS: {"window_minutes": (1, 24 * 60), "most": (1, MAX_MOST)},
        SignalKind.IMPOSSIBLE_TRAVEL: {
            "window_minutes": (1, 2 * 24 * 60),
            "speed_kmh": (10, 2_000),
            "min_distance_m": (100, 1_000_000),
        },
    }
)
"""The least and the most of each parameter, by kind; of one that is missing there is none."""

_NAMES = {
    "window_minutes": "windowMinutes",
    "most": "most",
    "speed_kmh": "speedKmh",
    "min_distance_m": "minDistanceM",
}


def check_rules(rules: Sequence[ReviewRule]) -> None:
    """Refuse, with the field at fault, what no chain can want. No rule at all is fine: nothing is looked at."""
    if len(rules) > MAX_RULES:
        raise InvalidReviewRuleError(field="rules", why=f"there are at most {MAX_RULES}")
    seen: set[str] = set()
    for number, rule in enumerate(rules):
        at = f"rules.{number}"
        if not is_code(rule.code):
            raise InvalidReviewRuleError(
                field=f"{at}.code", why=f"a code has 1 to {MAX_CODE_LENGTH} visible characters"
            )
        if rule.code in seen:
            raise InvalidReviewRuleError(field=f"{at}.code", why="its code stands twice")
        seen.add(rule.code)
        for name, shown in _NAMES.items():
            least, most = BOUNDS[rule.kind].get(name, (0, 0))
            if not least <= getattr(rule, name) <= most:
                why = f"{shown} is {least} to {most}" if most else f"a rule of this kind has no {shown}"
                raise InvalidReviewRuleError(field=f"{at}.{shown}", why=why)
