"""News of sales: each chain has its turn, and one that fails holds up no other."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from services.points.domain.sales import Item, Sale, SoldLine
from services.points.usecases.record_sales import Generation, SalesRoller, additions_of

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)


@dataclass
class PaperRoll:
    waiting: dict[str, int]
    broken: str = ""
    added: list[str] = field(default_factory=list)

    async def add_some(self, chain: str) -> int:
        if chain == self.broken:
            raise ValueError(chain)
        if not self.waiting[chain]:
            return 0
        self.waiting[chain] -= 1
        self.added.append(chain)
        return 1

    async def chains(self) -> list[str]:
        return list(self.waiting)


async def test_each_chain_has_its_turn() -> None:
    roll = PaperRoll({"a": 3, "b": 1, "c": 0})
    await SalesRoller(roll, roll).add_all()
    assert roll.added == ["a", "b", "a", "a"]


async def test_one_that_fails_holds_up_no_other() -> None:
    roll = PaperRoll({"a": 1, "b": 1, "c": 2}, broken="a")
    with pytest.raises(ExceptionGroup) as failed:
        await SalesRoller(roll, roll).add_all()
    assert [str(error) for error in failed.value.exceptions] == ["a"]
    assert roll.added == ["b", "c", "c"]


def test_a_counting_hears_what_is_booked_from_its_cut_on() -> None:
    def sale(booked_at: datetime) -> Sale:
        return Sale("sto_1", "mem_ada", NOON, booked_at, "UTC", "", (SoldLine(Item("tea", ""), 1, 300),))

    sold = [sale(NOON), sale(NOON - timedelta(milliseconds=1))]
    found = additions_of(sold, [Generation(), Generation(1, NOON), Generation(2, NOON + timedelta(days=1))])
    counts = {
        number: sum(sums.receipts for cells in added.cells.values() for sums in cells.values())
        for number, added in found.items()
    }
    assert counts == {0: 4, 1: 2, 2: 0}  # each in its day and in its month
