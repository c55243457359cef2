"""Pages of cases, as the use case cuts them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.domain import Case, Invitation
from services.feedback.usecases.lists import CasePage, PageTooLargeError, list_cases, list_invitations
from services.kit.principal import Caller, Principal
from tests.support.clock import START

STAFF = Principal(chain="chn_1", kind=Caller.STAFF, id="key_1")
ADA = replace(STAFF, kind=Caller.MEMBER, id="mem_ada")


def case(number: int, member: str = "mem_ada") -> Case:
    opened_at = START + timedelta(seconds=number)
    return Case(
        id=f"cas_{number:03}",
        member=member,
        answer=f"ans_{number:03}",
        store="sto_1",
        score=3,
        comment="cold soup",
        opened_at=opened_at,
        due_at=opened_at + timedelta(minutes=30),
    )


@dataclass
class Shelf:
    """Cases in memory, and the members whose invitations were asked for."""

    held: Mapping[str, Sequence[Case]]
    asked: Sequence[str] = ()

    async def cases(
        self, chain: str, members: Sequence[str], *, after: str, first: int
    ) -> Mapping[str, Sequence[Case]]:
        assert chain == "chn_1"
        newest = {member: sorted(self.held.get(member, ()), key=lambda one: one.id, reverse=True) for member in members}
        return {member: [one for one in some if not after or one.id < after][:first] for member, some in newest.items()}

    async def waiting(self, chain: str, members: Sequence[str], *, first: int) -> Mapping[str, Sequence[Invitation]]:
        assert (chain, first) == ("chn_1", 10)
        self.asked = members
        return {}


async def pages(shelf: Shelf, members: Sequence[str], **wanted: object) -> list[CasePage]:
    arguments = {"caller": STAFF, "first": 0, "after": ""} | wanted
    return await list_cases(members, voices=shelf, **arguments)  # type: ignore[arg-type]  # kept short here


@given(count=st.integers(0, 40), first=st.integers(1, 12))
async def test_pages_joined_are_all_cases_each_once_the_newest_first(count: int, first: int) -> None:
    held = [case(number) for number in range(count)]
    joined: list[Case] = []
    after = ""
    for _ in range(max(1, ceil(count / first))):
        [page] = await pages(Shelf({"mem_ada": held}), ["mem_ada"], first=first, after=after)
        joined += page.cases
        after = page.next_after
    assert (joined, after) == (held[::-1], "")


async def test_a_page_has_twenty_unless_told_otherwise() -> None:
    [page] = await pages(Shelf({"mem_ada": [case(number) for number in range(21)]}), ["mem_ada"])
    assert (len(page.cases), page.next_after) == (20, "cas_001")


async def test_a_guest_sees_the_own_cases_only() -> None:
    shelf = Shelf({"mem_ada": [case(1)], "mem_bob": [case(2, "mem_bob")]})
    found = await pages(shelf, ["mem_bob", "mem_ada"], caller=ADA)
    assert [[one.id for one in page.cases] for page in found] == [[], ["cas_001"]]


async def test_a_guest_sees_the_own_invitations_only() -> None:
    shelf = Shelf({})
    assert await list_invitations(["mem_bob", "mem_ada"], caller=ADA, voices=shelf) == [(), ()]
    assert shelf.asked == ["mem_ada"]


@pytest.mark.parametrize(("members", "first"), [(1, 101), (1, -1), (101, 1), (11, 100), (51, 0)])
async def test_more_than_one_call_may_carry_is_refused(members: int, first: int) -> None:
    with pytest.raises(PageTooLargeError):
        await pages(Shelf({}), [f"mem_{number}" for number in range(members)], first=first)


async def test_invitations_of_more_than_a_hundred_members_are_refused() -> None:
    members = [f"mem_{number}" for number in range(101)]
    with pytest.raises(PageTooLargeError):
        await list_invitations(members, caller=STAFF, voices=Shelf({}))
    assert await list_invitations(members[:100], caller=STAFF, voices=Shelf({})) == [()] * 100


@pytest.mark.parametrize(("members", "first"), [(1, 100), (10, 100), (100, 10), (50, 0), (0, 0)])
async def test_what_one_call_may_carry_is_answered(members: int, first: int) -> None:
    found = await pages(Shelf({}), [f"mem_{number}" for number in range(members)], first=first)
    assert found == [CasePage((), "")] * members
