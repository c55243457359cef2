"""Members that are one have one wallet, and two again when that was wrong."""

from datetime import timedelta

from protos.campaigns.v1 import campaigns_pb2 as pb
from protos.events.v1.members_pb2 import MemberErased, MemberMerged, MemberSplit
from services.campaigns.store.collections import COUPONS, ERASURES
from services.kit.outbox.events import Event
from tests.contract.campaigns.conftest import Campaigns, tier_changed
from tests.support.clock import START

ADA, BOB, CYD = "mem_ada", "mem_bob", "mem_cyd"


def event(body: MemberMerged | MemberSplit | MemberErased, sequence: int) -> Event:
    return Event(
        id=f"chn_1/{body.member_id}/{sequence}",
        chain="chn_1",
        stream="members.member",
        aggregate=body.member_id,
        sequence=sequence,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
    )


def merged(member: str, into: str, merge: str = "mrg_1") -> Event:
    return event(MemberMerged(member_id=member, into_id=into, merge_id=merge), 2)


def split(member: str, of: str, merge: str = "mrg_1") -> Event:
    return event(MemberSplit(member_id=member, from_id=of, merge_id=merge), 3)


async def owners(campaigns: Campaigns, member: str) -> list[str]:
    """Return under which ids the coupons of a member were issued, the newest first."""
    return [coupon.member_id for coupon in await campaigns.coupons(member)]


async def test_both_see_all_coupons_once_and_apart_each_its_own(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.save_offer("offer-key-2", level="gold")
    await campaigns.hear(tier_changed(ADA), tier_changed(BOB))
    await campaigns.hear(merged(BOB, ADA))
    assert [sorted(await owners(campaigns, one)) for one in (ADA, BOB)] == [[ADA, BOB], [ADA, BOB]]
    await campaigns.hear(tier_changed(ADA, level="gold", sequence=3))
    [page] = await campaigns.pages([BOB], first=2)
    [rest] = await campaigns.pages([BOB], first=2, after=page.end_cursor)
    assert (len(page.coupons), len(rest.coupons), rest.end_cursor) == (2, 1, "")
    assert len({coupon.id for coupon in [*page.coupons, *rest.coupons]}) == 3
    await campaigns.hear(split(BOB, ADA))
    assert [await owners(campaigns, one) for one in (ADA, BOB)] == [[ADA, ADA], [BOB]]


async def test_a_coupon_is_used_by_whoever_is_its_member_now(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(tier_changed(BOB))
    [coupon] = await campaigns.coupons(BOB)
    refused = await campaigns.refusal(lambda: campaigns.redeem(coupon.id, member=ADA))
    assert refused.code == "COUPON_OF_ANOTHER_MEMBER"
    await campaigns.hear(merged(BOB, ADA))
    used = await campaigns.redeem(coupon.id, member=ADA)
    assert used.coupon.state == pb.COUPON_STATE_REDEEMED
    again = await campaigns.redeem(coupon.id, member=ADA)
    assert again.repeated_call
    refused = await campaigns.refusal(lambda: campaigns.redeem(coupon.id, key="redeem-key-2", member=BOB))
    assert refused.code == "COUPON_REDEEMED"


async def test_a_level_brings_one_coupon_to_all_ids_of_a_member(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(tier_changed(BOB))
    await campaigns.hear(merged(BOB, ADA), tier_changed(ADA))
    assert await owners(campaigns, ADA) == [BOB]
    campaigns.clock.move(timedelta(days=366))
    await campaigns.hear(tier_changed(ADA, sequence=3))
    assert len(await owners(campaigns, ADA)) == 2


async def test_in_one_batch_too(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(merged(BOB, ADA), tier_changed(ADA), tier_changed(BOB))
    assert len(await campaigns.rows(COUPONS)) == 1


async def test_merges_of_merged_members_in_any_order(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(*(tier_changed(one) for one in (ADA, BOB, CYD)))
    await campaigns.hear(merged(BOB, ADA, "mrg_2"))
    await campaigns.hear(merged(CYD, BOB, "mrg_1"), merged(CYD, BOB, "mrg_1"))
    assert [len(await owners(campaigns, one)) for one in (ADA, BOB, CYD)] == [3, 3, 3]
    await campaigns.hear(split(BOB, ADA, "mrg_2"), split(CYD, BOB, "mrg_9"))
    assert [len(await owners(campaigns, one)) for one in (ADA, BOB, CYD)] == [1, 2, 2]


async def test_an_erasure_is_kept_once(campaigns: Campaigns) -> None:
    for _ in range(2):
        await campaigns.hear(event(MemberErased(member_id=ADA), 4))
    assert [row["member"] for row in await campaigns.rows(ERASURES)] == [ADA]
