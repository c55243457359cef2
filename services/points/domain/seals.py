"""Seals: the heads of all of a chain's accounts at the end of a day, under one root and one signature.

The root is that of the Merkle tree of RFC 6962, section 2.1, over the accounts in the order of their ids. It is built
leaf by leaf: what is kept is one hash for each bit of the number of leaves.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

LEAF, NODE = b"\x00", b"\x01"
"""Before what is hashed: a leaf can so never pass for a node."""

EMPTY_ROOT = sha256(b"").digest()

HASH_BYTES = 32

SETTLES_AFTER = timedelta(minutes=15)
"""After a day's end, until it is sealed: far longer than a commit can be under way, and replicas' clocks be apart."""


def leaf_of(account: str, version: int, head: bytes) -> bytes:
    """Return what an account adds to the tree: `["mem_1",3,"5f…"]` as JSON without spaces, UTF-8."""
    return json.dumps([account, version, head.hex()], separators=(",", ":"), ensure_ascii=False).encode()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(LEAF + leaf).digest()


class MerkleTree:
    """A tree that leaves are added to, from the left."""

    def __init__(self, count: int = 0, stack: Sequence[bytes] = ()) -> None:
        if count.bit_count() != len(stack) or any(len(one) != HASH_BYTES for one in stack):
            raise ValueError("a tree has one hash of 32 bytes for each bit of its number of leaves")
        self.count = count
        self._stack = list(stack)

    @property
    def stack(self) -> tuple[bytes, ...]:
        """The roots of its whole subtrees, the largest first: all that is needed to go on from here."""
        return tuple(self._stack)

    def add(self, hashed: bytes) -> None:
        """Add the hash of a leaf."""
        stack, count = self._stack, self.count
        while count & 1:
            hashed = sha256(NODE + stack.pop() + hashed).digest()
            count >>= 1
        stack.append(hashed)
        self.count += 1

    def root(self) -> bytes:
        """Return the root over the leaves so far."""
        if not self._stack:
            return EMPTY_ROOT
        hashed = self._stack[-1]
        for left in reversed(self._stack[:-1]):
            hashed = sha256(NODE + left + hashed).digest()
        return hashed


@dataclass(frozen=True, slots=True)
class Seal:
    """What was sealed: for each account that had any, the last posting booked before the day's end."""

    chain: str
    day: date  # in UTC
    root: bytes
    accounts: int
    postings: int
    previous: bytes  # the root of the seal before; empty for the first
    sealed_at: datetime
    key_id: str = ""
    signature: bytes = b""

    def text(self) -> bytes:
        """Return what is signed: a line for each of the names below, in this order, each ended by a line feed."""
        lines = (
            "huitou-seal-1",
            f"chain={self.chain}",
            f"day={self.day.isoformat()}",
            f"root={self.root.hex()}",
            f"accounts={self.accounts}",
            f"postings={self.postings}",
            f"previous={self.previous.hex()}",
        )
        return "".join(f"{line}\n" for line in lines).encode()


def day_end(day: date) -> datetime:
    """Return the first moment that is no longer of `day`."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def day_start(day: date) -> datetime:
    """Return the first moment of `day`."""
    return datetime.combine(day, time(), UTC)


def settled_days(first: date, now: datetime) -> Iterable[date]:
    """Return the days from `first` on that ended long enough ago."""
    day = first
    while day_end(day) + SETTLES_AFTER <= now:
        yield day
        day += timedelta(days=1)


class Sealed:
    """A sealed day that is built, account by account."""

    def __init__(self, day: date, tree: MerkleTree | None = None, postings: int = 0) -> None:
        self.day, self.ends = day, day_end(day)
        self.tree = tree or MerkleTree()
        self.postings = postings

    def add(self, hashed: bytes, version: int) -> None:
        """Add an account's leaf. Versions have no gaps, so the last one is the number of its postings."""
        self.tree.add(hashed)
        self.postings += version


class Cuts:
    """One account's heads at the ends of sealed days, found while its postings pass by in their order."""

    def __init__(self, account: str, days: Sequence[Sealed]) -> None:
        self._account, self._days = account, days
        self._next = 0
        self.next_end = days[0].ends if days else None
        self.leaves: list[tuple[int, int, bytes]] = []  # from which day on, the version, the leaf's hash

    def before(self, booked_at: datetime, version: int, head: bytes | None) -> None:
        """Note that a posting comes that was booked then; `version` and `head` are of the one before it."""
        first = self._next
        while self._next < len(self._days) and self._days[self._next].ends <= booked_at:
            self._next += 1
        if self._next > first:
            self._cut(first, version, head)
        self.next_end = self._days[self._next].ends if self._next < len(self._days) else None

    def finish(self, version: int, head: bytes | None) -> None:
        """No posting comes any more."""
        if self._next < len(self._days):
            self._cut(self._next, version, head)
            self._next = len(self._days)

    def _cut(self, first: int, version: int, head: bytes | None) -> None:
        hashed = leaf_hash(leaf_of(self._account, version, head or b"")) if version else b""
        self.leaves.append((first, version, hashed))


def add_leaves(days: Sequence[Sealed], cuts: Cuts) -> None:
    """Add an account to the days at whose end it had postings."""
    for number, (first, version, hashed) in enumerate(cuts.leaves, start=1):
        until = cuts.leaves[number][0] if number < len(cuts.leaves) else len(days)
        if version:
            for day in days[first:until]:
                day.add(hashed, version)
