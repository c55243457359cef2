"""Rating a purchase: what its rules see of account and receipt, at booking and again when something is refunded."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.points.domain.calendar import day_of, local
from services.points.domain.commands import BookPurchase
from services.points.domain.conditions import NO_FACTS, NOT_KNOWN, MemberFacts
from services.points.domain.drafts import Draft
from services.points.domain.earning import CapUse, Earned, earn, period_of_cap
from services.points.domain.items import Item
from services.points.domain.programs import Program
from services.points.domain.purchases import Line, Purchase
from services.points.domain.receipts import BookedPurchase, Rated
from services.points.domain.rules import ALL, POINTS, CapWindow, Earning
from services.points.domain.sale_facts import Sale
from services.points.domain.standings import Counts


def sale_of(draft: Draft, command: BookPurchase, purchase: Purchase, program: Program, level: str) -> Sale:
    """Return the purchase as the rules of `program` look at it."""
    earning, zone = program.earning, draft.programs.zone
    day = day_of(purchase.occurred_at, zone).isoformat()
    return Sale(
        purchase,
        at=local(purchase.occurred_at, command.time_zone),
        level=level,
        level_permille=program.tiers.level(level).earn_permille,
        region=command.region,
        items=_items(command.items, purchase) if earning.needs_items else {},
        member=_facts(draft, purchase.occurred_at) if earning.needs_facts else NO_FACTS,
        room=_room(earning, draft.account.counts, day) if earning.has_caps else {},
        day=day,
    )


def rated_by(sale: Sale, program: Program) -> Rated | None:
    """Return what must be kept of a sale to rate a part of it again."""
    earning = program.earning
    if not (earning.needs_items or earning.needs_facts or earning.has_caps):
        return None
    room = tuple(CapUse(cap, period, left) for (cap, period), left in sale.room.items())
    return Rated(sale.region, tuple(sale.items.values()), sale.member, room)


def rate_again(booked: BookedPurchase, lines: Sequence[Line], program: Program, zone: str) -> Earned:
    """Return what `lines` of a booked receipt earn, as it was rated: the same level, facts and room in caps."""
    purchase, rated = booked.purchase, booked.rated or Rated()
    paid, kept = purchase.paid_minor, sum(line.paid_minor for line in lines)
    if not any(line.quantity or line.paid_minor for line in lines):
        return Earned(())
    part = replace(purchase, lines=tuple(lines), tax_minor=purchase.tax_minor * kept // paid if paid else 0)
    sale = Sale(
        part,
        at=local(purchase.occurred_at, booked.time_zone),
        level=booked.level,
        level_permille=program.tiers.level(booked.level).earn_permille,
        region=rated.region,
        items={item.code: item for item in rated.items},
        member=rated.member,
        room={(use.cap, use.period): use.amount for use in rated.room},
        day=day_of(purchase.occurred_at, zone).isoformat(),
    )
    return earn(program.earning, program.version, sale)


def uses(earned: Earned) -> dict[tuple[str, str], int]:
    """Return what of caps was used, by cap and period."""
    return {(use.cap, use.period): use.amount for use in earned.used}


def _items(items: Mapping[str, Item], purchase: Purchase) -> dict[str, Item]:
    return {line.item_code: items[line.item_code] for line in purchase.lines if line.item_code in items}


def _facts(draft: Draft, at: datetime) -> MemberFacts:
    account, zone = draft.account, draft.programs.zone
    counts, today = account.counts, day_of(at, draft.programs.zone)
    since = counts.member_since
    return MemberFacts(
        visits=counts.visits,
        spend_minor=counts.spend_minor,
        points=account.balance(POINTS).available,
        days_since_last=max(0, (today - day_of(counts.last_at, zone)).days) if counts.last_at else NOT_KNOWN,
        days_since_joining=max(0, (today - day_of(since, zone)).days) if since else NOT_KNOWN,
    )


def _room(earning: Earning, counts: Counts, day: str) -> dict[tuple[str, str], int]:
    named = [(ALL, cap) for cap in earning.caps]
    named += [(rule.code, cap) for rule in earning.rules for cap in rule.caps]
    room: dict[tuple[str, str], int] = {}
    for rule, cap in named:
        if cap.window is not CapWindow.PURCHASE:
            key = cap.name(rule), period_of_cap(cap, day)
            room[key] = max(0, cap.limit - counts.caps.get(key, 0))
    return room
