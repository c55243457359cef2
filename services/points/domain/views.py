"""Accounts as they are shown: brought to a moment without writing anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from services.points.domain.accounts import Account
from services.points.domain.drafts import Author, Draft
from services.points.domain.due import advance
from services.points.domain.holds import Hold
from services.points.domain.journal import BY_ITSELF
from services.points.domain.lots import Lot
from services.points.domain.programs import Programs


@dataclass(frozen=True, slots=True)
class NextExpiry:
    """What goes next of one currency."""

    currency: str
    amount: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """An account at a moment, and what of it goes next."""

    account: Account
    next_expiries: tuple[NextExpiry, ...] = ()


def shown_at(
    account: Account,
    moment: datetime,
    programs: Programs,
    *,
    lots: Mapping[str, Lot] | None,
    holds: Mapping[str, Hold] | None,
) -> Shown:
    """Return the account as it is at `moment`; without lots and holds nothing must be due by then."""
    draft = Draft(
        Author("", "", moment, BY_ITSELF), account, lots=lots, holds=holds, numbers=count(), programs=programs
    )
    advance(draft, moment)
    return Shown(draft.account, _next_expiries(draft) if lots is not None else ())


def _next_expiries(draft: Draft) -> tuple[NextExpiry, ...]:
    sums: dict[tuple[str, datetime], int] = {}
    active_at, zone = draft.account.counts.active_at, draft.programs.zone
    for lot in draft.lots.values():
        lapses_at = lot.lapses_at(active_at, zone)
        if lot.free and lapses_at is not None and lot.pending_until is None:
            name = lot.currency, lapses_at
            sums[name] = sums.get(name, 0) + lot.free
    first: dict[str, NextExpiry] = {}
    for (currency, moment), amount in sorted(sums.items()):
        first.setdefault(currency, NextExpiry(currency, amount, moment))
    return tuple(first.values())
