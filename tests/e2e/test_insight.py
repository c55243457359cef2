"""From the till to the report: a real purchase is a row of the chain's sales, through the broker and the graph."""

from typing import Any

from services.kit.principal import Caller
from tests.e2e.guests import enroll, receipt, record
from tests.support.eventually import eventually
from tests.support.platform import Platform

STORES = """mutation ($input: SaveStoresInput!) {
  saveStores(input: $input) { stores { id code region } userErrors { code field } } }"""
REFUND = """mutation ($input: RecordRefundInput!) {
  recordRefund(input: $input) { refund { id } userErrors { code field message } } }"""
SALES = """query ($input: SalesInput!) { sales(input: $input) { currency
  rows { region itemCode hour sums { receipts paidMinor refundedMinor netMinor } } } }"""
CSV = """query ($input: SalesInput!) { salesCsv(input: $input) }"""
FORECAST = """query ($store: ID!) { forecast(storeId: $store) { timeZone days { day } coversError { weeks } } }"""


async def test_a_purchase_is_a_row_of_sales(platform: Platform) -> None:
    chain = await platform.open_chain("insight-sales", stores={"A": "Bund", "B": "Xuhui"})
    wish = {"stores": [{"code": "A", "name": "Bund", "region": "east"}, {"code": "B", "name": "Xuhui"}]}
    saved = (await platform.graphql(STORES, {"input": wish}, key=chain.staff_key))["saveStores"]
    assert [store["region"] for store in saved["stores"]] == ["east", None]
    ada = await enroll(platform, chain, "ada")
    await record(platform, chain.staff_key, receipt(chain, "R1", ada))
    await record(platform, chain.staff_key, receipt(chain, "R2", ada, paid_minor=5_000))
    back = {
        "storeId": chain.stores["A"],
        "refundNumber": "C1",
        "receiptNumber": "R2",
        "occurredAt": "2026-03-10T13:00:00+08:00",
    }
    refunded = await platform.graphql(REFUND, {"input": back}, key=chain.staff_key)
    assert refunded["recordRefund"]["userErrors"] == []
    march = {"from": "2026-03-01", "until": "2026-03-31"}

    async def seen() -> list[dict[str, Any]]:
        report = (await platform.graphql(SALES, {"input": {**march, "by": ["REGION", "HOUR"]}}, key=chain.staff_key))[
            "sales"
        ]
        assert report["currency"] == "CNY"
        assert report["rows"] == [
            {"region": "east", "itemCode": None, "hour": 12,
             "sums": {"receipts": 2, "paidMinor": 15_000, "refundedMinor": 0, "netMinor": 15_000}},
            {"region": "east", "itemCode": None, "hour": 13,
             "sums": {"receipts": 0, "paidMinor": 0, "refundedMinor": 5_000, "netMinor": -5_000}},
        ]  # fmt: skip
        rows: list[dict[str, Any]] = report["rows"]
        return rows

    await eventually(seen)
    text = (await platform.graphql(CSV, {"input": {**march, "by": ["ITEM"]}}, key=chain.staff_key))["salesCsv"]
    head, line = text.split("\r\n")[:2]
    assert dict(zip(head.split(","), line.split(","), strict=True))["item"] == "noodles"
    forecast = (await platform.graphql(FORECAST, {"store": chain.stores["A"]}, key=chain.staff_key))["forecast"]
    assert (len(forecast["days"]), forecast["coversError"]["weeks"]) == (14, 0)
    till = await platform.api_key(chain.id, Caller.TILL, subject="till 1", store_ids=(chain.stores["A"],))
    refused = await platform.answer(SALES, {"input": march}, key=till)
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["DENIED"]
