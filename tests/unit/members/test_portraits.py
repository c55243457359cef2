from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.members import NoMemberError
from services.members.domain.portraits import Portrait, portrait_from, taken_in
from services.members.domain.timeline import Happening, HappeningKind
from services.members.domain.visits import Visits

AT = datetime(2026, 3, 1, 4, tzinfo=UTC)


def happening(chain: str, member: str, kind: HappeningKind, ref: str = "r", *, day: int = 0) -> Happening:
    return Happening(
        chain, member, kind, ref, AT + timedelta(days=day), amount=5_000, currency="CNY", time_zone="Asia/Shanghai"
    )


def test_happenings_are_folded_in_their_order_member_by_member() -> None:
    known = {("a", "m1"): Portrait(open_coupons=2), ("a", "m2"): Portrait(), ("b", "m1"): Portrait()}
    told = [
        happening("a", "m1", HappeningKind.COUPON_REDEEMED),
        happening("a", "m1", HappeningKind.PURCHASE),
        happening("b", "m1", HappeningKind.CASE_OPENED),
        happening("a", "m1", HappeningKind.COUPON_ISSUED),
        happening("a", "m1", HappeningKind.POINTS),
    ]
    visits = Visits(1, AT, (AT.date(),), {"CNY": 5_000})
    assert taken_in(told, known, gone_to={}) == {
        ("a", "m1"): Portrait(visits, open_coupons=2),
        ("b", "m1"): Portrait(open_cases=1),
    }


def test_what_is_told_of_one_who_was_merged_belongs_to_where_it_has_gone() -> None:
    told = [happening("a", "m1", HappeningKind.CASE_OPENED), happening("a", "m2", HappeningKind.CASE_OPENED, "s")]
    known = {("a", "m1"): Portrait(), ("a", "m2"): Portrait(open_cases=1)}
    gone_to = {("a", "m1"): ("a", "m2")}
    assert taken_in(told, known, gone_to=gone_to) == {("a", "m2"): Portrait(open_cases=3)}


def test_a_member_that_nobody_enrolled_is_refused() -> None:
    with pytest.raises(NoMemberError):
        taken_in([happening("a", "m1", HappeningKind.PURCHASE)], {("b", "m1"): Portrait()}, gone_to={})


@given(st.permutations(range(12)))
def test_a_portrait_is_the_same_in_whatever_order_it_is_recounted(days: list[int]) -> None:
    bought = [happening("a", "m1", HappeningKind.PURCHASE, f"r{day}", day=day) for day in days]
    in_order = [happening("a", "m1", HappeningKind.PURCHASE, f"r{day}", day=day) for day in sorted(days)]
    assert portrait_from(bought) == portrait_from(in_order)
    assert portrait_from(bought).visits.count == 12
