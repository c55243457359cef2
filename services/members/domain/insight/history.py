"""A member's visit history: what all its receipts come to, as a value that can be added and subtracted.

A history is a sum over receipts, day by day. So receipts may come in any order and late, a refund is the receipt before
it taken out and the receipt after it put in, a merge is the sum of two histories and a split their difference; each
gives what counting anew from all receipts gives. What was taken out before it came (a refund ahead of its receipt) is a
day with counts below 0, which is no visit.

It is bounded: of the days the first `EARLY` and the last `LATE` are kept one by one, those between as one sum (`Gone`).
Sums, spend, first and last day, first gaps and recent gaps are exact also then; the number of visits is exact unless a
second receipt or a refund comes for a day that lies among the gone, each of which counts as a visit of its own. Whoever
merges or splits histories with gone days counts anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Self

from services.members.domain.insight.receipts import Moment, Receipt
from services.members.domain.insight.tallies import NOTHING, Tally, added, tally


@dataclass(frozen=True, slots=True)
class Kept:
    """How many visit days are kept one by one: the first, for gaps by number, and the last, for what is usual now."""

    early: int = 64
    late: int = 512


KEPT = Kept()
"""Ten years of a weekly guest; at most 576 days of 5 numbers each, about 10 kB."""


class Counting(StrEnum):
    """What counts as a visit: a day with a purchase (or a check-in), or each purchase."""

    DAYS = "days"
    RECEIPTS = "receipts"


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the store's calendar (`date.toordinal`): its purchases, check-ins, and the money in minor units."""

    day: int
    purchases: int = 0
    check_ins: int = 0
    spend_minor: int = 0
    profit_minor: int = 0

    def plus(self, other: Self, sign: int) -> "Day":
        """Return both, or the difference, as this day."""
        return Day(
            self.day,
            self.purchases + sign * other.purchases,
            self.check_ins + sign * other.check_ins,
            self.spend_minor + sign * other.spend_minor,
            self.profit_minor + sign * other.profit_minor,
        )

    @property
    def is_nothing(self) -> bool:
        """Everything that was put in has been taken out."""
        return not (self.purchases or self.check_ins or self.spend_minor or self.profit_minor)


@dataclass(frozen=True, slots=True)
class Gone:
    """Days no longer kept one by one: between `first` and `last` (both gone), `visits` of them with a purchase."""

    first: int = 0
    last: int = 0
    visits: int = 0
    purchases: int = 0
    check_in_days: int = 0

    def __contains__(self, day: int) -> bool:
        return self.first <= day <= self.last

    def plus(self, one: Day, sign: int) -> "Gone":
        """Return it with that day put in or taken out."""
        empty = self == NONE_GONE
        return Gone(
            one.day if empty else min(self.first, one.day),
            one.day if empty else max(self.last, one.day),
            self.visits + sign * (one.purchases > 0) - sign * (one.purchases < 0),
            self.purchases + sign * one.purchases,
            self.check_in_days + sign * (one.check_ins > 0 and one.purchases <= 0),
        )


NONE_GONE = Gone()


@dataclass(frozen=True, slots=True)
class Sums:
    """Over all receipts. Money in minor units; `costed_*` only of receipts whose cost is known."""

    purchases: int = 0
    spend_minor: int = 0
    costed_purchases: int = 0
    costed_spend_minor: int = 0
    profit_minor: int = 0
    parties: int = 0
    guests: int = 0
    on_offer: int = 0
    on_offer_minor: int = 0

    def plus(self, other: Self, sign: int) -> "Sums":
        """Return both, or the difference."""
        return Sums(*(getattr(self, one.name) + sign * getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Favourites:
    """What the member likes, as tallies over receipts; `items` over pieces. `hours` "00" to "23", `weekdays` "0" Monday
    to "6"."""

    items: Tally = NOTHING
    hours: Tally = NOTHING
    weekdays: Tally = NOTHING
    stores: Tally = NOTHING
    channels: Tally = NOTHING
    payments: Tally = NOTHING

    def plus(self, other: Self, sign: int) -> "Favourites":
        """Return both, or the difference."""
        pairs = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return Favourites(*(added(mine, others, sign=sign) for mine, others in pairs))


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a member's visits; `days` sorted, none of them nothing, none of them among the gone."""

    days: tuple[Day, ...] = ()
    gone: Gone = NONE_GONE
    sums: Sums = Sums()
    favourites: Favourites = Favourites()

    @property
    def is_exact(self) -> bool:
        """Every day is kept, and so are all keys of the favourites: nothing can ever have been counted twice."""
        tallies = (getattr(self.favourites, one.name) for one in fields(self.favourites))
        return self.gone == NONE_GONE and not any(one.others for one in tallies)

    @property
    def bought(self) -> tuple[Day, ...]:
        """The kept days with a purchase, sorted."""
        return tuple(one for one in self.days if one.purchases > 0)

    @property
    def first_day(self) -> int | None:
        """The first day with a purchase."""
        bought = self.bought
        return bought[0].day if bought else None

    @property
    def last_day(self) -> int | None:
        """The last day with a purchase."""
        bought = self.bought
        return bought[-1].day if bought else None

    @property
    def visits_without_purchase(self) -> int:
        """Days on which the member was there and bought nothing."""
        return self.gone.check_in_days + sum(one.check_ins > 0 and one.purchases <= 0 for one in self.days)

    def frequency(self, counting: Counting = Counting.DAYS) -> int:
        """Return how many visits with a purchase there were."""
        if counting is Counting.RECEIPTS:
            return self.gone.purchases + sum(one.purchases for one in self.bought)
        return self.gone.visits + len(self.bought)

    def recency_days(self, today: int) -> int | None:
        """Return the days since the last visit; what is dated after `today` was today."""
        return None if self.last_day is None else max(0, today - self.last_day)


EMPTY = History()


def of_receipt(receipt: Receipt) -> History:
    """Return the history of one receipt."""
    costed = receipt.profit_minor is not None
    profit, spend = receipt.profit_minor or 0, receipt.spend_minor
    sums = Sums(
        purchases=1,
        spend_minor=spend,
        costed_purchases=int(costed),
        costed_spend_minor=spend if costed else 0,
        profit_minor=profit,
        parties=int(receipt.party > 0),
        guests=receipt.party,
        on_offer=int(receipt.on_offer),
        on_offer_minor=spend if receipt.on_offer else 0,
    )
    favourites = Favourites(
        Tally({item: pieces for item, pieces in sorted(receipt.items.items()) if pieces}),
        tally(f"{receipt.at.hour:02}"),
        tally(str(receipt.at.weekday)),
        tally(receipt.store),
        tally(receipt.channel),
        tally(receipt.payment),
    )
    return History((Day(receipt.at.day, 1, 0, spend, profit),), NONE_GONE, sums, favourites)


def of_check_in(at: Moment) -> History:
    """Return the history of having been there, whether or not something was bought."""
    return History((Day(at.day, check_ins=1),))


def together(one: History, other: History, *, kept: Kept = KEPT) -> History:
    """Return the history of both: a receipt more, or two members that became one."""
    return _combined(one, other, sign=1, kept=kept)


def apart(whole: History, part: History, *, kept: Kept = KEPT) -> History:
    """Return the history without that part of it: a receipt less, or a member that was split off."""
    return _combined(whole, part, sign=-1, kept=kept)


def corrected(history: History, *, before: Receipt | None, after: Receipt | None, kept: Kept = KEPT) -> History:
    """Return the history after one receipt changed: `before` None where it is new, `after` None where it was given back
    as a whole."""
    less = apart(history, of_receipt(before), kept=kept) if before else history
    return together(less, of_receipt(after), kept=kept) if after else less


def history_of(receipts: Iterable[Receipt], *, kept: Kept = KEPT) -> History:
    """Count anew."""
    history = EMPTY
    for one in receipts:
        history = together(history, of_receipt(one), kept=kept)
    return history


def _combined(one: History, other: History, *, sign: int, kept: Kept) -> History:
    gone = _both_gone(one.gone, other.gone, sign)
    days = {mine.day: mine for mine in one.days}
    for part in other.days:
        day = days.get(part.day, Day(part.day)).plus(part, sign)
        days[part.day] = day
        if day.is_nothing:
            del days[part.day]
    for day in [] if gone == NONE_GONE else [mine for mine in days.values() if mine.day in gone]:
        gone = gone.plus(days.pop(day.day), 1)
    kept_days, gone = _bounded([days[number] for number in sorted(days)], gone, kept)
    sums, favourites = one.sums.plus(other.sums, sign), one.favourites.plus(other.favourites, sign)
    return History(tuple(kept_days), gone, sums, favourites)


def _both_gone(one: Gone, other: Gone, sign: int) -> Gone:
    if other == NONE_GONE:
        return one
    if one == NONE_GONE and sign > 0:
        return other
    return Gone(
        min(one.first, other.first) if sign > 0 else one.first,
        max(one.last, other.last) if sign > 0 else one.last,
        one.visits + sign * other.visits,
        one.purchases + sign * other.purchases,
        one.check_in_days + sign * other.check_in_days,
    )


def _bounded(days: list[Day], gone: Gone, kept: Kept) -> tuple[list[Day], Gone]:
    """Let days go from the middle until the rest fits: the last of the early ones, or the first of the late ones."""
    while len(days) > kept.early + kept.late:
        early = kept.early if gone == NONE_GONE else sum(one.day < gone.first for one in days)
        leaving = days.pop(early - 1 if early > kept.early else early)
        gone = gone.plus(leaving, 1)
    return days, gone
