"""Whatever stands in a document, a verification goes on to its end, and tells of it."""

from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database
from services.points.domain.commands import Merge, Split, TakeOver
from services.points.store.collections import ACCOUNTS, ENTRIES, HOLDS, LOTS, RECEIPTS
from tests.contract.points.booked import CHAIN, Booker, booker_on, day, seal_until, verified

Document = dict[str, Any]

ODD: list[Any] = [None, "x", 1.5, {}, [], True, [1], {"a": 1}, day(-9), b"x", 2**40]

NOT_TOLD = {
    # What no posting says, so that nothing can be compared with it: the cursor of the account's events, what
    # it counts, until when it has its level, whether a reminder was sent, what it was called at the till.
    *("counts", "standing", "as_of", "currency", "events", "reminded_for"),
    # Of a hold: until when it runs, and for which order.
    *("expires_at", "reference", "purchase"),
}


@pytest.fixture
async def booker(database: Database) -> AsyncIterator[Booker]:
    async with booker_on(database) as booker:
        yield booker


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each value within a document, at any depth."""
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        if name not in {"_id", "chain", "account"} or path:
            yield from places(inner, (*path, name))


def with_odd(document: Document, place: tuple[Any, ...], odd: Any) -> Document:
    changed = deepcopy(document)
    holder: Any = changed
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = odd
    return changed


def is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize(
    ("keyed", "which"),
    [
        (ENTRIES, {"account": "mem_ada", "kind": "purchase"}),
        (ENTRIES, {"account": "mem_ada", "kind": "hold"}),
        (ACCOUNTS, {"account": "mem_ada"}),
        (LOTS, {"account": "mem_ada", "lot": "pur_R1/points"}),
        (HOLDS, {"account": "mem_ada"}),
    ],
    ids=lambda value: value.name if isinstance(value, Keyed) else "",
)
async def test_anything_may_stand_anywhere(booker: Booker, keyed: Keyed, which: Document) -> None:
    await booker.book(booker.purchase("R1", at=day(0)), booker.purchase("R2", at=day(0), member="mem_bob"))
    await booker.book(booker.hold("hld_1", 40, at=day(1), hours=200))
    await seal_until(booker.database, day(3))
    rows = booker.database.collection(keyed)
    right = await rows.find_one({"chain": CHAIN, **which})
    assert right is not None
    key = {"chain": CHAIN, "account": "mem_ada", "_id": right["_id"]}
    for place in places(right):
        for odd in ODD:
            changed = with_odd(right, place, odd)
            if is_same(changed, right) or (place == ("due_at",) and isinstance(odd, datetime)):
                continue  # what says that something may fall due earlier than it does is no error
            try:
                await rows.replace_one(key, changed)
            except DuplicateKeyError:  # a list of another version
                continue
            findings = await verified(booker.database)
            assert {finding.account for finding in findings} <= {"mem_ada", ""}, (place, odd)
            if keyed is ENTRIES or place[0] not in NOT_TOLD:
                assert findings, (place, odd)
            assert len(findings) <= 8, (place, odd, findings)
    await rows.replace_one(key, right)
    assert await verified(booker.database) == []


async def take_over(booker: Booker) -> None:
    """A payer's account with two receipts goes into bob's, who has one."""
    await booker.book(
        booker.purchase("R1", at=day(0), member="pay_1"), booker.purchase("R2", at=day(1), member="pay_1")
    )
    await booker.book(booker.purchase("R3", at=day(1), member="mem_bob"))
    await booker.book(
        TakeOver(
            author=booker.author(day(2)),
            account="pay_1",
            fingerprint=b"",
            at=day(2),
            into="mem_bob",
            version=2,
            receipts=("sto_1/R1", "sto_1/R2"),
        )
    )
    await booker.book(booker.refund("F1", of="R1", at=day(3)), booker.purchase("R4", at=day(3), member="pay_1"))


async def test_an_account_that_went_into_another_is_right(booker: Booker) -> None:
    await take_over(booker)
    await seal_until(booker.database, day(5))
    assert await verified(booker.database) == []


async def test_both_sides_of_a_merge_mirror_each_other(booker: Booker) -> None:
    await take_over(booker)
    rows = booker.database.collection(ENTRIES)
    into = await rows.find_one({"chain": CHAIN, "account": "mem_bob", "kind": "merged_from"})
    assert into is not None
    key = {"chain": CHAIN, "account": "mem_bob", "_id": into["_id"]}
    await rows.update_one(key, {"$set": {"reference": "pay_2"}})
    told = {(one.invariant.value, one.account, one.version) for one in await verified(booker.database)}
    assert told == {("chain", "mem_bob", 2), ("sum", "mem_bob", 2), ("sum", "pay_1", 3)}


async def merge_with_a_hold(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)), booker.purchase("R2", at=day(0), member="mem_bob"))
    await booker.book(booker.hold("hld_1", 40, at=day(1), hours=200))
    await booker.book(booker.capture("hld_1", at=day(1), amount=10))
    more: dict[str, Any] = {"account": "mem_ada", "fingerprint": b"", "at": day(2), "merge": "mrg_1"}
    await booker.book(Merge(author=booker.author(day(2)), into="mem_bob", **more))


async def test_two_that_became_one_are_right_and_apart_again(booker: Booker) -> None:
    await merge_with_a_hold(booker)
    await seal_until(booker.database, day(3))
    assert await verified(booker.database) == []
    more: dict[str, Any] = {"account": "mem_ada", "fingerprint": b"", "at": day(4), "merge": "mrg_1"}
    await booker.book(Split(author=booker.author(day(4)), **more))
    await seal_until(booker.database, day(5))
    assert await verified(booker.database) == []


@pytest.mark.parametrize(
    ("keyed", "which", "change"),
    [
        (ACCOUNTS, {"account": "mem_bob"}, {"ties.joined": []}),
        (ACCOUNTS, {"account": "mem_ada"}, {"ties.been_in": ["mem_bob", "mem_cyd"]}),
        (ACCOUNTS, {"account": "mem_ada"}, {"merged_into": ""}),
        (HOLDS, {"account": "mem_bob"}, {"amount": 41}),
        (HOLDS, {"account": "mem_bob"}, {"taken.0.amount": 11}),
        (HOLDS, {"account": "mem_bob"}, {"parts.0.amount": 31}),
        (HOLDS, {"account": "mem_bob"}, {"pinned": True}),
        (LOTS, {"account": "mem_bob", "lot": "pur_R1/points"}, {"free": 61}),
        (ENTRIES, {"account": "mem_bob", "kind": "merged_from"}, {"amount": 1}),
        (ENTRIES, {"account": "mem_ada", "kind": "hold_left"}, {"reference": "hld_2"}),
    ],
    ids=str,
)
async def test_what_a_merge_left_is_checked(booker: Booker, keyed: Keyed, which: Document, change: Document) -> None:
    await merge_with_a_hold(booker)
    changed = await booker.database.collection(keyed).update_one({"chain": CHAIN, **which}, {"$set": change})
    assert changed.modified_count == 1
    assert await verified(booker.database) != []


async def test_postings_without_an_account_are_found(booker: Booker) -> None:
    await booker.book(*(booker.purchase(f"R{n}", at=day(0), member=f"mem_{n}") for n in range(3)))
    for member in ("mem_0", "mem_2"):
        await booker.database.collection(ACCOUNTS).delete_one({"chain": CHAIN, "account": member})
    told = [(one.invariant.value, one.account) for one in await verified(booker.database)]
    assert told == [("account", "mem_0"), ("account", "mem_2")]


async def test_a_receipt_that_moved_to_another_number_is_found(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)))
    await booker.book(booker.refund("F1", of="R1", at=day(0) + timedelta(hours=1), amount_minor=100))
    receipts = booker.database.collection(RECEIPTS)
    receipt = await receipts.find_one({"chain": CHAIN, "key": "sto_1/R1"})
    assert receipt is not None
    await receipts.delete_one({"chain": CHAIN, "key": "sto_1/R1", "_id": receipt["_id"]})
    await receipts.insert_one({**receipt, "key": "sto_1/R2"})
    [finding] = await verified(booker.database)
    assert (finding.invariant.value, finding.account, finding.version) == ("receipt", "mem_ada", 1)
