"""Coupons of a sandbox are issued, shown and redeemed at its own time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from protos.campaigns.v1 import campaigns_pb2 as pb
from services.campaigns.store.collections import TIER_OFFERS
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import to_timestamp
from tests.contract.campaigns.conftest import STAFF, TILL, Campaigns, tier_changed
from tests.support.clock import START

SANDBOX = "sbx_1"
SANDBOX_STAFF, SANDBOX_TILL = replace(STAFF, chain=SANDBOX), replace(TILL, chain=SANDBOX)
DAY = timedelta(days=1)


async def test_one_batch_of_two_chains_is_worked_off_at_two_times(campaigns: Campaigns) -> None:
    clocks = MongoChainClocks(campaigns.database, system=campaigns.clock)
    await clocks.move(SANDBOX, START + 40 * DAY)
    await campaigns.save_offer()
    await campaigns.save_offer(caller=SANDBOX_STAFF)
    offer = await campaigns.database.collection(TIER_OFFERS).find_one({"chain": SANDBOX})
    assert offer is not None
    await campaigns.hear(tier_changed(), tier_changed(chain=SANDBOX))
    [real] = await campaigns.coupons()
    [sandboxed] = await campaigns.coupons(caller=SANDBOX_STAFF)
    assert (real.issued_at, sandboxed.issued_at) == (to_timestamp(START), to_timestamp(START + 40 * DAY))

    campaigns.clock.move(30 * DAY)
    [real] = await campaigns.coupons()
    [sandboxed] = await campaigns.coupons(caller=SANDBOX_STAFF)
    assert (real.state, sandboxed.state) == (pb.COUPON_STATE_EXPIRED, pb.COUPON_STATE_OPEN)
    await clocks.move(SANDBOX, START + 70 * DAY)
    assert [one.state for one in await campaigns.coupons(caller=SANDBOX_STAFF)] == [pb.COUPON_STATE_EXPIRED]
    with pytest.raises(RemoteProblem) as refused:
        await campaigns.redeem(sandboxed.id, caller=SANDBOX_TILL)
    assert refused.value.code == "COUPON_EXPIRED"
