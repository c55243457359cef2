"""Which rows take something back, and of which receipt."""

import pytest

from infra.cli.importing import states
from infra.cli.importing.command import ALL_IN, SOME_REJECTED
from infra.cli.importing.requests import _refunded
from infra.cli.importing.staged import Outcome, StagedRefund, State
from infra.cli.importing.staging import SCHEMA
from tests.support.import_desk import Desk

MAPPING = """
time_zone = "UTC"
[purchases]
file = "sales.csv"
format = "csv"
skip_without = ["card"]
group_by = "no"
[purchases.refunds]
fields = { receipt = "of", receipt_store = "of_shop" }
[purchases.fields]
store = "shop"
member = "card"
occurred_at = "at"
item_code = "item"
quantity = "n"
unit_price = "each"
"""
HEAD = "shop,no,card,at,item,n,each,of,of_shop\n"


def go(desk: Desk, rows: str, *, mapping: str = MAPPING) -> int:
    desk.write({"mapping.toml": mapping, "sales.csv": HEAD + rows})
    desk.platform.stores = {"web": "sto_web", "pop": "sto_pop"}
    desk.platform.enroll("A")
    return desk.run()


def test_a_receipt_of_another_store_may_be_named(desk: Desk) -> None:
    rows = (
        "web,1,A,2020-01-01,tea,2,1.00,,\npop,1,A,2020-01-01,tea,2,1.00,,\n"
        "web,2,A,2020-01-02,tea,-1,1.00,1,pop\nweb,3,A,2020-01-02,tea,-1,1.00,1,\n"
    )
    assert go(desk, rows) == ALL_IN
    found = {number: wish["receiptStoreId"] for (_, number), wish in desk.platform.refunded.items()}
    assert found == {"2": "sto_pop", "3": "sto_web"}


def test_a_refund_that_the_file_dates_before_its_receipt_is_sent_after_it(desk: Desk) -> None:
    assert go(desk, "web,C1,A,2020-01-01,tea,-1,1.00,2,\nweb,2,A,2020-01-02,tea,2,1.00,,\n") == ALL_IN
    assert [number for *_, number in desk.platform.journal] == ["2", "C1"]


def test_a_refund_within_a_receipt_never_has_the_receipts_number(desk: Desk) -> None:
    rows = "web,1,A,2020-01-01,tea,2,1.00,,\nweb,2,A,2020-01-02,soup,1,1.00,,\nweb,2,A,2020-01-02,tea,-1,1.00,,\n"
    assert go(desk, rows) == ALL_IN
    assert [number for *_, number in desk.platform.journal] == ["1", "2", "2:1"]


def test_a_negative_amount_takes_back_too(desk: Desk) -> None:
    mapping = MAPPING.replace("unit_price", "gross")
    assert go(desk, "web,1,A,2020-01-01,tea,2,5.00,,\nweb,2,A,2020-01-02,tea,1,-2.50,,\n", mapping=mapping) == ALL_IN
    assert desk.platform.refunded["sto_web", "2"]["lines"] == [{"line": 1, "quantity": 1, "amountMinor": 250}]


def test_rows_of_nobody_do_not_count(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(desk, "web,1,A,2020-01-01,tea,2,5.00,,\nweb,2, ,2020-01-02,tea,2,5.00,,\n") == ALL_IN
    assert capsys.readouterr().out.startswith("rows read      2, 1 left out by the filter\npurchases      1 booked\n")
    mapping = MAPPING.replace('["card"]', '["caed"]')
    assert desk.run() == ALL_IN
    desk.write({"mapping.toml": mapping})
    with pytest.raises(Exception, match="has no column caed"):
        desk.run()


def test_a_price_that_is_too_high_is_told_by_its_column(desk: Desk) -> None:
    assert go(desk, "web,1,A,2020-01-01,tea,2000000000,5000.00,,\n") == SOME_REJECTED
    assert desk.rejected() == [["sales.csv", "2", "each", "is more than 1000000000000 in minor units"]]


def test_a_refund_that_the_platform_refused_later_is_told() -> None:
    refund = StagedRefund(1, "f", 7, "web", "C1", "web", "1", 2, "A", 0, 0, b"[]")
    answer = {"userErrors": [], "repeatedCall": True, "refund": {"state": "REFUSED", "why": "No room.", "taken": []}}
    assert _refunded(refund, answer) == Outcome(7, State.REJECTED, reason="No room.")
    error = {"code": "REFUND_REUSED", "field": "refunds.0.receiptNumber", "message": "Other content."}
    assert _refunded(refund, {"userErrors": [error]}) == Outcome(
        7, State.REJECTED, path="refundedReceipt", reason="Other content. (REFUND_REUSED)"
    )


def test_a_staging_file_of_another_version_is_not_looked_at(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert go(desk, "web,1,A,2020-01-01,tea,2,5.00,,\n") == ALL_IN
    monkeypatch.setattr(states, "SCHEMA", SCHEMA + "-- other")
    assert desk.run() == ALL_IN
    assert len(list((desk.folder / "state").glob("*.sqlite"))) == 2
