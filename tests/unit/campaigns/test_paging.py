"""Pages of coupons, as the use case cuts them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.campaigns.domain import Coupon, TierOffer, TierReached, issue
from services.campaigns.usecases.coupons import CouponPage, PageTooLargeError, list_coupons
from services.kit.principal import Caller, Principal
from tests.support.clock import START

STAFF = Principal(chain="chn_1", kind=Caller.STAFF, id="key_1")
ADA = replace(STAFF, kind=Caller.MEMBER, id="mem_ada")
OFFER = TierOffer(id="off_1", level="silver", version=1, title="¥10 off", value_minor=1_000, valid_days=30)


def coupon(number: int, member: str) -> Coupon:
    reached = TierReached("chn_1", member, "silver", f"{member}/{number}")
    return issue(OFFER, reached, coupon_id=f"cpn_{number:03}", now=START + timedelta(seconds=number))


@dataclass
class Shelf:
    """Coupons in memory."""

    held: Mapping[str, Sequence[Coupon]]

    async def coupons(
        self, chain: str, members: Sequence[str], *, after: str, first: int
    ) -> Mapping[str, Sequence[Coupon]]:
        assert chain == "chn_1"
        newest = {member: sorted(self.held.get(member, ()), key=lambda one: one.id, reverse=True) for member in members}
        return {member: [one for one in some if not after or one.id < after][:first] for member, some in newest.items()}


async def pages(shelf: Shelf, members: Sequence[str], **wanted: object) -> list[CouponPage]:
    arguments = {"caller": STAFF, "first": 0, "after": ""} | wanted
    return await list_coupons(members, coupons=shelf, **arguments)  # type: ignore[arg-type]  # kept short here


@given(owners=st.lists(st.sampled_from(["mem_ada", "mem_bob"]), max_size=40), first=st.integers(1, 12))
async def test_pages_joined_are_all_coupons_each_once_the_newest_first(owners: list[str], first: int) -> None:
    held = {
        member: [coupon(number, member) for number, owner in enumerate(owners) if owner == member]
        for member in ("mem_ada", "mem_bob")
    }
    for member, coupons in held.items():
        joined: list[Coupon] = []
        after = ""
        for _ in range(max(1, ceil(len(coupons) / first))):
            [page] = await pages(Shelf(held), [member], first=first, after=after)
            joined += page.coupons
            after = page.next_after
        assert (joined, after) == (coupons[::-1], "")


async def test_a_page_has_twenty_unless_told_otherwise() -> None:
    shelf = Shelf({"mem_ada": [coupon(number, "mem_ada") for number in range(21)]})
    [page] = await pages(shelf, ["mem_ada"])
    assert (len(page.coupons), page.next_after) == (20, "cpn_001")


async def test_pages_come_in_the_order_of_the_input_and_empty_for_those_without() -> None:
    shelf = Shelf({"mem_ada": [coupon(1, "mem_ada")], "mem_bob": [coupon(2, "mem_bob")]})
    found = await pages(shelf, ["mem_bob", "mem_zoe", "mem_ada"])
    assert [[one.id for one in page.coupons] for page in found] == [["cpn_002"], [], ["cpn_001"]]


async def test_a_guest_sees_the_own_coupons_only() -> None:
    shelf = Shelf({"mem_ada": [coupon(1, "mem_ada")], "mem_bob": [coupon(2, "mem_bob")]})
    found = await pages(shelf, ["mem_bob", "mem_ada"], caller=ADA)
    assert [[one.id for one in page.coupons] for page in found] == [[], ["cpn_001"]]


@pytest.mark.parametrize(("members", "first"), [(1, 101), (1, -1), (101, 1), (11, 100), (51, 0)])
async def test_more_than_one_call_may_carry_is_refused(members: int, first: int) -> None:
    with pytest.raises(PageTooLargeError):
        await pages(Shelf({}), [f"mem_{number}" for number in range(members)], first=first)


@pytest.mark.parametrize(("members", "first"), [(1, 100), (10, 100), (100, 10), (50, 0), (0, 0)])
async def test_what_one_call_may_carry_is_answered(members: int, first: int) -> None:
    found = await pages(Shelf({}), [f"mem_{number}" for number in range(members)], first=first)
    assert found == [CouponPage((), "")] * members
