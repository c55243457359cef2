"""The ledger through every room: refunds, holds and work by hand in GraphQL, then proof from the command line."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.e2e.guests import enroll, receipt
from tests.support.importing import ROOT
from tests.support.platform import OpenedChain, Platform

BUY = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
  purchase { points memberId redeemed { amount debt } } userErrors { code message } } }"""
AUTHORISE = """mutation ($input: AuthoriseHoldInput!) { authoriseHold(input: $input) {
  hold { id } userErrors { code message } } }"""
REFUND = """mutation ($input: RecordRefundInput!) { recordRefund(input: $input) {
  refund { state refundedMinor taken { taken debt } given { amount } } userErrors { code message } } }"""
ADJUST = """mutation ($input: AdjustPointsInput!) { adjustPoints(input: $input) {
  adjustment { state reason } userErrors { code message } } }"""
SHOW = """query ($id: ID!) { member(id: $id) { provisional points { balance held debt
  entries(first: 10) { nodes { kind points balance bookedBy } } statementCsv } } }"""


async def huitou(platform: Platform, *words: str, key: str = "") -> tuple[int | None, str]:
    """Run the command as an operator does; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "infra.cli", *words),
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HUITOU_KEYS_DIR": str(platform.keys_dir),
            "POINTS_ADDRESS": platform.address("points"),
            "HUITOU_URL": platform.graphql_url,
            "HUITOU_KEY": key,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode()


async def ask(platform: Platform, chain: OpenedChain, mutation: str, field: str, wish: dict[str, Any]) -> Any:
    payload = (await platform.graphql(mutation, {"input": wish}, key=chain.staff_key))[field]
    assert payload["userErrors"] == []
    return payload


async def test_a_ledger_is_used_verified_and_found_out(platform: Platform, tmp_path: Path) -> None:
    chain = await platform.open_chain("ledger-chain", stores={"A": "Bund"})
    guest = await enroll(platform, chain, "ledger guest")
    await ask(platform, chain, BUY, "recordPurchase", receipt(chain, "L1", guest))
    wish = {"key": "a1", "memberId": guest, "currency": "POINTS", "amount": 60}
    hold = (await ask(platform, chain, AUTHORISE, "authoriseHold", wish))["hold"]["id"]
    paid = receipt(chain, "L2", guest, paid_minor=2_000) | {"holdIds": [hold]}
    bought = await ask(platform, chain, BUY, "recordPurchase", paid)
    assert bought["purchase"]["redeemed"] == [{"amount": 60, "debt": 0}]
    back = {
        "storeId": chain.stores["A"],
        "refundNumber": "C2",
        "receiptNumber": "L2",
        "occurredAt": "2026-03-20T04:00:00Z",
    }
    refunded = (await ask(platform, chain, REFUND, "recordRefund", back))["refund"]
    assert (refunded["state"], refunded["given"]) == ("BOOKED", [{"amount": 60}])
    by_hand = {"key": "b1", "memberId": guest, "currency": "POINTS", "amount": 5, "reason": "cold soup"}
    adjusted = (await ask(platform, chain, ADJUST, "adjustPoints", by_hand))["adjustment"]
    assert adjusted == {"state": "BOOKED", "reason": "cold soup"}

    shown = (await platform.graphql(SHOW, {"id": guest}, key=chain.staff_key))["member"]["points"]
    assert (shown["balance"], shown["held"], shown["debt"]) == (105, 0, 0)
    kinds = [entry["kind"] for entry in shown["entries"]["nodes"]]
    assert kinds == ["ADJUSTMENT", "REFUND", "REVERSAL", "PURCHASE", "REDEMPTION", "HOLD", "PURCHASE"]
    assert len(shown["statementCsv"].splitlines()) == 1 + len(kinds)

    state = ("--state", str(tmp_path))
    assert (await huitou(platform, "verify-ledger", "--chain", chain.id, *state))[0] == 0
    with MongoClient[dict[str, Any]](platform.servers.mongo_url) as client:
        entries = client[f"{platform.namespace}huitou_points"]["entries"]
        entries.update_one({"chain": chain.id, "account": guest, "version": 4}, {"$inc": {"amount": 1}})
    code, found = await huitou(platform, "verify-ledger", "--chain", chain.id, *state)
    assert code == 1
    assert guest in found
    with MongoClient[dict[str, Any]](platform.servers.mongo_url) as client:
        entries = client[f"{platform.namespace}huitou_points"]["entries"]
        entries.update_one({"chain": chain.id, "account": guest, "version": 4}, {"$inc": {"amount": -1}})


async def test_who_pays_becomes_a_member_and_early_refunds_are_reported(platform: Platform) -> None:
    chain = await platform.open_chain("payers-chain", stores={"A": "Bund"})
    unknown = receipt(chain, "P1", "") | {"payment": {"kind": "wechat", "payerId": "openid-1"}}
    del unknown["memberId"]
    bought = (await ask(platform, chain, BUY, "recordPurchase", unknown))["purchase"]
    again = (await ask(platform, chain, BUY, "recordPurchase", unknown | {"receiptNumber": "P2"}))["purchase"]
    assert bought["memberId"].startswith("mem_")
    assert again["memberId"] == bought["memberId"]
    member = (await platform.graphql(SHOW, {"id": bought["memberId"]}, key=chain.staff_key))["member"]
    assert (member["provisional"], member["points"]["balance"]) == (True, 200)
    early = {
        "storeId": chain.stores["A"],
        "refundNumber": "C9",
        "receiptNumber": "P9",
        "occurredAt": "2026-03-20T04:00:00Z",
    }
    assert (await ask(platform, chain, REFUND, "recordRefund", early))["refund"]["state"] == "WAITING"
    code, listed = await huitou(platform, "refunds-waiting", "--csv", key=chain.staff_key)
    assert code == 0
    assert "C9" in listed
