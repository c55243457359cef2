"""The journal: entries that are never changed, whose postings sum to zero and chain by hash, account by account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson

from services.points.domain.accounts import Balances
from services.points.domain.lots import Lot, LotChange

ISSUED = "program:issued"
REDEEMED = "program:redeemed"
EXPIRED = "program:expired"
ADJUSTED = "program:adjusted"
DEBT = "program:debt"
"""The program's own accounts. They are sums over the journal, never counters. `DEBT` is the negative of what members
owe; the others hold what was given out (negative), and what came back."""


class EntryKind(StrEnum):
    """Why an entry was written."""

    PURCHASE = "purchase"
    REFUND = "refund"
    REDEMPTION = "redemption"
    REVERSAL = "reversal"  # of a redemption
    HOLD = "hold"
    HOLD_VOIDED = "hold_voided"
    HOLD_EXPIRED = "hold_expired"
    HOLD_EXTENDED = "hold_extended"
    HOLD_PINNED = "hold_pinned"
    HOLD_LEFT = "hold_left"  # an open hold goes to another account with what it sets aside
    HOLD_CAME = "hold_came"
    RELEASE = "release"  # pending points become available
    EXPIRY = "expiry"
    ADJUSTMENT = "adjustment"
    OPENING = "opening"  # a balance brought from another system
    REFERRAL = "referral"  # a guest that was brought has bought for the first time
    FROZEN = "frozen"
    UNFROZEN = "unfrozen"
    MERGED_INTO = "merged_into"  # closes an account
    MERGED_FROM = "merged_from"
    SPLIT_OFF = "split_off"  # a merge is undone: what the other account gets back
    SPLIT_FROM = "split_from"  # opens the other account again
    LEVEL = "level"  # another level holds from here on: `reference` names it
    LEVEL_GRANTED = "level_granted"  # by hand
    LEVEL_WITHDRAWN = "level_withdrawn"


BY_ITSELF = "program"
"""Who books what falls due by time."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The other side of a posting."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True)
class Posting:
    """An entry's effect on one account in one currency, and the account's version, balances and hash after it.

    `amount` and those of `legs` sum to zero; `amount` is the change of available, pending and held together, and the
    sum of what `lots` and `grants` say.
    """

    account: str
    version: int
    currency: str
    amount: int
    legs: tuple[Leg, ...]
    balances: Balances
    lots: tuple[LotChange, ...] = ()  # changes of lots that were there
    released: tuple[str, ...] = ()  # lots that were pending and are available now
    grants: tuple[Lot, ...] = ()  # lots that begin here
    hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Entry:
    """Why points moved: who did what, when, for what reason, under which key."""

    id: str
    kind: EntryKind
    reference: str  # what it is about: a purchase, a refund, a hold …
    occurred_at: datetime
    booked_at: datetime
    booked_by: str
    postings: tuple[Posting, ...]
    key: str = ""  # the command's: a receipt's, a refund's, or its caller's
    note: str = ""  # commitment to a free text that lies elsewhere and can be erased: see `Note`


@dataclass(frozen=True, slots=True)
class Note:
    """A free text that belongs to an entry, which keeps only its commitment; the text itself can be erased."""

    salt: bytes  # 32 random ones
    text: str

    @property
    def commitment(self) -> str:
        """What the entry keeps: SHA-256 of salt and text, as hex. Without the salt nobody can try texts on it."""
        return sha256(self.salt + self.text.encode()).hexdigest()


def link(before: bytes, chain: str, entry: Entry, posting: Posting) -> bytes:
    """Return the hash (SHA-256, 32 bytes) over the one before and everything that the posting and its entry say.

    The content is hashed as JSON in the spirit of RFC 8785: keys in order, no spaces, integers only, instants as
    milliseconds since 1970.
    """
    return sha256(before + orjson.dumps(content_of(chain, entry, posting), option=orjson.OPT_SORT_KEYS)).digest()


def content_of(chain: str, entry: Entry, posting: Posting) -> Mapping[str, Any]:
    """Return what is hashed: every field but the hash itself."""
    balances = posting.balances
    return {
        "chain": chain,
        "account": posting.account,
        "version": posting.version,
        "entry": entry.id,
        "kind": entry.kind.value,
        "reference": entry.reference,
        "occurred_at": _ms(entry.occurred_at),
        "booked_at": _ms(entry.booked_at),
        "booked_by": entry.booked_by,
        "key": entry.key,
        "note": entry.note,
        "currency": posting.currency,
        "amount": posting.amount,
        "legs": [[leg.account, leg.amount] for leg in posting.legs],
        "balances": [balances.available, balances.pending, balances.held, balances.debt, balances.lifetime],
        "lots": [[change.lot, change.free, change.held] for change in posting.lots],
        "released": posting.released,
        "grants": [_terms(lot) for lot in posting.grants],
    }


def _terms(lot: Lot) -> list[Any]:
    return [
        lot.id,
        lot.currency,
        lot.free,
        lot.held,
        _ms(lot.granted_at),
        lot.expires_at and _ms(lot.expires_at),
        lot.pending_until and _ms(lot.pending_until),
        lot.policy_version,
        lot.source,
        [lot.idle.days, lot.idle.months],
    ]


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)
