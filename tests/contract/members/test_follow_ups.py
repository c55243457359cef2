"""What staff is to do about members: assigned, put off, closed, listed as it is due."""

import asyncio
from datetime import datetime, timedelta
from secrets import token_bytes
from uuid import uuid4

import bson
import pytest

from protos.members.v1 import follow_ups_pb2 as pb
from protos.members.v1 import members_pb2, staff_pb2
from protos.members.v1.follow_ups_pb2_grpc import FollowUpsStub
from services.kit.ids import make_id
from services.kit.outbox.outbox import Outbox
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import to_timestamp
from services.members.domain.members import NoMemberError
from services.members.domain.visibility import Role
from services.members.store.chains import MongoChains
from services.members.store.units import MongoUnits
from services.members.usecases.changes import Change, ChangeDesk
from services.members.usecases.follow_ups import WantedFollowUp, add_follow_up
from tests.contract.members.test_attributes import joined
from tests.contract.members.test_erasing import ErasingVault, erase
from tests.contract.members.test_graph import ask
from tests.contract.members.test_notes import person
from tests.support.clock import START, FixedClock
from tests.support.members_service import PAYER_KEY, MembersService, staff

TOMORROW = START + timedelta(days=1)


async def hire(service: MembersService, chain: str, code: str, *, active: bool = True) -> str:
    wish = staff_pb2.StaffMember(code=code, name=code, active=active)
    answer = await service.call(service.staff.SaveStaff, staff_pb2.SaveStaffRequest(staff=[wish]), staff(chain))
    return str(answer.staff[0].id)


def adding(
    member: str, by: str, *, due: datetime = TOMORROW, text: str = "call", key: str = ""
) -> pb.AddFollowUpRequest:
    return pb.AddFollowUpRequest(
        key=key or uuid4().hex, member_id=member, kind="call", due_at=to_timestamp(due), staff_id=by, text=text
    )


async def add(service: MembersService, chain: str, wish: pb.AddFollowUpRequest) -> pb.FollowUpResponse:
    answer: pb.FollowUpResponse = await service.call(_stub(service).AddFollowUp, wish, staff(chain))
    return answer


def changing(of: pb.FollowUpResponse, **changes: object) -> pb.ChangeFollowUpRequest:
    said = {"key": uuid4().hex, "member_id": of.member_id, "follow_up_id": of.follow_up_id, "version": of.version}
    return pb.ChangeFollowUpRequest(**{**said, **changes})  # type: ignore[arg-type]  # each as its field has it


async def due(service: MembersService, chain: str, **wanted: object) -> list[pb.FollowUp]:
    request = pb.ListDueFollowUpsRequest(**wanted)  # type: ignore[arg-type]  # each as its field has it
    found: list[pb.FollowUp] = []
    for _ in range(10):
        answer = await service.call(_stub(service).ListDueFollowUps, request, staff(chain))
        found += answer.follow_ups
        request.page.after = answer.end_cursor
        if not answer.end_cursor:
            break
    return found


async def of_member(service: MembersService, chain: str, *members: str) -> dict[str, list[str]]:
    request = pb.ListFollowUpsRequest(member_ids=members)
    answer = await service.call(_stub(service).ListFollowUps, request, staff(chain))
    return {one.member_id: [each.text for each in one.follow_ups] for one in answer.members}


def _stub(service: MembersService) -> "FollowUpsStub":
    return service.channel.stub(FollowUpsStub)


@pytest.fixture
async def member(service: MembersService, chain: str) -> str:
    return await joined(service, chain)


@pytest.fixture
async def li(service: MembersService, chain: str) -> str:
    return await hire(service, chain, "li")


async def test_follow_ups_are_listed_as_they_are_due(
    service: MembersService, chain: str, member: str, li: str, clock: FixedClock
) -> None:
    wang = await hire(service, chain, "wang")
    for days, whose in ((3, li), (1, wang), (2, li), (2, li), (5, li)):
        await add(service, chain, adding(member, whose, due=START + timedelta(days=days), text=str(days)))
    clock.move(timedelta(days=2, hours=1))
    found = await due(service, chain, page={"first": 2})
    assert [(one.text, one.overdue) for one in found] == [
        ("1", True), ("2", True), ("2", True), ("3", False), ("5", False),
    ]  # fmt: skip
    lis = await due(service, chain, staff_id=li, due_before=to_timestamp(START + timedelta(days=4)), page={"first": 1})
    assert [one.text for one in lis] == ["2", "2", "3"]
    assert await due(service, chain, state=pb.FOLLOW_UP_STATE_DONE) == []
    request = members_pb2.ListLooksRequest(member_id=member)
    looks = (await service.call(service.members.ListLooks, request, staff(chain))).looks
    assert {tuple(one.fields) for one in looks} == {("follow_ups",)}


async def test_a_follow_up_is_changed_until_it_is_closed(
    service: MembersService, chain: str, member: str, li: str, clock: FixedClock
) -> None:
    wang = await hire(service, chain, "wang")
    first = await add(service, chain, adding(member, li))
    clock.move(timedelta(hours=1))
    change = _stub(service).ChangeFollowUp
    later = to_timestamp(TOMORROW + timedelta(days=1))
    second = await service.call(change, changing(first, staff_id=wang, due_at=later, text="write"), staff(chain))
    assert second.version == 2
    same = await service.call(change, changing(second, staff_id=wang), staff(chain))
    assert same.version == 2
    done = await service.call(change, changing(second, state=pb.FOLLOW_UP_STATE_DONE), staff(chain))
    refused = await service.refusal(change, changing(done, state=pb.FOLLOW_UP_STATE_OPEN), staff(chain))
    assert refused.code == "FOLLOW_UP_CLOSED"
    [one] = await due(service, chain, state=pb.FOLLOW_UP_STATE_DONE)
    assert one == pb.FollowUp(
        id=first.follow_up_id,
        member_id=member,
        kind="call",
        due_at=later,
        staff_id=wang,
        text="write",
        state=pb.FOLLOW_UP_STATE_DONE,
        created_by="staff:key_staff",
        created_at=to_timestamp(START),
        changed_by="staff:key_staff",
        changed_at=to_timestamp(START + timedelta(hours=1)),
        version=3,
    )
    assert await due(service, chain) == []


async def test_of_two_changes_at_the_same_moment_one_is_refused(
    service: MembersService, other_replica: MembersService, chain: str, member: str, li: str
) -> None:
    one = await add(service, chain, adding(member, li))
    closing = [changing(one, state=state) for state in (pb.FOLLOW_UP_STATE_DONE, pb.FOLLOW_UP_STATE_CANCELLED)]
    done = await asyncio.gather(
        *(
            replica.call(_stub(replica).ChangeFollowUp, wish, staff(chain))
            for replica, wish in zip((service, other_replica), closing, strict=True)
        ),
        return_exceptions=True,
    )
    assert [each.code for each in done if isinstance(each, RemoteProblem)] == ["FOLLOW_UP_CHANGED"]


async def test_the_same_key_makes_one(service: MembersService, chain: str, member: str, li: str) -> None:
    wish = adding(member, li, key="wish-0001")
    first, second = [await add(service, chain, wish) for _ in range(2)]
    assert (first.follow_up_id, first.repeated_call) == (second.follow_up_id, False)
    assert second.repeated_call
    assert len(await due(service, chain)) == 1
    other = adding(member, li, key="wish-0001", text="other")
    assert (await service.refusal(_stub(service).AddFollowUp, other, staff(chain))).code == "KEY_REUSED"


async def test_bad_follow_ups_are_refused(
    service: MembersService, chain: str, other_chain: str, member: str, li: str
) -> None:
    gone, stranger = await hire(service, chain, "gone", active=False), await hire(service, other_chain, "stranger")
    unset = adding(member, li)
    unset.ClearField("due_at")
    kindless = adding(member, li)
    kindless.kind = ""
    for wish, why in (
        (unset, ("INVALID_FOLLOW_UP", "dueAt")),
        (kindless, ("INVALID_FOLLOW_UP", "kind")),
        (adding(member, li, due=START + timedelta(days=1831)), ("INVALID_FOLLOW_UP", "dueAt")),
        (adding(member, li, text="x" * 2001), ("INVALID_FOLLOW_UP", "text")),
        (adding(member, gone), ("STAFF_INACTIVE", "staffId")),
        (adding(member, stranger), ("STAFF_NOT_FOUND", "staffId")),
        (adding("mem_nobody", li), ("MEMBER_NOT_FOUND", "memberId")),
    ):
        refused = await service.refusal(_stub(service).AddFollowUp, wish, staff(chain))
        assert (refused.code, refused.field) == why
    one = await add(service, chain, adding(member, li))
    other = await joined(service, chain)
    for change, why in (
        (changing(one, staff_id=gone), ("STAFF_INACTIVE", "staffId")),
        (changing(one, version=7), ("FOLLOW_UP_CHANGED", "version")),
        (changing(one, member_id=other), ("FOLLOW_UP_NOT_FOUND", "followUpId")),
    ):
        refused = await service.refusal(_stub(service).ChangeFollowUp, change, staff(chain))
        assert (refused.code, refused.field) == why


async def test_who_may_not_look_after_guests_sees_no_follow_up(
    service: MembersService, chain: str, other_chain: str, member: str, li: str
) -> None:
    one = await add(service, chain, adding(member, li))
    stub, wish = _stub(service), pb.ListFollowUpsRequest(member_ids=[member])
    for by in (person(chain, Role.ANALYST), staff(chain, scopes=frozenset({"care:write"}))):
        assert (await service.refusal(stub.ListFollowUps, wish, by)).code == "DENIED"
        assert (await service.refusal(stub.ListDueFollowUps, pb.ListDueFollowUpsRequest(), by)).code == "DENIED"
    for by in (person(chain, Role.ANALYST), staff(chain, scopes=frozenset({"care:read"}))):
        assert (await service.refusal(stub.AddFollowUp, adding(member, li), by)).code == "DENIED"
        assert (await service.refusal(stub.ChangeFollowUp, changing(one, text="x"), by)).code == "DENIED"
    assert await of_member(service, other_chain, member) == {}
    assert await due(service, other_chain) == []
    refused = await service.refusal(stub.ChangeFollowUp, changing(one, text="x"), staff(other_chain))
    assert refused.code == "MEMBER_NOT_FOUND"


async def test_both_ids_have_the_follow_ups_of_one_person(
    service: MembersService, chain: str, li: str, clock: FixedClock
) -> None:
    old, young = [await joined(service, chain) for _ in range(2)]
    await add(service, chain, adding(old, li, text="0"))
    clock.move(timedelta(seconds=1))
    made = await add(service, chain, adding(young, li, text="1"))
    request = members_pb2.MergeMembersRequest(key=uuid4().hex, member_id=old, other_member_id=young)
    await service.call(service.members.MergeMembers, request, staff(chain))
    assert await of_member(service, chain, old, young) == {old: ["1", "0"], young: ["1", "0"]}
    await service.call(_stub(service).ChangeFollowUp, changing(made, member_id=old, text="2"), staff(chain))
    assert await of_member(service, chain, old) == {old: ["2", "0"]}


async def test_follow_ups_are_sealed_and_an_erasure_leaves_none(
    service: MembersService, chain: str, member: str, li: str
) -> None:
    await add(service, chain, adding(member, li, text="likes nobody to know"))
    held = await service.everything()
    assert len(held["follow_ups"]) == 1
    assert not [one for rows in held.values() for one in rows if b"likes nobody" in bson.encode(one)]
    await erase(service, chain, member)
    assert (await service.everything())["follow_ups"] == []
    refused = await service.refusal(_stub(service).AddFollowUp, adding(member, li), staff(chain))
    assert refused.code == "MEMBER_NOT_FOUND"


async def test_none_is_made_of_whom_is_erased_meanwhile(
    service: MembersService, chain: str, member: str, li: str
) -> None:
    vault = ErasingVault(service.database, lambda: erase(service, chain, member))
    desk = ChangeDesk(
        chains=MongoChains(service.database, vault),
        units=MongoUnits(service.database, vault, Outbox(service.database)),
        make_id=make_id,
        payer_key=PAYER_KEY,
    )
    change = Change(token_bytes(8).hex(), staff(chain), START)
    with pytest.raises(NoMemberError):
        await add_follow_up(WantedFollowUp(member, "call", TOMORROW, li), change=change, desk=desk)
    assert (await service.everything())["follow_ups"] == []


ADD = """mutation ($input: AddFollowUpInput!) { addFollowUp(input: $input) {
    userErrors { code field } followUpId version repeatedCall } }"""
CHANGE = """mutation ($input: ChangeFollowUpInput!) { changeFollowUp(input: $input) {
    userErrors { code field } version } }"""
SHOWN = """query ($id: ID!, $staff: ID!) { member(id: $id) { followUps { nodes { text state } } }
    followUps(staffId: $staff, dueBefore: "2040-01-01T00:00:00Z") { nodes { kind dueAt overdue staffId memberId } } }"""


async def test_follow_ups_over_the_graph(service: MembersService, chain: str, member: str, li: str) -> None:
    when = TOMORROW.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    wish = {"key": "wish-0001", "memberId": member, "kind": "call", "dueAt": when, "staffId": li, "text": "Call"}
    added = (await ask(service, staff(chain), ADD, input=wish))["addFollowUp"]
    assert (added["userErrors"], added["version"]) == ([], 1)
    assert await ask(service, staff(chain), SHOWN, id=member, staff=li) == {
        "member": {"followUps": {"nodes": [{"text": "Call", "state": "OPEN"}]}},
        "followUps": {"nodes": [{"kind": "call", "dueAt": when, "overdue": False, "staffId": li, "memberId": member}]},
    }
    change = {"key": "wish-0002", "memberId": member, "followUpId": added["followUpId"], "version": 1, "state": "DONE"}
    assert (await ask(service, staff(chain), CHANGE, input=change))["changeFollowUp"] == {
        "userErrors": [],
        "version": 2,
    }
    again = {**change, "key": "wish-0003", "version": 2}
    assert (await ask(service, staff(chain), CHANGE, input=again))["changeFollowUp"]["userErrors"] == [
        {"code": "FOLLOW_UP_CLOSED", "field": "state"}
    ]
