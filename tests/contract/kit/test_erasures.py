"""Forgetting again after a restore: asked of members, kept in the service's own database."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.kit import erasures
from services.kit.erasures import ERASURES_ASKED, OVERLAP, Erasure, ForgetAgain
from services.kit.errors import Kind, Problem
from services.kit.mongo.database import Database, Session
from tests.support.clock import START


class AwayError(Problem):
    """Members is away."""

    kind = Kind.UNAVAILABLE
    code = "UNAVAILABLE"


class PaperErasures:
    """What members would tell."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Erasure]] = {}
        self.asked: list[Erasure | None] = []
        self.away = False

    async def erasures(self, chain: str, *, after: Erasure | None, first: int) -> Sequence[Erasure]:
        if self.away:
            raise AwayError
        self.asked.append(after)
        place = None if after is None else (after.at, after.member)
        return [one for one in self.kept.get(chain, []) if place is None or (one.at, one.member) > place][:first]

    async def chains(self) -> Sequence[str]:
        return ["chn_a", "chn_b"]


class Service:
    """A service that forgets in a database of its own."""

    def __init__(self, database: Database) -> None:
        self.source = PaperErasures()
        self.forgotten: list[tuple[str, str]] = []
        self.asking = ForgetAgain(database, self.source, self.source, self._forget)

    async def _forget(self, chain: str, erasure: Erasure, _session: Session) -> None:
        self.forgotten.append((chain, erasure.member))

    async def forgets(self) -> list[tuple[str, str]]:
        self.forgotten.clear()
        await self.asking.run()
        return self.forgotten


@pytest.fixture
async def service(database: Database) -> Service:
    await erasures.set_up(database)
    return Service(database)


async def test_each_chains_are_asked_for_from_the_latest_on(service: Service) -> None:
    service.source.kept = {
        "chn_a": [Erasure("mem_1", START), Erasure("mem_2", START + 3 * OVERLAP)],
        "chn_b": [Erasure("mem_3", START)],
    }
    assert await service.forgets() == [("chn_a", "mem_1"), ("chn_a", "mem_2"), ("chn_b", "mem_3")]
    assert await service.forgets() == [("chn_a", "mem_2"), ("chn_b", "mem_3")]


async def test_one_that_was_committed_late_is_not_passed_over(service: Service) -> None:
    service.source.kept["chn_a"] = [Erasure("mem_2", START)]
    await service.forgets()
    service.source.kept["chn_a"].insert(0, Erasure("mem_1", START - timedelta(minutes=59)))
    assert ("chn_a", "mem_1") in await service.forgets()


async def test_a_restored_database_asks_from_its_own_day(service: Service, database: Database) -> None:
    service.source.kept["chn_a"] = [Erasure("mem_1", START)]
    await service.forgets()
    backup = await database.collection(ERASURES_ASKED).find({"chain": "chn_a"}).to_list()
    service.source.kept["chn_a"].append(Erasure("mem_2", START + 10 * OVERLAP))
    assert await service.forgets() == [("chn_a", "mem_1"), ("chn_a", "mem_2")]
    service.source.kept["chn_a"].append(Erasure("mem_3", START + 20 * OVERLAP))
    await service.forgets()
    await database.collection(ERASURES_ASKED).delete_many({"chain": "chn_a"})
    await database.collection(ERASURES_ASKED).insert_many(backup)
    assert await service.forgets() == [("chn_a", "mem_1"), ("chn_a", "mem_2"), ("chn_a", "mem_3")]


async def test_more_than_a_page_is_forgotten(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasures, "AT_ONCE", 2)
    service.source.kept["chn_a"] = [Erasure(f"mem_{number}", START) for number in range(5)]
    assert [member for _, member in await service.forgets()] == [f"mem_{number}" for number in range(5)]


async def test_what_cannot_be_asked_for_is_asked_for_later(service: Service) -> None:
    service.source.kept["chn_a"] = [Erasure("mem_1", START)]
    service.source.away = True
    assert await service.forgets() == []
    service.source.away = False
    assert await service.forgets() == [("chn_a", "mem_1")]
