"""A sale: a purchase as earning rules look at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.points.domain.items import Item
from services.points.domain.purchases import Purchase
from services.points.domain.rules import ONE

NOT_KNOWN = -1


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What conditions may ask of the member, as it was before the purchase."""

    visits: int = 0
    spend_minor: int = 0
    points: int = 0  # available
    days_since_last: int = NOT_KNOWN  # purchase
    days_since_joining: int = NOT_KNOWN


NO_FACTS = MemberFacts()


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase, and all that its rating depends on."""

    purchase: Purchase
    at: datetime  # when it was paid, by the store's clocks
    level: str
    level_permille: int = ONE
    region: str = ""
    items: Mapping[str, Item] = field(default_factory=dict)
    member: MemberFacts = NO_FACTS
    room: Mapping[tuple[str, str], int] = field(default_factory=dict)  # left of caps, by name and period; missing: all
    day: str = ""  # of the chain's calendar, "2026-03-05": within which caps count


def holds(condition: str, sale: Sale) -> bool:
    """Tell whether a condition holds for the sale."""
    raise NotImplementedError(condition, sale)
