"""Which seals a verification recomputes, and what may be wrong with them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Protocol

from services.points.domain.findings import Finding, Invariant
from services.points.domain.seals import Seal, Sealed

NEWEST, MONTH_ENDS = 92, 36
"""Recomputed: the newest seals, and before them the last one of each month. A seal covers all that was booked before
it, so these find whatever was changed since the last verification that is not older than the newest ones; the rest
are looked at for their signatures and their order only. Each costs a hash or two for each account, and about a
kilobyte of a cursor."""


class SealKeys(Protocol):
    """Who made signatures."""

    def is_signed(self, text: bytes, signature: bytes, key_id: str) -> bool:
        """Tell whether `signature` over `text` was made by the key `key_id`."""


def recomputed(seals: Sequence[Seal]) -> list[Seal]:
    """Return those of `seals` (in the order of their days) that are worth recomputing."""
    newest = list(seals[-NEWEST:])
    last_of_month: dict[tuple[int, int], Seal] = {}
    for seal in seals[:-NEWEST]:
        last_of_month[seal.day.year, seal.day.month] = seal
    return list(last_of_month.values())[-MONTH_ENDS:] + newest


def check_signatures(seals: Sequence[Seal], keys: SealKeys) -> list[Finding]:
    """Check each seal by itself, and that the next one follows it. `seals` are in the order of their days."""
    found: list[Finding] = []
    before: Seal | None = None
    for seal in seals:
        if not keys.is_signed(seal.text(), seal.signature, seal.key_id):
            found.append(_finding(f"the seal of {seal.day} is not signed by {seal.key_id} as it stands"))
        if before is not None and seal.day != before.day + timedelta(days=1):
            found.append(_finding(f"after the seal of {before.day} comes that of {seal.day}: some are missing"))
        elif (before.root if before else b"") != seal.previous:
            found.append(_finding(f"the seal of {seal.day} was made after another one than that of the day before"))
        before = seal
    return found


def check_roots(days: Sequence[Sealed], seals: Mapping[date, Seal]) -> list[Finding]:
    """Compare what was recomputed with what was sealed: one finding, that says since when."""
    wrong: list[str] = []
    gone: list[str] = []
    for day in days:
        seal = seals.get(day.day)
        if seal is None:
            gone.append(day.day.isoformat())
        elif (seal.root, seal.accounts, seal.postings) != (day.tree.root(), day.tree.count, day.postings):
            wrong.append(day.day.isoformat())
    found: list[Finding] = []
    if wrong:
        found.append(
            _finding(
                f"{len(wrong)} of {len(days)} sealed days looked at have another root than the journal gives, from "
                f"{wrong[0]} to {wrong[-1]}: postings booked by the end of {wrong[-1]} were changed or removed"
            )
        )
    if gone:
        found.append(_finding(f"{len(gone)} seals were removed meanwhile, from {gone[0]} to {gone[-1]}"))
    return found


def _finding(message: str) -> Finding:
    return Finding(Invariant.SEAL, "", 0, message)
