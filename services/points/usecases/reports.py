"""What the ledger says of the past: balances at a moment, statements, months, and what is owed when."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Protocol

from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Kind, Problem
from services.kit.principal import NotAllowedError, Principal
from services.points.domain.accounts import Account, Balances
from services.points.domain.drafts import Author, Draft
from services.points.domain.due import advance
from services.points.domain.holds import Hold
from services.points.domain.journal import BY_ITSELF, Entry
from services.points.domain.lots import NEVER
from services.points.domain.replaying import Replay, open_lots
from services.points.domain.reports import NOTHING, Effects, Month, Sums, month_after, months_between, running
from services.points.domain.seals import day_end, settled_days
from services.points.domain.statements import head_line, statement_lines
from services.points.domain.verification import Stored
from services.points.domain.views import shown_at
from services.points.usecases.chains import Chains
from services.points.usecases.ledger import check_currency
from services.points.usecases.programs import ProgramSource

DAYS_AT_ONCE = 31
"""Days that one question to the database sums."""


class FutureError(Problem):
    """That moment has not come yet."""

    kind = Kind.INVALID
    code = "IN_THE_FUTURE"


class History(Protocol):
    """Where an account's journal is read."""

    async def account(self, chain: str, account: str) -> Stored | None:
        """Return an account with its open lots and holds, from one snapshot."""

    def journal(
        self, chain: str, account: str, *, since: datetime | None, until: datetime | None, last: int | None
    ) -> AsyncGenerator[Sequence[Entry], None]:
        """Yield its entries booked in [since, until), up to version `last`, in the order of their versions."""

    async def holds(self, chain: str, account: str, ids: Sequence[str]) -> Mapping[str, Hold]:
        """Return those of its holds, open or not, by id."""


class JournalSums(Protocol):
    """Sums over a chain's journal: kept ones of days that have ended, and live ones."""

    async def last_day(self, chain: str) -> date | None:
        """Return the last day whose sums are kept; those of all days before it are kept too."""

    async def first_booked(self, chain: str) -> datetime | None:
        """Return when the first posting of the chain was booked."""

    async def kept(self, chain: str, currency: str, *, until: str) -> Mapping[str, Sums]:
        """Return the kept sums by month, of the months before `until`."""

    async def live(
        self, chain: str, *, since: datetime | None, until: datetime | None, by_day: bool
    ) -> Mapping[tuple[str, str], Sums]:
        """Return sums by day ("2026-03-01") or month, and currency, of what was booked in [since, until)."""

    async def keep(self, chain: str, day: date, sums: Mapping[str, Sums]) -> bool:
        """Keep a day's sums by currency; False when they are kept already."""

    async def expiring(self, chain: str, currency: str, *, now: datetime) -> tuple[Mapping[str, int], int]:
        """Return what is in open lots by the month in which it expires, and what has expired and is not booked."""


def check_visible(member: str, caller: Principal) -> None:
    """Refuse a guest who asks for somebody else."""
    if not caller.may_see_member(member):
        raise NotAllowedError(field="memberId", why="it is another member's account")


async def balances_booked_by(
    member: str, *, at: datetime, caller: Principal, now: datetime, history: History, programs: ProgramSource
) -> Account:
    """Return the account as a screen showed it at `at`: after the last posting booked by then, brought to `at`."""
    check_visible(member, caller)
    _check_past(at, now)
    of_chain = (await programs.of([caller.chain]))[caller.chain]
    replay = Replay(caller.chain, member, of_chain)
    as_of: datetime | None = None
    until = at + timedelta(milliseconds=1)
    journal = history.journal(caller.chain, member, since=None, until=until, last=None)
    async with aclosing(journal) as pages:
        async for page in pages:
            for entry in page:
                replay.take(entry)
                as_of = entry.occurred_at if as_of is None else max(as_of, entry.occurred_at)
    stored = await history.holds(caller.chain, member, sorted(replay.holds))
    lots = open_lots(replay.lots)
    holds = {
        id_: Hold(
            id=id_,
            account=member,
            currency=hold.currency,
            amount=hold.amount,
            parts=tuple(hold.parts.items()),
            # The journal does not say it. It may have been put off since: before it would have run out.
            expires_at=stored[id_].expires_at if id_ in stored else NEVER,
            pinned=hold.pinned,
        )
        for id_, hold in replay.holds.items()
    }
    account = Account(
        member,
        balances=replay.balances,
        version=replay.version,
        booked_at=replay.booked_at,
        as_of=as_of,
        due_at=as_of,  # so that whatever was due since then is looked for
    )
    return shown_at(account, at, of_chain, lots=lots, holds=holds).account


async def balances_occurred_by(
    member: str, *, at: datetime, caller: Principal, now: datetime, history: History, programs: ProgramSource
) -> Account:
    """Return what had happened by `at`, also where it was booked later: the sum of those postings' effects, and what
    fell due by then and is not booked yet."""
    check_visible(member, caller)
    _check_past(at, now)
    effects = Effects(at)
    stored = await history.account(caller.chain, member)
    if stored is None:
        return Account(member)
    journal = history.journal(caller.chain, member, since=None, until=None, last=stored.account.version)
    async with aclosing(journal) as pages:
        async for page in pages:
            for entry in page:
                effects.take(entry)
    if stored.account.as_of is None or stored.account.as_of < at:
        draft = Draft(
            Author("", "", at, BY_ITSELF),
            stored.account,
            lots={lot.id: lot for lot in stored.lots},
            holds={hold.id: hold for hold in stored.holds},
            numbers=count(),
            programs=(await programs.of([caller.chain]))[caller.chain],
        )
        advance(draft, at)
        for entry in draft.entries:
            effects.take(entry)
    balances: dict[str, Balances] = effects.balances
    return replace(Account(member), balances=balances)


def _check_past(at: datetime, now: datetime) -> None:
    if at > now:
        raise FutureError(field="at")


async def statement(
    member: str, *, since: datetime | None, until: datetime | None, caller: Principal, history: History
) -> AsyncGenerator[str, None]:
    """Yield the parts of a CSV file with what was booked in [since, until)."""
    check_visible(member, caller)
    yield head_line()
    journal = history.journal(caller.chain, member, since=since, until=until, last=None)
    async with aclosing(journal) as pages:
        async for page in pages:
            yield statement_lines(page)


async def months(first: str, last: str, currency: str, *, chain: str, sums: JournalSums) -> list[Month]:
    """Return a line for each month from `first` to `last`, in UTC by booked_at."""
    wanted = months_between(first, last)
    check_currency(currency)
    by_month = await _by_month(chain, currency, until=month_after(last), sums=sums)
    before = sum(each.owed for month, each in by_month.items() if month < first)
    return running(wanted, by_month, before)


async def _by_month(chain: str, currency: str, *, until: str | None, sums: JournalSums) -> dict[str, Sums]:
    """Return the sums of all months before `until` (None: of all): kept ones, and live ones of the days after."""
    last_day = await sums.last_day(chain)
    found: dict[str, Sums] = {}
    since = None if last_day is None else day_end(last_day)
    if last_day is not None:
        found |= await sums.kept(chain, currency, until=until or "9999-12")
    end = None if until is None else datetime.fromisoformat(f"{until}-01").replace(tzinfo=UTC)
    if since is None or end is None or since < end:
        live = await sums.live(chain, since=since, until=end, by_day=False)
        for (month, of), each in live.items():
            if of == currency:
                found[month] = found.get(month, NOTHING) + each
    return found


@dataclass(frozen=True, slots=True)
class Liability:
    """What is outstanding by the month in which it expires; an empty month: never."""

    months: tuple[tuple[str, int], ...]
    outstanding: int


async def liability(currency: str, *, chain: str, now: datetime, sums: JournalSums) -> Liability:
    """Return what the program owes now, by month of expiry; what has expired is left out, booked or not."""
    check_currency(currency)
    expiring, gone = await sums.expiring(chain, currency, now=now)
    by_month = await _by_month(chain, currency, until=None, sums=sums)
    outstanding = sum(each.owed for each in by_month.values()) - gone
    lines = [(month, amount) for month, amount in sorted(expiring.items()) if amount]
    if never := outstanding - sum(amount for _, amount in lines):
        lines.append(("", never))
    return Liability(tuple(lines), outstanding)


@dataclass(frozen=True, slots=True)
class DaySums:
    """The job that keeps the sums of days that have ended; it can be cut short and done again, by any replica."""

    sums: JournalSums
    chains: Chains
    clocks: ChainClocks

    async def keep_all(self) -> None:
        """Keep what has ended and is not kept, chain by chain."""
        for chain in await self.chains.chains():
            await keep_days(chain, now=await self.clocks.now(chain), sums=self.sums)


async def keep_days(chain: str, *, now: datetime, sums: JournalSums) -> int:
    """Keep the sums of each day that ended long enough ago, from the first posting on; return how many."""
    last_day = await sums.last_day(chain)
    if last_day is None:
        began = await sums.first_booked(chain)
        if began is None:
            return 0
        first = began.astimezone(UTC).date()
    else:
        first = last_day + timedelta(days=1)
    days = list(settled_days(first, now))
    for start in range(0, len(days), DAYS_AT_ONCE):
        some = days[start : start + DAYS_AT_ONCE]
        since = None if last_day is None and start == 0 else day_end(some[0] - timedelta(days=1))
        found = await sums.live(chain, since=since, until=day_end(some[-1]), by_day=True)
        for day in some:
            of_day = {currency: each for (name, currency), each in found.items() if name == day.isoformat()}
            if not await sums.keep(chain, day, of_day):
                return start  # another replica is at it
    return len(days)
