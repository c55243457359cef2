import asyncio
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from services.kit.errors import Problem
from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database, Session
from services.points.domain.findings import Finding
from services.points.domain.verification import Stored
from services.points.store.collections import ACCOUNTS, ENTRIES, HOLDS, LOTS, RECEIPTS, SEALS
from services.points.store.verification import MongoLedgerReader
from services.points.usecases import verify_ledger as verifying
from tests.contract.points.booked import (
    CHAIN,
    KEY,
    PROGRAMS,
    Booker,
    booker_on,
    day,
    progresses,
    seal_until,
    verified,
)

Document = dict[str, Any]


@pytest.fixture
async def booker(database: Database) -> AsyncIterator[Booker]:
    async with booker_on(database) as booker:
        yield booker


async def book_a_month(booker: Booker) -> None:
    """Everything that an account can see: ada's 17 postings, bob's and cat's few."""
    await booker.book(booker.purchase("R1", at=day(0), paid_minor=30_000, coffees=2))
    await booker.book(booker.hold("hld_1", 120, at=day(1)), booker.pin("hld_1", at=day(1)))
    await booker.book(booker.capture("hld_1", at=day(2), amount=50))
    await booker.book(booker.purchase("R2", at=day(3), paid_minor=40_000, holds=("hld_1",)))
    await booker.book(booker.refund("F1", of="R2", at=day(4)), booker.refund("F2", of="R1", at=day(4), amount_minor=1))
    await booker.book(booker.hold("hld_2", 60, at=day(5), hours=1))
    await booker.book(booker.hold("hld_3", 30, at=day(6), hours=240))  # hld_2 has run out
    await booker.book(booker.adjust(-25, at=day(6.2)), booker.freeze(at=day(6.3)))
    await booker.book(booker.refund("F3", of="R3", at=day(7)))  # waits
    await booker.book(booker.purchase("R3", at=day(6.9), paid_minor=5_000, booked_at=day(7)))
    await booker.book(
        booker.purchase("R4", at=day(7), member="mem_bob"), booker.purchase("R5", at=day(7), member="mem_cat")
    )
    await booker.book(booker.purchase("R6", at=day(7.1), member="mem_bob", paid_minor=700))
    await booker.book(booker.purchase("R7", at=day(7.2), member="mem_bob", paid_minor=900))


async def change(
    database: Database, keyed: Keyed, which: Document, field: str, to: Callable[[Any], Any]
) -> tuple[Document, Document]:
    """Change one stored value behind the ledger's back; return the document before and after."""
    rows = database.collection(keyed)
    before = await rows.find_one({"chain": CHAIN, **which})
    assert before is not None
    after = deepcopy(before)
    holder: Any = after
    *path, last = (int(step) if step.isdigit() else step for step in field.split("."))
    for step in path:
        holder = holder[step]
    holder[last] = to(holder.get(last) if isinstance(holder, dict) else holder[last])
    assert after != before or str(after) != str(before)
    await put(database, keyed, before, after)
    return before, after


async def put(database: Database, keyed: Keyed, before: Document, after: Document) -> None:
    """Write `after` in the place of `before`."""
    rows = database.collection(keyed)
    await rows.delete_one({**{name: before[name] for name in keyed.shard_key}, "_id": before["_id"]})
    await rows.insert_one(after)


async def found_with(database: Database, keyed: Keyed, which: Document, field: str, to: Any) -> list[Finding]:
    """Return what is found while that value is changed."""
    before, after = await change(database, keyed, which, field, to)
    findings = await verified(database)
    await put(database, keyed, after, before)
    return findings


def where(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.invariant.value, finding.account) for finding in findings}


async def test_a_clean_ledger_has_nothing_to_tell(booker: Booker) -> None:
    await book_a_month(booker)
    await seal_until(booker.database, day(9))
    steps = await progresses(booker.database)
    assert [step[1] for step in steps] == [[]]
    assert steps[-1][2:] == (3, await booker.database.collection(ENTRIES).count_documents({"chain": CHAIN}), True)


async def test_an_empty_ledger_is_right(booker: Booker) -> None:
    assert [step[1:] for step in await progresses(booker.database)] == [([], 0, 0, True)]


def flipped(value: Any) -> Any:
    match value:
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case str():
            return chr(ord(value[0]) ^ 1) + value[1:] if value else "x"
        case bool():
            return not value
        case int():
            return value ^ 1
        case None:
            return day(0)
        case _:
            return value + timedelta(milliseconds=1)


FIELDS = [
    "entry", "kind", "reference", "occurred_at", "booked_at", "booked_by", "key", "currency", "amount",
    "legs.0.account", "legs.0.amount", "balances.available", "balances.pending", "balances.held", "balances.debt",
    "balances.lifetime", "hash", "grants.0.id", "grants.0.currency", "grants.0.free", "grants.0.held",
    "grants.0.granted_at", "grants.0.expires_at", "grants.0.pending_until", "grants.0.policy_version",
    "grants.0.source", "note", "released", "lots", "unheard_of",
]  # fmt: skip


ADDED = {"note": "x", "released": ["pur_R4/points"], "lots": [{"lot": "l", "free": 0, "held": 0}], "unheard_of": 1}
"""Fields that the entry which is changed does not have."""


async def test_a_changed_byte_in_any_field_of_an_entry_is_found(booker: Booker) -> None:
    await book_a_month(booker)
    for field in FIELDS:
        findings = await found_with(
            booker.database,
            ENTRIES,
            {"account": "mem_bob", "version": 2},
            field,
            (lambda _, field=field: ADDED[field]) if field in ADDED else flipped,
        )
        assert ("chain", "mem_bob") in where(findings), field
        assert {finding.account for finding in findings} == {"mem_bob"}, field
        assert len(findings) <= 6, findings
    assert await verified(booker.database) == []


ELSEWHERE: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("hold", "lots.0.lot", flipped),
    ("hold", "lots.0.free", lambda free: free - 1),
    ("hold", "lots.0.held", flipped),
    ("adjustment", "note", flipped),
    ("hold", "lots.0.free", lambda free: free + 0.5),
    ("refund", "legs", lambda legs: [*legs, {"account": "program:debt", "amount": 0}]),
    ("hold", "version", lambda version: version + 1_000),
    ("hold", "version", lambda version: -version),
    ("hold", "amount", lambda _: True),
    ("hold", "occurred_at", lambda moment: moment.isoformat()),
    ("hold", "kind", lambda _: "gift"),
    ("hold", "hash", lambda _: "gift"),
]


async def test_so_is_one_in_what_only_some_entries_have(booker: Booker) -> None:
    await book_a_month(booker)
    for kind, field, to in ELSEWHERE:
        findings = await found_with(booker.database, ENTRIES, {"account": "mem_ada", "kind": kind}, field, to)
        assert where(findings) & {("chain", "mem_ada"), ("version", "mem_ada")}, (kind, field)
        assert {finding.account for finding in findings} == {"mem_ada"}
        assert len(findings) <= 8, findings
    assert await verified(booker.database) == []


async def test_an_entry_that_went_to_another_account_is_found_at_both(booker: Booker) -> None:
    await book_a_month(booker)
    rows = booker.database.collection(ENTRIES)
    entry = await rows.find_one({"chain": CHAIN, "account": "mem_bob", "version": 2})
    assert entry is not None
    await rows.delete_one({"chain": CHAIN, "account": "mem_bob", "_id": entry["_id"]})
    await rows.insert_one({**entry, "account": "mem_bpb"})
    findings = await verified(booker.database)
    assert ("version", "mem_bob") in where(findings)
    assert ("account", "mem_bpb") in where(findings)


async def test_a_changed_byte_is_one_finding_and_not_one_for_each_posting_after_it(booker: Booker) -> None:
    await book_a_month(booker)
    await change(booker.database, ENTRIES, {"account": "mem_ada", "version": 2}, "reference", lambda _: "hld_9")
    changed = [(one.invariant.value, one.version) for one in await verified(booker.database)]
    assert ("chain", 2) in changed
    assert len([one for one in changed if one[0] == "chain"]) == 1
    await change(booker.database, ENTRIES, {"account": "mem_bob", "version": 1}, "hash", flipped)
    bob = [one for one in await verified(booker.database) if one.account == "mem_bob"]
    assert [(one.invariant.value, one.version) for one in bob] == [("chain", 1)]
    await change(booker.database, ENTRIES, {"account": "mem_cat"}, "balances.available", flipped)
    cat = [one for one in await verified(booker.database) if one.account == "mem_cat"]
    assert [(one.invariant.value, one.version) for one in cat] == [("chain", 1), ("balances", 1), ("account", 0)]


async def test_a_deleted_entry_is_found(booker: Booker) -> None:
    await book_a_month(booker)
    await remove(booker.database, "mem_bob", 2)
    [finding] = await verified(booker.database)
    assert (finding.invariant.value, finding.account, finding.version) == ("version", "mem_bob", 2)
    assert finding.message == "version 2 is missing"


async def remove(database: Database, account: str, version: int) -> None:
    rows = database.collection(ENTRIES)
    entry = await rows.find_one({"chain": CHAIN, "account": account, "version": version})
    assert entry is not None
    await rows.delete_one({"chain": CHAIN, "account": account, "_id": entry["_id"]})


async def test_a_deleted_tail_entry_is_found(booker: Booker) -> None:
    await book_a_month(booker)
    await remove(booker.database, "mem_bob", 3)
    [finding] = await verified(booker.database)
    assert (finding.invariant.value, finding.account) == ("version", "mem_bob")
    assert finding.message == "the journal ends at version 2, the account stands at 3"


async def test_an_account_that_was_set_back_is_found(booker: Booker) -> None:
    await book_a_month(booker)
    await change(booker.database, ACCOUNTS, {"account": "mem_bob"}, "version", lambda _: 2)
    [finding] = await verified(booker.database)
    assert (finding.invariant.value, finding.message) == (
        "version",
        "the journal ends at version 3, the account stands at 2",
    )


async def test_a_rewound_account_is_found_by_the_seal(booker: Booker) -> None:
    await book_a_month(booker)
    before = booker.database.collection(ACCOUNTS)
    rewound = await before.find_one({"chain": CHAIN, "account": "mem_bob"})
    assert rewound is not None
    await booker.book(booker.purchase("R8", at=day(7.3), member="mem_bob", paid_minor=100))
    assert await seal_until(booker.database, day(9)) == 9
    assert await verified(booker.database) == []
    await remove(booker.database, "mem_bob", 4)
    key = {"chain": CHAIN, "account": "mem_bob"}
    await before.replace_one(key, rewound)
    lot = await booker.database.collection(LOTS).find_one({**key, "lot": "pur_R8/points"})
    assert lot is not None
    await booker.database.collection(LOTS).delete_one({**key, "_id": lot["_id"]})
    await booker.database.collection(RECEIPTS).delete_one({"chain": CHAIN, "key": "sto_1/R8"})
    [finding] = await verified(booker.database)
    assert (finding.invariant.value, finding.account) == ("seal", "")
    assert "from 2026-03-08 to 2026-03-09" in finding.message


async def test_a_swapped_pair_is_found(booker: Booker) -> None:
    await book_a_month(booker)
    rows = booker.database.collection(ENTRIES)
    for version, to in ((2, 1_002), (3, 2), (1_002, 3)):
        entry = await rows.find_one({"chain": CHAIN, "account": "mem_bob", "version": version})
        assert entry is not None
        await rows.update_one({"chain": CHAIN, "account": "mem_bob", "_id": entry["_id"]}, {"$set": {"version": to}})
    findings = await verified(booker.database)
    assert {("chain", "mem_bob"), ("balances", "mem_bob")} <= where(findings)
    assert {finding.version for finding in findings if finding.invariant.value == "chain"} == {2, 3}


BESIDE: list[tuple[Keyed, Document, str, Callable[[Any], Any], str]] = [
    (LOTS, {"account": "mem_bob", "lot": "pur_R4/points"}, "free", flipped, "lots"),
    (LOTS, {"account": "mem_bob", "lot": "pur_R4/points"}, "expires_at", flipped, "lots"),
    (LOTS, {"account": "mem_bob", "lot": "pur_R4/points"}, "expires_at", lambda _: None, "lots"),
    (LOTS, {"account": "mem_bob", "lot": "pur_R4/points"}, "source", flipped, "lots"),
    (LOTS, {"account": "mem_bob", "lot": "pur_R4/points"}, "open", flipped, "lots"),
    (LOTS, {"account": "mem_bob", "lot": "pur_R4/points"}, "account", lambda _: "mem_cat", "lots"),
    (LOTS, {"account": "mem_bob", "lot": "pur_R4/points"}, "lot", flipped, "lots"),
    (LOTS, {"account": "mem_bob", "lot": "pur_R4/points"}, "extra", lambda _: 1, "account"),
    (HOLDS, {"hold": "hld_3"}, "parts.0.amount", flipped, "holds"),
    (HOLDS, {"hold": "hld_3"}, "parts.0.lot", flipped, "holds"),
    (HOLDS, {"hold": "hld_3"}, "amount", flipped, "holds"),
    (HOLDS, {"hold": "hld_3"}, "state", lambda _: "voided", "holds"),
    (HOLDS, {"hold": "hld_3"}, "pinned", flipped, "holds"),
    (HOLDS, {"hold": "hld_2"}, "state", lambda _: "open", "holds"),
    (ACCOUNTS, {"account": "mem_bob"}, "balances.points.available", flipped, "account"),
    (ACCOUNTS, {"account": "mem_bob"}, "balances.points.lifetime", flipped, "account"),
    (ACCOUNTS, {"account": "mem_bob"}, "head", flipped, "account"),
    (ACCOUNTS, {"account": "mem_bob"}, "frozen", flipped, "account"),
    (ACCOUNTS, {"account": "mem_bob"}, "merged_into", lambda _: "mem_cat", "account"),
    (ACCOUNTS, {"account": "mem_bob"}, "booked_at", flipped, "account"),
    (ACCOUNTS, {"account": "mem_bob"}, "due_at", lambda _: None, "account"),
    (ACCOUNTS, {"account": "mem_bob"}, "extra", lambda _: 1, "account"),
    (RECEIPTS, {"key": "sto_1/R6"}, "entry", flipped, "receipt"),
    (RECEIPTS, {"key": "sto_1/R6"}, "member", lambda _: "mem_cat", "receipt"),
    (RECEIPTS, {"key": "sto_1/R6"}, "key", lambda _: "sto_1/R66", "receipt"),
]


async def test_what_stands_beside_the_journal_is_compared_with_it(booker: Booker) -> None:
    await book_a_month(booker)
    for keyed, which, field, to, found in BESIDE:
        account = "mem_ada" if keyed is HOLDS else "mem_bob"
        findings = await found_with(booker.database, keyed, which, field, to)
        assert (found, account) in where(findings), (keyed.name, field)
        assert len(findings) <= 3, findings
    assert await verified(booker.database) == []


async def test_a_receipt_that_was_booked_twice_is_found(booker: Booker) -> None:
    """Not by the ledger, which refuses it: a receipt's document was removed, and the till sent it again."""
    await book_a_month(booker)
    await booker.database.collection(RECEIPTS).delete_one({"chain": CHAIN, "key": "sto_1/R6"})
    await booker.book(booker.purchase("R6", at=day(7.1), member="mem_cat", paid_minor=700))
    [finding] = await verified(booker.database)
    assert (finding.invariant.value, finding.account, finding.version) == ("receipt", "mem_bob", 2)


async def test_a_changed_seal_is_found(booker: Booker) -> None:
    await book_a_month(booker)
    await seal_until(booker.database, day(9))
    await change(booker.database, SEALS, {"day": "2026-03-03"}, "root", flipped)
    findings = await verified(booker.database)
    assert [(one.invariant.value, one.account) for one in findings] == [("seal", "")] * 3
    assert [one.message.split(" of ")[0] for one in findings] == ["the seal", "the seal", "1"]


async def test_sealing_again_makes_nothing_new(booker: Booker) -> None:
    await book_a_month(booker)
    made = await asyncio.gather(*(seal_until(booker.database, day(9)) for _ in range(2)))
    assert sum(made) == 9
    assert await seal_until(booker.database, day(9)) == 0
    assert await booker.database.collection(SEALS).count_documents({"chain": CHAIN}) == 9
    assert await verified(booker.database) == []


async def test_a_run_goes_on_from_any_of_its_cursors(booker: Booker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "ACCOUNTS_AT_ONCE", 2)
    members = [f"mem_{number}" for number in range(5)]
    await booker.book(*(booker.purchase(f"R{one}", at=day(0), member=one) for one in members))
    await booker.book(*(booker.purchase(f"S{one}", at=day(1), member=one) for one in members))
    await seal_until(booker.database, day(3))
    for member in members:
        await change(booker.database, LOTS, {"account": member, "lot": f"pur_R{member}/points"}, "free", flipped)
    await remove(booker.database, "mem_3", 2)
    whole = await progresses(booker.database)
    assert [step[2] for step in whole] == [2, 4, 5]
    every = [finding for step in whole for finding in step[1]]
    assert [one.account for one in every] == ["mem_0", "mem_1", "mem_2", "mem_3", "mem_4", ""]
    for number, step in enumerate(whole):
        rest = await progresses(booker.database, cursor=step[0])
        found = [finding for earlier in whole[: number + 1] for finding in earlier[1]]
        assert found + [finding for later in rest for finding in later[1]] == every
        assert rest[-1][2:] == whole[-1][2:]


async def test_a_cursor_of_somebody_else_is_refused(booker: Booker) -> None:
    for cursor in ("x", "eJwDAAAAAAE=", "é"):
        with pytest.raises(Problem) as refused:
            await progresses(booker.database, cursor=cursor)
        assert refused.value.code == "INVALID_CURSOR"


async def test_what_is_booked_meanwhile_is_no_finding(booker: Booker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "ACCOUNTS_AT_ONCE", 3)
    members = [f"mem_{number}" for number in range(7)]
    stop = asyncio.Event()
    booked = 0

    async def go_on() -> None:
        nonlocal booked
        while not stop.is_set():
            booked += 1
            member = members[booked % 7]
            await booker.book(booker.purchase(f"R{booked}", at=day(1), member=member))
            await booker.book(booker.hold(f"hld_{booked}", 10, at=day(1), member=member))
            await booker.book(booker.capture(f"hld_{booked}", at=day(1), member=member))

    writing = asyncio.create_task(go_on())
    try:
        while booked < 60:
            assert await verified(booker.database) == []
    finally:
        stop.set()
        await writing
    steps = await progresses(booker.database)
    assert [step[1] for step in steps] == [[], [], []]
    levels = await booker.database.collection(ENTRIES).count_documents({"chain": CHAIN, "kind": "level"})
    assert steps[-1][3] == 3 * booked + levels


class Overtaken(MongoLedgerReader):
    """A reader that others are faster than, at each step of reading accounts."""

    def __init__(self, database: Database, booker: Booker) -> None:
        super().__init__(database)
        self._booker = booker
        self.steps: list[str] = []

    async def _find(self, keyed: Keyed, which: Document, session: Session | None = None) -> list[Document]:
        if session is None:  # a snapshot is not overtaken
            await self._book(keyed.name)
        return await super()._find(keyed, which, session)

    async def account(self, chain: str, account: str) -> Stored | None:
        await self._book("snapshot")
        return await super().account(chain, account)

    async def _book(self, step: str) -> None:
        number = len(self.steps)
        self.steps.append(step)
        await self._booker.book(self._booker.purchase(f"S{number}", at=day(8), member="mem_bob"))
        await self._booker.book(self._booker.hold(f"hld_s{number}", 1, at=day(8), member="mem_bob"))
        await self._booker.book(self._booker.purchase(f"T{number}", at=day(8), member=f"mem_new{number}"))


async def test_who_is_overtaken_while_reading_looks_again(booker: Booker) -> None:
    await book_a_month(booker)
    reader = Overtaken(booker.database, booker)
    steps = verifying.verify_ledger(CHAIN, cursor="", reader=reader, programs=PROGRAMS, keys=KEY)
    assert [finding async for progress in steps for finding in progress.findings] == []
    assert {"lots", "holds", "snapshot"} <= set(reader.steps)
