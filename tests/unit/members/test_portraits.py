from datetime import UTC, datetime

import pytest

from services.members.domain.members import NoMemberError
from services.members.domain.portraits import CasesChanged, CouponsChanged, Portrait, Told, taken_in
from services.members.domain.visits import Paid, Visits

AT = datetime(2026, 3, 1, 4, tzinfo=UTC)
PAID = Paid(AT, 5_000, "CNY", "Asia/Shanghai")


def test_facts_are_folded_in_their_order_member_by_member() -> None:
    known = {("a", "m1"): Portrait(open_coupons=2), ("a", "m2"): Portrait(), ("b", "m1"): Portrait()}
    told = [
        Told("a", "m1", CouponsChanged(by=-1)),
        Told("a", "m1", PAID),
        Told("b", "m1", CasesChanged(by=1)),
        Told("a", "m1", CouponsChanged(by=1)),
    ]
    visits = Visits(1, AT, (AT.date(),), {"CNY": 5_000})
    assert taken_in(told, known) == {
        ("a", "m1"): Portrait(visits, open_coupons=2),
        ("b", "m1"): Portrait(open_cases=1),
    }


def test_a_member_that_nobody_enrolled_is_refused() -> None:
    with pytest.raises(NoMemberError):
        taken_in([Told("a", "m1", PAID)], {("b", "m1"): Portrait()})
