"""Verify a chain's ledger: every invariant is recomputed from the journal, while others go on booking."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from services.points.domain.findings import Finding, Invariant
from services.points.domain.journal import Entry, EntryKind
from services.points.domain.programs import Programs
from services.points.domain.replaying import GOING, Moved, Replay
from services.points.domain.seal_checks import SealKeys, check_roots, check_signatures, recomputed
from services.points.domain.seals import Cuts, Seal, Sealed, add_leaves
from services.points.domain.verification import Keys, NamedReceipt, Stored, compare
from services.points.usecases.programs import ProgramSource
from services.points.usecases.verify_cursors import Position

ACCOUNTS_AT_ONCE = 300
"""Accounts whose lots and holds are in memory at a time; their postings stream by."""


@dataclass(slots=True)  # not frozen: that costs a microsecond, a million times
class ReadPosting:
    """A posting as it was read; what is wrong with its document, and no entry when that could not be read at all."""

    account: str
    version: int
    entry: Entry | None
    why: str = ""
    hash: bytes | None = None
    text: bytes | None = None  # what the hash covers


class LedgerReader(Protocol):
    """Where the ledger of one chain is read."""

    async def seals(self, chain: str) -> Sequence[Seal]:
        """Return all seals in the order of their days."""

    async def accounts(self, chain: str, *, after: str, first: int) -> Mapping[str, Stored]:
        """Return up to `first` accounts after the id `after`, ascending, with open lots and holds, read after them.

        Whoever changes lots or holds adds a posting: where these are newer than the account, so is its journal.
        """

    async def account(self, chain: str, account: str) -> Stored | None:
        """Return one, all of it from one snapshot."""

    def postings(self, chain: str, *, after: str, until: str) -> AsyncGenerator[Sequence[ReadPosting], None]:
        """Yield the postings of all accounts in (after, until] (empty: to the last), whether they have a document or
        not: account by account descending, each account's versions ascending."""

    def further(
        self, chain: str, account: str, *, above: int, until: int
    ) -> AsyncGenerator[Sequence[ReadPosting], None]:
        """Yield the postings of one account in (above, until], ascending."""

    async def receipts(self, chain: str, keys: Sequence[str]) -> Mapping[str, NamedReceipt]:
        """Return the booked ones among these receipts, by key."""

    async def refunds(self, chain: str, keys: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Return the booked refunds that stand under these keys (their own, or their receipts'): account by id."""

    async def moves(self, chain: str, accounts: Sequence[str]) -> Sequence[Moved]:
        """Return all merges that stand in the journals of `accounts`."""

    async def count(self, chain: str) -> int:
        """Return about how many accounts there are."""


@dataclass(slots=True)
class Progress:
    """How far it is, and what was found since the last time. Take the position's cursor before asking for more."""

    position: Position
    findings: list[Finding]
    accounts_in_all: int
    done: bool


@dataclass(slots=True)
class _Journal:
    """One account that is being looked at."""

    replay: Replay
    cuts: Cuts
    keys: Keys = field(default_factory=Keys)
    beyond: bool = False  # it has postings above the version that was read


async def verify_ledger(
    chain: str, *, cursor: str, reader: LedgerReader, programs: ProgramSource, keys: SealKeys
) -> AsyncGenerator[Progress, None]:
    """Yield the progress after every few hundred accounts, from the beginning or from an earlier run's cursor."""
    of_chain = (await programs.of([chain]))[chain]
    seals = await reader.seals(chain)
    first_findings: list[Finding] = []
    if cursor:
        position = Position.of(cursor)
    else:
        position = Position(days=[Sealed(seal.day) for seal in recomputed(seals)])
        first_findings = check_signatures(seals, keys)
    in_all = await reader.count(chain)
    if first_findings:
        yield Progress(position, first_findings, in_all, done=False)
    if position.done:
        yield Progress(position, [], in_all, done=True)
    while not position.done:
        batch = _Batch(chain, reader, of_chain, position)
        findings = await batch.verify()
        if batch.is_last:
            findings += check_roots(position.days, {seal.day: seal for seal in seals})
            position.done = True
        yield Progress(position, findings, max(in_all, position.accounts), done=position.done)


class _Batch:
    """A few hundred accounts, and whatever postings lie among their ids without an account."""

    def __init__(self, chain: str, reader: LedgerReader, programs: Programs, position: Position) -> None:
        self.is_last = False
        self._chain, self._reader, self._programs, self._position = chain, reader, programs, position
        self._stored: Mapping[str, Stored] = {}
        self._finished: dict[str, _Journal] = {}
        self._current: _Journal | None = None

    async def verify(self) -> list[Finding]:
        """Look at the accounts after the position, and move it."""
        after = self._position.after
        self._stored = await self._reader.accounts(self._chain, after=after, first=ACCOUNTS_AT_ONCE)
        self.is_last = len(self._stored) < ACCOUNTS_AT_ONCE
        until = "" if self.is_last else max(self._stored, key=str.encode)
        async with aclosing(self._reader.postings(self._chain, after=after, until=until)) as chunks:
            async for chunk in chunks:
                await self._take(chunk)
                await asyncio.sleep(0)  # a chunk is work for the processor: others are let in between
        if self._current is not None:
            await self._finish(self._current)
        for account in self._stored:
            if account not in self._finished:
                await self._finish(self._open(account))
        return self._close(until)

    def _close(self, until: str) -> list[Finding]:
        findings: list[Finding] = []
        # In the order of their bytes, as the database has it: that is the order of the leaves.
        for name in sorted(self._finished, key=str.encode):
            journal = self._finished[name]
            add_leaves(self._position.days, journal.cuts)
            findings += journal.replay.findings.all()
            self._position.accounts += 1
            self._position.postings += journal.replay.version
            until = name if self.is_last else until
        self._position.after = until or self._position.after
        return findings

    def _open(self, account: str) -> _Journal:
        return _Journal(Replay(self._chain, account, self._programs), Cuts(account, self._position.days))

    async def _take(self, chunk: Sequence[ReadPosting]) -> None:
        named = asyncio.create_task(self._look_up([one.entry for one in chunk if one.entry is not None]))
        try:
            journals: dict[str, _Journal] = {}
            over: list[_Journal] = []
            for one in chunk:
                if self._current is None or self._current.replay.account != one.account:
                    if self._current is not None:
                        over.append(self._current)
                    self._current = self._open(one.account)
                journal = journals[one.account] = self._current
                stored = self._stored.get(one.account)
                if stored is not None and one.version > stored.account.version:
                    journal.beyond = True
                else:
                    _replay(journal, one)
        finally:
            receipts, refunds = await named
        self._check_named(chunk, journals, receipts, refunds)
        for journal in over:
            await self._finish(journal)

    async def _look_up(
        self, entries: Sequence[Entry]
    ) -> tuple[Mapping[str, NamedReceipt], Mapping[str, Mapping[str, str]]]:
        purchases = list({entry.key for entry in entries if entry.kind is EntryKind.PURCHASE})
        refunds = list({entry.key for entry in entries if entry.kind is EntryKind.REFUND})
        return await asyncio.gather(
            self._reader.receipts(self._chain, purchases), self._reader.refunds(self._chain, refunds)
        )

    def _check_named(
        self,
        chunk: Sequence[ReadPosting],
        journals: Mapping[str, _Journal],
        receipts: Mapping[str, NamedReceipt],
        refunds: Mapping[str, Mapping[str, str]],
    ) -> None:
        for one in chunk:
            entry, journal = one.entry, journals[one.account]
            if entry is None or one.version > journal.replay.version:
                continue
            if entry.kind is EntryKind.PURCHASE:
                journal.keys.check_purchase(entry, receipts.get(entry.key), journal.replay.findings)
            elif entry.kind is EntryKind.REFUND:
                journal.keys.check_refund(entry, refunds.get(entry.key, {}), journal.replay.findings)

    async def _finish(self, journal: _Journal) -> None:
        replay, account = journal.replay, journal.replay.account
        stored = self._stored.get(account)
        if stored is None or journal.beyond:
            # It was changed while it was read, or is not right: a snapshot of this one tells.
            stored = await self._reader.account(self._chain, account)
            if stored is not None and stored.account.version > replay.version:
                await self._follow(journal, stored.account.version)
        if stored is None:
            replay.findings.add(Invariant.ACCOUNT, 0, f"it has {replay.version} postings, and there is no such account")
        else:
            try:
                compare(replay, stored)
            except TypeError as error:  # what stands there may be of any type
                replay.findings.add(Invariant.ACCOUNT, 0, f"it cannot be compared with its journal: {error}")
        await self._check_moves(replay)
        journal.cuts.finish(replay.version, replay.head)
        self._finished[account] = journal

    async def _follow(self, journal: _Journal, until: int) -> None:
        """Replay what was booked since."""
        replay = journal.replay
        pages = self._reader.further(self._chain, replay.account, above=replay.version, until=until)
        async with aclosing(pages) as chunks:
            async for chunk in chunks:
                for one in chunk:
                    _replay(journal, one)
                receipts, refunds = await self._look_up([one.entry for one in chunk if one.entry is not None])
                self._check_named(chunk, {replay.account: journal}, receipts, refunds)

    async def _check_moves(self, replay: Replay) -> None:
        if not replay.moved:
            return
        others = {name for _, _, moved in replay.moved for name in (moved.source, moved.target)} - {replay.account}
        there = await self._reader.moves(self._chain, sorted(others))
        for version, kind, moved in replay.moved:
            if moved not in there:
                other = moved.target if kind in GOING else moved.source
                message = f"{moved.amount} {moved.currency} moved, and {other} has no posting that mirrors it"
                replay.findings.add(Invariant.SUM, version, message)


def _replay(journal: _Journal, one: ReadPosting) -> None:
    replay, entry = journal.replay, one.entry
    if entry is None:
        replay.skip(one.version, one.why, one.hash)
        return
    end = journal.cuts.next_end
    if end is not None and entry.booked_at >= end:
        journal.cuts.before(entry.booked_at, replay.version, replay.head)
    replay.take(entry, one.text)
    if one.why:
        replay.findings.add(Invariant.CHAIN, one.version, one.why)
