"""The graph asks of a caller what the contract asks, but that services do not come this way."""

import pytest

from protos.campaigns.v1 import campaigns_pb2
from services.campaigns.graph.coupons import READERS
from services.campaigns.graph.offers import PLANNERS
from services.campaigns.graph.redemptions import REDEEMERS
from services.kit.graph import Rule
from services.kit.principal import Caller
from services.kit.rpc.access import rules

CONTRACT = rules(campaigns_pb2.DESCRIPTOR.services_by_name["Campaigns"])


@pytest.mark.parametrize(
    ("rule", "method"), [(READERS, "ListCoupons"), (PLANNERS, "SaveTierOffer"), (REDEEMERS, "RedeemCoupon")]
)
def test_a_field_lets_in_whom_its_method_lets_in(rule: Rule, method: str) -> None:
    assert rule.kinds == CONTRACT[method].kinds - {Caller.SERVICE}
    assert rule.scope == CONTRACT[method].scope


def test_every_method_is_compared() -> None:
    assert CONTRACT.keys() == {"ListCoupons", "SaveTierOffer", "RedeemCoupon"}
