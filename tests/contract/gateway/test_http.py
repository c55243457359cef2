"""The door over HTTP, as GraphQL over HTTP has it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from services.kit.graph import requests
from tests.support.door import Door, door_open
from tests.support.eventually import eventually

MODERN = {"accept": "application/graphql-response+json"}
CLASSIC = {"accept": "application/json"}
MEMBER = '{ member(id: "mem_1") { id name points } }'
FOUND = {"data": {"member": {"id": "mem_1", "name": "name of mem_1", "points": 5_000_000_000}}}


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with door_open() as door:
        yield door


def codes(response: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json()["errors"]]


async def test_an_operation_is_answered_as_the_caller_likes(door: Door) -> None:
    modern, classic = "application/graphql-response+json; charset=utf-8", "application/json; charset=utf-8"
    likes = {
        "application/graphql-response+json": modern,
        "application/json;q=0.5,application/graphql-response+json": modern,
        "application/json": classic,
        "*/*": classic,
        "": classic,
        "text/html;q=0.1, application/json;q=0.2": classic,
    }
    for accept, media in likes.items():
        response = await door.http.post("/graphql", json={"query": MEMBER}, headers={"accept": accept})
        assert (response.status_code, response.headers["content-type"], response.json()) == (200, media, FOUND)


async def test_variables_and_the_operations_name_are_used(door: Door) -> None:
    query = "query A($id: ID!) { member(id: $id) { id } } query B { __typename }"
    asked = {"query": query, "variables": {"id": "mem_7"}, "operationName": "A", "extensions": {}}
    response = await door.http.post("/graphql", json=asked)
    assert response.json() == {"data": {"member": {"id": "mem_7"}}}


async def test_a_query_may_come_by_get(door: Door) -> None:
    query = "query A($id: ID!) { member(id: $id) { id } }"
    asked = {"query": query, "variables": '{"id": "mem_7"}', "operationName": "A", "extensions": "{}"}
    response = await door.http.get("/graphql", params=asked, headers=MODERN)
    assert (response.status_code, response.json()) == (200, {"data": {"member": {"id": "mem_7"}}})


async def test_a_mutation_may_not_come_by_get(door: Door) -> None:
    query = 'mutation { rename(input: {id: "mem_1", name: "Li"}) { member { id } } }'
    response = await door.http.get("/graphql", params={"query": query})
    assert (response.status_code, response.headers["allow"], codes(response)) == (405, "POST", ["METHOD_NOT_ALLOWED"])
    assert door.memory.names == {}


async def test_other_methods_are_refused(door: Door) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        response = await door.http.request(method, "/graphql", json={"query": MEMBER})
        assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


async def test_a_browser_gets_a_page_to_try_queries(door: Door) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    response = await door.http.get("/graphql", headers={"accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "GraphiQL" in response.text


NO_REQUESTS = (
    b"",
    b"{",
    b"[]",
    b'"text"',
    b"[" * 2_000,
    b"{}",
    b'{"query": 1}',
    b'{"query": ""}',
    b'{"query": "{ __typename }", "variables": []}',
    b'{"query": "{ __typename }", "variables": "{}"}',
    b'{"query": "{ __typename }", "operationName": 1}',
    b'{"query": "{ __typename }", "extensions": 1}',
    b'{"query": "query A { __typename } query B { __typename }"}',
    b'{"query": "{ __typename }", "operationName": "A"}',
    b'{"query": "\xff"}',
)


@pytest.mark.parametrize("accept", [MODERN, CLASSIC], ids=["modern", "classic"])
async def test_a_request_that_is_none_is_refused(door: Door, accept: dict[str, str]) -> None:
    for content in NO_REQUESTS:
        headers = {"content-type": "application/json", **accept}
        response = await door.http.post("/graphql", content=content, headers=headers)
        assert (response.status_code, codes(response)) == (400, ["BAD_REQUEST"]), content
        assert "data" not in response.json()


async def test_a_query_string_that_is_none_is_refused(door: Door) -> None:
    for asked in ({}, {"query": "{ __typename }", "variables": "{"}, {"query": "{ __typename }", "variables": "[]"}):
        response = await door.http.get("/graphql", params=asked)
        assert (response.status_code, codes(response)) == (400, ["BAD_REQUEST"]), asked


async def test_what_cannot_run_has_no_data(door: Door) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"query": "{ member("}, "SYNTAX"),
        ({"query": "{ nothing }"}, "BAD_REQUEST"),
        ({"query": "query ($n: Int!) { members(count: $n) { id } }", "variables": {"n": "x"}}, "BAD_REQUEST"),
    ]
    for asked, code in wrong:
        modern = await door.http.post("/graphql", json=asked, headers=MODERN)
        assert (modern.status_code, codes(modern), "data" in modern.json()) == (400, [code], False)
        classic = await door.http.post("/graphql", json=asked, headers=CLASSIC)
        assert (classic.status_code, codes(classic), "data" in classic.json()) == (200, [code], False)


async def test_a_field_that_fails_leaves_the_rest(door: Door) -> None:
    query = '{ a: member(id: "mem_1") { name } b: member(id: "mem_2") { broken } }'
    response = await door.http.post("/graphql", json={"query": query}, headers=MODERN)
    assert (response.status_code, codes(response)) == (200, ["FAULT"])
    assert response.json()["data"] == {"a": {"name": "name of mem_1"}, "b": None}
    assert "secret words" not in response.text
    assert response.json()["errors"][0]["extensions"]["traceId"] == response.headers["x-trace-id"]


async def test_only_json_in_utf8_is_read(door: Door) -> None:
    content = orjson.dumps({"query": MEMBER})
    for media in ("text/plain", "multipart/form-data", "application/json; charset=latin-1", ""):
        response = await door.http.post("/graphql", content=content, headers={"content-type": media})
        assert (response.status_code, codes(response)) == (415, ["UNSUPPORTED_MEDIA_TYPE"])


async def test_what_nobody_can_write_is_not_acceptable(door: Door) -> None:
    for accept in ("text/plain", "application/json;q=0", "image/*", "application/json;q=x"):
        response = await door.http.post("/graphql", json={"query": MEMBER}, headers={"accept": accept})
        assert (response.status_code, codes(response)) == (406, ["NOT_ACCEPTABLE"])


async def test_a_body_of_eight_megabytes_is_taken_and_no_more(door: Door) -> None:
    most = 8 * 1024 * 1024
    content = orjson.dumps({"query": "{ __typename }"})
    headers = {"content-type": "application/json"}
    full = await door.http.post("/graphql", content=content.ljust(most), headers=headers)
    assert full.json() == {"data": {"__typename": "Query"}}

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * 1024 * 1024

    for larger in (content.ljust(most + 1), unannounced()):
        response = await door.http.post("/graphql", content=larger, headers=headers)
        assert (response.status_code, codes(response)) == (413, ["BODY_TOO_LARGE"])


async def test_a_slow_body_is_not_waited_for(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_S", 0.05)
    host, _, port = door.server.address.rpartition(":")
    # By hand: a proper client sends its whole body before it reads.
    reader, writer = await asyncio.open_connection(host, int(port))
    key = f"authorization: {door.http.headers['authorization']}"
    head = ["POST /graphql HTTP/1.1", "host: door", key, "content-type: application/json", "content-length: 100"]
    writer.write("\r\n".join([*head, "", "{"]).encode())
    assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.close()
    await writer.wait_closed()


async def test_an_operation_that_takes_too_long_is_ended() -> None:
    async with door_open(timeout_s=0.1) as door:
        response = await door.http.post("/graphql", json={"query": "{ stuck }"})
    assert (response.status_code, codes(response)) == (504, ["TIMED_OUT"])


async def test_a_router_finds_a_subgraph_behind_the_same_check(door: Door) -> None:
    query = "query ($of: [_Any!]!) { _entities(representations: $of) { ... on Member { points } } }"
    asked = {"query": query, "variables": {"of": [{"__typename": "Member", "id": "mem_1"}]}}
    response = await door.http.post("/subgraphs/points", json=asked)
    assert response.json() == {"data": {"_entities": [{"points": 5_000_000_000}]}}
    del door.http.headers["authorization"]
    keyless = await door.http.post("/subgraphs/points", json=asked)
    assert (keyless.status_code, codes(keyless)) == (200, ["UNAUTHENTICATED"])


async def test_a_request_under_way_is_answered_before_the_door_closes(door: Door) -> None:
    going = asyncio.create_task(door.http.post("/graphql", json={"query": "{ members(count: 3) { name } }"}))
    door.memory.hold = asyncio.Event()
    await eventually(lambda: door.memory.asked)
    stopping = asyncio.create_task(door.server.stop())
    await eventually(lambda: not door.readiness.ready)
    door.memory.hold.set()
    response = await going
    await stopping
    assert len(response.json()["data"]["members"]) == 3
