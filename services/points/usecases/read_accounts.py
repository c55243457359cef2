"""Read accounts and their journals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.errors import Kind, Problem
from services.kit.principal import Principal
from services.points.domain.accounts import Account
from services.points.domain.holds import Hold
from services.points.domain.journal import Entry
from services.points.domain.lots import Lot
from services.points.domain.programs import Programs
from services.points.domain.tier_views import TierView, tier_of
from services.points.domain.views import NextExpiry, shown_at
from services.points.usecases.programs import ProgramSource

MAX_ACCOUNTS = 1_000
MAX_JOURNALS = 100
MAX_ENTRIES = 1_000
DEFAULT_FIRST = 20
MAX_FIRST = 100


class PageTooLargeError(Problem):
    """Too much for one call: {why}."""

    kind = Kind.INVALID
    code = "TOO_MANY"


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as it is shown."""

    account: Account
    tier: TierView
    next_expiries: tuple[NextExpiry, ...]


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Entries, the newest first, and the version after which to go on; None: this was the last page."""

    entries: tuple[Entry, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Whole:
    """An account with its open lots and holds; None where nothing can fall due."""

    account: Account
    lots: Mapping[str, Lot] | None
    holds: Mapping[str, Hold] | None


class Accounts(Protocol):
    """Where accounts and entries are read."""

    async def accounts(self, chain: str, members: Sequence[str]) -> Mapping[str, Whole]:
        """Return those that exist, by the name that was asked for; one that went into another is that other."""

    async def journals(
        self, chain: str, members: Sequence[str], *, before: int | None, first: int
    ) -> Mapping[str, Sequence[Entry]]:
        """Return up to `first` entries of each account below version `before`, the newest first."""


async def get_accounts(
    members: Sequence[str], *, caller: Principal, now: datetime, accounts: Accounts, programs: ProgramSource
) -> list[AccountView]:
    """Return the accounts of those of `members` that the caller may see, in order, as they are at `now`."""
    if len(members) > MAX_ACCOUNTS:
        raise PageTooLargeError(field="ids", why=f"ask for at most {MAX_ACCOUNTS} accounts")
    visible = [member for member in members if caller.may_see_member(member)]
    found = await accounts.accounts(caller.chain, visible)
    of_chain = (await programs.of([caller.chain]))[caller.chain]
    return [_view(found.get(member) or Whole(Account(member), {}, {}), now, of_chain) for member in visible]


def _view(whole: Whole, now: datetime, programs: Programs) -> AccountView:
    shown = shown_at(whole.account, now, programs, lots=whole.lots, holds=whole.holds)
    return AccountView(shown.account, tier_of(shown.account, now, programs), shown.next_expiries)


def page_size(first: int) -> int:
    """Return how many items a page has; 0 means the usual number, and what no page can have is refused."""
    if not 0 <= first <= MAX_FIRST:
        raise PageTooLargeError(field="first", why=f"first must be 1 to {MAX_FIRST}")
    return first or DEFAULT_FIRST


async def list_entries(
    members: Sequence[str], *, caller: Principal, first: int, before: int | None, accounts: Accounts
) -> list[JournalPage]:
    """Return a page of the journal of each of `members`, in order; empty for those whom the caller may not see."""
    first = page_size(first)
    if len(members) > MAX_JOURNALS or len(members) * first > MAX_ENTRIES:
        raise PageTooLargeError(field="first", why=f"{len(members)} journals of {first} entries; ask for fewer")
    visible = [member for member in members if caller.may_see_member(member)]
    # One more than asked for tells whether there is a next page.
    found = await accounts.journals(caller.chain, visible, before=before, first=first + 1)
    return [_page(found.get(member, ()), first) for member in members]


def _page(entries: Sequence[Entry], first: int) -> JournalPage:
    shown = tuple(entries[:first])
    return JournalPage(shown, shown[-1].postings[0].version if len(entries) > first else None)
