"""Where a verification got to: as a text that its caller keeps, so that any replica can go on from there."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import date
from zlib import compress, decompressobj, error

from services.kit.errors import Kind, Problem
from services.points.domain.seals import HASH_BYTES, MerkleTree, Sealed

FORM = 1
"""Raised when what is verified changes so that an older run cannot be gone on with."""

LONGEST = 4 * 1024 * 1024
"""Bytes of a cursor's content: a hundred and thirty sealed days of a billion accounts are 125 kB."""


class VerifyCursorError(Problem):
    """This cursor was not made by an earlier answer of this version. Begin anew."""

    kind = Kind.INVALID
    code = "INVALID_CURSOR"


@dataclass(slots=True)
class Position:
    """All accounts up to the id `after` were looked at; `days` are the seals, recomputed so far."""

    days: list[Sealed] = field(default_factory=list)
    after: str = ""
    accounts: int = 0
    postings: int = 0
    done: bool = False

    def cursor(self) -> str:
        """Return it as a text."""
        days = [
            [day.day.isoformat(), day.tree.count, day.postings, b"".join(day.tree.stack).hex()] for day in self.days
        ]
        content = [FORM, self.after, self.accounts, self.postings, self.done, days]
        return urlsafe_b64encode(compress(json.dumps(content, separators=(",", ":")).encode())).decode()

    @classmethod
    def of(cls, cursor: str) -> "Position":
        """Return what an earlier run's cursor says, or raise VerifyCursorError."""
        try:
            unpacking = decompressobj()
            content = unpacking.decompress(urlsafe_b64decode(cursor.encode()), LONGEST)
            form, after, accounts, postings, done, days = json.loads(content)
            position = cls([_day(*day) for day in days], str(after), int(accounts), int(postings), bool(done))
        except (ValueError, TypeError, error) as cause:
            raise VerifyCursorError(field="cursor") from cause
        if form != FORM:
            raise VerifyCursorError(field="cursor")
        return position


def _day(day: str, count: int, postings: int, stack: str) -> Sealed:
    hashes = bytes.fromhex(stack)
    parts = [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]
    return Sealed(date.fromisoformat(day), MerkleTree(count, parts), postings)
