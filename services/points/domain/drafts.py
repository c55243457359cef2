"""A draft: one account's working copy while a command is carried out. Dropped when the command is refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.points.domain.accounts import Account, Balances
from services.points.domain.dues import level_due_at, lot_due_at, program_of, version_due_at
from services.points.domain.expiries import Activity
from services.points.domain.facts import AccountPosted, LedgerEvent
from services.points.domain.holds import Hold, HoldState, Parts
from services.points.domain.journal import BY_ITSELF, Entry, EntryKind, Leg, Posting, link
from services.points.domain.lots import Lot, LotChange
from services.points.domain.programs import Program, Programs

Key = tuple[str, str]
"""A chain, and a name within it: an account's id, a receipt's key …"""


class NotLoadedError(LookupError):
    """The fold needs more of accounts than was loaded: their lots and holds, or, of `keys`, single closed ones."""

    def __init__(self, *keys: Key, hold: str = "", lots: tuple[str, ...] = ()) -> None:
        super().__init__(*keys)
        self.keys, self.hold, self.lots = keys, hold, lots


@dataclass(frozen=True, slots=True)
class Author:
    """Who books, and what the edge gave for it."""

    chain: str
    entry_id: str
    booked_at: datetime
    booked_by: str
    key: str = ""


class Draft:
    """An account, its open lots and holds (where they were loaded), and the entries written so far."""

    def __init__(
        self,
        author: Author,
        account: Account,
        *,
        lots: Mapping[str, Lot] | None,
        holds: Mapping[str, Hold] | None,
        numbers: Iterator[int],
        programs: Programs,
    ) -> None:
        self.author, self.account, self.programs = author, account, programs
        self.happened: list[LedgerEvent] = []  # by itself, and not told yet
        self.entries: list[Entry] = []
        self.changed_lots: dict[str, Lot] = {}
        self.changed_holds: dict[str, Hold] = {}
        self._lots, self._holds = lots, holds
        self._numbers = numbers  # of the command's entries, over all accounts that it touches

    @property
    def key(self) -> Key:
        """Return where the account is found."""
        return self.author.chain, self.account.id

    @property
    def program(self) -> Program:
        """Return the version that holds at the account's effective time."""
        return program_of(self.account, self.programs)

    @property
    def is_whole(self) -> bool:
        """Tell whether its open lots and holds were loaded."""
        return self._lots is not None

    @property
    def lots(self) -> dict[str, Lot]:
        """All lots that were loaded, as they are now."""
        if self._lots is None:
            raise NotLoadedError(self.key)
        return {**self._lots, **self.changed_lots}

    @property
    def holds(self) -> dict[str, Hold]:
        """All holds that were loaded, as they are now."""
        if self._holds is None:
            raise NotLoadedError(self.key)
        return {**self._holds, **self.changed_holds}

    def post(
        self,
        kind: EntryKind,
        *,
        currency: str,
        occurred_at: datetime,
        reference: str,
        legs: Sequence[Leg] = (),
        lots: Sequence[LotChange] = (),
        released: Sequence[str] = (),
        grants: Sequence[Lot] = (),
        lifetime: int = 0,
        by_itself: bool = False,
        note: str = "",
    ) -> Posting:
        """Write an entry with one posting; what the legs say of debt changes the account's debt."""
        before = self.account.balance(currency)
        balances = self._balances(before, lots=lots, released=released, grants=grants, legs=legs, lifetime=lifetime)
        amount = balances.total - before.total
        assert amount + sum(leg.amount for leg in legs) == 0, (kind, amount, legs)  # noqa: S101 - a fault of ours, never input
        entry = self._entry(kind, occurred_at, reference, note, by_itself=by_itself)
        posting = Posting(
            account=self.account.id,
            version=self.account.version + 1,
            currency=currency,
            amount=amount,
            legs=tuple(legs),
            balances=balances,
            lots=tuple(lots),
            released=tuple(released),
            grants=tuple(grants),
        )
        # A moment before they are shown to anybody: `replace` would make all of it twice.
        object.__setattr__(posting, "hash", link(self.account.head, self.author.chain, entry, posting))
        object.__setattr__(entry, "postings", (posting,))
        self.entries.append(entry)
        self._apply(entry, posting)
        if by_itself and kind is not EntryKind.LEVEL:  # of levels there is an event of their own
            self.happened.append(AccountPosted(entry))
        return posting

    def _entry(self, kind: EntryKind, occurred_at: datetime, reference: str, note: str, *, by_itself: bool) -> Entry:
        """Return an entry without its posting. It is never booked before the account's last one."""
        author, last, number = self.author, self.account.booked_at, next(self._numbers)
        return Entry(
            id=f"{author.entry_id}-{number}" if number else author.entry_id,
            kind=kind,
            reference=reference,
            occurred_at=occurred_at,
            booked_at=last if last is not None and last > author.booked_at else author.booked_at,
            booked_by=BY_ITSELF if by_itself else author.booked_by,
            postings=(),
            key="" if by_itself else author.key,
            note=note,
        )

    def move(self, parts: Parts, *, free: int = 0, held: int = 0) -> list[LotChange]:
        """Return the changes that put `free` or `held` (1, 0 or -1) times each part onto its lot."""
        return [LotChange(lot, free * part, held * part) for lot, part in parts]

    def put_hold(self, hold: Hold) -> None:
        """Keep a new or changed hold."""
        self.changed_holds[hold.id] = hold
        if (due_at := hold.due_at) is not None:
            self.due_by(due_at)

    def open_holds(self) -> list[Hold]:
        """Return those that set points aside."""
        return [hold for hold in self.holds.values() if hold.state is HoldState.OPEN]

    def set_account(self, account: Account) -> None:
        """Replace what no posting changes: spend, levels, marks."""
        self.account = account

    def settle_due(self) -> None:
        """Find out anew when something falls due by itself."""
        moments = [lot_due_at(lot, self.account, self.programs) for lot in self.lots.values()]
        moments += [hold.due_at for hold in self.holds.values()]
        moments += [level_due_at(self.account, self.programs), version_due_at(self.account, self.programs)]
        self.account = replace(self.account, due_at=min((one for one in moments if one is not None), default=None))

    def put_lot(self, lot: Lot) -> None:
        """Keep what no posting says of a lot."""
        self.changed_lots[lot.id] = lot

    def _apply(self, entry: Entry, posting: Posting) -> None:
        for change in posting.lots:
            self.changed_lots[change.lot] = changed(self._lot(change.lot), change, entry.kind)
        for id_ in posting.released:
            self.changed_lots[id_] = replace(self._lot(id_), pending_until=None)
        for lot in posting.grants:
            self.changed_lots[lot.id] = lot
        due_at = self.account.due_at
        touched = (*(change.lot for change in posting.lots), *posting.released, *(lot.id for lot in posting.grants))
        for id_ in touched:
            if (due := lot_due_at(self.changed_lots[id_], self.account, self.programs)) is not None and (
                due_at is None or due < due_at
            ):
                due_at = due
        self.account = self.account.after(
            currency=posting.currency,
            balances=posting.balances,
            head=posting.hash,
            booked_at=entry.booked_at,
            due_at=due_at,
        )

    def active(self, moment: datetime, activity: Activity) -> None:
        """Note what may keep points from lapsing."""
        counts = self.account.counts
        if activity in self.program.expiry.active_by and (counts.active_at is None or counts.active_at < moment):
            self.account = self.account.at(self.account.as_of, counts=replace(counts, active_at=moment))

    def due_by(self, moment: datetime) -> None:
        """Look at the account again at `moment`, if not before."""
        if self.account.due_at is None or moment < self.account.due_at:
            self.account = replace(self.account, due_at=moment)

    def _lot(self, id_: str) -> Lot:
        if (changed := self.changed_lots.get(id_)) is not None:
            return changed
        if self._lots is None:
            raise NotLoadedError(self.key)
        if id_ not in self._lots:
            raise NotLoadedError(self.key, lots=(id_,))
        return self._lots[id_]

    def _balances(
        self,
        before: Balances,
        *,
        lots: Sequence[LotChange],
        released: Sequence[str],
        grants: Sequence[Lot],
        legs: Sequence[Leg],
        lifetime: int,
    ) -> Balances:
        available, pending, held = before.available, before.pending, before.held
        for change in lots:
            held += change.held
            if self._lot(change.lot).pending_until is None:
                available += change.free
            else:
                pending += change.free
        for id_ in released:
            free = self._lot(id_).free + sum(change.free for change in lots if change.lot == id_)
            pending, available = pending - free, available + free
        for lot in grants:
            held += lot.held
            if lot.pending_until is None:
                available += lot.free
            else:
                pending += lot.free
        debt = before.debt - sum(leg.amount for leg in legs if leg.account == "program:debt")
        after = Balances(available, pending, held, debt, before.lifetime + lifetime)
        assert min(available, pending, held, debt) >= 0, after  # noqa: S101 - a fault of ours, never input
        return after


def changed(lot: Lot, change: LotChange, kind: EntryKind) -> Lot:
    """Return the lot after a posting of an entry of `kind`: what expires of it has lapsed, what comes back has not."""
    lapsed = lot.lapsed - change.free if kind is EntryKind.EXPIRY else lot.lapsed
    return replace(lot, free=lot.free + change.free, held=lot.held + change.held, lapsed=lapsed)
