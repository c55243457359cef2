"""Forecasting a store: which days it learns from, in whose zone, and what is known to come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from services.kit.errors import Kind, Problem
from services.kit.principal import Caller, Principal
from services.points.domain.expectations import Happened, Known, Needs
from services.points.usecases.forecasts import Forecaster, NoActivities, forecast_store, staff_store
from services.points.usecases.record_purchases import Store

NOW = datetime(2026, 3, 1, 17, tzinfo=UTC)  # the second of March in Shanghai
STAFF = Principal("chn_1", Caller.STAFF, "key_1")


@dataclass
class PaperHours:
    asked: list[tuple[str, int, str, date, date]] = field(default_factory=list)

    async def generation(self, _chain: str) -> int:
        return 3

    async def hours(
        self, chain: str, generation: int, *, store: str, since: date, until: date
    ) -> Mapping[tuple[date, int], Happened]:
        self.asked.append((chain, generation, store, since, until))
        days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
        return {(day, 12): Happened(10, 20) for day in days}


class PaperStores:
    async def stores(self, chain: str, ids: frozenset[str]) -> Mapping[str, Store]:
        known = {"sto_1": Store("sto_1", 1, "Asia/Shanghai", "CNY")} if chain == "chn_1" else {}
        return {id_: known[id_] for id_ in ids & known.keys()}


@dataclass
class Bookings:
    asked: list[tuple[str, str, Sequence[date]]] = field(default_factory=list)

    async def known(self, chain: str, store: str, days: Sequence[date]) -> Sequence[Known]:
        self.asked.append((chain, store, days))
        return [Known(days[1], 12, covers=35)]


async def test_bookings_are_the_least_that_comes() -> None:
    hours, bookings = PaperHours(), Bookings()
    forecaster = Forecaster(hours, PaperStores(), bookings)
    found = await forecast_store("sto_1", closed=[], caller=STAFF, now=NOW, forecaster=forecaster)
    assert [round(day.covers.expected, 6) for day in found.days[:3]] == [10, 35, 10]
    assert hours.asked == [("chn_1", 3, "sto_1", date(2025, 9, 1), date(2026, 3, 1))]
    [(chain, store, days)] = bookings.asked
    assert (chain, store, days[0], days[-1]) == ("chn_1", "sto_1", date(2026, 3, 2), date(2026, 3, 15))
    plan = await staff_store(
        "sto_1", needs=Needs(10.0, min_staff=2), closed=[], caller=STAFF, now=NOW, forecaster=forecaster
    )
    assert [one.staff for one in plan[1][:3]] == [2, 4, 2]


class NotTold(Problem):
    """It cannot be told."""


@pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.TIMED_OUT, Kind.OVERLOADED, Kind.FAULT])
async def test_it_is_forecast_without_what_nobody_can_tell_and_says_so(kind: Kind) -> None:
    class Away:
        async def known(self, _chain: str, _store: str, _days: Sequence[date]) -> Sequence[Known]:
            problem = NotTold()
            problem.kind = kind  # type: ignore[misc]  # as of another service
            raise problem

    forecaster = Forecaster(PaperHours(), PaperStores(), Away())
    found = await forecast_store("sto_1", closed=[], caller=STAFF, now=NOW, forecaster=forecaster)
    assert ([round(day.covers.expected, 6) for day in found.days[:3]], found.without_known) == ([10, 10, 10], True)
    told = Forecaster(PaperHours(), PaperStores(), Bookings())
    assert not (await forecast_store("sto_1", closed=[], caller=STAFF, now=NOW, forecaster=told)).without_known


async def test_a_store_of_another_chain_or_key_is_not_forecast() -> None:
    hours = PaperHours()
    forecaster = Forecaster(hours, PaperStores(), NoActivities())
    limited = Principal("chn_1", Caller.STAFF, "key_2", stores=frozenset({"sto_2"}))
    for caller, code in ((Principal("chn_2", Caller.STAFF, "key_3"), "STORE_NOT_FOUND"), (limited, "DENIED")):
        with pytest.raises(Problem) as refused:
            await forecast_store("sto_1", closed=[], caller=caller, now=NOW, forecaster=forecaster)
        assert refused.value.code == code
    assert hours.asked == []
