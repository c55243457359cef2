"""Guests and their receipts, through GraphQL, as an app and a till send them."""

from typing import Any

from tests.support.platform import OpenedChain, Platform

ENROLL = """mutation ($input: EnrollMemberInput!) {
  enrollMember(input: $input) { member { id } repeatedCall userErrors { code field message } } }"""

RECORD = """mutation ($input: RecordPurchaseInput!) {
  recordPurchase(input: $input) {
    purchase { id points balanceAfter levelBefore levelAfter breakdown { rule points } }
    repeatedCall userErrors { code field message } } }"""

MEMBER = """query ($id: ID!) {
  member(id: $id) {
    profile { name }
    tier { level since missingMinor }
    points { balance entries { nodes { points balance } } }
    visits { count last lastGapDays usualGapDays }
    coupons { nodes { title valueMinor state } }
    cases { nodes { score comment state } } } }"""


async def enroll(platform: Platform, chain: OpenedChain, name: str) -> str:
    """Return the id of the member called `name`, the same one when called again."""
    wish = {
        "key": f"enroll-{name}",
        "profile": {"name": name, "identities": [{"kind": "EXTERNAL", "value": name}]},
        "channel": "APP",
    }
    payload = (await platform.graphql(ENROLL, {"input": wish}, key=chain.staff_key))["enrollMember"]
    assert payload["userErrors"] == []
    id_: str = payload["member"]["id"]
    return id_


def receipt(chain: OpenedChain, number: str, member: str, *, paid_minor: int = 10_000, day: int = 10) -> dict[str, Any]:
    """Return a receipt of store A, paid at noon in Shanghai on a day of March 2026."""
    return {
        "storeId": chain.stores["A"],
        "receiptNumber": number,
        "memberId": member,
        "occurredAt": f"2026-03-{day:02d}T12:00:00+08:00",
        "currency": "CNY",
        "lines": [{"itemCode": "noodles", "quantity": 1, "grossMinor": paid_minor}],
    }


async def record(platform: Platform, key: str, bought: dict[str, Any]) -> dict[str, Any]:
    """Book a receipt and return the purchase."""
    payload: dict[str, Any] = (await platform.graphql(RECORD, {"input": bought}, key=key))["recordPurchase"]
    assert payload["userErrors"] == []
    purchase: dict[str, Any] = payload["purchase"]
    return purchase
