"""What the ledger can be told to do. Everything that is not in the command is decided by the fold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from services.points.domain.drafts import Author
from services.points.domain.items import Item
from services.points.domain.journal import Note
from services.points.domain.purchases import Purchase
from services.points.domain.refunds import Refund


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What all commands carry from the edge."""

    needs_lots: ClassVar[bool] = True
    """Whether the account's open lots and holds are looked at in any case, and so worth loading at once."""

    author: Author
    traceparent: str = ""

    @property
    def chain(self) -> str:
        """Whose ledger."""
        return self.author.chain


@dataclass(frozen=True, slots=True, kw_only=True)
class BookPurchase(Command):
    """A receipt that was checked."""

    needs_lots = False

    purchase: Purchase
    time_zone: str  # the store's
    purchase_id: str
    region: str = ""  # the store's
    opens_account: bool = False  # members says that the member exists, so a missing account is a new one
    # Of the menu, by code, as far as known when it was recorded; the receipt itself stays as the till sent it.
    items: Mapping[str, Item] = field(default_factory=dict, hash=False)

    @property
    def account(self) -> str:
        """Whose."""
        return self.purchase.member


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRefund(Command):
    """A refund that was checked; whose points it concerns is known from its receipt."""

    refund: Refund
    refund_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle(Command):
    """Let happen what is due by `at`, as any other command would first."""

    account: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed(Command):
    """A command with a key of its caller's (`author.key`), and the hash of what was asked."""

    account: str
    fingerprint: bytes
    at: datetime  # effective time
    opens_account: bool = False  # members says that the member exists, so a missing account is a new one


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorise(Keyed):
    """Set `amount` aside."""

    hold: str
    currency: str
    amount: int
    expires_at: datetime
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture(Keyed):
    """Consume `amount` of a hold, None: all that is left; the rest goes back unless `keep_rest`."""

    hold: str
    amount: int | None = None
    keep_rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Void(Keyed):
    """Give back what a hold still sets aside."""

    hold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse(Keyed):
    """Give back what was captured: the order failed after all."""

    hold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend(Keyed):
    """Let a hold run out later."""

    hold: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin(Keyed):
    """Keep a hold from running out: its order is being paid."""

    hold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust(Keyed):
    """Add or take (negative) `amount` by hand."""

    adjustment: str
    currency: str
    amount: int
    reason: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide(Keyed):
    """A second person agrees to an adjustment that waits, or does not."""

    adjustment: str
    approve: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze(Keyed):
    """Stop an account from spending, or let it again."""

    frozen: bool
    reason: Note


@dataclass(frozen=True, slots=True)
class OpeningLot:
    """A parcel of points brought from another system."""

    amount: int
    earned_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(Keyed):
    """Bring a balance from another system."""

    currency: str
    lots: tuple[OpeningLot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantLevel(Keyed):
    """Give a level by hand until its end, or, with an empty one, take back what was given."""

    level: str
    until: datetime | None
    reason: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Keyed):
    """What a purchase's points waited for has happened: they become available."""

    purchase: str  # the receipt's business key


class Side(StrEnum):
    """A side of a referral."""

    REFERRER = "referrer"  # who brought a guest
    REFERRED = "referred"  # who was brought


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward(Keyed):
    """The referral was completed at `at`: `account`, one side of it, gets what the program gives. `other` is the other.

    How much it is follows from the program that held then.
    """

    side: Side
    other: str
    referral: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver(Keyed):
    """The payer behind `account` turned out to be the member `into`: all that the account has goes there.

    `receipts` are all that were booked on it up to `version`; when it has moved on since, this has to be asked anew.
    """

    into: str
    version: int
    receipts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(Keyed):
    """The members behind `account` and `into` are one: all that the account has goes to the other."""

    into: str
    merge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Keyed):
    """A merge is undone: what `account` brought, and what is not used up of it, is its own again."""

    merge: str


HoldCommand = Authorise | Capture | Void | Reverse | Extend | Pin
KeyedCommand = HoldCommand | Adjust | Decide | Freeze | Open | GrantLevel | Release | Reward | TakeOver | Merge | Split
AnyCommand = BookPurchase | BookRefund | Settle | KeyedCommand
