"""Forecast a store's next two weeks, and the people that it needs."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Protocol

from services.kit.errors import Kind, Problem
from services.kit.principal import Principal
from services.points.domain.expectations import (
    Happened,
    Known,
    Needs,
    StaffedHour,
    StoreForecast,
    check_closed,
    coming_days,
    expect,
    history_days,
    staffed,
)
from services.points.domain.sales import local_time
from services.points.usecases.record_purchases import AWAY, Stores, known_store

_log = logging.getLogger(__name__)

UNASKED = AWAY | {Kind.FAULT}
"""A forecast is of use without what is planned, whatever is the matter with whoever knows of it."""


class SalesHours(Protocol):
    """Where past hours are read."""

    async def generation(self, chain: str) -> int:
        """Return which counting of the chain's sales reports read."""

    async def hours(
        self, chain: str, generation: int, *, store: str, since: date, until: date
    ) -> Mapping[tuple[date, int], Happened]:
        """Return what happened in each hour of a store's days, both included; hours of nothing are left out."""


class Activities(Protocol):
    """What is known to come: bookings, pre-orders."""

    async def known(self, chain: str, store: str, days: Sequence[date]) -> Sequence[Known]:
        """Return it for a store's days, which follow each other. Raises `Problem` when that cannot be told."""


class NoActivities:
    """Nothing is known to come."""

    async def known(self, _chain: str, _store: str, _days: Sequence[date]) -> Sequence[Known]:
        """Return nothing."""
        return ()


@dataclass(frozen=True, slots=True)
class Forecaster:
    """What forecasting needs from outside."""

    hours: SalesHours
    stores: Stores
    activities: Activities


async def forecast_store(
    store: str, *, closed: Sequence[date], caller: Principal, now: datetime, forecaster: Forecaster
) -> StoreForecast:
    """Return what is expected in a store from today on, in its own zone.

    Without what is planned, and saying so, when nobody can tell that.
    """
    known = known_store(store, await forecaster.stores.stores(caller.chain, frozenset({store})), caller)
    today = local_time(now, known.time_zone).date()
    closed_days = check_closed(closed, today)
    since, until = history_days(today)
    generation = await forecaster.hours.generation(caller.chain)
    happened = await forecaster.hours.hours(caller.chain, generation, store=store, since=since, until=until)
    coming = await _known(caller.chain, store, coming_days(today), forecaster.activities)
    # Some tens of milliseconds of computing: others go on meanwhile.
    make = partial(expect, happened, today=today, time_zone=known.time_zone, known=coming or (), closed=closed_days)
    return replace(await asyncio.to_thread(make), without_known=coming is None)


async def _known(chain: str, store: str, days: Sequence[date], activities: Activities) -> Sequence[Known] | None:
    """Return what is known to come, None when nobody can tell."""
    try:
        return await activities.known(chain, store, days)
    except Problem as problem:
        if problem.kind not in UNASKED:
            raise
        _log.warning("%s is forecast without what is planned: %s", store, problem.message)
        return None


async def staff_store(
    store: str, *, needs: Needs, closed: Sequence[date], caller: Principal, now: datetime, forecaster: Forecaster
) -> tuple[StoreForecast, list[StaffedHour]]:
    """Return how many people a store needs by day and hour, and the forecast behind it."""
    expected = await forecast_store(store, closed=closed, caller=caller, now=now, forecaster=forecaster)
    return expected, staffed(expected, needs)
