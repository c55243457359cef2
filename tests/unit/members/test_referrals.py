"""Codes, who may be brought, and what a first purchase does, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.members import Channel, Member, Source
from services.members.domain.portraits import FirstPurchase, Portrait, first_purchases
from services.members.domain.profiles import Profile
from services.members.domain.referrals import (
    ALPHABET,
    BoughtBeforeError,
    Referral,
    ReferralState,
    ReferrerSetError,
    UnknownReferralCodeError,
    check_newcomer,
    closed,
    code_from,
    written_code,
)
from services.members.domain.timeline import Happening, HappeningKind
from services.members.domain.visits import Visits

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Member("mem_ada", Profile(), NOON, Channel.APP)
BROUGHT = Referral("rfl_1", "mem_ada", "mem_bob", NOON)
ALL = {"mem_bob": "mem_bob", "mem_eve": "mem_eve"}


def hours(number: float) -> datetime:
    return NOON + timedelta(hours=number)


def test_a_code_is_made_of_signs_that_nobody_mistakes() -> None:
    assert (len(ALPHABET), len(set(ALPHABET))) == (32, 32)
    assert not set("IO01") & set(ALPHABET)
    assert code_from(bytes(5)) == "AAAAAAAA"
    assert code_from(b"\xff" * 5) == "99999999"


@given(st.binary(min_size=5, max_size=5), st.binary(min_size=5, max_size=5))
def test_codes_differ_where_the_bytes_do_and_are_read_in_any_case(one: bytes, other: bytes) -> None:
    assert (code_from(one) == code_from(other)) is (one == other)
    assert written_code(f" {code_from(one).lower()} ") == code_from(one)


@pytest.mark.parametrize("said", ["", "ABCDEFG", "ABCDEFGHJ", "ABCDEFG0", "ABCDEFGI", "ABCD EFG", "ÄBCDEFGH"])
def test_what_cannot_be_a_code_is_nobodys(said: str) -> None:
    with pytest.raises(UnknownReferralCodeError):
        written_code(said)


def test_only_who_is_new_and_was_brought_by_nobody_can_say_who_brought_it() -> None:
    check_newcomer(ADA, [])
    with pytest.raises(BoughtBeforeError):
        check_newcomer(replace(ADA, visits=Visits(count=1)), [])
    with pytest.raises(ReferrerSetError):
        check_newcomer(ADA, [BROUGHT])
    with pytest.raises(ReferrerSetError):
        check_newcomer(replace(ADA, source=Source(referrer="mem_bob")), [])


def test_a_first_purchase_completes_a_referral_when_both_have_taken_place() -> None:
    done = closed([BROUGHT], hours(2), person="mem_ada", referrers=ALL)
    assert done.counts == replace(BROUGHT, state=ReferralState.COMPLETED, completed_at=hours(2))
    assert done.changed == (done.counts,)
    early = closed([BROUGHT], hours(-2), person="mem_ada", referrers=ALL)
    assert early.counts is not None
    assert early.counts.completed_at == NOON


@pytest.mark.parametrize("referrers", [{}, {"mem_bob": "mem_ada"}], ids=["erased or in a ring", "the person itself"])
def test_nobody_is_rewarded_for_a_referrer_who_does_not_count(referrers: dict[str, str]) -> None:
    done = closed([BROUGHT], hours(2), person="mem_ada", referrers=referrers)
    assert (done.counts, done.changed) == (None, (replace(BROUGHT, state=ReferralState.VOID),))


def test_of_two_that_became_one_the_first_referral_counts() -> None:
    later = Referral("rfl_2", "mem_ada2", "mem_eve", hours(1))
    done = closed([later, BROUGHT], hours(2), person="mem_ada", referrers=ALL)
    assert [(one.id, one.state.value) for one in done.changed] == [("rfl_1", "completed"), ("rfl_2", "void")]
    again = closed([later, done.changed[0]], hours(3), person="mem_ada", referrers=ALL)
    assert (again.counts, [(one.id, one.state.value) for one in again.changed]) == (None, [("rfl_2", "void")])


REFERRALS = st.lists(
    st.builds(
        Referral,
        st.uuids().map(str),
        st.sampled_from(["mem_a", "mem_b", "mem_c"]),
        st.sampled_from(["mem_bob", "mem_eve"]),
        st.integers(0, 9).map(hours),
        st.sampled_from(ReferralState),
    ),
    max_size=3,
    unique_by=lambda one: one.member,
)


@given(REFERRALS, st.integers(0, 9).map(hours), st.sampled_from([ALL, {}, {"mem_eve": "mem_eve"}]))
def test_however_often_a_person_buys_first_one_referral_at_most_is_completed(
    referrals: list[Referral], at: datetime, referrers: dict[str, str]
) -> None:
    """As after refunds, merges and their undoing, when the visits begin at nothing again."""
    before, told = any(one.state is ReferralState.COMPLETED for one in referrals), 0
    for _ in range(2):
        done = closed(referrals, at, person="mem_a", referrers=referrers)
        told += done.counts is not None
        changed = {one.id: one for one in done.changed}
        referrals = [changed.get(one.id, one) for one in referrals]
    assert told <= (0 if before else 1)
    assert not [one for one in referrals if one.state is ReferralState.OPEN]


def bought(member: str, at: datetime) -> Happening:
    return Happening("chn_1", member, HappeningKind.PURCHASE, f"pur_{at.isoformat()}", at, time_zone="UTC")


def test_who_buys_for_the_first_time_is_found_by_the_portrait_of_all_ids() -> None:
    portraits = {
        ("chn_1", "mem_new"): Portrait(),
        ("chn_1", "mem_old"): Portrait(Visits(count=1)),
        ("chn_1", "mem_young"): Portrait(),
    }
    told = [
        bought("mem_old", NOON),
        bought("mem_young", NOON),  # has gone to mem_old, who has bought
        bought("mem_new", hours(2)),
        bought("mem_new", hours(1)),
        replace(bought("mem_new", NOON), kind=HappeningKind.REFUND),
    ]
    gone_to = {("chn_1", "mem_young"): ("chn_1", "mem_old")}
    assert first_purchases(told, portraits, gone_to=gone_to) == [
        FirstPurchase("chn_1", "mem_new", hours(1), f"pur_{hours(1).isoformat()}")
    ]
