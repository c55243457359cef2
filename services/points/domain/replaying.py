"""Replaying one account's journal: what must be there after each posting follows from the postings alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from services.points.domain.accounts import EMPTY, GENESIS, PAYER_PREFIX, Balances
from services.points.domain.findings import Findings, Invariant
from services.points.domain.journal import ADJUSTED, DEBT, ISSUED, Entry, EntryKind, Posting, link
from services.points.domain.lots import Lot
from services.points.domain.programs import Programs

Delta = tuple[int, int, int]
"""What a posting does to available, pending and held."""

EARNING = frozenset({EntryKind.PURCHASE, EntryKind.REFUND, EntryKind.OPENING, EntryKind.REFERRAL})
HOLDING = frozenset({EntryKind.REDEMPTION, EntryKind.HOLD_VOIDED, EntryKind.HOLD_EXPIRED, EntryKind.HOLD_LEFT})
"""What may take from a hold's parts."""

GOING = frozenset({EntryKind.MERGED_INTO, EntryKind.SPLIT_OFF})
COMING = frozenset({EntryKind.MERGED_FROM, EntryKind.SPLIT_FROM})
MOVING = GOING | COMING
"""What stands in two journals."""


@dataclass(slots=True)
class ReplayedHold:
    """An open hold, as far as entries tell: not when it runs out."""

    currency: str
    amount: int
    parts: dict[str, int]
    taken: dict[str, int] = field(default_factory=dict)
    pinned: bool = False
    came: bool = False  # from another account: what was captured there stands in that one's journal


@dataclass(frozen=True, slots=True)
class Moved:
    """One side of what went from one account to another, in one currency; equal on both sides."""

    source: str
    target: str
    currency: str
    amount: int
    debt: int
    entry: str  # what the ids of both entries share


class Replay:
    """The state after the postings taken so far, and what was not right with them.

    After a finding it goes on from what is stored, so that one error is one finding. What a posting did that is
    missing, cannot be read or was changed is not known: lots and holds are then no longer compared (`is_blind`).
    """

    def __init__(self, chain: str, account: str, programs: Programs) -> None:
        self.account = account
        self.version = 0
        self.head: bytes | None = GENESIS  # None: not known
        self.balances: dict[str, Balances] = {}
        self.lots: dict[str, Lot] = {}  # closed ones too: a reversal opens them again
        self.holds: dict[str, ReplayedHold] = {}  # open ones
        self.moved: list[tuple[int, EntryKind, Moved]] = []  # with the version; taken out by whoever looks at them
        self.booked_at: datetime | None = None
        self.frozen = False
        self.level = ""  # the last that the journal names; empty: the first
        self.merged_into = ""
        self.joined: set[str] = set()  # members that ever went into it
        self.been_in: set[str] = set()
        self.is_blind = False
        self.findings = Findings(account)
        self.programs = programs
        self._chain = chain
        self._owing = programs.may_owe
        # What the last posting should have had where it had something else: what follows may build on that.
        self._other_head: bytes | None = None
        self._others: dict[str, Balances] = {}
        self._is_lost = False  # balances are not known until the next posting in their currency

    def take(self, entry: Entry, text: bytes | None = None) -> None:
        """Check the next posting, and apply it. `text` is what its hash covers, where it is at hand already."""
        posting = entry.postings[0]
        if not self._in_order(posting.version):
            return
        self._check_link(entry, text)
        if posting.amount + sum(leg.amount for leg in posting.legs):
            legs = " and ".join(str(leg.amount) for leg in posting.legs)
            self._find(Invariant.SUM, f"the amount {posting.amount} and its legs {legs or 'none'} do not sum to zero")
        if self.booked_at is not None and entry.booked_at < self.booked_at:
            self._find(Invariant.VERSION, f"booked at {entry.booked_at.isoformat()}, before the posting before it")
        self._check_balances(entry, posting, self._move_lots(entry, posting))
        self._note(entry, posting)
        self.booked_at = entry.booked_at

    def skip(self, version: int, why: str, stored_hash: bytes | None) -> None:
        """Pass over a posting that cannot be read."""
        if not self._in_order(version):
            return
        self._find(Invariant.CHAIN, why)
        self._lose(stored_hash)

    def _find(self, invariant: Invariant, message: str) -> None:
        self.findings.add(invariant, self.version, message)

    def _lose(self, head: bytes | None) -> None:
        self.is_blind = self._is_lost = True
        self.head, self._other_head = head, None
        self.balances.clear()
        self._others.clear()

    def _in_order(self, version: int) -> bool:
        due = self.version + 1
        if version < due:
            self.findings.add(Invariant.VERSION, version, f"version {version} stands where {due} is due")
            self.is_blind = True
            return False
        if version > due:
            missing = f"{due} is" if version == due + 1 else f"{due} to {version - 1} are"
            self.findings.add(Invariant.VERSION, due, f"version {missing} missing")
            self._lose(None)
        self.version = version
        return True

    def _check_link(self, entry: Entry, text: bytes | None) -> None:
        posting = entry.postings[0]
        if self.head is not None:
            computed = self._link(self.head, entry, text)
            other, self._other_head = self._other_head, None
            follows = computed == posting.hash
            if not follows and other is not None:
                follows = self._link(other, entry, text) == posting.hash
            if not follows:
                self._find(Invariant.CHAIN, "the hash is not that of the content and the posting before it")
                self._other_head = computed
                self.is_blind = True  # what it says of lots may be what was changed
        self.head = posting.hash

    def _link(self, before: bytes, entry: Entry, text: bytes | None) -> bytes:
        if text is None:
            return link(before, self._chain, entry, entry.postings[0])
        return sha256(before + text).digest()

    def _check_balances(self, entry: Entry, posting: Posting, delta: Delta | None) -> None:
        stored, currency = posting.balances, posting.currency
        lowest = (stored.available, stored.pending, stored.held, stored.debt, stored.lifetime)
        if min(lowest) < 0:
            self._find(Invariant.NEGATIVE, f"something is negative afterwards: {_words(stored)}")
        owed = -sum(leg.amount for leg in posting.legs if leg.account == DEBT)
        if owed > 0 and not self._may_owe(entry.kind):
            self._find(Invariant.NEGATIVE, f"a {entry.kind} made a debt of {owed}, which no policy allows")
        before = self.balances.get(currency, None if self._is_lost else EMPTY)
        self.balances[currency] = stored
        if before is None or delta is None:
            self._others.pop(currency, None)
            return
        computed = _after(before, delta, owed, entry, posting)
        other = self._others.pop(currency, None)
        if computed == stored or (other is not None and _after(other, delta, owed, entry, posting) == stored):
            return
        self._find(Invariant.BALANCES, f"it has {_words(stored)} afterwards; {_words(computed)} follow")
        self._others[currency] = computed

    def _may_owe(self, kind: EntryKind) -> bool:
        if kind is EntryKind.REFUND:
            return self._owing
        return kind in {EntryKind.REDEMPTION, *COMING}  # a late redemption

    def _move_lots(self, entry: Entry, posting: Posting) -> Delta | None:
        """Apply what the posting says of lots; None where some are not known."""
        available = pending = held = 0
        known = True
        for change in posting.lots:
            if (lot := self._lot(change.lot, posting)) is None:
                known = False
                continue
            lapsed = lot.lapsed - change.free if entry.kind is EntryKind.EXPIRY else lot.lapsed
            lot = _changed(lot, lot.free + change.free, lot.held + change.held, lot.pending_until, lapsed)
            self.lots[lot.id] = lot
            if not self.is_blind and (lot.free < 0 or lot.held < 0):
                self._find(Invariant.LOTS, f"lot {lot.id} has {lot.free} free and {lot.held} held afterwards")
            held += change.held
            if lot.pending_until is None:
                available += change.free
            else:
                pending += change.free
        for id_ in posting.released:
            if (lot := self._lot(id_, posting)) is None:
                known = False
                continue
            if lot.pending_until is None:
                self._find(Invariant.LOTS, f"lot {id_} is released, and was not pending")
                continue
            self.lots[id_] = _changed(lot, lot.free, lot.held, None, lot.lapsed)
            pending, available = pending - lot.free, available + lot.free
        for lot in posting.grants:
            self._grant(lot, posting)
            held += lot.held
            if lot.pending_until is None:
                available += lot.free
            else:
                pending += lot.free
        self._check_amount(posting)
        return (available, pending, held) if known else None

    def _grant(self, lot: Lot, posting: Posting) -> None:
        if lot.id in self.lots:
            self._find(Invariant.LOTS, f"lot {lot.id} begins a second time")
        if lot.currency != posting.currency or lot.free < 0 or lot.held < 0:
            self._find(Invariant.LOTS, f"lot {lot.id} begins with {lot.free} free, {lot.held} held {lot.currency}")
        self.lots[lot.id] = lot

    def _lot(self, id_: str, posting: Posting) -> Lot | None:
        lot = self.lots.get(id_)
        if lot is None:
            if not self.is_blind:
                self._find(Invariant.LOTS, f"lot {id_} is not known")
            return None
        if lot.currency != posting.currency:
            self._find(Invariant.LOTS, f"lot {id_} is of {lot.currency}, not {posting.currency}")
        return lot

    def _check_amount(self, posting: Posting) -> None:
        moved = sum(change.free + change.held for change in posting.lots)
        moved += sum(lot.free + lot.held for lot in posting.grants)
        if moved != posting.amount:
            self._find(Invariant.LOTS, f"the amount is {posting.amount}, its lots change by {moved}")

    def _note(self, entry: Entry, posting: Posting) -> None:
        kind = entry.kind
        if kind is EntryKind.PURCHASE:
            return
        if kind is EntryKind.HOLD or kind is EntryKind.HOLD_CAME:
            parts = {change.lot: change.held for change in posting.lots}
            came = kind is EntryKind.HOLD_CAME
            self.holds[entry.reference] = ReplayedHold(posting.currency, sum(parts.values()), parts, came=came)
        elif kind in HOLDING:
            self._take_held(entry, posting)
        elif kind is EntryKind.HOLD_PINNED and (hold := self.holds.get(entry.reference)) is not None:
            hold.pinned = True
        elif kind is EntryKind.FROZEN or kind is EntryKind.UNFROZEN:
            self.frozen = kind is EntryKind.FROZEN
        elif kind is EntryKind.LEVEL:
            self.level = entry.reference
        elif kind in MOVING:
            self._tie(kind, entry.reference)
            self.moved.append((posting.version, kind, moved_by(entry)))

    def _tie(self, kind: EntryKind, other: str) -> None:
        if kind is EntryKind.MERGED_INTO:
            self.merged_into = other
            if not self.account.startswith(PAYER_PREFIX):
                self.been_in.add(other)
        elif kind is EntryKind.SPLIT_FROM:
            self.merged_into = ""
        elif kind is EntryKind.MERGED_FROM and not other.startswith(PAYER_PREFIX):
            self.joined.add(other)

    def _take_held(self, entry: Entry, posting: Posting) -> None:
        taken = [(change.lot, -change.held) for change in posting.lots if change.held]
        if not taken:
            return  # a late redemption takes what is free
        hold = self.holds.get(entry.reference)
        if hold is None:
            if not self.is_blind:
                self._find(Invariant.HOLDS, f"hold {entry.reference} is not open, and {entry.kind} takes from it")
            return
        for lot, part in taken:
            left = hold.parts.pop(lot, 0) - part
            if left < 0 and not self.is_blind:
                self._find(Invariant.HOLDS, f"hold {entry.reference} has {left} left of lot {lot}")
            elif left > 0:
                hold.parts[lot] = left
            if entry.kind is EntryKind.REDEMPTION:
                hold.taken[lot] = hold.taken.get(lot, 0) + part
        if not hold.parts:
            del self.holds[entry.reference]


def _changed(lot: Lot, free: int, held: int, pending_until: datetime | None, lapsed: int) -> Lot:
    """Return the lot as it is now; `dataclasses.replace` looks the fields up each time."""
    return Lot(
        id=lot.id,
        currency=lot.currency,
        free=free,
        granted_at=lot.granted_at,
        expires_at=lot.expires_at,
        pending_until=pending_until,
        policy_version=lot.policy_version,
        source=lot.source,
        held=held,
        lapsed=lapsed,
        idle=lot.idle,
    )


def _after(before: Balances, delta: Delta, owed: int, entry: Entry, posting: Posting) -> Balances:
    available, pending, held = delta
    return Balances(
        before.available + available,
        before.pending + pending,
        before.held + held,
        before.debt + owed,
        _lifetime(before.lifetime, entry, posting),
    )


def _lifetime(before: int, entry: Entry, posting: Posting) -> int:
    """Return what was earned so far, by the kind of what was booked."""
    if entry.kind in EARNING:
        return before - sum(leg.amount for leg in posting.legs if leg.account == ISSUED)
    if entry.kind is EntryKind.ADJUSTMENT:
        return before + max(0, -sum(leg.amount for leg in posting.legs if leg.account == ADJUSTED))
    if entry.kind is EntryKind.MERGED_INTO:
        return 0
    if entry.kind in COMING:  # what the other had earned stands in the other's journal
        return max(before, posting.balances.lifetime)
    if entry.kind is EntryKind.SPLIT_OFF:
        return min(before, posting.balances.lifetime)
    return before


def moved_by(entry: Entry) -> Moved:
    """Return what a merge, or its undoing, moved: the same from both sides."""
    posting = entry.postings[0]
    debt = sum(leg.amount for leg in posting.legs if leg.account == DEBT)
    base = base_of(entry.id)
    if entry.kind in GOING:
        return Moved(posting.account, entry.reference, posting.currency, -posting.amount, debt, base)
    return Moved(entry.reference, posting.account, posting.currency, posting.amount, -debt, base)


def base_of(entry: str) -> str:
    """Return what the ids of all entries of one command share: the first's own, the others' without their number."""
    base, dash, number = entry.rpartition("-")
    return base if dash and number.isdigit() else entry


def _words(balances: Balances) -> str:
    return (
        f"{balances.available} available, {balances.pending} pending, {balances.held} held, "
        f"{balances.debt} debt, {balances.lifetime} lifetime"
    )


def open_lots(lots: Mapping[str, Lot]) -> dict[str, Lot]:
    """Return those that have something left."""
    return {id_: lot for id_, lot in lots.items() if lot.is_open}


def held_parts(holds: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Return how much of each lot is set aside by holds, given their parts."""
    sums: dict[str, int] = {}
    for parts in holds:
        for lot, part in parts.items():
            sums[lot] = sums.get(lot, 0) + part
    return sums
