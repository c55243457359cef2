"""Loaders: one call for what is asked for at once, within the services' bounds."""

from typing import Any

from services.kit.graph import MergedSchema
from tests.support.toy_graph import MEMBERS, POINTS, Memory, ask

SCHEMA = MergedSchema([MEMBERS, POINTS])


async def sizes(query: str) -> list[tuple[str, int]]:
    """Return the name and the number of keys of each call that the query makes."""
    memory = Memory()
    answer = await ask(SCHEMA, query, memory=memory)
    assert "errors" not in answer
    return [(type(request).__name__, len(_keys(request))) for request in memory.asked]


def _keys(request: Any) -> list[str]:
    return list(request.ids if hasattr(request, "ids") else request.member_ids)


async def test_the_same_thing_is_fetched_once() -> None:
    assert await sizes('{ a: member(id: "x") { name } b: member(id: "x") { name } }') == [("GetMembersRequest", 1)]


async def test_a_call_has_at_most_so_many_keys() -> None:
    assert await sizes("{ members(count: 1200) { name } }") == [
        ("GetMembersRequest", 1_000),
        ("GetMembersRequest", 200),
    ]


async def test_a_call_for_pages_has_at_most_so_many_rows() -> None:
    assert await sizes("{ members(count: 30) { entries(first: 100) { nodes { id } } } }") == [
        ("GetMembersRequest", 30),
        ("ListEntriesRequest", 10),
        ("ListEntriesRequest", 10),
        ("ListEntriesRequest", 10),
    ]


async def test_pages_of_another_size_are_another_call() -> None:
    page = "entries(first: {}) {{ nodes {{ id }} }}"
    query = f"{{ members(count: 2) {{ a: {page.format(1)} b: {page.format(2)} c: {page.format(1)} }} }}"
    assert await sizes(query) == [("GetMembersRequest", 2), ("ListEntriesRequest", 2), ("ListEntriesRequest", 2)]


async def test_nothing_is_kept_from_one_operation_to_the_next() -> None:
    memory = Memory()
    for name in ("Li", "Wu"):
        memory.names["x"] = name
        answer = await ask(SCHEMA, '{ member(id: "x") { name } }', memory=memory)
        assert answer == {"data": {"member": {"name": name}}}
