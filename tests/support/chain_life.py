"""A chain's life on paper: purchases, refunds and spending on days of its own calendar."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from services.kit.errors import Problem
from services.points.domain.accounts import Account, Balances
from services.points.domain.books import Posted
from services.points.domain.commands import (
    AnyCommand,
    Authorise,
    BookPurchase,
    BookRefund,
    Capture,
    GrantLevel,
    Release,
    Settle,
)
from services.points.domain.drafts import Author
from services.points.domain.facts import PointsExpiring, TierChanged
from services.points.domain.journal import Entry, Note
from services.points.domain.programs import Program, Programs
from services.points.domain.purchases import Line, Purchase
from services.points.domain.receipts import BookedPurchase
from services.points.domain.refunds import BookedRefund, Refund, RefundLine
from services.points.domain.rules import POINTS
from services.points.domain.tier_views import TierView, tier_of
from services.points.domain.views import shown_at
from tests.support.paper_ledger import PaperLedger

MEMBER = "mem_1"
KEY = ("chn_1", MEMBER)


class Life:
    """One member of a chain whose days are those of `zone`; days are "2026-03-05", with "T18:30" a time of day."""

    def __init__(self, *programs: Program, zone: str = "Asia/Shanghai") -> None:
        self.zone = zone
        self.ledger = PaperLedger(Programs(programs, zone))
        self._numbers = count(1)

    def moment(self, day: str) -> datetime:
        """Return noon of a day, or the time of day that it names."""
        local = datetime.fromisoformat(day) if "T" in day else datetime.combine(date.fromisoformat(day), time(12))
        return local.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC)

    def day(self, moment: datetime | None) -> str:
        """Return the day of a moment, with the time unless that is midnight; empty for None."""
        if moment is None:
            return ""
        local = moment.astimezone(ZoneInfo(self.zone))
        return f"{local:%Y-%m-%d}" if local.time() == time() else f"{local:%Y-%m-%dT%H:%M}"

    def buy(self, day: str, paid_minor: int = 0, *, lines: tuple[Line, ...] = (), **more: Any) -> BookedPurchase:
        """Book a purchase; its receipt's number is that of the command, "R1" for the first."""
        number = next(self._numbers)
        bought = Purchase(
            "sto_1",
            f"R{number}",
            MEMBER,
            self.moment(day),
            "CNY",
            lines or (Line("noodles", 1, paid_minor),),
            **{name: value for name, value in more.items() if name != "items"},
        )
        answer = self.carry_out(
            BookPurchase(
                author=self._author(day, bought.key),
                purchase=bought,
                time_zone=self.zone,
                purchase_id=f"pur_{number:04}",
                opens_account=True,
                items=more.get("items", {}),
            )
        )
        booked: BookedPurchase = answer.booked
        return booked

    def refund(self, day: str, of: BookedPurchase, amount_minor: int | None = None, *, line: int = 1) -> BookedRefund:
        """Refund a receipt, whole or so much of a line."""
        number = next(self._numbers)
        lines = () if amount_minor is None else (RefundLine(line, amount_minor=amount_minor),)
        taken = Refund("sto_1", f"C{number}", of.purchase.receipt_number, self.moment(day), lines)
        command = BookRefund(author=self._author(day, taken.key), refund=taken, refund_id=f"ref_{number:04}")
        booked: BookedRefund = self.carry_out(command).booked
        return booked

    def hold(self, day: str, amount: int) -> str:
        """Set points aside; return the hold's id."""
        hold = f"hold_{next(self._numbers):04}"
        ends = self.moment(day) + timedelta(days=1)
        self.carry_out(Authorise(**self.keyed(day), hold=hold, currency=POINTS, amount=amount, expires_at=ends))
        return hold

    def spend(self, day: str, amount: int) -> str:
        """Spend points; return the hold's id."""
        hold = self.hold(day, amount)
        self.carry_out(Capture(**self.keyed(day), hold=hold))
        return hold

    def release(self, day: str, of: BookedPurchase) -> Posted:
        """Tell that what a purchase's points waited for has happened."""
        released: Posted = self.carry_out(Release(**{**self.keyed(day), "account": ""}, purchase=of.purchase.key))
        return released

    def grant(self, day: str, level: str, until: str = "") -> Posted:
        """Give a level by hand."""
        ends = self.moment(until) if until else None
        given: Posted = self.carry_out(
            GrantLevel(
                **self.keyed(day), level=level, until=ends, reason=Note(bytes(32), "a friend"), opens_account=True
            )
        )
        return given

    def settle(self, day: str) -> None:
        """Let happen what is due."""
        self.carry_out(Settle(author=self._author(day, ""), account=MEMBER, at=self.moment(day)))

    def carry_out(self, command: AnyCommand) -> Any:
        """Carry out one command and return its answer; raise its Problem."""
        [answer] = self.ledger.commit([command])
        if isinstance(answer, Problem):
            raise answer
        return answer

    def account(self, day: str) -> Account:
        """Return the account as it is shown on a day."""
        books, programs = self.ledger.books, self.ledger.programs
        stored = books.accounts.get(KEY) or Account(MEMBER)
        lots, holds = books.lots.get(KEY, {}), books.holds.get(KEY, {})
        return shown_at(stored, self.moment(day), programs, lots=lots, holds=holds).account

    def balances(self, day: str, currency: str = POINTS) -> Balances:
        """Return what the member has on a day."""
        return self.account(day).balance(currency)

    def available(self, day: str) -> int:
        """Return the points that can be spent on a day."""
        return self.balances(day).available

    def level(self, day: str) -> str:
        """Return the level on a day."""
        return self.account(day).standing.now(self.ledger.programs.latest.tiers.levels[0].code)

    def shown(self, day: str) -> TierView:
        """Return where the member stands on a day, as it is shown."""
        return tier_of(self.account(day), self.moment(day), self.ledger.programs)

    def expires(self, booked: BookedPurchase) -> str:
        """Return from which day on the points of a purchase are no longer there."""
        return self.day(self.ledger.books.lots[KEY][f"{booked.id}/{POINTS}"].expires_at)

    def entries(self, *kinds: str) -> list[Entry]:
        """Return the journal's entries of these kinds."""
        return [entry for entry in self.ledger.entries if entry.kind.value in kinds]

    def changes(self) -> list[tuple[str, str, str]]:
        """Return each change of level: the day, the new level, why."""
        return [
            (self.day(told.since), told.to_level, told.reason.value)
            for told in self.ledger.told
            if isinstance(told, TierChanged)
        ]

    def reminders(self) -> list[tuple[int, str]]:
        """Return each reminder: how many points, and from which day on they are gone."""
        return [
            (told.amount, self.day(told.expires_at)) for told in self.ledger.told if isinstance(told, PointsExpiring)
        ]

    def keyed(self, day: str) -> dict[str, Any]:
        """Return what commands with a key of their own begin with."""
        key = f"key-{next(self._numbers)}"
        return {
            "author": self._author(day, key),
            "account": MEMBER,
            "fingerprint": key.encode(),
            "at": self.moment(day),
        }

    def _author(self, day: str, key: str) -> Author:
        return Author("chn_1", f"ent_{next(self._numbers):04}", self.moment(day), "till:key_1", key)
