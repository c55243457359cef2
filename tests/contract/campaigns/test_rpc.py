"""The Campaigns servicer over a real connection, on the real database."""

import asyncio
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from functools import partial
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from protos.campaigns.v1 import campaigns_pb2 as pb
from protos.events.v1.campaigns_pb2 import CouponRedeemed
from services.campaigns.store.collections import COUPONS, TIER_OFFERS
from services.kit.errors import Kind
from services.kit.outbox.outbox import OUTBOX
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import to_timestamp
from tests.contract.campaigns.conftest import ADA, STAFF, TILL, Campaigns, tier_changed
from tests.support.clock import START

STRANGER = replace(STAFF, chain="chn_2")


async def coupon_of(campaigns: Campaigns) -> str:
    await campaigns.save_offer()
    await campaigns.hear(tier_changed())
    [coupon] = await campaigns.coupons()
    return coupon.id


async def test_a_saved_offer_is_answered_and_its_versions_are_kept(campaigns: Campaigns) -> None:
    first = await campaigns.save_offer(title=" ¥10 off ")
    assert first == pb.TierOffer(id=first.id, level="silver", title="¥10 off", value_minor=1_000, valid_days=30)
    await campaigns.save_offer("offer-key-2", value_minor=2_000)
    kept = [(row["version"], row["value_minor"]) for row in await campaigns.rows(TIER_OFFERS)]
    assert kept == [(1, 1_000), (2, 2_000)]


async def test_the_same_offer_again_gets_the_first_answer(campaigns: Campaigns) -> None:
    first = await campaigns.save_offer()
    before = await campaigns.everything()
    assert await campaigns.save_offer() == first
    assert await campaigns.everything() == before


async def test_offers_saved_at_once_each_get_a_version(campaigns: Campaigns) -> None:
    await asyncio.gather(*(campaigns.save_offer(f"offer-key-{number}") for number in range(5)))
    assert sorted(row["version"] for row in await campaigns.rows(TIER_OFFERS)) == [1, 2, 3, 4, 5]


async def test_an_offers_key_with_other_content_shows_the_first(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    refused = await campaigns.refusal(lambda: campaigns.save_offer(value_minor=9))
    assert (refused.kind, refused.code, refused.field) == (Kind.CONFLICT, "KEY_REUSED", "key")
    assert "offer '¥10 off' for level silver" in refused.message


async def test_a_wrong_offer_is_refused(campaigns: Campaigns) -> None:
    refused = await campaigns.refusal(lambda: campaigns.save_offer(valid_days=0))
    assert (refused.kind, refused.code, refused.field) == (Kind.INVALID, "INVALID_TIER_OFFER", "validDays")
    refused = await campaigns.refusal(lambda: campaigns.save_offer("short"))
    assert (refused.code, refused.field) == ("INVALID_KEY", "key")


async def test_tills_save_no_offers(campaigns: Campaigns) -> None:
    refused = await campaigns.refusal(lambda: campaigns.save_offer(caller=TILL))
    assert refused.kind is Kind.DENIED


async def test_a_coupon_is_used_up_and_told(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    now = campaigns.clock.move(timedelta(hours=1))
    answer = await campaigns.redeem(coupon)
    assert (answer.coupon.id, answer.coupon.state, answer.repeated_call) == (coupon, pb.COUPON_STATE_REDEEMED, False)
    assert [one.state for one in await campaigns.coupons()] == [pb.COUPON_STATE_REDEEMED]
    _, row = sorted(await campaigns.rows(OUTBOX), key=lambda row: row["sequence"])
    assert (row["aggregate"], row["sequence"], row["at"]) == (coupon, 2, now)
    assert CouponRedeemed.FromString(row["body"]) == CouponRedeemed(
        coupon_id=coupon, member_id="mem_ada", store_id="sto_1", redeemed_at=to_timestamp(now)
    )


async def test_an_event_is_never_older_than_the_one_before_it(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    campaigns.clock.move(-timedelta(minutes=1))
    await campaigns.redeem(coupon)
    assert [row["at"] for row in await campaigns.rows(OUTBOX)] == [START, START]


async def test_the_same_redemption_again_gets_the_first_answer(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    first = await campaigns.redeem(coupon)
    before = await campaigns.everything()
    campaigns.clock.move(timedelta(days=60))
    again = await campaigns.redeem(coupon)
    assert (again.coupon, again.repeated_call) == (first.coupon, True)
    assert await campaigns.everything() == before


async def test_of_many_at_once_one_uses_the_coupon(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    tried = [campaigns.redeem(coupon, key=f"redeem-key-{number}") for number in range(5)]
    answers = await asyncio.gather(*tried, return_exceptions=True)
    codes = [answer.code if isinstance(answer, RemoteProblem) else "done" for answer in answers]
    assert sorted(codes) == [*["COUPON_REDEEMED"] * 4, "done"]
    assert len(await campaigns.rows(OUTBOX)) == 2


async def test_a_redemptions_key_with_other_content_shows_the_first(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    await campaigns.redeem(coupon)
    refused = await campaigns.refusal(lambda: campaigns.redeem(coupon, store="sto_2", caller=STAFF))
    assert (refused.kind, refused.code) == (Kind.CONFLICT, "KEY_REUSED")
    assert f"coupon {coupon} of mem_ada in store sto_1" in refused.message


async def test_a_used_coupon_is_refused_under_another_key(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    await campaigns.redeem(coupon)
    refused = await campaigns.refusal(lambda: campaigns.redeem(coupon, key="redeem-key-2"))
    assert (refused.kind, refused.code, refused.field) == (Kind.REFUSED, "COUPON_REDEEMED", "couponId")


async def test_a_coupon_expires_in_lists_and_at_the_till(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    campaigns.clock.move(timedelta(days=30, milliseconds=-1))
    assert [one.state for one in await campaigns.coupons()] == [pb.COUPON_STATE_OPEN]
    campaigns.clock.move(timedelta(milliseconds=1))
    assert [one.state for one in await campaigns.coupons()] == [pb.COUPON_STATE_EXPIRED]
    refused = await campaigns.refusal(lambda: campaigns.redeem(coupon))
    assert (refused.kind, refused.code) == (Kind.REFUSED, "COUPON_EXPIRED")


WRONG: dict[str, tuple[dict[str, Any], tuple[Kind, str, str]]] = {
    "another member's": ({"member": "mem_bob"}, (Kind.REFUSED, "COUPON_OF_ANOTHER_MEMBER", "memberId")),
    "no store": ({"store": ""}, (Kind.INVALID, "STORE_MISSING", "storeId")),
    "another store": ({"store": "sto_2"}, (Kind.DENIED, "DENIED", "storeId")),
    "a short key": ({"key": "short"}, (Kind.INVALID, "INVALID_KEY", "key")),
    "another chain": ({"caller": STRANGER}, (Kind.NOT_FOUND, "COUPON_NOT_FOUND", "couponId")),
    "a guest": ({"caller": ADA}, (Kind.DENIED, "DENIED", "")),
    "no scope": ({"caller": replace(TILL, scopes=frozenset({"coupons:read"}))}, (Kind.DENIED, "DENIED", "")),
}


async def test_a_wrong_redemption_is_refused(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    told = {}
    for name, (changed, _) in WRONG.items():
        refused = await campaigns.refusal(partial(campaigns.redeem, coupon, **changed))
        told[name] = refused.kind, refused.code, refused.field
    assert told == {name: expected for name, (_, expected) in WRONG.items()}


async def test_a_coupon_that_does_not_exist_is_not_found(campaigns: Campaigns) -> None:
    refused = await campaigns.refusal(lambda: campaigns.redeem("cpn_none"))
    assert (refused.kind, refused.code) == (Kind.NOT_FOUND, "COUPON_NOT_FOUND")


async def test_a_guest_sees_the_own_coupons_and_a_stranger_none(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(tier_changed("mem_ada"), tier_changed("mem_bob"))
    found = await campaigns.pages(["mem_bob", "mem_ada"], caller=ADA)
    assert [len(page.coupons) for page in found] == [0, 1]
    assert [len(page.coupons) for page in await campaigns.pages(["mem_bob", "mem_ada"], caller=STRANGER)] == [0, 0]


async def test_a_forged_cursor_is_refused(campaigns: Campaigns) -> None:
    for cursor in ("{$gt: 0}", "!!!!", urlsafe_b64encode(b"mem_ada").decode()):
        with pytest.raises(RemoteProblem, match="not made by an earlier answer"):
            await campaigns.pages(["mem_ada"], after=cursor)


# Not shrunk when it fails: every try costs many calls.
@settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(held=st.lists(st.integers(0, 9), min_size=1, max_size=4), first=st.integers(1, 5))
async def test_pages_joined_are_all_coupons_each_once(campaigns: Campaigns, held: list[int], first: int) -> None:
    await campaigns.database.collection(COUPONS).delete_many({"chain": "chn_1"})
    await campaigns.save_offer()
    members = {f"mem_{number}": count for number, count in enumerate(held)}
    for sequence in range(max(held)):
        campaigns.clock.move(timedelta(milliseconds=1))
        reached = [member for member, count in members.items() if count > sequence]
        await campaigns.hear(*(tier_changed(member, sequence=sequence + 1) for member in reached))
    whole = await campaigns.pages(list(members), first=100)
    joined: dict[str, list[str]] = {member: [] for member in members}
    for member, count in members.items():
        cursor = ""
        for _ in range(max(1, ceil(count / first))):
            [page] = await campaigns.pages([member], first=first, after=cursor)
            joined[member] += [coupon.id for coupon in page.coupons]
            cursor = page.end_cursor
        assert cursor == ""
    assert [len(coupons) for coupons in joined.values()] == held
    assert list(joined.values()) == [[coupon.id for coupon in page.coupons] for page in whole]
    assert all(coupons == sorted(set(coupons), reverse=True) for coupons in joined.values())
