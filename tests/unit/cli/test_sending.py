import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cli.importing.sending import MOST_BYTES, Lanes

ITEMS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9)), max_size=60)


def lanes(count: int, batch: int) -> Lanes[tuple[str, int]]:
    return Lanes(count=count, batch=batch, key=lambda item: item[0], weight=lambda _: 1)


@settings(deadline=None)
@given(ITEMS, st.integers(1, 5), st.integers(1, 7), st.integers(1, 20), st.randoms())
async def test_each_key_keeps_its_order_and_has_one_batch_under_way(
    items: list[tuple[str, int]], count: int, batch: int, page: int, random: Random
) -> None:
    sent: list[tuple[str, int]] = []
    under_way: Counter[str] = Counter()

    async def send(some: Sequence[tuple[str, int]]) -> None:
        assert 1 <= len(some) <= batch
        keys = {key for key, _ in some}
        under_way.update(keys)
        assert all(under_way[key] == 1 for key in keys)
        for _ in range(random.randrange(4)):
            await asyncio.sleep(0)
        sent.extend(some)
        under_way.subtract(keys)

    pages = [items[start : start + page] for start in range(0, len(items), page)]
    await lanes(count, batch).send(pages, send)
    for key in "abcdefgh":
        assert [item for item in sent if item[0] == key] == [item for item in items if item[0] == key]


async def test_many_lanes_work_at_once() -> None:
    together = asyncio.Barrier(4)

    async def send(_: Sequence[tuple[str, int]]) -> None:
        async with asyncio.timeout(5):
            await together.wait()

    await lanes(4, 10).send([[(key, 0) for key in "abcdefghijkl"]], send)


async def test_a_batch_is_bounded_by_its_weight_too() -> None:
    sizes: list[int] = []

    async def send(some: Sequence[int]) -> None:
        sizes.append(sum(some))

    half = MOST_BYTES // 2
    heavy: Lanes[int] = Lanes(count=1, batch=100, key=lambda _: "a", weight=lambda size: size)
    await heavy.send([[half, half, 1, MOST_BYTES * 2, 5]], send)
    assert sizes == [2 * half, 1, MOST_BYTES * 2, 5]


async def test_an_error_stops_all_lanes_and_comes_out_as_it_is() -> None:
    async def send(some: Sequence[tuple[str, int]]) -> None:
        if some[0][0] == "a":
            raise ZeroDivisionError
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        with pytest.raises(ZeroDivisionError):
            await lanes(8, 1).send([[(key, 0) for key in "bcdefgha" * 20]], send)
