"""A sale: a purchase as earning rules look at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.points.domain import conditions
from services.points.domain.items import Item
from services.points.domain.purchases import Line, Purchase
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
    """Tell whether a condition in CEL holds for the sale: see `conditions`."""
    return conditions.compile_condition(condition).holds(_facts(sale))


def _facts(sale: Sale) -> conditions.Facts:
    purchase, member, at = sale.purchase, sale.member, sale.at
    return conditions.Facts(
        conditions.PurchaseFacts(
            paid_minor=purchase.paid_minor,
            currency=purchase.currency,
            store=purchase.store,
            region=sale.region,
            channel=purchase.channel.value,
            payment_kind=purchase.payment_kind,
            partner=purchase.partner,
            party_size=purchase.party_size,
            items=tuple(line.item_code for line in purchase.lines),
            categories=tuple(category_of(line, sale.items) for line in purchase.lines),
            quantity=sum(line.quantity for line in purchase.lines),
            coupons=purchase.coupons,
            hour=at.hour,
            weekday=at.isoweekday(),
            day=f"{at:%m-%d}",
            date=f"{at:%Y-%m-%d}",
        ),
        conditions.MemberFacts(
            tier=sale.level,
            visits=member.visits,
            spend_minor=member.spend_minor,
            points=member.points,
            days_since_last=member.days_since_last,
            days_since_joining=member.days_since_joining,
        ),
    )


def category_of(line: Line, items: Mapping[str, Item]) -> str:
    """Return a line's category: what the till said, else what the menu says; empty: neither does."""
    item = items.get(line.item_code)
    return line.category or (item.category if item else "")
