"""The rules of offers and coupons."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.campaigns.domain import (
    Coupon,
    CouponExpiredError,
    CouponOfAnotherMemberError,
    CouponRedeemedError,
    CouponState,
    InvalidTierOfferError,
    TierOffer,
    TierReached,
    Use,
    check_offer,
    issue,
    redeem,
)
from services.kit.errors import Kind

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
OFFER = TierOffer(id="off_1", level="silver", version=1, title="¥10 off", value_minor=1_000, valid_days=30)
REACHED = TierReached(chain="c1", member="mem_1", level="silver", grant="mem_1/2")


def coupon() -> Coupon:
    return issue(OFFER, REACHED, coupon_id="cpn_1", now=NOW)


def test_an_issued_coupon_keeps_what_the_offer_said() -> None:
    assert coupon() == Coupon(
        id="cpn_1",
        member="mem_1",
        offer="off_1",
        grant="mem_1/2",
        title="¥10 off",
        value_minor=1_000,
        reason="tier:silver",
        issued_at=NOW,
        expires_at=datetime(2026, 3, 31, 4, 0, tzinfo=UTC),
    )


def test_a_coupon_is_open_up_to_the_instant_before_it_expires() -> None:
    end = coupon().expires_at
    assert coupon().state_at(NOW) is CouponState.OPEN
    assert coupon().state_at(end - TICK) is CouponState.OPEN
    assert coupon().state_at(end) is CouponState.EXPIRED


def test_a_used_coupon_never_expires() -> None:
    used = redeem(coupon(), holders={"mem_1"}, store="sto_1", now=NOW)
    assert used.use == Use(NOW, "sto_1")
    assert used.state_at(used.expires_at + TICK) is CouponState.REDEEMED


def test_a_coupon_can_be_used_in_its_last_instant() -> None:
    last = coupon().expires_at - TICK
    assert redeem(coupon(), holders={"mem_1"}, store="sto_1", now=last).use == Use(last, "sto_1")


def test_an_expired_coupon_is_refused() -> None:
    with pytest.raises(CouponExpiredError) as refused:
        redeem(coupon(), holders={"mem_1"}, store="sto_1", now=coupon().expires_at)
    assert (refused.value.kind, refused.value.code) == (Kind.REFUSED, "COUPON_EXPIRED")
    assert refused.value.message == "Coupon cpn_1 expired on 2026-03-31T04:00:00+00:00."


def test_a_used_coupon_is_refused_and_says_where_it_was_used() -> None:
    used = redeem(coupon(), holders={"mem_1"}, store="sto_1", now=NOW)
    with pytest.raises(CouponRedeemedError) as refused:
        redeem(used, holders={"mem_1"}, store="sto_2", now=used.expires_at)
    assert refused.value.message == (
        "Coupon cpn_1 was used on 2026-03-01T04:00:00+00:00 in store sto_1. It is good for one use."
    )


def test_another_members_coupon_is_refused_whatever_its_state() -> None:
    used = redeem(coupon(), holders={"mem_1"}, store="sto_1", now=NOW)
    for one in (coupon(), used):
        with pytest.raises(CouponOfAnotherMemberError):
            redeem(one, holders={"mem_2"}, store="sto_1", now=NOW)


@pytest.mark.parametrize(
    ("offer", "field"),
    [
        (replace(OFFER, level=""), "level"),
        (replace(OFFER, level="x" * 65), "level"),
        (replace(OFFER, title="  "), "title"),
        (replace(OFFER, title="x" * 201), "title"),
        (replace(OFFER, value_minor=0), "valueMinor"),
        (replace(OFFER, value_minor=10**12 + 1), "valueMinor"),
        (replace(OFFER, valid_days=0), "validDays"),
        (replace(OFFER, valid_days=3_651), "validDays"),
    ],
)
def test_an_offer_out_of_bounds_is_refused_with_its_field(offer: TierOffer, field: str) -> None:
    with pytest.raises(InvalidTierOfferError) as refused:
        check_offer(offer)
    assert (refused.value.kind, refused.value.field) == (Kind.INVALID, field)


def test_an_offer_at_its_bounds_is_fine() -> None:
    check_offer(replace(OFFER, level="x", title="x", value_minor=1, valid_days=1))
    check_offer(replace(OFFER, level="x" * 64, title="x" * 200, value_minor=10**12, valid_days=3_650))
