import asyncio
from typing import Any

import pytest

from protos.events.v1.points_pb2 import PurchaseBooked
from services.kit.errors import Problem
from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import OUTBOX
from services.points.domain.accounts import NoAccountError
from services.points.domain.batches import Recorded
from services.points.domain.commands import BookPurchase
from services.points.domain.purchases import ReceiptReusedError
from services.points.store.collections import ACCOUNTS, ENTRIES, LOTS, RECEIPTS
from tests.contract.points.conftest import Ledger, ledger_on
from tests.unit.points.receipts import command, purchase, recorded


async def rows(database: Database, keyed: Keyed, **wanted: Any) -> list[dict[str, Any]]:
    found = database.collection(keyed).find({"chain": "chn_1", **wanted}, {"_id": False})
    return await found.to_list(10_000)


async def everything(database: Database) -> list[list[dict[str, Any]]]:
    return [await rows(database, keyed) for keyed in (ACCOUNTS, ENTRIES, LOTS, RECEIPTS, OUTBOX)]


def points_of(row: dict[str, Any]) -> int:
    """Return the points available by an account's or a posting's document."""
    found = row["balances"].get("points", row["balances"])
    return int(found["available"])


async def test_a_purchase_writes_account_entry_receipt_and_event_together(database: Database, ledger: Ledger) -> None:
    answer = recorded(await ledger.submit(command(purchase("R1", paid_minor=50_000))))
    [account] = await rows(database, ACCOUNTS)
    entry, level = sorted(await rows(database, ENTRIES), key=lambda row: row["version"])
    [receipt] = await rows(database, RECEIPTS)
    events = sorted(await rows(database, OUTBOX), key=lambda row: row["sequence"])
    [lot] = await rows(database, LOTS)
    assert (points_of(account), account["version"], account["events"]["sequence"]) == (500, 2, 2)
    assert (entry["amount"], entry["legs"]) == (500, [{"account": "program:issued", "amount": -500}])
    assert (lot["account"], lot["lot"], lot["free"], lot["open"]) == ("mem_ada", "pur_R1/points", 500, True)
    assert (level["kind"], level["reference"], level["amount"]) == ("level", "silver", 0)
    assert level["hash"] == account["head"]
    assert (receipt["key"], receipt["purchase"]) == ("sto_1/R1", answer.booked.id)
    assert [row["type"] for row in events] == ["huitou.events.v1.PurchaseBooked", "huitou.events.v1.TierChanged"]
    assert [row["aggregate"] for row in events] == ["mem_ada", "mem_ada"]


async def test_what_is_told_names_who_served(database: Database, ledger: Ledger) -> None:
    await ledger.submit(command(purchase("R1", staff="li-7")))
    [booked, *_] = sorted(await rows(database, OUTBOX), key=lambda row: row["sequence"])
    assert PurchaseBooked.FromString(booked["body"]).staff_code == "li-7"


async def test_a_repeated_receipt_gets_the_first_answer_and_writes_nothing(database: Database, ledger: Ledger) -> None:
    first = recorded(await ledger.submit(command()))
    before = await everything(database)
    again = await ledger.submit(command())
    assert again == Recorded(first.booked, repeated_call=True)
    assert await everything(database) == before


async def test_a_reused_number_is_refused_and_changes_nothing(database: Database, ledger: Ledger) -> None:
    await ledger.submit(command())
    before = await everything(database)
    with pytest.raises(ReceiptReusedError):
        await ledger.submit(command(purchase(paid_minor=1)))
    assert await everything(database) == before


async def test_a_bad_command_fails_alone(database: Database, ledger: Ledger) -> None:
    answers = await ledger.submit_all(
        [
            command(purchase("R1")),
            command(purchase("R1", paid_minor=1)),
            command(purchase("R2", member="mem_nobody"), opens_account=False),
            command(purchase("R3")),
        ]
    )
    assert [type(answer) for answer in answers] == [Recorded, ReceiptReusedError, NoAccountError, Recorded]
    [account] = await rows(database, ACCOUNTS)
    assert (points_of(account), account["version"]) == (200, 2)


async def test_two_replicas_on_the_same_accounts_book_everything_once(database: Database) -> None:
    replicas = [ledger_on(database), ledger_on(database)]
    for replica in replicas:
        await replica.start()
    # Each receipt is sent to both replicas at once; three members, so that every batch meets the other's accounts.
    sent = [command(purchase(f"R{n}", paid_minor=100 * n, member=f"mem_{n % 3}")) for n in range(60)]
    try:
        answers = await asyncio.gather(*(submit_patiently(replica, one) for one in sent for replica in replicas))
    finally:
        for replica in replicas:
            await replica.stop()
    for one in range(0, len(answers), 2):
        pair = answers[one : one + 2]
        assert pair[0].booked == pair[1].booked
        assert sorted(answer.repeated_call for answer in pair) == [False, True]
    accounts = {row["account"]: row for row in await rows(database, ACCOUNTS)}
    for name, account in accounts.items():
        entries = sorted(await rows(database, ENTRIES, account=name), key=lambda row: row["version"])
        assert [row["version"] for row in entries] == list(range(1, len(entries) + 1))
        assert [row["kind"] for row in entries].count("purchase") == 20
        assert points_of(account) == sum(row["amount"] for row in entries) == points_of(entries[-1])
        assert account["head"] == entries[-1]["hash"]
        told = [row["sequence"] for row in await rows(database, OUTBOX) if row["aggregate"] == name]
        assert sorted(told) == list(range(1, account["events"]["sequence"] + 1))


async def submit_patiently(ledger: Ledger, one: BookPurchase) -> Recorded:
    """Submit as a till does: a call that was refused for contention is made again."""
    while True:
        try:
            return recorded(await ledger.submit(one))
        except Problem as problem:
            if problem.code != "CONTENDED":
                raise


async def test_chains_do_not_see_each_other(database: Database, ledger: Ledger) -> None:
    await ledger.submit_all([command(chain="chn_1"), command(chain="chn_2")])
    [account] = await rows(database, ACCOUNTS)
    assert (account["chain"], points_of(account)) == ("chn_1", 100)
