"""A chain moves over: opening balances, purchases and refunds through the whole platform."""

from pathlib import Path
from typing import Any

from services.kit.principal import Caller
from tests.support.importing import Importer
from tests.support.platform import Platform

MAPPING = """
time_zone = "Asia/Shanghai"
store.code = "web"
[members]
file = "members.csv"
format = "csv"
fields = { external_id = "card" }
[openings]
file = "balances.csv"
format = "csv"
fields = { account = "account", member = "card", amount = "points", earned_at = "since", expires_at = "until" }
[purchases]
file = "receipts.csv"
format = "csv"
group_by = "receipt"
[purchases.refunds]
numbers_begin_with = "C"
[purchases.fields]
member = "card"
occurred_at = "at"
item_code = "item"
quantity = "pieces"
unit_price = "price"
"""
FILES = {
    "mapping.toml": MAPPING,
    "members.csv": "card\nA\nB\n",
    "balances.csv": "account,card,points,since,until\n7,A,300,2023-06-01,2099-06-01\n7,A,40,2023-07-01,\n",
    "receipts.csv": "receipt,card,at,item,pieces,price\n"
    "1,A,2024-03-01T12:00,rice,2,10.00\n"
    "1,A,2024-03-01T12:00,tea,4,2.50\n"
    "2,A,2024-03-02T12:00,rice,1,10.00\n"
    "C3,A,2024-03-03T12:00,rice,-2,10.00\n"  # one of the second receipt, one of the first
    "4,A,2024-03-04T12:00,soup,1,7.00\n"
    "4,A,2024-03-04T12:00,tea,-4,2.50\n"
    "5,B,2024-03-05T12:00,rice,3,10.00\n"
    "C6,B,2024-03-06T12:00,rice,-4,10.00\n",  # more than was bought
}
SCOPES = ("members:read", "members:import", "purchases:write", "points:read", "chain:write", "ledger:open")
SHOW = "query ($id: ID!) { member(id: $id) { points { balance lifetime entries { nodes { points } } } } }"


async def test_balances_purchases_and_refunds_go_in_once(platform: Platform, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    chain = await platform.open_chain("import-moving", stores={"web": "Web"})
    async with platform.operator() as operator:
        key = await operator.create_api_key(chain.id, Caller.STAFF, subject="Mover", scopes=SCOPES)
    importing = Importer(platform, key, tmp_path, tmp_path / "mapping.toml", tmp_path)

    first = await _summary(importing, state="first")
    assert first["openings"] == "1 opened"
    assert (first["purchases"], first["refunds"]) == ("4 booked", "3 booked")
    assert first["refund rows"] == "3, 2 matched, 1 not matched"
    # 30 + 10 + 7 + 30 for what was bought; 10 for the second receipt, and 10 and 10 of the first.
    assert first["points"] == "77 granted for these purchases, 30 taken back"

    again = await _summary(importing, state="second")
    assert again["openings"] == "0 opened, 1 there already"
    assert (again["purchases"], again["refunds"]) == ("0 booked, 4 there already", "0 booked, 3 there already")

    ids = dict(importing.known("SELECT external_id, member_id FROM members", state="first"))
    points = {card: await _points(platform, key, ids[card]) for card in "AB"}
    assert points["A"]["balance"] == 340 + 47 - 30
    # The newest first: the fourth receipt comes before what it took back, and both after the first refund.
    assert [entry["points"] for entry in points["A"]["entries"]["nodes"]] == [-10, 7, -10, -10, 10, 30, 340]
    assert points["B"]["balance"] == 30


async def _summary(importing: Importer, *, state: str) -> dict[str, str]:
    process = await importing.start(state=state)
    out, err = await process.communicate()
    assert process.returncode == 2, err.decode()  # one row is rejected
    return {line[:14].strip(): line[15:] for line in out.decode().splitlines()}


async def _points(platform: Platform, key: str, member: str) -> dict[str, Any]:
    answer = await platform.graphql(SHOW, {"id": member}, key=key)
    points: dict[str, Any] = answer["member"]["points"]
    return points
