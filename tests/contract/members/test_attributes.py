"""What a chain wants to know of its members: defined, set, shown by role, sealed where it is personal."""

import asyncio
from typing import Any
from uuid import uuid4

import bson
import pytest

from protos.members.v1 import attributes_pb2 as pb
from protos.members.v1 import members_pb2
from protos.members.v1.attributes_pb2_grpc import AttributesStub
from services.kit.principal import Principal
from services.kit.rpc import RemoteProblem
from services.members.domain.visibility import Role
from services.members.store.collections import MEMBERS
from tests.contract.members.test_erasing import erase
from tests.contract.members.test_graph import ask
from tests.contract.members.test_visibility import caller
from tests.support.members_service import MembersService, enrollment, external, staff

CELLAR = pb.AttributeDefinition(
    code="cellar",
    label="Wine cellar",
    type=pb.ATTRIBUTE_TYPE_CHOICES,
    choices=[pb.AttributeChoice(code="red", label="Red"), pb.AttributeChoice(code="white", label="White")],
    personal=False,
    roles=[pb.VIEWER_ROLE_TILL, pb.VIEWER_ROLE_SERVICE_AGENT, pb.VIEWER_ROLE_ANALYST, pb.VIEWER_ROLE_SERVICE],
)
WEDDING = pb.AttributeDefinition(code="wedding", label="Wedding day", type=pb.ATTRIBUTE_TYPE_DATE)
SIZE = pb.AttributeDefinition(code="size", label="Size", type=pb.ATTRIBUTE_TYPE_NUMBER, personal=False)

SECRET = pb.AttributeValue(code="wedding", date="2019-05-17")
OPEN = pb.AttributeValue(code="cellar", choices=pb.AttributeChosen(codes=["red", "white"]))


async def define(service: MembersService, chain: str, *definitions: pb.AttributeDefinition) -> None:
    request = pb.SaveAttributeDefinitionsRequest(definitions=definitions)
    await service.call(service.channel.stub(AttributesStub).SaveAttributeDefinitions, request, staff(chain))


def setting(member: str, *values: pb.AttributeValue, key: str = "") -> pb.SetAttributesRequest:
    return pb.SetAttributesRequest(key=key or uuid4().hex, member_id=member, values=values)


async def put(service: MembersService, chain: str, member: str, *values: pb.AttributeValue) -> pb.SetAttributesResponse:
    method = service.channel.stub(AttributesStub).SetAttributes
    answer: pb.SetAttributesResponse = await service.call(method, setting(member, *values), staff(chain))
    return answer


async def shown(service: MembersService, by: Principal, *members: str) -> dict[str, list[pb.AttributeValue]]:
    request = pb.GetAttributesRequest(member_ids=members)
    answer = await service.call(service.channel.stub(AttributesStub).GetAttributes, request, by)
    return {one.member_id: list(one.values) for one in answer.members}


async def joined(service: MembersService, chain: str) -> str:
    return (await service.enroll(enrollment(external(uuid4().hex)), staff(chain))).member.id


@pytest.fixture
async def member(service: MembersService, chain: str) -> str:
    """Return a member with a personal value and one that is not."""
    await define(service, chain, CELLAR, WEDDING, SIZE)
    member = await joined(service, chain)
    await put(service, chain, member, SECRET, OPEN)
    return member


async def test_every_attribute_as_every_role_sees_it(service: MembersService, chain: str, member: str) -> None:
    seen = {role: (await shown(service, caller(role, chain, member), member))[member] for role in Role}
    assert seen == {
        Role.GUEST: [SECRET],
        Role.TILL: [OPEN],
        Role.PARTNER: [],
        Role.SERVICE: [OPEN],
        Role.CASHIER: [],
        Role.STORE_MANAGER: [SECRET],
        Role.SERVICE_AGENT: [OPEN, SECRET],
        Role.MARKETER: [],
        Role.ANALYST: [OPEN],
        Role.ADMIN: [SECRET],
    }


async def test_who_saw_what_is_personal_is_on_record(service: MembersService, chain: str, member: str) -> None:
    for role in (Role.TILL, Role.GUEST, Role.CASHIER, Role.STORE_MANAGER):
        await shown(service, caller(role, chain, member), member, "mem_nobody")
    request = members_pb2.ListLooksRequest(member_id=member)
    looks = (await service.call(service.members.ListLooks, request, staff(chain))).looks
    assert [(one.role, list(one.fields)) for one in looks] == [("store_manager", ["attributes.wedding"])]


async def test_what_is_personal_is_sealed_and_the_rest_is_found_by_one_index(
    service: MembersService, chain: str, member: str
) -> None:
    await put(service, chain, member, pb.AttributeValue(code="size", number=42))
    await service.enroll_all([enrollment() for _ in range(20)], staff(chain))
    held = await service.everything()
    assert not [one for rows in held.values() for one in rows if b"2019-05-17" in bson.encode(one)]
    [document] = [one for one in held["members"] if one["member"] == member]
    assert sorted((one["k"], one["v"]) for one in document["attributes"]) == [
        ("cellar", "red"),
        ("cellar", "white"),
        ("size", 42.0),
    ]
    members = service.database.collection(MEMBERS)
    for k, v in (("cellar", "white"), ("size", {"$gte": 42})):
        condition = {"chain": chain, "attributes": {"$elemMatch": {"k": k, "v": v}}}
        assert await members.count_documents(condition) == 1
        explained = await members.find(condition).explain()
        assert "by_attribute" in str(explained["queryPlanner"]["winningPlan"])
        assert explained["executionStats"]["totalDocsExamined"] == 1


async def test_values_change_and_go_while_others_stay(service: MembersService, chain: str, member: str) -> None:
    before = (await service.member(chain, member)).version
    only = pb.AttributeValue(code="cellar", choices=pb.AttributeChosen(codes=["white"]))
    answer = await put(service, chain, member, only, pb.AttributeValue(code="wedding"))
    assert (answer.member_id, answer.version) == (member, before + 1)
    assert await shown(service, staff(chain), member) == {member: [only]}
    assert (await put(service, chain, member, only)).version == before + 1


async def test_the_same_key_sets_once(service: MembersService, chain: str, member: str) -> None:
    method = service.channel.stub(AttributesStub).SetAttributes
    wish = setting(member, pb.AttributeValue(code="size", number=1), key="wish-0001")
    assert not (await service.call(method, wish, staff(chain))).repeated_call
    await put(service, chain, member, pb.AttributeValue(code="size", number=2))
    assert (await service.call(method, wish, staff(chain))).repeated_call
    admin = caller(Role.ADMIN, chain, member)
    assert (await shown(service, admin, member))[member] == [pb.AttributeValue(code="size", number=2), SECRET]
    other = setting(member, pb.AttributeValue(code="size", number=3), key="wish-0001")
    assert (await service.refusal(method, other, staff(chain))).code == "KEY_REUSED"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (pb.AttributeValue(code="hat", text="x"), ("ATTRIBUTE_NOT_FOUND", "values.1.code")),
        (pb.AttributeValue(code="size", text="x"), ("INVALID_ATTRIBUTE", "values.1")),
        (pb.AttributeValue(code="wedding", date="x"), ("INVALID_ATTRIBUTE", "values.1")),
        (pb.AttributeValue(code="cellar"), ("INVALID_ATTRIBUTE", "values.1.code")),
    ],
)
async def test_bad_values_change_nothing(
    service: MembersService, chain: str, member: str, value: pb.AttributeValue, why: tuple[str, str]
) -> None:
    method = service.channel.stub(AttributesStub).SetAttributes
    refused = await service.refusal(method, setting(member, OPEN, value), staff(chain))
    assert (refused.code, refused.field) == why


async def test_nobody_sets_what_it_does_not_see(service: MembersService, chain: str, member: str) -> None:
    method = service.channel.stub(AttributesStub).SetAttributes
    cashier = Principal(**{**_fields(staff(chain)), "role": "cashier"})
    assert (await service.refusal(method, setting(member, SECRET), cashier)).code == "ATTRIBUTE_NOT_FOUND"
    for by in (staff(chain, scopes=frozenset({"members:write"})), caller(Role.GUEST, chain, member)):
        assert (await service.refusal(method, setting(member, SECRET), by)).code == "DENIED"


def _fields(one: Principal) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("chain", "kind", "id", "scopes", "stores")}


async def test_definitions_are_shown_to_whom_their_values_are(
    service: MembersService, chain: str, other_chain: str, member: str
) -> None:
    method, request = (
        service.channel.stub(AttributesStub).ListAttributeDefinitions,
        pb.ListAttributeDefinitionsRequest(),
    )
    for by, codes in (
        (staff(chain), ["cellar", "size", "wedding"]),
        (caller(Role.TILL, chain, member), ["cellar"]),
        (caller(Role.GUEST, chain, member), ["size", "wedding"]),
        (staff(other_chain), []),
    ):
        assert [one.code for one in (await service.call(method, request, by)).definitions] == codes
    stranger = await joined(service, other_chain)
    assert await shown(service, staff(other_chain), member, stranger) == {stranger: []}
    save = service.channel.stub(AttributesStub).SaveAttributeDefinitions
    wish = pb.SaveAttributeDefinitionsRequest(definitions=[SIZE])
    assert (await service.refusal(save, wish, staff(chain, stores=["sto_1"]))).code == "DENIED"


async def test_a_type_stays_once_there_may_be_values(service: MembersService, chain: str, member: str) -> None:
    save = service.channel.stub(AttributesStub).SaveAttributeDefinitions
    text = pb.AttributeDefinition(code="size", label="Size", type=pb.ATTRIBUTE_TYPE_TEXT, personal=False)
    await define(service, chain, text)
    await define(service, chain, SIZE)
    await put(service, chain, member, pb.AttributeValue(code="size", number=1))
    wish = pb.SaveAttributeDefinitionsRequest(definitions=[text])
    assert (await service.refusal(save, wish, staff(chain))).code == "ATTRIBUTE_IN_USE"


async def test_a_first_value_and_another_type_at_the_same_moment(
    service: MembersService, other_replica: MembersService, chain: str, member: str
) -> None:
    """Whichever is first: no member has a value that is not of its attribute's type."""
    text = pb.AttributeDefinition(type=pb.ATTRIBUTE_TYPE_TEXT, label="x", personal=False)
    for number in range(8):
        code = f"code-{number}"
        await define(service, chain, pb.AttributeDefinition(code=code, label="x", type=pb.ATTRIBUTE_TYPE_NUMBER))
        text.code = code
        done = await asyncio.gather(
            put(service, chain, member, pb.AttributeValue(code=code, number=1)),
            define(other_replica, chain, text),
            return_exceptions=True,
        )
        codes = {one.code for one in done if isinstance(one, RemoteProblem)}
        assert codes in ({"INVALID_ATTRIBUTE"}, {"ATTRIBUTE_IN_USE"})


async def test_a_retired_attribute_is_neither_shown_nor_set(service: MembersService, chain: str, member: str) -> None:
    retired = pb.AttributeDefinition()
    retired.CopyFrom(WEDDING)
    retired.retired = True
    await define(service, chain, retired)
    assert await shown(service, staff(chain), member) == {member: [OPEN]}
    method = service.channel.stub(AttributesStub).SetAttributes
    assert (await service.refusal(method, setting(member, SECRET), staff(chain))).code == "ATTRIBUTE_NOT_FOUND"
    await define(service, chain, WEDDING)
    assert await shown(service, staff(chain), member) == {member: [OPEN, SECRET]}


async def test_both_ids_show_the_values_of_one_person(service: MembersService, chain: str, member: str) -> None:
    other = await joined(service, chain)
    await put(service, chain, other, pb.AttributeValue(code="size", number=7))
    request = members_pb2.MergeMembersRequest(key=uuid4().hex, member_id=member, other_member_id=other)
    merged = await service.call(service.members.MergeMembers, request, staff(chain))
    admin = Principal(**{**_fields(staff(chain)), "role": "admin"})
    both = [pb.AttributeValue(code="size", number=7), SECRET]
    assert await shown(service, admin, member, other) == {member: both, other: both}
    undo = members_pb2.SplitMembersRequest(key=uuid4().hex, merge_id=merged.merge_id)
    await service.call(service.members.SplitMembers, undo, staff(chain))
    assert await shown(service, admin, member, other) == {member: [SECRET], other: both[:1]}


async def test_nothing_is_left_of_whom_is_erased(service: MembersService, chain: str, member: str) -> None:
    await erase(service, chain, member)
    assert await shown(service, staff(chain), member) == {member: []}
    [document] = (await service.everything())["members"]
    assert (document["attributes"], document["profile"]) == ([], b"")
    method = service.channel.stub(AttributesStub).SetAttributes
    assert (await service.refusal(method, setting(member, OPEN), staff(chain))).code == "MEMBER_NOT_FOUND"


SAVE = """mutation ($input: SaveAttributeDefinitionsInput!) { saveAttributeDefinitions(input: $input) {
    userErrors { code field } definitions { code type personal roles used version choices { code label } } } }"""
SET = """mutation ($input: SetAttributesInput!) { setAttributes(input: $input) {
    userErrors { code field } memberId repeatedCall } }"""
SHOWN = """query ($id: ID!) { attributeDefinitions { code used }
    member(id: $id) { attributes { code text number boolean date choices } } }"""


async def test_attributes_over_the_graph(service: MembersService, chain: str) -> None:
    member = await joined(service, chain)
    definition = {"code": "cellar", "label": "Cellar", "type": "CHOICE", "personal": False, "roles": ["SERVICE_AGENT"]}
    wish = {"definitions": [{**definition, "choices": [{"code": "red", "label": "Red"}]}]}
    saved = (await ask(service, staff(chain), SAVE, input=wish))["saveAttributeDefinitions"]
    assert saved == {
        "userErrors": [],
        "definitions": [
            {
                "code": "cellar",
                "type": "CHOICE",
                "personal": False,
                "roles": ["SERVICE_AGENT"],
                "used": False,
                "version": 1,
                "choices": [{"code": "red", "label": "Red"}],
            }
        ],
    }
    refused = await ask(service, staff(chain), SAVE, input={"definitions": [definition]})
    assert refused["saveAttributeDefinitions"]["userErrors"] == [
        {"code": "INVALID_DEFINITION", "field": "definitions.0.choices"}
    ]
    value = {"key": "wish-0001", "memberId": member, "values": [{"code": "cellar", "choice": "red"}]}
    assert (await ask(service, staff(chain), SET, input=value))["setAttributes"] == {
        "userErrors": [],
        "memberId": member,
        "repeatedCall": False,
    }
    two = {**value, "key": "wish-0002", "values": [{"code": "cellar", "choice": "red", "text": "red"}]}
    assert (await ask(service, staff(chain), SET, input=two))["setAttributes"]["userErrors"] == [
        {"code": "INVALID_ATTRIBUTE", "field": "values.0"}
    ]
    assert await ask(service, staff(chain), SHOWN, id=member) == {
        "attributeDefinitions": [{"code": "cellar", "used": True}],
        "member": {
            "attributes": [
                {"code": "cellar", "text": None, "number": None, "boolean": None, "date": None, "choices": ["red"]}
            ]
        },
    }
