"""Each effect happens once, whoever is killed while the events are on their way."""

from typing import Any

import pytest

from tests.e2e.guests import enroll, receipt
from tests.support.eventually import eventually
from tests.support.platform import OpenedChain, Platform

GUESTS, RECEIPTS = 30, 6

RECORD_MANY = """mutation ($input: RecordPurchasesInput!) {
  recordPurchases(input: $input) { results { purchase { points } userErrors { code message } } } }"""

EFFECTS = """query ($id: ID!) { member(id: $id) {
  points { balance } visits { count spend { amountMinor } } coupons { nodes { reason } } invitations { id } } }"""

EXPECTED = {
    # 250.00 six times: the second one crosses, the four after it earn a fifth more.
    "points": {"balance": 2 * 250 + 4 * 300},
    "visits": {"count": RECEIPTS, "spend": [{"amountMinor": RECEIPTS * 25_000}]},
    "coupons": {"nodes": [{"reason": "tier:silver"}]},
}


async def buy(platform: Platform, chain: OpenedChain, guests: list[str], *, day: int) -> None:
    """Book a receipt of each guest; sent until it is answered, as a till does."""
    bought = [receipt(chain, f"{guest}-{day}", guest, paid_minor=25_000, day=day) for guest in guests]

    async def answered() -> bool:
        answer = await platform.answer(RECORD_MANY, {"input": {"purchases": bought}}, key=chain.staff_key)
        results = (answer.get("data") or {}).get("recordPurchases", {}).get("results", [])
        assert [result["userErrors"] for result in results] == [[]] * len(bought), answer
        return True

    await eventually(answered, within_s=40)


@pytest.mark.parametrize("killed", ["members", "campaigns", "feedback", "points"])
async def test_each_effect_once(platform: Platform, killed: str) -> None:
    chain = await platform.open_chain(f"once-{killed}", stores={"A": "Bund"})
    async with platform.operator() as operator:
        await operator.save_tier_offer(
            chain.id, "silver-offer", level="silver", title="20 off", value_minor=2_000, valid_days=30
        )
    guests = [await enroll(platform, chain, f"guest {number}") for number in range(GUESTS)]
    for day in range(1, RECEIPTS + 1):
        await buy(platform, chain, guests, day=day)
        if day in {2, 4}:
            platform.kill(killed)
            platform.restart(killed)

    async def effects(guest: str) -> dict[str, Any]:
        answer = await platform.answer(EFFECTS, {"id": guest}, key=chain.staff_key)
        # Just after a restart the gateway may not have reached the service again.
        assert "errors" not in answer
        member: dict[str, Any] = answer["data"]["member"]
        # These receipts are months old, so nobody is invited to a survey because of them.
        assert member.pop("invitations") == []
        return member

    async def all_there() -> bool:
        assert [await effects(guest) for guest in guests] == [EXPECTED] * GUESTS
        return True

    await eventually(all_there, within_s=60)
