"""What staff writes down about a member: for whom it is meant, sealed, and gone with the person."""

import asyncio
from datetime import timedelta
from secrets import token_bytes
from uuid import uuid4

import bson
import pytest

from protos.members.v1 import attributes_pb2, members_pb2
from protos.members.v1 import notes_pb2 as pb
from protos.members.v1.notes_pb2_grpc import NotesStub
from services.kit.ids import make_id
from services.kit.outbox.outbox import Outbox
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem
from services.members.domain.members import NoMemberError
from services.members.domain.notes import MAX_NOTES
from services.members.domain.visibility import Role
from services.members.store.chains import MongoChains
from services.members.store.notes import NOTES
from services.members.store.units import MongoUnits
from services.members.usecases.changes import Change, ChangeDesk
from services.members.usecases.notes import add_note
from tests.contract.members.test_attributes import joined
from tests.contract.members.test_erasing import ErasingVault, erase
from tests.contract.members.test_graph import ask
from tests.support.clock import START, FixedClock
from tests.support.members_service import PAYER_KEY, MembersService, staff

CARE = frozenset({"members:read", "care:read", "care:write", "members:audit"})
TILL, CASHIER = attributes_pb2.VIEWER_ROLE_TILL, attributes_pb2.VIEWER_ROLE_CASHIER


def person(chain: str, role: Role, *, key: str = "key_1") -> Principal:
    return Principal(chain=chain, kind=Caller.STAFF, id=key, scopes=CARE, role=role.value)


def adding(member: str, text: str, *roles: attributes_pb2.ViewerRole.ValueType, key: str = "") -> pb.AddNoteRequest:
    return pb.AddNoteRequest(key=key or uuid4().hex, member_id=member, text=text, roles=roles)


async def write(
    service: MembersService, by: Principal, member: str, text: str, *roles: attributes_pb2.ViewerRole.ValueType
) -> str:
    answer = await service.call(service.channel.stub(NotesStub).AddNote, adding(member, text, *roles), by)
    return str(answer.note_id)


async def shown(service: MembersService, by: Principal, *members: str) -> dict[str, list[str]]:
    request = pb.ListNotesRequest(member_ids=members)
    answer = await service.call(service.channel.stub(NotesStub).ListNotes, request, by)
    return {one.member_id: [note.text for note in one.notes] for one in answer.members}


@pytest.fixture
async def member(service: MembersService, chain: str) -> str:
    return await joined(service, chain)


async def test_a_note_is_read_by_those_for_whom_it_is(service: MembersService, chain: str, member: str) -> None:
    await write(service, staff(chain), member, "sat by the window")
    await write(service, staff(chain), member, "has a dog", TILL, CASHIER)
    till = Principal(chain=chain, kind=Caller.TILL, id="key_t", scopes=CARE, stores=frozenset({"sto_1"}))
    readers = {role: person(chain, role) for role in Role if role.value in set(Role) - {"guest", "partner", "service"}}
    seen = {role: (await shown(service, by, member))[member] for role, by in {**readers, Role.TILL: till}.items()}
    assert seen == {
        Role.TILL: ["has a dog"],
        Role.CASHIER: ["has a dog"],
        Role.STORE_MANAGER: ["sat by the window"],
        Role.SERVICE_AGENT: ["sat by the window"],
        Role.MARKETER: [],
        Role.ANALYST: [],
        Role.ADMIN: ["sat by the window"],
    }
    request = members_pb2.ListLooksRequest(member_id=member)
    looks = (await service.call(service.members.ListLooks, request, staff(chain))).looks
    assert {(one.role, *one.fields) for one in looks} == {
        (role.value, "notes") for role, texts in seen.items() if texts
    }


async def test_a_note_is_sealed(service: MembersService, chain: str, member: str) -> None:
    await write(service, staff(chain), member, "likes nobody to know")
    held = await service.everything()
    assert len(held["member_notes"]) == 1
    assert not [one for rows in held.values() for one in rows if b"likes nobody" in bson.encode(one)]


async def test_the_same_key_writes_once(service: MembersService, chain: str, member: str) -> None:
    method = service.channel.stub(NotesStub).AddNote
    wish = adding(member, "once", key="wish-0001")
    first, second = [await service.call(method, wish, staff(chain)) for _ in range(2)]
    assert (first.note_id, first.repeated_call, second.repeated_call) == (second.note_id, False, True)
    assert await shown(service, staff(chain), member) == {member: ["once"]}
    assert (await service.refusal(method, adding(member, "x", key="wish-0001"), staff(chain))).code == "KEY_REUSED"


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (adding("", " "), ("INVALID_NOTE", "text")),
        (adding("", "x" * 4001), ("INVALID_NOTE", "text")),
        (adding("", "x", attributes_pb2.VIEWER_ROLE_GUEST), ("INVALID_NOTE", "roles")),
        (adding("", "x", attributes_pb2.VIEWER_ROLE_ANALYST), ("INVALID_NOTE", "roles")),
        (adding("mem_nobody", "x"), ("MEMBER_NOT_FOUND", "memberId")),
    ],
)
async def test_a_bad_note_is_refused(
    service: MembersService, chain: str, member: str, wish: pb.AddNoteRequest, why: tuple[str, str]
) -> None:
    request = pb.AddNoteRequest()
    request.CopyFrom(wish)
    request.member_id = wish.member_id or member
    refused = await service.refusal(service.channel.stub(NotesStub).AddNote, request, staff(chain))
    assert (refused.code, refused.field) == why


async def test_its_author_and_an_admin_delete_a_note(service: MembersService, chain: str, member: str) -> None:
    author, other = person(chain, Role.SERVICE_AGENT), person(chain, Role.SERVICE_AGENT, key="key_2")
    method = service.channel.stub(NotesStub).DeleteNote
    for by in (author, person(chain, Role.ADMIN, key="key_3")):
        note = await write(service, author, member, "gone soon")
        wish = pb.DeleteNoteRequest(key=uuid4().hex, member_id=member, note_id=note)
        assert (await service.refusal(method, wish, other)).code == "DENIED"
        assert (await service.refusal(method, wish, person(chain, Role.CASHIER))).code == "NOTE_NOT_FOUND"
        assert [(await service.call(method, wish, by)).repeated_call for _ in range(2)] == [False, True]
        assert await shown(service, author, member) == {member: []}


async def test_another_chain_and_wrong_scopes_see_and_write_nothing(
    service: MembersService, chain: str, other_chain: str, member: str
) -> None:
    await write(service, staff(chain), member, "secret")
    assert await shown(service, staff(other_chain), member) == {}
    stub = service.channel.stub(NotesStub)
    assert (await service.refusal(stub.AddNote, adding(member, "x"), staff(other_chain))).code == "MEMBER_NOT_FOUND"
    reader = staff(chain, scopes=frozenset({"care:read", "members:write"}))
    assert (await service.refusal(stub.AddNote, adding(member, "x"), reader)).code == "DENIED"
    writer = staff(chain, scopes=frozenset({"care:write", "members:read"}))
    assert (await service.refusal(stub.ListNotes, pb.ListNotesRequest(member_ids=[member]), writer)).code == "DENIED"


async def test_notes_come_in_pages_of_both_ids_and_part_again(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    # Of members who joined at the same moment, the one with the smaller id survives.
    old, young, alone = sorted([await joined(service, chain) for _ in range(3)])
    for number, whose in enumerate((old, young, old, young, alone)):
        clock.move(timedelta(seconds=1))
        await write(service, staff(chain), whose, str(number))
    clock.move(timedelta(seconds=1))
    request = members_pb2.MergeMembersRequest(key=uuid4().hex, member_id=old, other_member_id=young)
    merged = await service.call(service.members.MergeMembers, request, staff(chain))
    await write(service, staff(chain), young, "5")
    found: dict[str, list[str]] = {old: [], young: [], alone: []}
    after = {old: "", young: ""}
    for _ in range(5):
        if not after:
            break
        wish = pb.ListNotesRequest(member_ids=[*after, *([] if found[alone] else [alone])])
        wish.page.first, wish.page.after = 2, next(iter(after.values()))
        answer = await service.call(service.channel.stub(NotesStub).ListNotes, wish, staff(chain))
        for one in answer.members:
            found[one.member_id] += [note.text for note in one.notes]
        after = {one.member_id: one.end_cursor for one in answer.members if one.end_cursor}
    assert found == {old: ["5", "3", "2", "1", "0"], young: ["5", "3", "2", "1", "0"], alone: ["4"]}
    undo = members_pb2.SplitMembersRequest(key=uuid4().hex, merge_id=merged.merge_id)
    await service.call(service.members.SplitMembers, undo, staff(chain))
    assert await shown(service, staff(chain), old, young) == {old: ["5", "2", "0"], young: ["3", "1"]}


async def test_a_member_has_a_thousand(
    service: MembersService, other_replica: MembersService, chain: str, member: str
) -> None:
    """However many replicas write the last ones at the same moment."""
    await write(service, staff(chain), member, "0")
    notes = service.database.collection(NOTES)
    [one] = await notes.find({"chain": chain}, {"_id": False}).to_list()
    await notes.insert_many([{**one, "note": f"note_0{number}"} for number in range(MAX_NOTES - 3)])
    done = await asyncio.gather(
        *(write(replica, staff(chain), member, "x") for replica in (service, other_replica) for _ in range(3)),
        return_exceptions=True,
    )
    assert [one.code for one in done if isinstance(one, RemoteProblem)] == ["TOO_MANY_NOTES"] * 4
    assert await notes.count_documents({"chain": chain}) == MAX_NOTES


async def test_an_erasure_leaves_no_note(service: MembersService, chain: str, member: str) -> None:
    await write(service, staff(chain), member, "secret")
    other = await joined(service, chain)
    await write(service, staff(chain), other, "stays")
    await erase(service, chain, member)
    assert [one["member"] for one in (await service.everything())["member_notes"]] == [other]
    refused = await service.refusal(service.channel.stub(NotesStub).AddNote, adding(member, "x"), staff(chain))
    assert refused.code == "MEMBER_NOT_FOUND"


async def test_no_note_is_written_of_whom_is_erased_meanwhile(service: MembersService, chain: str, member: str) -> None:
    vault = ErasingVault(service.database, lambda: erase(service, chain, member))
    desk = ChangeDesk(
        chains=MongoChains(service.database, vault),
        units=MongoUnits(service.database, vault, Outbox(service.database)),
        make_id=make_id,
        payer_key=PAYER_KEY,
    )
    change = Change(token_bytes(8).hex(), staff(chain), START)
    with pytest.raises(NoMemberError):
        await add_note(member, "too late", frozenset(), change=change, desk=desk)
    assert (await service.everything())["member_notes"] == []


ADD = "mutation ($input: AddNoteInput!) { addNote(input: $input) { userErrors { code field } noteId repeatedCall } }"
DELETE = "mutation ($input: DeleteNoteInput!) { deleteNote(input: $input) { userErrors { code } repeatedCall } }"
NOTED = """query ($id: ID!) { member(id: $id) { notes(first: 1) {
    nodes { text writtenBy writtenAt roles } pageInfo { hasNextPage } } } }"""


async def test_notes_over_the_graph(service: MembersService, chain: str, member: str) -> None:
    wish = {"key": "wish-0001", "memberId": member, "text": "Window", "roles": ["SERVICE_AGENT", "TILL"]}
    added = (await ask(service, staff(chain), ADD, input=wish))["addNote"]
    assert (added["userErrors"], added["repeatedCall"]) == ([], False)
    assert (await ask(service, staff(chain), NOTED, id=member))["member"]["notes"] == {
        "nodes": [
            {
                "text": "Window",
                "writtenBy": "staff:key_staff",
                "writtenAt": START.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "roles": ["TILL", "SERVICE_AGENT"],
            }
        ],
        "pageInfo": {"hasNextPage": False},
    }
    bad = {**wish, "key": "wish-0002", "text": ""}
    assert (await ask(service, staff(chain), ADD, input=bad))["addNote"]["userErrors"] == [
        {"code": "INVALID_NOTE", "field": "text"}
    ]
    gone = {"key": "wish-0003", "memberId": member, "noteId": added["noteId"]}
    assert (await ask(service, staff(chain), DELETE, input=gone))["deleteNote"] == {
        "userErrors": [],
        "repeatedCall": False,
    }
