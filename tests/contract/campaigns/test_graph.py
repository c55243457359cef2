"""What campaigns adds to the graph, over its real servicer."""

from typing import Any

from protos.campaigns.v1 import campaigns_pb2 as pb
from services.campaigns.graph import subgraph
from services.kit.graph import Channels, GraphContext
from services.kit.principal import Principal
from tests.contract.campaigns.conftest import ADA, STAFF, TILL, Campaigns, tier_changed
from tests.support.watched import Watched

SCHEMA = subgraph.schema()

COUPONS = """
query ($members: [_Any!]!, $first: Int! = 20, $after: String) {
  _entities(representations: $members) { ... on Member {
    coupons(first: $first, after: $after) {
      nodes { title valueMinor state issuedAt expiresAt reason }
      pageInfo { hasNextPage endCursor }
    }
  } }
}
"""
REDEEM = """
mutation ($input: RedeemCouponInput!) {
  redeemCoupon(input: $input) { repeatedCall coupon { id state } userErrors { code field message } }
}
"""
SAVE = """
mutation ($input: SaveTierOfferInput!) {
  saveTierOffer(input: $input) { offer { level title valueMinor validDays } userErrors { code field } }
}
"""


async def ask(
    campaigns: Campaigns, query: str, *, caller: Principal = STAFF, watched: Watched | None = None, **variables: Any
) -> Any:
    channels = Channels({"campaigns": watched or Watched(campaigns.channel)})
    context = GraphContext(caller=caller, channels=channels)
    result = await SCHEMA.answer(SCHEMA.documents.known(query), context=context, variables=variables)
    assert result.errors is None
    return result.data


def members(*ids: str) -> list[dict[str, str]]:
    return [{"__typename": "Member", "id": id_} for id_ in ids]


async def coupon_of(campaigns: Campaigns) -> str:
    await campaigns.save_offer()
    await campaigns.hear(tier_changed())
    [coupon] = await campaigns.coupons()
    return coupon.id


async def test_a_member_shows_the_coupons(campaigns: Campaigns) -> None:
    await coupon_of(campaigns)
    answer = await ask(campaigns, COUPONS, members=members("mem_ada"), caller=ADA)
    coupon = {
        "title": "¥10 off",
        "valueMinor": 1_000,
        "state": "OPEN",
        "issuedAt": "2026-03-01T04:00:00.000Z",
        "expiresAt": "2026-03-31T04:00:00.000Z",
        "reason": "tier:silver",
    }
    page = {"nodes": [coupon], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    assert answer == {"_entities": [{"coupons": page}]}


async def test_coupons_of_many_members_take_one_call(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    names = [f"mem_{number}" for number in range(5)]
    await campaigns.hear(*(tier_changed(name) for name in names))
    watched = Watched(campaigns.channel)
    answer = await ask(campaigns, COUPONS, watched=watched, members=members(*names))
    assert [len(entity["coupons"]["nodes"]) for entity in answer["_entities"]] == [1, 1, 1, 1, 1]
    [request] = watched.asked
    assert list(request.member_ids) == names


async def test_pages_follow_each_other(campaigns: Campaigns) -> None:
    await campaigns.save_offer()
    await campaigns.hear(*(tier_changed(sequence=number) for number in (1, 2, 3)))
    seen, cursor = [], None
    for expected in (2, 1):
        answer = await ask(campaigns, COUPONS, members=members("mem_ada"), first=2, after=cursor)
        [entity] = answer["_entities"]
        assert len(entity["coupons"]["nodes"]) == expected
        cursor = entity["coupons"]["pageInfo"]["endCursor"]
        seen.append(cursor is None)
    assert seen == [False, True]


async def test_a_till_redeems_and_may_ask_again(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    wish = {"key": "redeem-key-1", "couponId": coupon, "memberId": "mem_ada", "storeId": "sto_1"}
    for repeated in (False, True):
        answer = await ask(campaigns, REDEEM, caller=TILL, input=wish)
        redeemed = {"id": coupon, "state": "REDEEMED"}
        assert answer["redeemCoupon"] == {"repeatedCall": repeated, "coupon": redeemed, "userErrors": []}


async def test_a_refused_redemption_says_why(campaigns: Campaigns) -> None:
    coupon = await coupon_of(campaigns)
    wish = {"key": "redeem-key-1", "couponId": coupon, "memberId": "mem_bob", "storeId": "sto_1"}
    answer = await ask(campaigns, REDEEM, caller=TILL, input=wish)
    assert answer["redeemCoupon"]["coupon"] is None
    [error] = answer["redeemCoupon"]["userErrors"]
    assert (error["code"], error["field"]) == ("COUPON_OF_ANOTHER_MEMBER", "memberId")


async def test_an_offer_is_saved_or_refused(campaigns: Campaigns) -> None:
    content = {"level": "silver", "title": "¥10 off", "valueMinor": 1_000, "validDays": 30}
    answer = await ask(campaigns, SAVE, input={"key": "offer-key-1", **content})
    assert answer["saveTierOffer"] == {"offer": content, "userErrors": []}
    answer = await ask(campaigns, SAVE, input={"key": "offer-key-2", **content, "validDays": 0})
    refused = {"offer": None, "userErrors": [{"code": "INVALID_TIER_OFFER", "field": "validDays"}]}
    assert answer["saveTierOffer"] == refused


def test_every_state_of_the_contract_is_in_the_graph() -> None:
    states = {name.removeprefix("COUPON_STATE_") for name in pb.CouponState.keys()} - {"UNSPECIFIED"}  # noqa: SIM118 - protobuf's
    assert states == {value.name for value in SCHEMA.get_type_by_name("CouponState").values}  # type: ignore[union-attr]  # an enum
