"""Files over HTTP: for those who may have them, whole, and kept by nobody on the way."""

import csv
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from typing import Any
from uuid import uuid4

import httpx
import pytest

from gateway.app import Readiness, app
from protos.members.v1 import care_pb2, members_pb2
from protos.members.v1 import exports_pb2 as pb
from protos.members.v1.exports_pb2_grpc import ExportsStub
from services.campaigns.store.collections import COUPONS
from services.campaigns.store.member_records import sections as of_campaigns
from services.feedback.store.collections import ANSWERS
from services.feedback.store.member_records import sections as of_feedback
from services.kit import member_records
from services.kit.graph import Channels
from services.kit.ids import make_id
from services.kit.member_records import MemberRecordsServicer
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.kit.principal import Caller, NotBelievedError, Principal
from services.kit.rpc.calls import TimedOutError
from services.members.jobs import write_exports
from services.members.store.exports import MongoExports
from services.members.store.forgetting import FORGOTTEN
from services.members.store.member_records import NOT_TOLD
from services.members.store.member_records import sections as of_members
from services.members.usecases import exports as writing
from services.points.store.collections import ACCOUNTS, ENTRIES, RECEIPTS
from services.points.store.member_records import accounts_of
from services.points.store.member_records import sections as of_points
from tests.support.clock import START, FixedClock
from tests.support.door import serving
from tests.support.members_service import MembersService, enrollment, phone, staff, vault_of
from tests.support.served import served


class Keys:
    """API keys that are known by name."""

    def __init__(self) -> None:
        self.known: dict[str, Principal] = {}

    async def caller(self, authorization: str | None) -> Principal | None:
        if authorization is None:
            return None
        if (found := self.known.get(authorization.removeprefix("Bearer "))) is None:
            raise NotBelievedError
        return found


@dataclass
class Door:
    http: httpx.AsyncClient
    keys: Keys
    points: Database
    campaigns: Database
    feedback: Database

    async def get(self, path: str, by: Principal) -> httpx.Response:
        self.keys.known[by.id] = by
        return await self.http.get(path, headers={"authorization": f"Bearer {by.id}"})


@pytest.fixture
async def door(service: MembersService) -> AsyncIterator[Door]:
    async with AsyncExitStack() as stack:
        databases = {name: service.database.beside(name) for name in ("points", "campaigns", "feedback")}
        points = databases["points"]
        servicers = {
            "points": MemberRecordsServicer(of_points(points), all_ids=partial(accounts_of, points)),
            "campaigns": MemberRecordsServicer(of_campaigns(databases["campaigns"])),
            "feedback": MemberRecordsServicer(of_feedback(databases["feedback"])),
        }
        channels = {
            name: await stack.enter_async_context(served([one.registration])) for name, one in servicers.items()
        }
        keys, readiness = Keys(), Readiness()
        made = app({}, api_keys=keys, channels=Channels({"members": service.channel, **channels}), readiness=readiness)  # type: ignore[arg-type]
        server = await stack.enter_async_context(serving(made, readiness))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{server.address}", timeout=30.0))
        yield Door(http, keys, **databases)


async def join(service: MembersService, chain: str, number: int) -> str:
    request = enrollment(phone(f"+86138001380{number:02}"), name=f"Guest {number}")
    return str((await service.enroll(request, staff(chain))).member.id)


def admin(chain: str) -> Principal:
    return replace(staff(chain), id="key_admin", role="admin")


def codes(response: httpx.Response) -> tuple[int, list[str]]:
    return response.status_code, [error["extensions"]["code"] for error in response.json()["errors"]]


async def exported(service: MembersService, clock: FixedClock, *, by: Principal) -> pb.Export:
    stub = service.channel.stub(ExportsStub)
    request = pb.StartExportRequest(key=uuid4().hex, list=pb.EXPORT_LIST_MEMBERS, format=pb.EXPORT_FORMAT_CSV)
    begun = await service.call(stub.StartExport, request, by)
    store = MongoExports(service.database, vault_of(service.database))
    clocks = MongoChainClocks(service.database, system=clock)
    await write_exports(store, clock=clock, clocks=clocks, make_id=make_id).run()
    done: pb.Export = await service.call(stub.GetExport, pb.GetExportRequest(id=begun.id), by)
    return done


async def test_an_export_is_fetched_whole(
    service: MembersService, door: Door, chain: str, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "PAGE", 2)
    ids = [await join(service, chain, number) for number in range(5)]
    export = await exported(service, clock, by=staff(chain))
    response = await door.get(f"/exports/{export.id}", staff(chain))
    assert response.status_code == 200
    assert [row["member_id"] for row in csv.DictReader(StringIO(response.content.decode("utf-8-sig")))] == ids
    wanted = {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": f'attachment; filename="{export.file_name}"',
        "content-length": str(export.bytes),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    assert {name: response.headers[name] for name in wanted} == wanted


async def test_a_file_is_refused_to_those_who_may_not(
    service: MembersService, door: Door, chain: str, other_chain: str, clock: FixedClock
) -> None:
    member = await join(service, chain, 1)
    export = await exported(service, clock, by=admin(chain))
    path = f"/exports/{export.id}"
    assert codes(await door.http.get(path)) == (401, ["UNAUTHENTICATED"])
    assert codes(await door.http.get(path, headers={"authorization": "Bearer nobody"})) == (401, ["UNAUTHENTICATED"])
    # A cookie is nothing that is looked at.
    assert codes(await door.http.get(path, headers={"cookie": "authorization=key_admin"})) == (401, ["UNAUTHENTICATED"])
    assert codes(await door.get(path, staff(chain, scopes=frozenset({"members:read"})))) == (403, ["DENIED"])
    assert codes(await door.get(path, replace(staff(chain), role="marketer"))) == (404, ["EXPORT_NOT_FOUND"])
    assert codes(await door.get(path, admin(other_chain))) == (404, ["EXPORT_NOT_FOUND"])
    assert codes(await door.get(f"/members/{member}/export", staff(chain))) == (403, ["DENIED"])
    assert codes(await door.get(f"/members/{member}/export", admin(other_chain))) == (404, ["MEMBER_NOT_FOUND"])
    guest = Principal(chain=chain, kind=Caller.MEMBER, id=await join(service, chain, 2))
    assert codes(await door.get(f"/members/{member}/export", guest)) == (404, ["MEMBER_NOT_FOUND"])
    assert (await door.http.post(path)).status_code == 405


async def everything_about(door: Door, chain: str, member: str, *, old: str) -> None:
    at = datetime(2026, 2, 1, tzinfo=UTC)
    accounts: Sequence[dict[str, Any]] = [
        {"account": member, "balances": {"points": {"available": 7}}, "head": b"h", "version": 3},
        {"account": "pay_1", "balances": {}, "head": b"h", "version": 2},
        {"account": "mem_other", "balances": {}, "head": b"h", "version": 1},
    ]
    entries = [
        {"account": member, "version": number, "kind": kind, "reference": reference, "hash": b"h"}
        for number, (kind, reference) in enumerate([("purchase", "pur_1"), ("merged_from", "pay_1")])
    ]
    receipts = [
        {"key": f"s/{number}", "store": "s", "member": whose, "paid_minor": 100 * number, "occurred_at": at}
        for number, whose in enumerate([member, "pay_1", old, "mem_other"], 1)
    ]
    for database, keyed, documents in (
        (door.points, ACCOUNTS, accounts),
        (door.points, ENTRIES, entries),
        (door.points, RECEIPTS, receipts),
        (door.campaigns, COUPONS, [{"member": member, "coupon": "cpn_1", "issued_at": at, "events": {}}]),
        (door.feedback, ANSWERS, [{"member": old, "answer": "ans_1", "comment": 'so "good"', "answered_at": at}]),
    ):
        await database.collection(keyed).insert_many([{"chain": chain, **one} for one in documents])


async def test_everything_about_a_member_is_one_document(
    service: MembersService, door: Door, chain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_records, "PART_BYTES", 1)
    member, old = await join(service, chain, 1), await join(service, chain, 2)
    merge = members_pb2.MergeMembersRequest(key=uuid4().hex, member_id=member, other_member_id=old)
    await service.call(service.members.MergeMembers, merge, staff(chain))
    consent = care_pb2.Consent(
        channel=care_pb2.CONTACT_CHANNEL_SMS, purpose=care_pb2.PURPOSE_MARKETING, granted=True, text_version="3"
    )
    said = care_pb2.SaidConsent(member_id=member, consent=consent)
    wish = care_pb2.RecordConsentsRequest(key=uuid4().hex, consents=[said])
    await service.call(service.care.RecordConsents, wish, staff(chain))
    await everything_about(door, chain, member, old=old)
    response = await door.get(f"/members/{member}/export", admin(chain))
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    found = response.json()
    assert (found["format"], found["memberIds"]) == ("huitou-member-1", [member, old])
    assert found["exportedAt"] == START.isoformat().replace("+00:00", "Z")
    [own, former] = found["members"]["members"]
    assert (own["member"], former["merged_into"]) == (member, member)
    assert sorted(own["profile"]["identities"]) == [["phone", "+8613800138001"], ["phone", "+8613800138002"]]
    assert [one["channel"] for one in found["members"]["consents"]] == ["sms"]
    assert [one["key"] for one in found["points"]["purchases"]] == ["s/1", "s/3", "s/2"]
    assert {one["account"] for one in found["points"]["accounts"]} == {member, "pay_1"}
    assert not any("head" in one or "_id" in one for one in found["points"]["accounts"])
    assert [one["coupon"] for one in found["campaigns"]["coupons"]] == ["cpn_1"]
    assert [one["comment"] for one in found["feedback"]["answers"]] == ['so "good"']
    # By its own key, under either id, the member has the same; and only the admin's look is on record.
    guest = Principal(chain=chain, kind=Caller.MEMBER, id=old)
    again = (await door.get(f"/members/{old}/export", guest)).json()
    assert again["points"] == found["points"]
    looks = [(one["by"], one["role"]) for one in again["members"]["looks"]]
    assert looks == [("staff:key_admin", "admin")]
    assert "members" not in again["members"]["looks"][0]


async def test_nothing_is_told_of_whom_is_erased(service: MembersService, door: Door, chain: str) -> None:
    member = await join(service, chain, 1)
    request = members_pb2.EraseMemberRequest(key=uuid4().hex, member_id=member)
    await service.call(service.members.EraseMember, request, staff(chain))
    assert codes(await door.get(f"/members/{member}/export", admin(chain))) == (404, ["MEMBER_NOT_FOUND"])


async def test_a_slow_client_gets_it_by_several_calls(
    service: MembersService, door: Door, chain: str, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "PAGE", 1)
    for number in range(4):
        await join(service, chain, number)
    export = await exported(service, clock, by=staff(chain))
    whole = (await door.get(f"/exports/{export.id}", staff(chain))).content
    calls = [0]
    chunks = MongoExports.chunks

    async def slow(self: MongoExports, chain: str, export: Any, *, first: int) -> AsyncIterator[bytes]:
        calls[0] += 1
        async for number, chunk in _numbered(chunks(self, chain, export, first=first)):
            if number == 2:
                raise TimedOutError
            yield chunk

    monkeypatch.setattr(MongoExports, "chunks", slow)
    assert (await door.get(f"/exports/{export.id}", staff(chain))).content == whole
    assert calls == [2]


async def _numbered(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    number = 0
    async for chunk in chunks:
        yield number, chunk
        number += 1


def test_whatever_an_erasure_empties_is_told_or_named_with_a_reason(database: Database) -> None:
    told = {name for one in of_members(database, vault_of(database)) for name in one.covers}
    assert {keyed.name for keyed in FORGOTTEN} <= told | NOT_TOLD.keys()
    assert told & NOT_TOLD.keys() == set()
