"""What looks like fraud among a person's receipts.

Each finding is a fact about a set of receipts, whatever the order in which they came to be known: one more receipt can
only make more of them suspicious. So what comes late or twice needs no care here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from types import MappingProxyType

from services.members.domain.places import Position, distance_m
from services.members.domain.review_rules import ReviewRule, SignalKind

MOST_LOOKED_AT = 500
"""Receipts of a person within reach of a rule's window: the latest, five times what a rule may leave unquestioned."""

HISTORY = timedelta(days=35)
"""What happened longer ago than that is not looked at: an import of years is no fraud."""

REMOTE = frozenset({"online", "delivery", "partner"})
"""Channels over which a guest buys without being in the store."""

_SECONDS_OF_HOUR = 3_600
_METRES_OF_KILOMETRE = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Receipt:
    """A purchase as far as it can be suspicious. `staff` is who served, by the chain's own code; empty: not known."""

    at: datetime
    purchase: str
    store: str
    staff: str = ""
    remote: bool = False


def suspicious(
    rule: ReviewRule,
    receipts: Collection[Receipt],
    *,
    own_codes: Collection[str] = (),
    positions: Mapping[str, Position] = MappingProxyType({}),
) -> list[Receipt]:
    """Return those of a person's receipts that the rule calls into question, the earliest first.

    `own_codes` are the codes that the person has among the staff, `positions` those of the stores that have one.
    """
    if len(receipts) <= max(rule.most, rule.kind is SignalKind.IMPOSSIBLE_TRAVEL):
        return []  # as of most guests on most days
    match rule.kind:
        case SignalKind.TOO_MANY_RECEIPTS:
            return _crowded(sorted(receipts), rule)
        case SignalKind.STAFF_OWN_CARD:
            return sorted(
                one
                for code in sorted(set(own_codes))
                for one in _crowded(sorted(each for each in receipts if each.staff == code), rule)
            )
        case SignalKind.IMPOSSIBLE_TRAVEL:
            there = sorted(one for one in receipts if not one.remote and one.store in positions)
            return _too_fast(there, rule, positions)


def _crowded(receipts: Sequence[Receipt], rule: ReviewRule) -> list[Receipt]:
    """Return the receipts that lie in some window with more than `most` of them."""
    turns = [0] * (len(receipts) + 1)  # where a crowd begins and ends, added up below
    last = 0
    for first, one in enumerate(receipts):
        while last < len(receipts) and receipts[last].at - one.at <= rule.window:
            last += 1
        if last - first > rule.most:
            turns[first] += 1
            turns[last] -= 1
    return [one for one, crowds in zip(receipts, accumulate(turns), strict=False) if crowds]


def _too_fast(receipts: Sequence[Receipt], rule: ReviewRule, positions: Mapping[str, Position]) -> list[Receipt]:
    """Return the receipts of all pairs that nobody can have been at both of, not only of neighbours in time."""
    found: set[int] = set()
    ways: dict[tuple[str, str], float] = {}
    for first, one in enumerate(receipts):
        for second in range(first + 1, len(receipts)):
            other = receipts[second]
            if other.at - one.at > rule.window:
                break
            if one.store == other.store:
                continue
            pair = one.store, other.store
            if pair not in ways:
                ways[pair] = distance_m(positions[one.store], positions[other.store])
            hours = (other.at - one.at).total_seconds() / _SECONDS_OF_HOUR
            if ways[pair] >= rule.min_distance_m and ways[pair] > rule.speed_kmh * _METRES_OF_KILOMETRE * hours:
                found |= {first, second}
    return [receipts[number] for number in sorted(found)]
