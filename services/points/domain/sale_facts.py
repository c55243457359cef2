"""A sale: a purchase as earning rules look at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.points.domain.conditions import NO_FACTS, Facts, MemberFacts, PurchaseFacts, compile_condition
from services.points.domain.items import Item, category_of
from services.points.domain.purchases import Purchase
from services.points.domain.rules import ONE


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase, and all that its rating depends on."""

    purchase: Purchase
    at: datetime  # when it was paid, by the store's clocks
    level: str
    level_permille: int = ONE
    region: str = ""
    items: Mapping[str, Item] = field(default_factory=dict)
    member: MemberFacts = NO_FACTS  # without the tier: that is `level`
    room: Mapping[tuple[str, str], int] = field(default_factory=dict)  # left of caps, by name and period; missing: all
    day: str = ""  # of the chain's calendar, "2026-03-05": within which caps count


def holds(condition: str, sale: Sale) -> bool:
    """Tell whether a condition in CEL holds for the sale: see `conditions`."""
    return compile_condition(condition).holds(_facts(sale))


def _facts(sale: Sale) -> Facts:
    purchase, at = sale.purchase, sale.at
    return Facts(
        PurchaseFacts(
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
        replace(sale.member, tier=sale.level),
    )
