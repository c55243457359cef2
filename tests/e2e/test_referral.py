"""A guest brings another one: over all services, both are rewarded once, on the first purchase."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.kit.principal import Caller
from tests.e2e.guests import RECORD, enroll, receipt
from tests.e2e.test_ledger import REFUND, huitou
from tests.support.eventually import eventually
from tests.support.platform import OpenedChain, Platform

CODE = "mutation { createReferralCode(input: {}) { code userErrors { code } } }"
JOIN = """mutation ($input: EnrollMemberInput!) { enrollMember(input: $input) {
  member { id source { referrerId } } userErrors { code message } } }"""
SHOWN = """query ($id: ID!) { member(id: $id) {
  referrals { waitingCount completedCount } points { balance entries { nodes { kind points } } } } }"""


async def rewarding_program(platform: Platform, chain: OpenedChain, folder: Path) -> datetime:
    """Publish a program that rewards referrals, and return from when on it holds."""
    code, terms = await huitou(platform, "program", "show", key=chain.staff_key)
    assert code == 0
    referral = {"referrerPoints": 300, "referredPoints": 200, "mostAMonth": 5}
    file = folder / "program.json"
    file.write_text(json.dumps(json.loads(terms) | {"referral": referral}))
    assert (await huitou(platform, "program", "save", str(file), key=chain.staff_key))[0] == 0
    code, published = await huitou(platform, "program", "publish", key=chain.staff_key)
    assert code == 0
    return datetime.fromisoformat(published.split()[-1])


async def shown(platform: Platform, chain: OpenedChain, member: str) -> dict[str, Any]:
    answer = await platform.graphql(SHOWN, {"id": member}, key=chain.staff_key)
    return dict(answer["member"])


async def test_both_sides_of_a_referral_are_rewarded_once(platform: Platform, tmp_path: Path) -> None:
    chain = await platform.open_chain("referral-chain", stores={"A": "Bund"})
    # A till's clock may run ahead by five minutes: nobody has to wait until the version holds.
    paid_at = await rewarding_program(platform, chain, tmp_path) + timedelta(seconds=1)
    ada = await enroll(platform, chain, "Ada")
    adas = await platform.api_key(chain.id, Caller.MEMBER, subject=ada)
    code = (await platform.graphql(CODE, key=adas))["createReferralCode"]["code"]
    wish = {"key": "bob-joins", "profile": {"name": "Bob"}, "channel": "APP", "source": {"referralCode": code}}
    joined = (await platform.graphql(JOIN, {"input": wish}, key=chain.staff_key))["enrollMember"]
    assert joined["member"]["source"] == {"referrerId": ada}
    bob = joined["member"]["id"]
    for number in ("B1", "B2", "B1"):
        bought = receipt(chain, number, bob) | {"occurredAt": paid_at.isoformat()}
        answer = await platform.graphql(RECORD, {"input": bought}, key=chain.staff_key)
        assert answer["recordPurchase"]["userErrors"] == []

    async def rewarded() -> bool:
        mine, his = [(await shown(platform, chain, one))["points"]["balance"] for one in (ada, bob)]
        return (mine, his) == (300, 400)

    await eventually(rewarded, within_s=30)
    back = {
        "storeId": chain.stores["A"],
        "refundNumber": "C1",
        "receiptNumber": "B1",
        "occurredAt": paid_at.isoformat(),
    }
    assert (await platform.graphql(REFUND, {"input": back}, key=chain.staff_key))["recordRefund"]["userErrors"] == []
    both = [await shown(platform, chain, one) for one in (ada, bob)]
    assert [one["points"]["balance"] for one in both] == [300, 300]
    assert both[0]["referrals"] == {"waitingCount": 0, "completedCount": 1}
    assert [
        [entry["points"] for entry in one["points"]["entries"]["nodes"] if entry["kind"] == "REFERRAL"] for one in both
    ] == [[300], [200]]
    assert (await huitou(platform, "verify-ledger", "--chain", chain.id, "--state", str(tmp_path)))[0] == 0
