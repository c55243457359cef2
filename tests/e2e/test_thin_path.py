"""A purchase travels from the till to a better tier, and every service has its part in what the member then sees."""

from typing import Any

import pytest

from services.kit.principal import Caller
from tests.e2e.guests import ENROLL, MEMBER, RECORD, enroll, receipt, record
from tests.support.eventually import eventually
from tests.support.platform import OpenedChain, Platform

ANSWER = """mutation ($input: AnswerSurveyInput!) {
  answerSurvey(input: $input) { case { id dueAt openedAt } userErrors { code field message } } }"""


@pytest.fixture
async def chain(platform: Platform, request: pytest.FixtureRequest) -> OpenedChain:
    chain = await platform.open_chain(f"thin-path-{request.node.name}", stores={"A": "Bund", "B": "Xuhui"})
    async with platform.operator() as operator:
        await operator.save_tier_offer(
            chain.id, "silver-offer", level="silver", title="20 off", value_minor=2_000, valid_days=30
        )
    return chain


async def test_from_the_till_to_a_better_tier(platform: Platform, chain: OpenedChain) -> None:
    till = await platform.api_key(chain.id, Caller.TILL, subject="till 1", store_ids=(chain.stores["A"],))
    ada = await enroll(platform, chain, "ada")
    crossing = await record(platform, till, receipt(chain, "R1", ada, paid_minor=50_000, day=10))
    assert (crossing["points"], crossing["levelBefore"], crossing["levelAfter"]) == (500, "regular", "silver")
    after = await record(platform, till, receipt(chain, "R2", ada, paid_minor=10_000, day=13))
    assert after["breakdown"] == [{"rule": "base", "points": 100}, {"rule": "tier:silver", "points": 20}]
    await platform.graphql(
        ANSWER,
        {"input": {"key": "answer-0001", "memberId": ada, "score": 3, "comment": "cold", "storeId": chain.stores["A"]}},
        key=chain.staff_key,
    )
    own_key = await platform.api_key(chain.id, Caller.MEMBER, subject=ada)

    async def seen() -> dict[str, Any]:
        member: dict[str, Any] = (await platform.graphql(MEMBER, {"id": ada}, key=own_key))["member"]
        assert member["visits"]["count"] == 2
        assert len(member["coupons"]["nodes"]) == 1
        return member

    member = await eventually(seen)
    assert member["profile"] == {"name": "ada"}
    assert member["tier"] == {"level": "silver", "since": "2026-03-10T04:00:00.000Z", "missingMinor": 140_000}
    assert member["points"]["balance"] == 620
    assert [(entry["points"], entry["balance"]) for entry in member["points"]["entries"]["nodes"]] == [
        (120, 620),
        (0, 500),  # silver
        (500, 500),
    ]
    assert member["visits"] == {"count": 2, "last": "2026-03-13T04:00:00.000Z", "lastGapDays": 3, "usualGapDays": 3.0}
    assert member["coupons"]["nodes"] == [{"title": "20 off", "valueMinor": 2_000, "state": "OPEN"}]
    assert [(case["score"], case["comment"], case["state"]) for case in member["cases"]["nodes"]] == [
        (3, "cold", "OPEN")
    ]


async def test_commands_sent_again_get_the_first_answer(platform: Platform, chain: OpenedChain) -> None:
    ada = await enroll(platform, chain, "ada")
    assert await enroll(platform, chain, "ada") == ada
    bought = receipt(chain, "R1", ada)
    first = await platform.graphql(RECORD, {"input": bought}, key=chain.staff_key)
    again = await platform.graphql(RECORD, {"input": bought}, key=chain.staff_key)
    assert again["recordPurchase"] == first["recordPurchase"] | {"repeatedCall": True}


async def test_a_reused_key_and_a_reused_receipt_show_the_first(platform: Platform, chain: OpenedChain) -> None:
    ada = await enroll(platform, chain, "ada")
    await record(platform, chain.staff_key, receipt(chain, "R1", ada))
    other = receipt(chain, "R1", ada, paid_minor=1)
    refused = (await platform.graphql(RECORD, {"input": other}, key=chain.staff_key))["recordPurchase"]
    [error] = refused["userErrors"]
    assert (refused["purchase"], error["code"], error["field"]) == (None, "RECEIPT_REUSED", "receiptNumber")
    assert "10000 CNY" in error["message"]
    bob = {"key": "enroll-ada", "profile": {"name": "bob", "identities": []}, "channel": "APP"}
    refused = (await platform.graphql(ENROLL, {"input": bob}, key=chain.staff_key))["enrollMember"]
    assert [error["code"] for error in refused["userErrors"]] == ["KEY_REUSED"]


async def test_another_chain_sees_and_touches_nothing(platform: Platform, chain: OpenedChain) -> None:
    ada = await enroll(platform, chain, "ada")
    await record(platform, chain.staff_key, receipt(chain, "R1", ada, paid_minor=50_000))
    other = await platform.open_chain("thin-path-other", stores={"A": "Elsewhere"})
    assert (await platform.graphql(MEMBER, {"id": ada}, key=other.staff_key))["member"] is None
    theirs = await platform.graphql(RECORD, {"input": receipt(chain, "R2", ada)}, key=other.staff_key)
    assert [error["code"] for error in theirs["recordPurchase"]["userErrors"]] == ["STORE_NOT_FOUND"]
    mixed = {**receipt(chain, "R3", ada), "storeId": other.stores["A"]}
    theirs = await platform.graphql(RECORD, {"input": mixed}, key=other.staff_key)
    assert [error["code"] for error in theirs["recordPurchase"]["userErrors"]] == ["MEMBER_NOT_FOUND"]


async def test_a_guest_sees_only_the_own_data(platform: Platform, chain: OpenedChain) -> None:
    ada, bob = await enroll(platform, chain, "ada"), await enroll(platform, chain, "bob")
    key = await platform.api_key(chain.id, Caller.MEMBER, subject=ada)
    assert (await platform.graphql(MEMBER, {"id": bob}, key=key))["member"] is None
    refused = await platform.answer(RECORD, {"input": receipt(chain, "R1", ada)}, key=key)
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["DENIED"]
    entities = "query ($of: [_Any!]!) { _entities(representations: $of) { ... on Member { points { balance } } } }"
    answer = await platform.answer(entities, {"of": [{"__typename": "Member", "id": bob}]}, key=key)
    assert answer.get("errors"), "the merged graph has no _entities"


async def test_a_till_books_in_its_own_store_only(platform: Platform, chain: OpenedChain) -> None:
    ada = await enroll(platform, chain, "ada")
    till = await platform.api_key(chain.id, Caller.TILL, subject="till 1", store_ids=(chain.stores["A"],))
    elsewhere = {**receipt(chain, "R1", ada), "storeId": chain.stores["B"]}
    answer = await platform.answer(RECORD, {"input": elsewhere}, key=till)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["DENIED"]


async def test_without_a_key_nothing_is_answered(platform: Platform, chain: OpenedChain) -> None:
    ada = await enroll(platform, chain, "ada")
    answer = await platform.answer(MEMBER, {"id": ada}, key="htk_staff_madeup")
    assert answer.get("data") in (None, {"member": None})
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHENTICATED"}
