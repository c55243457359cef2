"""Shared types: pages within their bounds, whole numbers past 32 bits, moments with an offset."""

from typing import Any

import pytest
import strawberry

from services.kit.graph import (
    Caller,
    Connection,
    Instant,
    MergedSchema,
    Page,
    PageInfo,
    SafeInt,
    Subgraph,
    allow,
    field,
)
from tests.support.toy_graph import MEMBERS, POINTS, ask

PAGES = MergedSchema([MEMBERS, POINTS])
PAGE = '{ member(id: "x") { entries(FIRST) { nodes { id } } } }'


@strawberry.type(name="Query")
class Echo:
    @field(allow(Caller.STAFF), description="The moment.")
    def moment(self, of: Instant) -> Instant:
        return of

    @field(allow(Caller.STAFF), description="The number.")
    def number(self, of: SafeInt) -> SafeInt:
        return of

    @field(allow(Caller.STAFF), description="Too large a number.")
    def large(self) -> SafeInt:
        return 2**53


ECHO = Subgraph("echo", query=Echo).schema()


@pytest.mark.parametrize("first", [1, 100])
async def test_a_page_has_from_1_to_100(first: int) -> None:
    assert "errors" not in await ask(PAGES, PAGE.replace("FIRST", f"first: {first}"))


@pytest.mark.parametrize("first", [-1, 0, 101])
async def test_another_size_is_refused(first: int) -> None:
    answer = await ask(PAGES, PAGE.replace("FIRST", f"first: {first}"))
    (error,) = answer["errors"]
    assert error["message"] == f"`first` is {first}, and must be from 1 to 100."
    assert error["extensions"] == {"code": "PAGE_SIZE", "field": "first", "traceId": "4bf9"}


def test_a_page_knows_where_it_stands() -> None:
    last = Connection.of(["a"], Page(first=1, after="x"), end_cursor="")
    assert last.page_info == PageInfo(has_next_page=False, has_previous_page=True, start_cursor=None, end_cursor=None)
    first = Connection.of(["a", "b"], Page(first=2, after=""), end_cursor="b")
    assert first.page_info == PageInfo(has_next_page=True, has_previous_page=False, start_cursor=None, end_cursor="b")
    assert ([edge.cursor for edge in first.edges], first.nodes) == ([None, "b"], ["a", "b"])


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("2026-03-01T04:00:00Z", "2026-03-01T04:00:00.000Z"),
        ("2026-03-01T12:00:00.123456+08:00", "2026-03-01T04:00:00.123Z"),
    ],
)
async def test_a_moment_is_shown_in_utc(given: str, written: str) -> None:
    assert await ask(ECHO, f'{{ moment(of: "{given}") }}') == {"data": {"moment": written}}
    answer = await ask(ECHO, "query ($of: Instant!) { moment(of: $of) }", of=given)
    assert answer == {"data": {"moment": written}}


@pytest.mark.parametrize("given", ["2026-03-01T04:00:00", "2026-03-01", "soon", 1, None, "2026-13-01T04:00:00Z", []])
async def test_a_moment_without_an_offset_is_refused(given: Any) -> None:
    answer = await ask(ECHO, "query ($of: Instant!) { moment(of: $of) }", of=given)
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_REQUEST"]


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1, 0])
async def test_a_whole_number_may_have_53_bits(number: int) -> None:
    assert await ask(ECHO, f"{{ number(of: {number}) }}") == {"data": {"number": number}}
    assert await ask(ECHO, "query ($of: SafeInt!) { number(of: $of) }", of=number) == {"data": {"number": number}}


@pytest.mark.parametrize("number", [2**53, -(2**53), "1", 1.5, True, None])
async def test_another_number_is_refused(number: Any) -> None:
    answer = await ask(ECHO, "query ($of: SafeInt!) { number(of: $of) }", of=number)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_REQUEST"]


async def test_a_result_that_is_too_large_is_a_fault() -> None:
    answer = await ask(ECHO, "{ large }")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FAULT"]
