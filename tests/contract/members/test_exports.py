"""Lists written to files: by any replica, after any crash, for those alone who may see what is in them."""

import asyncio
import csv
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import BytesIO, StringIO
from secrets import token_bytes
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from openpyxl import load_workbook

from protos.members.v1 import care_pb2, jobs_pb2, members_pb2
from protos.members.v1 import exports_pb2 as pb
from protos.members.v1.exports_pb2_grpc import ExportsStub
from protos.members.v1.jobs_pb2_grpc import MemberJobsStub
from services.kit.errors import Kind
from services.kit.ids import make_id
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database, Session
from services.kit.principal import Principal
from services.kit.rpc import RemoteProblem
from services.kit.sealing import FileWrappingKeys
from services.members.domain.exports import MOST_KEPT, MOST_OPEN
from services.members.jobs import write_chunk, write_exports
from services.members.store.collections import MEMBERS as MEMBERS_KEPT
from services.members.store.erasures import erase_again
from services.members.store.export_collections import EXPORT_CHUNKS, EXPORTS
from services.members.store.exports import MongoExports
from services.members.store.staff_collections import STAFF_CREDITS
from services.members.store.vault import MEMBER_KEYS, Vault
from services.members.usecases import exports as writing
from services.members.usecases.exports import Named
from tests.contract.members.test_graph import ask
from tests.support.clock import FixedClock
from tests.support.eventually import eventually
from tests.support.members_service import WRAPPING, MembersService, enrollment, phone, staff, vault_of

if TYPE_CHECKING:
    from protos.members.v1.exports_pb2_grpc import ExportsAsyncStub

ERRORS = "userErrors { code field }"
CSV, XLSX = pb.EXPORT_FORMAT_CSV, pb.EXPORT_FORMAT_XLSX
MEMBERS = pb.EXPORT_LIST_MEMBERS


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "PAGE", 3)


@pytest.fixture
def exports(service: MembersService) -> "ExportsAsyncStub":
    return service.channel.stub(ExportsStub)


def as_role(chain: str, role: str) -> Principal:
    return replace(staff(chain), id=f"key_{role}", role=role)


async def join(service: MembersService, chain: str, number: int, **profile: Any) -> str:
    request = enrollment(phone(f"+86138001380{number:02}"), name=f"Guest {number}")
    for name, value in profile.items():
        setattr(request.member.profile, name, value)
    return str((await service.enroll(request, staff(chain))).member.id)


async def start(
    service: MembersService, exports: "ExportsAsyncStub", by: Principal, *, key: str = "", **asked: Any
) -> pb.Export:
    request = pb.StartExportRequest(key=key or uuid4().hex, **{"list": MEMBERS, "format": CSV, **asked})
    found: pb.Export = await service.call(exports.StartExport, request, by)
    return found


def written_by(database: Database, clock: FixedClock) -> Callable[[], Awaitable[object]]:
    """Return what a replica's job does when it is due."""
    store = MongoExports(database, vault_of(database))
    clocks = MongoChainClocks(database, system=clock)
    return write_exports(store, clock=clock, clocks=clocks, make_id=make_id).run


async def fetched(
    service: MembersService, exports: "ExportsAsyncStub", export: str, by: Principal, *, first: int = 0
) -> bytes:
    request = pb.DownloadExportRequest(id=export, first_chunk=first)
    async with service.channel.stream(exports.DownloadExport, request, principal=by, timeout_s=30.0) as chunks:
        return b"".join([chunk.content async for chunk in chunks])


async def refused(work: Awaitable[Any]) -> RemoteProblem:
    with pytest.raises(RemoteProblem) as found:
        await work
    return found.value


class Killed(BaseException):
    """The process ends."""


class DyingVault(Vault):
    """Ends the process when the second chunk is sealed and not committed yet."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, FileWrappingKeys(WRAPPING, random_bytes=token_bytes), random_bytes=token_bytes)
        self._left = 1

    def seal(self, key: bytes, plain: bytes, *, place: tuple[str, str, str]) -> bytes:
        if self._left == 0:
            raise Killed
        self._left -= 1
        return super().seal(key, plain, place=place)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(content.decode("utf-8-sig"), newline="")))


async def test_a_list_becomes_a_file_whose_progress_can_be_watched(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, other_chain: str, clock: FixedClock
) -> None:
    ids = [await join(service, chain, number) for number in range(4)]
    await join(service, other_chain, 9)
    begun = await start(service, exports, staff(chain))
    assert (begun.state, begun.rows_done, begun.created_by) == (pb.EXPORT_STATE_QUEUED, 0, "staff:key_staff")
    assert not begun.HasField("rows_estimated")
    store = MongoExports(service.database, vault_of(service.database))
    clocks = MongoChainClocks(service.database, system=clock)
    await write_chunk(Named(chain, begun.id), exports=store, clocks=clocks, make_id=make_id)
    half = await service.call(exports.GetExport, pb.GetExportRequest(id=begun.id), staff(chain))
    assert (half.state, half.rows_done, half.rows_estimated) == (pb.EXPORT_STATE_RUNNING, 3, 4)
    problem = await refused(fetched(service, exports, begun.id, staff(chain)))
    assert problem.code == "EXPORT_NOT_FETCHABLE"
    await written_by(service.database, clock)()
    done = await service.call(exports.GetExport, pb.GetExportRequest(id=begun.id), staff(chain))
    assert (done.state, done.rows_done) == (pb.EXPORT_STATE_DONE, 4)
    content = await fetched(service, exports, begun.id, staff(chain))
    assert len(content) == done.bytes
    rows = rows_of(content)
    assert [(row["member_id"], row["name"], row["phone"]) for row in rows] == [
        (id_, f"Guest {number}", f"'+86138001380{number:02}") for number, id_ in enumerate(ids)
    ]
    assert list(rows[0]) == list(done.columns)
    again = await service.call(exports.GetExport, pb.GetExportRequest(id=begun.id), staff(chain))
    assert [one.by for one in again.fetches] == ["staff:key_staff"]


@pytest.mark.parametrize("file_format", [CSV, XLSX])
async def test_a_file_is_the_same_after_a_crash_by_whichever_replica(
    service: MembersService,
    exports: "ExportsAsyncStub",
    chain: str,
    clock: FixedClock,
    file_format: pb.ExportFormat.ValueType,
) -> None:
    for number in range(8):
        await join(service, chain, number, name=f'=SUM({number}), "中文"')
    [unkilled, killed] = [await start(service, exports, staff(chain), format=file_format) for _ in range(2)]
    store = MongoExports(service.database, vault_of(service.database))
    clocks = MongoChainClocks(service.database, system=clock)
    for _ in range(3):
        await write_chunk(Named(chain, unkilled.id), exports=store, clocks=clocks, make_id=make_id)

    dying = MongoExports(service.database, DyingVault(service.database))
    await write_chunk(Named(chain, killed.id), exports=dying, clocks=clocks, make_id=make_id)
    with pytest.raises(Killed):
        await write_chunk(Named(chain, killed.id), exports=dying, clocks=clocks, make_id=make_id)
    await written_by(service.database, clock)()
    contents = [await fetched(service, exports, one.id, staff(chain)) for one in (unkilled, killed)]
    assert contents[0] == contents[1]
    if file_format == XLSX:
        [sheet] = load_workbook(BytesIO(contents[0])).worksheets
        assert sheet.max_row == 9
        assert {cell.data_type for cell in sheet["B"]} == {"s"}
    else:
        assert {row["name"][:6] for row in rows_of(contents[0])} == {"'=SUM("}


async def test_two_replicas_at_once_write_one_file(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    ids = [await join(service, chain, number) for number in range(10)]
    begun = await start(service, exports, staff(chain))
    await asyncio.gather(*(written_by(service.database, clock)() for _ in range(2)))
    rows = rows_of(await fetched(service, exports, begun.id, staff(chain)))
    assert [row["member_id"] for row in rows] == ids
    chunks = (await service.everything())["export_chunks"]
    assert [one["chunk"] for one in chunks if one["export"] == begun.id] == [0, 1, 2, 3]


async def test_the_same_key_starts_the_same_export(
    service: MembersService, exports: "ExportsAsyncStub", chain: str
) -> None:
    first = await start(service, exports, staff(chain), key="export-0001")
    assert await start(service, exports, staff(chain), key="export-0001") == first
    other = pb.StartExportRequest(key="export-0001", list=MEMBERS, format=XLSX)
    assert (await service.refusal(exports.StartExport, other, staff(chain))).code == "KEY_REUSED"


async def test_a_file_has_what_its_makers_role_sees_and_is_for_those_who_see_no_less(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    await join(service, chain, 1, given_name="Wei", family_name="Zhang", birthday="1990-05-17")
    marketer, analyst, admin = (as_role(chain, role) for role in ("marketer", "analyst", "admin"))
    by_role = {one.id: await start(service, exports, one) for one in (marketer, analyst, admin)}
    await written_by(service.database, clock)()
    [row] = rows_of(await fetched(service, exports, by_role[marketer.id].id, marketer))
    assert {"family_name", "needs", "address"} & row.keys() == set()
    assert (row["phone"][-4:], row["birthday"]) == ("8001", "05-17")
    assert "138001" not in row["phone"]
    [row] = rows_of(await fetched(service, exports, by_role[analyst.id].id, analyst))
    assert {"name", "phone", "email", "address"} & row.keys() == set()
    [row] = rows_of(await fetched(service, exports, by_role[admin.id].id, admin))
    assert (row["family_name"], row["phone"], row["birthday"]) == ("Zhang", "'+8613800138001", "1990-05-17")
    problem = await refused(fetched(service, exports, by_role[admin.id].id, marketer))
    assert (problem.kind, problem.code) == (Kind.NOT_FOUND, "EXPORT_NOT_FOUND")
    seen = await service.call(exports.ListExports, pb.ListExportsRequest(), analyst)
    assert [one.id for one in seen.exports] == [by_role[analyst.id].id]
    seen = await service.call(exports.ListExports, pb.ListExportsRequest(), admin)
    assert {one.id for one in seen.exports} == {one.id for one in by_role.values()}


async def test_nobody_gets_what_the_key_has_no_scope_for(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, other_chain: str, clock: FixedClock
) -> None:
    def asked(**more: Any) -> pb.StartExportRequest:
        return pb.StartExportRequest(**{"key": uuid4().hex, "list": MEMBERS, "format": CSV, **more})

    for by, request, code in (
        (staff(chain, scopes=frozenset({"members:read"})), asked(), "DENIED"),
        (staff(chain, scopes=frozenset({"members:export"})), asked(), "DENIED"),
        (staff(chain, stores=["sto_1"]), asked(), "DENIED"),
        (as_role(chain, "analyst"), asked(columns=["member_id", "phone"]), "INVALID_EXPORT"),
        (staff(chain), asked(columns=["shoe_size"]), "INVALID_EXPORT"),
        (staff(chain), asked(list=pb.EXPORT_LIST_LOOKS, filter=pb.ExportFilter(tag="vip")), "INVALID_EXPORT"),
        (staff(chain), asked(format=pb.EXPORT_FORMAT_UNSPECIFIED), "INVALID_EXPORT"),
        (staff(chain), asked(list=pb.EXPORT_LIST_UNSPECIFIED), "INVALID_EXPORT"),
    ):
        assert (await service.refusal(exports.StartExport, request, by)).code == code
    begun = await start(service, exports, staff(chain))
    await written_by(service.database, clock)()
    methods: Sequence[tuple[Any, Any]] = (
        (exports.GetExport, pb.GetExportRequest(id=begun.id)),
        (exports.CancelExport, pb.CancelExportRequest(id=begun.id)),
    )
    for method, wish in methods:
        assert (await service.refusal(method, wish, staff(other_chain))).code == "EXPORT_NOT_FOUND"
    assert (await refused(fetched(service, exports, begun.id, staff(other_chain)))).code == "EXPORT_NOT_FOUND"


async def test_who_is_in_a_file_was_looked_at(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    member = await join(service, chain, 1)
    await start(service, exports, staff(chain), columns=["member_id", "phone", "visits"])
    await written_by(service.database, clock)()
    found = await service.call(service.members.ListLooks, members_pb2.ListLooksRequest(member_id=member), staff(chain))
    assert [(one.by, one.fields) for one in found.looks] == [("staff:key_staff", ["identities"])]


async def keys_of(service: MembersService, chain: str, names: Sequence[str]) -> set[str]:
    return set(await vault_of(service.database).keys(chain, names))


async def test_the_eleventh_takes_the_place_of_the_first(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    await join(service, chain, 1)
    begun = []
    for _ in range(MOST_KEPT + 1):
        begun.append((await start(service, exports, staff(chain))).id)
        clock.move(timedelta(seconds=1))
        await written_by(service.database, clock)()
    found = await service.call(exports.ListExports, pb.ListExportsRequest(), staff(chain))
    assert [one.id for one in found.exports] == begun[:0:-1]
    assert (await refused(fetched(service, exports, begun[0], staff(chain)))).code == "EXPORT_NOT_FOUND"
    everything = await service.everything()
    assert begun[0] not in {one["export"] for name in ("exports", "export_chunks") for one in everything[name]}
    assert await keys_of(service, chain, begun) == set(begun[1:])


async def test_only_so_many_are_written_at_once(
    service: MembersService, exports: "ExportsAsyncStub", chain: str
) -> None:
    begun = [await start(service, exports, staff(chain)) for _ in range(MOST_OPEN)]
    request = pb.StartExportRequest(key=uuid4().hex, list=MEMBERS, format=CSV)
    assert (await service.refusal(exports.StartExport, request, staff(chain))).code == "TOO_MANY_EXPORTS"
    cancelled = await service.call(exports.CancelExport, pb.CancelExportRequest(id=begun[0].id), staff(chain))
    assert cancelled.state == pb.EXPORT_STATE_CANCELLED
    await start(service, exports, staff(chain))


async def test_a_file_is_gone_after_a_month(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    begun = await start(service, exports, staff(chain))
    clock.move(timedelta(days=29, hours=23))
    await written_by(service.database, clock)()
    await fetched(service, exports, begun.id, staff(chain))
    clock.move(timedelta(hours=1))
    await written_by(service.database, clock)()
    assert (await refused(fetched(service, exports, begun.id, staff(chain)))).code == "EXPORT_NOT_FOUND"
    everything = await service.everything()
    assert (everything["exports"], everything["export_chunks"]) == ([], [])
    assert await keys_of(service, chain, [begun.id]) == set()


async def erase(service: MembersService, chain: str, member: str) -> None:
    request = members_pb2.EraseMemberRequest(key=uuid4().hex, member_id=member)
    await service.call(service.members.EraseMember, request, staff(chain))


async def test_an_erasure_destroys_the_files_that_a_person_is_in_and_no_others(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    ids = [await join(service, chain, number) for number in range(7)]
    everybody = await start(service, exports, staff(chain))
    nobody = await start(service, exports, staff(chain), filter=pb.ExportFilter(tag="nobody"))
    await written_by(service.database, clock)()
    sealed = [one["sealed"] for one in (await service.everything())["export_chunks"]]
    assert len(sealed) == 4
    assert not any(b"Guest" in one for one in sealed)
    await erase(service, chain, ids[4])
    assert (await refused(fetched(service, exports, everybody.id, staff(chain)))).code == "EXPORT_NOT_FETCHABLE"
    assert await keys_of(service, chain, [everybody.id, nobody.id]) == {nobody.id}
    await written_by(service.database, clock)()
    found = await service.call(exports.ListExports, pb.ListExportsRequest(), staff(chain))
    assert {one.id: one.state for one in found.exports} == {
        everybody.id: pb.EXPORT_STATE_DESTROYED,
        nobody.id: pb.EXPORT_STATE_DONE,
    }
    assert {one["export"] for one in (await service.everything())["export_chunks"]} == {nobody.id}


class ErasingVault(Vault):
    """Once a member's key is read for a chunk, somebody erases the member."""

    def __init__(self, database: Database, member: str, erasing: Callable[[], Awaitable[None]]) -> None:
        super().__init__(database, FileWrappingKeys(WRAPPING, random_bytes=token_bytes), random_bytes=token_bytes)
        self._member, self._erasing, self.erased = member, erasing, 0

    async def keys(self, chain: str, members: Sequence[str], *, session: Session | None = None) -> dict[str, bytes]:
        found = await super().keys(chain, members, session=session)
        if self._member in members and not self.erased:
            self.erased += 1
            await self._erasing()
        return found


async def test_who_is_erased_while_a_chunk_is_written_is_in_no_file(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    ids = [await join(service, chain, number) for number in range(5)]
    begun = await start(service, exports, staff(chain))
    vault = ErasingVault(service.database, ids[1], lambda: erase(service, chain, ids[1]))
    store = MongoExports(service.database, vault)
    clocks = MongoChainClocks(service.database, system=clock)
    await write_exports(store, clock=clock, clocks=clocks, make_id=make_id).run()
    assert vault.erased == 1
    rows = rows_of(await fetched(service, exports, begun.id, staff(chain)))
    assert [row["member_id"] for row in rows] == [ids[0], *ids[2:]]


async def test_a_file_that_a_backup_brings_back_is_destroyed_again(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    member = await join(service, chain, 1)
    begun = await start(service, exports, staff(chain))
    await written_by(service.database, clock)()
    vault = vault_of(service.database)
    collections = [
        service.database.collection(EXPORTS),
        service.database.collection(EXPORT_CHUNKS),
        service.database.collection(MEMBERS_KEPT),
        vault.database.collection(MEMBER_KEYS),
    ]
    backup = [await one.find({"chain": chain}).to_list(100) for one in collections]
    await erase(service, chain, member)
    for collection, documents in zip(collections, backup, strict=True):
        await collection.delete_many({"chain": chain})
        await collection.insert_many(documents)
    assert await erase_again(service.database, vault, chain, now=clock.now) == 1
    assert (await refused(fetched(service, exports, begun.id, staff(chain)))).code == "EXPORT_NOT_FETCHABLE"
    assert await keys_of(service, chain, [begun.id, member]) == set()


async def test_other_lists(service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock) -> None:
    ids = [await join(service, chain, number) for number in range(5)]
    jobs = service.channel.stub(MemberJobsStub)
    for number, id_ in enumerate(ids):
        home = jobs_pb2.HouseholdMemberRequest(code=f"H-{number // 2}", member_id=id_)
        await service.call(jobs.AddToHousehold, home, staff(chain))
        topic: dict[str, Any] = {"channel": care_pb2.CONTACT_CHANNEL_SMS, "granted": True, "text_version": "=3"}
        said = [
            care_pb2.SaidConsent(member_id=id_, consent=care_pb2.Consent(purpose=purpose, **topic))
            for purpose in (care_pb2.PURPOSE_MARKETING, care_pb2.PURPOSE_SERVICE)
        ]
        wish = care_pb2.RecordConsentsRequest(key=uuid4().hex, consents=said)
        await service.call(service.care.RecordConsents, wish, staff(chain))
    await service.member(chain, ids[0])
    begun = {
        name: await start(service, exports, staff(chain), list=pb.ExportList.Value(f"EXPORT_LIST_{name}"))
        for name in ("HOUSEHOLDS", "CONSENTS", "LOOKS", "STAFF_CREDITS")
    }
    await written_by(service.database, clock)()
    found = {name: rows_of(await fetched(service, exports, one.id, staff(chain))) for name, one in begun.items()}
    assert [(row["member_id"], row["household"]) for row in found["HOUSEHOLDS"]] == [
        (id_, f"H-{number // 2}") for number, id_ in enumerate(ids)
    ]
    assert [(row["member_id"], row["text_version"]) for row in found["CONSENTS"]] == [
        (id_, "'=3") for id_ in ids for _ in range(2)
    ]
    # The last recorded first.
    assert [row["purpose"] for row in found["CONSENTS"][:2]] == ["service", "marketing"]
    # The files themselves show no personal field: this is the look of before.
    assert [(row["by"], row["members"]) for row in found["LOOKS"]] == [("staff:key_staff", "1")]
    assert found["STAFF_CREDITS"] == []


async def test_a_key_for_some_stores_gets_their_credits_only(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    bund, airport = [await service.store(chain, code) for code in ("bund", "airport")]
    credited = [
        {"chain": chain, "staff": f"stf_{number}", "store": store, "month": month, "enrollments": 1, "repeat_visits": 0}
        for number in range(3)
        for store in (bund, airport)
        for month in ("2026-01", "2026-02")
    ]
    await service.database.collection(STAFF_CREDITS).insert_many(credited)
    branch = replace(staff(chain, stores=[bund]), id="key_branch")
    asked: dict[str, Any] = {"list": pb.EXPORT_LIST_STAFF_CREDITS, "filter": pb.ExportFilter(month="2026-02")}
    own, whole = await start(service, exports, branch, **asked), await start(service, exports, staff(chain), **asked)
    await written_by(service.database, clock)()
    rows = rows_of(await fetched(service, exports, own.id, branch))
    assert [(row["staff_id"], row["store_code"]) for row in rows] == [(f"stf_{number}", "bund") for number in range(3)]
    assert len(rows_of(await fetched(service, exports, whole.id, staff(chain)))) == 6
    assert (await refused(fetched(service, exports, whole.id, branch))).code == "EXPORT_NOT_FOUND"
    assert len(rows_of(await fetched(service, exports, own.id, staff(chain)))) == 3


async def test_what_cannot_be_written_is_given_up_and_keeps_no_other_waiting(
    service: MembersService,
    exports: "ExportsAsyncStub",
    chain: str,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member = await join(service, chain, 1)
    broken = await start(service, exports, staff(chain))
    too_large = await start(service, exports, staff(chain), list=pb.EXPORT_LIST_LOOKS, format=XLSX)
    small = await start(service, exports, staff(chain), list=pb.EXPORT_LIST_LOOKS)
    key = {"chain": chain, "member": member}
    await service.database.collection(MEMBERS_KEPT).update_one(key, {"$set": {"profile": b"?" * 40}})
    monkeypatch.setattr(writing, "MOST_BYTES", 500)
    await written_by(service.database, clock)()
    states = {one["export"]: (one["state"], one["failure"]) for one in (await service.everything())["exports"]}
    assert states == {
        broken.id: ("failed", "FAULT"),
        too_large.id: ("failed", "FILE_TOO_LARGE"),
        small.id: ("done", ""),
    }


EXPORT = "id list format columns state rowsDone rowsEstimated bytes createdBy path failure fetches { by }"
START = f"mutation ($input: StartExportInput!) {{ startExport(input: $input) {{ export {{ {EXPORT} }} {ERRORS} }} }}"
CANCEL = f"mutation ($input: CancelExportInput!) {{ cancelExport(input: $input) {{ export {{ state }} {ERRORS} }} }}"


async def test_the_graph_starts_watches_and_stops(service: MembersService, chain: str, clock: FixedClock) -> None:
    await join(service, chain, 1)
    wish = {"key": "export-0001", "list": "MEMBERS", "format": "XLSX", "columns": ["name", "phone"]}
    started = (await ask(service, staff(chain), START, input=wish))["startExport"]
    export = started["export"]["id"]
    assert started == {
        "userErrors": [],
        "export": {
            "id": export,
            "list": "MEMBERS",
            "format": "XLSX",
            "columns": ["name", "phone"],
            "state": "QUEUED",
            "rowsDone": 0,
            "rowsEstimated": None,
            "bytes": 0,
            "createdBy": "staff:key_staff",
            "path": None,
            "failure": None,
            "fetches": [],
        },
    }
    other = (await ask(service, staff(chain), START, input={**wish, "key": "export-0002", "list": "LOOKS"}))[
        "startExport"
    ]
    assert other["userErrors"] == [{"code": "INVALID_EXPORT", "field": "columns.0"}]
    second = await ask(service, staff(chain), START, input={**wish, "key": "export-0003", "filter": {"tag": "vip"}})
    stopped = {"id": second["startExport"]["export"]["id"]}
    assert (await ask(service, staff(chain), CANCEL, input=stopped))["cancelExport"] == {
        "userErrors": [],
        "export": {"state": "CANCELLED"},
    }
    await written_by(service.database, clock)()
    text = "query ($id: ID!) { export(id: $id) { state rowsDone rowsEstimated path } }"
    assert (await ask(service, staff(chain), text, id=export))["export"] == {
        "state": "DONE",
        "rowsDone": 1,
        "rowsEstimated": 1,
        "path": f"/exports/{export}",
    }
    assert (await ask(service, as_role(chain, "analyst"), text, id=export))["export"] is None
    text = "{ exports(first: 1) { nodes { id state } pageInfo { hasNextPage } } }"
    assert (await ask(service, staff(chain), text))["exports"] == {
        "nodes": [{"id": stopped["id"], "state": "CANCELLED"}],
        "pageInfo": {"hasNextPage": True},
    }


async def test_many_are_erased_at_once_while_files_are_written(
    service: MembersService, exports: "ExportsAsyncStub", chain: str, clock: FixedClock
) -> None:
    ids = [await join(service, chain, number) for number in range(16)]
    begun = [await start(service, exports, staff(chain)) for _ in range(2)]

    async def erased(member: str) -> bool:
        try:
            await erase(service, chain, member)
        except RemoteProblem as problem:
            if problem.code != "CONTENDED":  # whoever is told so asks again
                raise
            return False
        return True

    await asyncio.gather(written_by(service.database, clock)(), *(eventually(partial(erased, id_)) for id_ in ids[:12]))
    await written_by(service.database, clock)()
    found = await service.call(exports.ListExports, pb.ListExportsRequest(), staff(chain))
    assert {one.id for one in found.exports} == {one.id for one in begun}
    for one in found.exports:
        if one.state == pb.EXPORT_STATE_DONE:
            rows = rows_of(await fetched(service, exports, one.id, staff(chain)))
            assert [row["member_id"] for row in rows] == ids[12:]
        else:
            assert one.state == pb.EXPORT_STATE_DESTROYED
