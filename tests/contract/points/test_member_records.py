"""What points keeps of one person is found under all names that the person has had."""

from typing import Any

import orjson

from services.kit.member_records import Record, Section, as_json
from services.points.store.member_records import accounts_of, sections
from tests.contract.points.desk import Points, receipt, refund
from tests.contract.points.test_payers import HASH, MEMBER, mover, paid
from tests.support.clock import FixedClock


async def records(section: Section, ids: list[str], *, skip: int = 0) -> list[Record]:
    return [orjson.loads(as_json(one)) async for one in section.read("chn_1", ids, skip)]


async def test_what_was_paid_before_anybody_knew_who_it_was_is_the_members(points: Points, clock: FixedClock) -> None:
    points.members.away = True
    await points.record(paid("R1", paid_minor=40_000))
    points.members.away = False
    await mover(points, clock).move()
    await points.record(paid("R2"))
    await points.refund(refund("C1", "R2"))
    await points.record(receipt("R3", member="mem_ada"))
    ids = list(await accounts_of(points.database, "chn_1", [MEMBER]))
    assert ids == [MEMBER, f"pay_{HASH}"]
    told: dict[str, Any] = {one.name: await records(one, ids) for one in sections(points.database)}
    assert [one["receipt_number"] for one in told["purchases"]] == ["R2", "R1"]
    assert told["purchases"][0]["refunds"][0]["refund"]["number"] == "C1"
    assert {one["account"] for one in told["accounts"]} == set(ids)
    entries = [one["version"] for one in told["entries"] if one["account"] == MEMBER]
    assert entries == sorted(entries)
    assert {"hash", "head", "fingerprint", "_id"} & {
        name for some in told.values() for one in some for name in one
    } == set()
    [by_entries] = [one for one in sections(points.database) if one.name == "entries"]
    assert await records(by_entries, ids, skip=2) == told["entries"][2:]
    assert await accounts_of(points.database, "chn_2", [MEMBER]) == [MEMBER]
