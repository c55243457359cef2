"""Books: what a batch has loaded and changes, and the work of one command over it, dropped when it is refused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from services.points.domain.accounts import PAYER_PREFIX, Account, NoAccountError
from services.points.domain.adjustments import Adjustment
from services.points.domain.commands import AnyCommand
from services.points.domain.drafts import Draft, Key, NotLoadedError
from services.points.domain.facts import AccountPosted, LedgerEvent
from services.points.domain.holds import Hold, HoldState, NoHoldError
from services.points.domain.journal import BY_ITSELF, Entry, Note
from services.points.domain.lots import Lot
from services.points.domain.programs import Programs
from services.points.domain.receipts import Receipt
from services.points.domain.refunds import BookedRefund

MOST_MERGES = 10
"""How many accounts may have gone into one another, one after the other."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to a command that has a key: the hold, the adjustment or the account that it was about."""

    account: Account
    entry: str = ""
    hold: Hold | None = None
    adjustment: Adjustment | None = None
    repeated_call: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """What was answered under a key before."""

    fingerprint: bytes
    answer: Posted
    summary: str
    at: datetime


@dataclass(slots=True)
class Needs:
    """What is to be loaded: names by chain. `whole` accounts come with their open lots and holds."""

    accounts: set[Key] = field(default_factory=set)
    whole: set[Key] = field(default_factory=set)
    lots: set[tuple[Key, str]] = field(default_factory=set)  # single ones, which may be closed
    holds: set[tuple[Key, str]] = field(default_factory=set)
    receipts: set[Key] = field(default_factory=set)
    refunds: set[Key] = field(default_factory=set)
    adjustments: set[Key] = field(default_factory=set)
    keys: set[Key] = field(default_factory=set)

    def __bool__(self) -> bool:
        return any((self.accounts, self.whole, self.lots, self.holds, self.receipts, self.refunds))


@dataclass(slots=True)
class Books:
    """All that exists of what a batch touches, as loaded and as changed since."""

    asked: set[Key] = field(default_factory=set)  # accounts that were looked for
    asked_single: set[tuple[Key, str]] = field(default_factory=set)  # closed lots and holds that were looked for
    accounts: dict[Key, Account] = field(default_factory=dict)
    lots: dict[Key, dict[str, Lot]] = field(default_factory=dict)  # of those loaded whole
    holds: dict[Key, dict[str, Hold]] = field(default_factory=dict)
    receipts: dict[Key, Receipt] = field(default_factory=dict)
    refunds: dict[Key, BookedRefund] = field(default_factory=dict)
    adjustments: dict[Key, Adjustment] = field(default_factory=dict)
    kept: dict[Key, Kept] = field(default_factory=dict)
    programs: dict[str, Programs] = field(default_factory=dict)  # by chain

    def copy(self) -> "Books":
        """Return books that can be changed without changing these."""
        return Books(
            asked=set(self.asked),
            asked_single=set(self.asked_single),
            accounts=dict(self.accounts),
            lots={key: dict(lots) for key, lots in self.lots.items()},
            holds={key: dict(holds) for key, holds in self.holds.items()},
            receipts=dict(self.receipts),
            refunds=dict(self.refunds),
            adjustments=dict(self.adjustments),
            kept=dict(self.kept),
            programs=self.programs,
        )


@dataclass(slots=True)
class Changes:
    """What a batch writes: the last state of everything that changed, and what was added."""

    accounts: dict[Key, Account] = field(default_factory=dict)
    lots: dict[tuple[Key, str], Lot] = field(default_factory=dict)
    holds: dict[tuple[Key, str], Hold] = field(default_factory=dict)
    receipts: dict[Key, Receipt] = field(default_factory=dict)
    refunds: dict[Key, BookedRefund] = field(default_factory=dict)
    adjustments: dict[Key, Adjustment] = field(default_factory=dict)
    kept: dict[Key, Kept] = field(default_factory=dict)
    notes: list[tuple[Key, Note]] = field(default_factory=list)  # with their account
    entries: list[tuple[str, Entry]] = field(default_factory=list)  # with their chain
    told: list[tuple[Key, LedgerEvent, AnyCommand]] = field(default_factory=list)  # with the account


class Work:
    """What one command does. `done` makes it part of the books; until then they are as before."""

    def __init__(self, books: Books, command: AnyCommand) -> None:
        self.command = command
        self.receipts: dict[Key, Receipt] = {}
        self.refunds: dict[Key, BookedRefund] = {}
        self.adjustments: dict[Key, Adjustment] = {}
        self.kept: dict[Key, Kept] = {}
        self.told: list[tuple[Key, LedgerEvent]] = []
        self.notes: list[tuple[Key, Note]] = []
        self._books = books
        self._drafts: dict[Key, Draft] = {}
        self._numbers = count()

    @property
    def programs(self) -> Programs:
        """The versions of the chain's program."""
        return self._books.programs[self.command.chain]

    def draft(self, account: str, *, opens: bool = False, follow: bool = True) -> Draft:
        """Return the working copy of an account, or of the one that it went into; NoAccountError when there is none."""
        key = self._where(account) if follow else (self.command.chain, account)
        if (draft := self._drafts.get(key)) is not None:
            return draft
        found = self._account(key)
        if found is None and not opens:
            raise NoAccountError(field="memberId", member=account)
        fresh: Mapping[str, Lot] | None = None if found else {}
        draft = self._drafts[key] = Draft(
            self.command.author,
            found or Account(key[1]),
            lots=self._books.lots.get(key, fresh),
            holds=self._books.holds.get(key, {} if found is None else None),
            numbers=self._numbers,
            programs=self.programs,
        )
        return draft

    def are_one(self, one: str, other: str) -> bool:
        """Tell whether both names mean the same account by now."""
        return self._where(one) == self._where(other)

    def drafts(self) -> list[Draft]:
        """Return all that the command has looked at."""
        return list(self._drafts.values())

    def lot(self, draft: Draft, id_: str) -> Lot | None:
        """Return one of the account's lots, which may be closed; None when there is none."""
        found = draft.lots.get(id_)
        if found is None and (draft.key, id_) not in self._books.asked_single:
            raise NotLoadedError(draft.key, lots=(id_,))
        return found

    def _where(self, account: str) -> Key:
        """Return which account has taken this one over, itself if none has."""
        key = self.command.chain, account
        for _ in range(MOST_MERGES):
            found = self._account(key)
            if found is None or not found.merged_into:
                break
            key = self.command.chain, found.merged_into
        return key

    def _account(self, key: Key) -> Account | None:
        if (draft := self._drafts.get(key)) is not None:
            return draft.account
        if key not in self._books.asked:
            raise NotLoadedError(key)
        return self._books.accounts.get(key)

    def hold(self, draft: Draft, id_: str) -> Hold:
        """Return one of the account's holds, or a closed one of those that went into it; NoHoldError: there is none."""
        found = list(self.holds([draft], id_).values())
        if draft.account.ties.joined and not (found and found[0].state is not HoldState.MOVED):
            found += self.holds(self.family(draft), id_).values()
        if found:  # a trace of it only where it lives in none of them
            return min(found, key=lambda one: one.state is HoldState.MOVED)
        raise NoHoldError(field="holdId", hold=id_)

    def holds(self, drafts: Sequence[Draft], id_: str) -> dict[str, Hold]:
        """Return the hold as each of these accounts knows it, by account."""
        if partial := [draft.key for draft in drafts if not draft.is_whole]:
            raise NotLoadedError(*partial)
        found = {draft.account.id: hold for draft in drafts if (hold := draft.holds.get(id_)) is not None}
        asked = self._books.asked_single
        wanted = [one.key for one in drafts if one.account.id not in found and (one.key, id_) not in asked]
        if wanted:
            raise NotLoadedError(*wanted, hold=id_)
        return found

    def lots(self, draft: Draft, ids: Iterable[str]) -> dict[str, Lot]:
        """Return those of the account's lots, which may be closed."""
        known, asked = draft.lots, self._books.asked_single
        named = sorted(set(ids))
        if missing := tuple(id_ for id_ in named if id_ not in known and (draft.key, id_) not in asked):
            raise NotLoadedError(draft.key, lots=missing)
        return {id_: known[id_] for id_ in named if id_ in known}

    def family(self, draft: Draft) -> list[Draft]:
        """Return the account and all that have gone into it, directly or by way of others, and are there."""
        found = layer = [draft]
        while layer:
            ids = {one.account.id for one in layer}
            names = sorted({name for one in layer for name in one.account.ties.joined})
            layer = [one for one in self._several(names) if one.account.merged_into in ids]
            found = found + layer
        return found

    def homes(self, account: str) -> list[Draft]:
        """Return the account and all that it has ever gone into, directly or by way of others."""
        found: dict[str, Draft] = {}
        layer = [account]
        while layer:
            found.update((one.account.id, one) for one in self._several(layer))
            onward = {name for one in layer for name in _been(found[one].account)}
            layer = sorted(onward - found.keys())
        return list(found.values())

    def path(self, account: str) -> list[Draft]:
        """Return the accounts from this one on that have gone into the next; without the last, which has not."""
        found: list[Draft] = []
        while (draft := self.draft(account, follow=False)).account.merged_into:
            found.append(draft)
            account = draft.account.merged_into
        return found

    def _several(self, names: Sequence[str]) -> list[Draft]:
        keys = [(self.command.chain, name) for name in names]
        if missing := [key for key in keys if key not in self._drafts and key not in self._books.asked]:
            raise NotLoadedError(*missing)
        return [self.draft(name, follow=False) for name in names]

    def receipt(self, key: str) -> Receipt:
        """Return what is known under a receipt's key."""
        name = self.command.chain, key
        return self.receipts.get(name) or self._books.receipts.get(name) or Receipt()

    def refund(self, key: str) -> BookedRefund | None:
        """Return the refund under its key."""
        return self._books.refunds.get((self.command.chain, key))

    def adjustment(self, id_: str) -> Adjustment | None:
        """Return the adjustment."""
        return self._books.adjustments.get((self.command.chain, id_))

    def kept_answer(self, key: str) -> Kept | None:
        """Return what was answered under the caller's key."""
        return self._books.kept.get((self.command.chain, key))

    def keep_note(self, draft: Draft, note: Note) -> str:
        """Keep a text beside the account's journal, and return what its entry says of it."""
        self.notes.append((draft.key, note))
        return note.commitment

    def tell(self, draft: Draft, event: LedgerEvent) -> None:
        """Let others hear of it; not while the guest is only a payer, whom nobody else knows."""
        self.tell_happened(draft)
        self.tell_first(draft, event)

    def tell_happened(self, draft: Draft) -> None:
        """Let others hear of what happened by itself so far."""
        if not draft.account.id.startswith(PAYER_PREFIX):
            self.told += [(draft.key, event) for event in draft.happened]
        draft.happened.clear()

    def tell_first(self, draft: Draft, event: LedgerEvent) -> None:
        """Let others hear of it before what happened by itself since `tell_happened`: that followed from it."""
        if not draft.account.id.startswith(PAYER_PREFIX):
            self.told.append((draft.key, event))

    def done(self, changes: Changes) -> None:
        """Take all of it over into the books and into `changes`."""
        books = self._books
        for key, draft in self._drafts.items():
            self.tell_happened(draft)
            changed = draft.entries or draft.changed_lots or draft.changed_holds
            if not changed and draft.account == books.accounts.get(key):
                continue
            books.accounts[key] = changes.accounts[key] = draft.account
            books.asked.add(key)
            for id_, lot in draft.changed_lots.items():
                changes.lots[key, id_] = lot
            for id_, hold in draft.changed_holds.items():
                changes.holds[key, id_] = hold
            if draft.is_whole:
                books.lots.setdefault(key, {}).update(draft.changed_lots)
                books.holds.setdefault(key, {}).update(draft.changed_holds)
            changes.entries += [(self.command.chain, entry) for entry in draft.entries]
        for mine, kept, written in (
            (self.receipts, books.receipts, changes.receipts),
            (self.refunds, books.refunds, changes.refunds),
            (self.adjustments, books.adjustments, changes.adjustments),
            (self.kept, books.kept, changes.kept),
        ):
            kept.update(mine)  # type: ignore[arg-type]  # each triple is of one type
            written.update(mine)  # type: ignore[arg-type]  # as above
        changes.notes += self.notes
        changes.told += [(key, event, self.command) for key, event in self.told]

    def tell_postings(self, draft: Draft, since: int = 0) -> None:
        """Let others hear of every entry of the draft from number `since` on that was not written by itself."""
        for entry in draft.entries[since:]:
            if entry.booked_by != BY_ITSELF:
                self.tell(draft, AccountPosted(entry))


def _been(account: Account) -> set[str]:
    return {*account.ties.been_in, account.merged_into} - {""}
