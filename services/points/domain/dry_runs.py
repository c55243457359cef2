"""What receipts of the past would have earned by another program: nothing is booked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from services.points.domain.calendar import day_of
from services.points.domain.earning import CapUse, EarnedPart, period_of_cap
from services.points.domain.items import Item
from services.points.domain.programs import Program, Programs
from services.points.domain.rating import rate_again, uses
from services.points.domain.receipts import BookedPurchase, Rated
from services.points.domain.rules import ALL, POINTS, Cap, CapWindow

RuleKey = tuple[str, str]
"""A rule's code, and its currency."""


@dataclass(slots=True)
class DryRun:
    """Sums over receipts as they pass: a member's receipts together and in their order, where caps need that.

    A receipt is rated with the level it earned by and with what was kept of it. Items that were not kept are as the
    menu has them now; visits, spend and points of the member that were not kept are as of somebody new, and such
    receipts are counted. Caps begin at nothing. Refunds are left out, of what was booked too.
    """

    program: Program
    programs: Programs  # by which it was booked
    receipts: int = 0
    spend_minor: int = 0
    without_facts: int = 0
    booked: dict[RuleKey, int] = field(default_factory=dict)
    by_draft: dict[RuleKey, int] = field(default_factory=dict)
    _member: str = ""
    _used: dict[tuple[str, str], int] = field(default_factory=dict)

    def needs_items_of(self, booked: BookedPurchase) -> bool:
        """Tell whether the draft's rules look at items of which nothing was kept."""
        return self.program.earning.needs_items and not self._of(booked).earning.needs_items

    def take(self, booked: BookedPurchase, items: Mapping[str, Item]) -> None:
        """Rate one more receipt; `items`: what the menu says, where nothing was kept."""
        purchase = booked.purchase
        if purchase.member != self._member:
            self._member, self._used = purchase.member, {}
        self.receipts += 1
        self.spend_minor += purchase.paid_minor
        if self.program.earning.needs_facts and not self._of(booked).earning.needs_facts:
            self.without_facts += 1
        rated = booked.rated or Rated()
        if self.needs_items_of(booked):
            known = {line.item_code for line in purchase.lines} & items.keys()
            rated = replace(rated, items=tuple(items[code] for code in sorted(known)))
        rated = replace(rated, room=self._room(booked))
        earned = rate_again(replace(booked, rated=rated), purchase.lines, self.program, self.programs.zone)
        for key, amount in uses(earned).items():
            self._used[key] = self._used.get(key, 0) + amount
        _add(self.booked, booked.breakdown)
        _add(self.by_draft, earned.parts)

    def points(self, of: Mapping[RuleKey, int]) -> int:
        """Return the points of all rules."""
        return sum(amount for (_, currency), amount in of.items() if currency == POINTS)

    def _of(self, booked: BookedPurchase) -> Program:
        return self.programs.version(booked.program_version)

    def _room(self, booked: BookedPurchase) -> tuple[CapUse, ...]:
        earning = self.program.earning
        named: list[tuple[str, Cap]] = [(ALL, cap) for cap in earning.caps]
        named += [(rule.code, cap) for rule in earning.rules for cap in rule.caps]
        day = day_of(booked.purchase.occurred_at, self.programs.zone).isoformat()
        room: list[CapUse] = []
        for rule, cap in named:
            if cap.window is not CapWindow.PURCHASE:
                name, period = cap.name(rule), period_of_cap(cap, day)
                room.append(CapUse(name, period, max(0, cap.limit - self._used.get((name, period), 0))))
        return tuple(room)


def _add(sums: dict[RuleKey, int], parts: tuple[EarnedPart, ...]) -> None:
    for part in parts:
        key = part.rule, part.currency
        sums[key] = sums.get(key, 0) + part.points
