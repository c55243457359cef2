"""Who calls: by API key, which members knows."""

import httpx

from tests.support.door import SECRET, door_open

MEMBER = {"query": '{ member(id: "mem_1") { name } }'}


def answer(response: httpx.Response) -> tuple[int, list[str]]:
    return response.status_code, [error["extensions"]["code"] for error in response.json()["errors"]]


async def test_nobody_is_told_so_by_each_field() -> None:
    async with door_open() as door:
        del door.http.headers["authorization"]
        response = await door.http.post("/graphql", json=MEMBER)
        assert answer(response) == (200, ["UNAUTHENTICATED"])
        assert response.json()["data"] == {"member": None}
        assert (await door.http.post("/graphql", json={"query": "{ __typename }"})).json() == {
            "data": {"__typename": "Query"}
        }
        assert (door.face.authenticated, door.memory.asked) == (0, [])


async def test_a_key_that_nobody_has_is_refused() -> None:
    async with door_open() as door:
        for header, asked in (
            ("Bearer htk_other", 1),
            ("Bearer htk_other", 1),
            ("Bearer other", 1),
            ("Basic htk_staff", 1),
            (f"Bearer htk_{'x' * 200}", 1),
            ("", 1),
        ):
            response = await door.http.post("/graphql", json=MEMBER, headers={"authorization": header})
            assert answer(response) == (401, ["UNAUTHENTICATED"])
            assert response.headers["www-authenticate"] == "Bearer"
            assert door.face.authenticated == asked
        assert door.memory.asked == []


async def test_the_scheme_may_be_written_small() -> None:
    async with door_open() as door:
        response = await door.http.post("/graphql", json=MEMBER, headers={"authorization": f"bearer {SECRET}"})
        assert response.json() == {"data": {"member": {"name": "name of mem_1"}}}


async def test_a_key_cannot_be_checked_while_members_is_away() -> None:
    async with door_open() as door:
        await door.members.stop(0)
        response = await door.http.post("/graphql", json=MEMBER)
        assert answer(response) == (503, ["UNAVAILABLE"])
