"""TierChanged becomes a coupon, once."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from protos.campaigns.v1 import campaigns_pb2 as pb
from protos.events.v1.campaigns_pb2 import CouponIssued
from protos.events.v1.points_pb2 import PurchaseBooked, TierChanged
from services.campaigns.store.collections import COUPONS
from services.kit.mongo.database import Conflict
from services.kit.mongo.guards import insert_new
from services.kit.outbox.outbox import OUTBOX
from services.kit.rabbit.consumer import Consumer
from services.kit.rabbit.publisher import RabbitPublisher
from services.kit.rabbit.topology import Topology
from services.kit.timestamps import to_timestamp
from tests.contract.campaigns.conftest import Campaigns, tier_changed, told
from tests.support.clock import START

Eventually = Callable[..., Awaitable[Any]]


async def test_reaching_a_level_with_an_offer_brings_a_coupon_and_its_event(campaigns: Campaigns) -> None:
    offer = await campaigns.save_offer(valid_days=31)
    await campaigns.hear(tier_changed())
    [coupon] = await campaigns.coupons()
    assert coupon == pb.Coupon(
        id=coupon.id,
        member_id="mem_ada",
        title="¥10 off",
        value_minor=1_000,
        state=pb.COUPON_STATE_OPEN,
        issued_at=to_timestamp(START),
        expires_at=to_timestamp(START.replace(month=4)),
        reason="tier:silver",
    )
    [row] = await campaigns.rows(OUTBOX)
    assert (row["stream"], row["aggregate"], row["sequence"]) == ("campaigns.coupon", coupon.id, 1)
    assert row["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert CouponIssued.FromString(row["body"]) == CouponIssued(
        coupon_id=coupon.id,
        member_id="mem_ada",
        offer_id=offer.id,
        reason="tier:silver",
        issued_at=coupon.issued_at,
        expires_at=coupon.expires_at,
    )


async def test_a_level_without_an_offer_brings_nothing(campaigns: Campaigns) -> None:
    await campaigns.save_offer(level="gold")
    await campaigns.hear(tier_changed())
    assert await campaigns.coupons() == []


async def test_purchases_bring_nothing_yet(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    # A store called like the level: read as a TierChanged, this would bring a coupon.
    await campaigns.hear(told(PurchaseBooked(member_id="mem_ada", purchase_id="pur_1", store_id="silver"), 1))
    assert await campaigns.rows(COUPONS) == []


async def test_a_grant_brings_one_coupon_however_often_it_is_heard(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(tier_changed())
    before = await campaigns.everything()
    await campaigns.hear(tier_changed())
    await campaigns.hear(tier_changed(), tier_changed("mem_bob"))
    assert [len(await campaigns.coupons(member)) for member in ("mem_ada", "mem_bob")] == [1, 1]
    assert (await campaigns.everything())[0] == before[0]
    assert len(await campaigns.rows(OUTBOX)) == 2


async def test_the_database_itself_refuses_a_second_coupon_for_a_grant(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(tier_changed())
    [row] = await campaigns.rows(COUPONS)
    second = {name: value for name, value in row.items() if name != "_id"} | {"coupon": "cpn_other"}
    with pytest.raises(Conflict):
        await campaigns.database.once_in_transaction(
            lambda session: insert_new(campaigns.database.collection(COUPONS), [second], session=session)
        )


async def test_each_change_is_a_grant_of_its_own(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.save_offer("offer-key-2", level="gold", title="¥50 off")
    await campaigns.hear(
        tier_changed(sequence=2), tier_changed(level="gold", sequence=4), tier_changed(level="silver", sequence=6)
    )
    assert sorted(coupon.reason for coupon in await campaigns.coupons()) == ["tier:gold", "tier:silver", "tier:silver"]


async def test_a_level_that_was_lost_or_reached_again_within_the_year_brings_nothing(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    fell = TierChanged(member_id="mem_ada", from_level="gold", to_level="silver", reason="ended", falls=True)
    again = TierChanged(member_id="mem_ada", from_level="regular", to_level="silver", reason="reached", again=True)
    await campaigns.hear(told(fell, 2), told(again, 3))
    assert await campaigns.coupons() == []


async def test_the_newest_offer_holds_and_older_coupons_keep_theirs(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(tier_changed())
    await campaigns.save_offer("offer-key-2", title="¥20 off", value_minor=2_000)
    await campaigns.hear(tier_changed("mem_bob"))
    assert [coupon.value_minor for coupon in await campaigns.coupons("mem_ada")] == [1_000]
    assert [coupon.value_minor for coupon in await campaigns.coupons("mem_bob")] == [2_000]


async def test_a_chains_offers_and_coupons_are_its_own(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(tier_changed(chain="chn_2"), tier_changed(chain="chn_1"))
    assert [row["chain"] for row in await campaigns.rows(COUPONS)] == ["chn_1"]
    assert [row["chain"] for row in await campaigns.rows(OUTBOX)] == ["chn_1"]


async def test_an_event_that_the_broker_delivers_twice_brings_one_coupon(
    campaigns: Campaigns, amqp_url: str, topology: Topology, eventually: Eventually
) -> None:
    await campaigns.save_offer()
    first = told(PurchaseBooked(member_id="mem_ada"), 1)
    consumer = Consumer(amqp_url, topology, service="campaigns", database=campaigns.database, handle=campaigns.handler)
    publisher = RabbitPublisher(amqp_url, topology)
    await consumer.start()
    try:
        await publisher.publish([first, tier_changed(), first, tier_changed()])
        await publisher.publish([tier_changed(level="none", sequence=3), tier_changed(sequence=4)])
        await eventually(lambda: _count(campaigns, 2))
    finally:
        await consumer.stop()
        await publisher.close()
    assert len(await campaigns.rows(OUTBOX)) == 2


async def _count(campaigns: Campaigns, wanted: int) -> bool:
    return len(await campaigns.rows(COUPONS)) == wanted
