"""Booking a purchase: points, journal, spend and level follow from the account and the receipt alone."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.points.domain.accounts import Account, Reached, advance
from services.points.domain.journal import ISSUED, Entry, Posting, link
from services.points.domain.programs import EarnedPart, Program, earn
from services.points.domain.purchases import Purchase


@dataclass(frozen=True, slots=True)
class BookPurchase:
    """The command: a receipt that was checked, and what the edge gave it."""

    chain: str
    purchase: Purchase
    time_zone: str  # the store's
    purchase_id: str
    entry_id: str
    booked_at: datetime
    booked_by: str
    opens_account: bool = False  # members says that the member exists, so a missing account is a new one
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class BookedPurchase:
    """A receipt in the ledger, and what the till shows of it."""

    id: str
    purchase: Purchase
    fingerprint: bytes
    booked_at: datetime
    breakdown: tuple[EarnedPart, ...]
    balance_points: int
    level_before: str
    level_after: str

    @property
    def points(self) -> int:
        """Granted by this purchase."""
        return sum(part.points for part in self.breakdown)


@dataclass(frozen=True, slots=True)
class PurchaseBooked:
    """A purchase is in the ledger."""

    booked: BookedPurchase
    time_zone: str


@dataclass(frozen=True, slots=True)
class TierChanged:
    """The member earns by another level from now on."""

    member: str
    from_level: str
    to_level: str
    since: datetime
    purchase: str


LedgerEvent = PurchaseBooked | TierChanged


@dataclass(frozen=True, slots=True)
class Booking:
    """All that one command changes."""

    command: BookPurchase
    account: Account
    entry: Entry
    booked: BookedPurchase
    events: tuple[LedgerEvent, ...]


def book(command: BookPurchase, account: Account, program: Program) -> Booking:
    """Book the purchase onto `account` by `program`.

    A receipt earns by the level that held when it was paid, however late it comes; a threshold that it crosses counts
    for whatever is booked after it, and never changes what is booked already.
    """
    purchase = command.purchase
    account = advance(account, purchase.occurred_at)
    level_before = account.level(program)
    earning_level = account.level_at(purchase.occurred_at, program)
    breakdown = earn(program, program.level(earning_level), purchase.paid_minor)
    account, entry = _post(command, account, points=sum(part.points for part in breakdown))
    account = _count_spend(account, purchase, program)
    level_after = account.level(program)
    booked = BookedPurchase(
        id=command.purchase_id,
        purchase=purchase,
        fingerprint=purchase.fingerprint(),
        booked_at=command.booked_at,
        breakdown=breakdown,
        balance_points=account.available_points,
        level_before=level_before,
        level_after=level_after,
    )
    events: tuple[LedgerEvent, ...] = (PurchaseBooked(booked, command.time_zone),)
    if level_after != level_before:
        since = account.reached[-1].since
        events += (TierChanged(purchase.member, level_before, level_after, since, booked.id),)
    return Booking(command, account, entry, booked, events)


def _post(command: BookPurchase, account: Account, *, points: int) -> tuple[Account, Entry]:
    balance, version = account.available_points + points, account.version + 1
    occurred_at = command.purchase.occurred_at
    head = link(
        account.head,
        *(
            command.chain,
            account.member,
            version,
            points,
            balance,
            command.entry_id,
            "purchase",
            command.purchase_id,
            ISSUED,
        ),
        *(occurred_at.isoformat(), command.booked_at.isoformat(), command.booked_by),
    )
    entry = Entry(
        id=command.entry_id,
        kind="purchase",
        reference=command.purchase_id,
        occurred_at=occurred_at,
        booked_at=command.booked_at,
        booked_by=command.booked_by,
        posting=Posting(account.member, points, version, balance, head),
        against=ISSUED,
    )
    lifetime = account.lifetime_points + points
    return replace(account, available_points=balance, lifetime_points=lifetime, version=version, head=head), entry


def _count_spend(account: Account, purchase: Purchase, program: Program) -> Account:
    spend = account.spend_minor + purchase.paid_minor
    account = replace(account, spend_minor=spend, currency=account.currency or purchase.currency)
    level = program.level_for(spend)
    if level.code == program.levels[0].code or any(reached.level == level.code for reached in account.reached):
        return account
    # A late receipt may be what crosses: the level then holds from the newest receipt on, since those are booked.
    since = account.as_of or purchase.occurred_at
    return replace(account, reached=(*account.reached, Reached(level.code, since)))
