"""The journal: entries that are never changed, whose postings sum to zero and chain by hash, account by account."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

ISSUED = "program:issued"
"""The program's own account that points come from. It is a sum over the journal, never a counter."""


@dataclass(frozen=True, slots=True)
class Posting:
    """An entry's effect on one account: the change, and the account's version, balance and hash after it."""

    account: str
    points: int
    version: int
    balance_points: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """Why points moved. `posting` is the member's side; `against` is the program's account with the opposite amount."""

    id: str
    kind: str
    reference: str
    occurred_at: datetime
    booked_at: datetime
    booked_by: str
    posting: Posting
    against: str


def link(before: bytes, *parts: object) -> bytes:
    """Return the hash (SHA-256, 32 bytes) over the one before and the content of a posting.

    Each part is written with its length ahead, so that no two contents have the same bytes.
    """
    digest = sha256(before)
    for part in parts:
        written = str(part).encode()
        digest.update(len(written).to_bytes(4, "big"))
        digest.update(written)
    return digest.digest()
