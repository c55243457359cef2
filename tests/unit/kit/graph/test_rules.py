"""Rules: every field that can be asked for has one, and it holds in the merged graph as in each part alone."""

from dataclasses import replace
from typing import Any

import pytest
import strawberry

from services.kit.graph import Caller, MergedSchema, NoRuleError, Subgraph, allow, field
from services.kit.graph.schema import ServedSchema
from services.kit.principal import Principal
from tests.support.toy_graph import MEMBERS, POINTS, STAFF, Memory, ask


@strawberry.type
class Bare:
    attribute: str = "needs none"

    @strawberry.field
    def resolved(self) -> str:
        return ""


@strawberry.type(name="Query")
class WithBareField:
    @field(allow(Caller.STAFF), description="The way to one.")
    def bare(self) -> Bare:
        return Bare()


@strawberry.type(name="Query")
class WithBareRoot:
    @strawberry.field
    def root(self) -> str:
        return ""


@strawberry.type(name="Query")
class WithBareRootAttribute:
    root: str = "no rule either"


BOTH = pytest.mark.parametrize("build", [Subgraph.schema, lambda one: MergedSchema([one])], ids=["single", "merged"])


@BOTH
@pytest.mark.parametrize(
    ("query", "where"),
    [(WithBareField, "Bare.resolved"), (WithBareRoot, "Query.root"), (WithBareRootAttribute, "Query.root")],
)
def test_a_field_without_a_rule_fails_the_build(build: Any, query: type, where: str) -> None:
    subgraph = Subgraph("one", query=query)
    with pytest.raises(NoRuleError) as failed:
        build(subgraph)
    module = __name__ if query is not WithBareRootAttribute else ".*"
    assert failed.match(rf"Say who may ask, extensions=\[allow\(\.\.\.\)\], for {where} \({module}\)$")


def test_a_rule_names_somebody() -> None:
    with pytest.raises(NoRuleError):
        allow()


@pytest.fixture(params=["single", "merged"])
def schema(request: pytest.FixtureRequest) -> ServedSchema:
    return MEMBERS.schema() if request.param == "single" else MergedSchema([MEMBERS, POINTS])


async def refusal(schema: ServedSchema, caller: Principal | None, query: str) -> tuple[str, str]:
    memory = Memory()
    answer = await ask(schema, query, caller=caller, memory=memory)
    assert memory.asked == []
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["message"]


MEMBER = '{ member(id: "mem_1") { name } }'


async def test_nobody_gets_nothing(schema: ServedSchema) -> None:
    expected = (
        "UNAUTHENTICATED",
        "The caller's token is missing, expired, or not signed by anyone who may vouch for it.",
    )
    assert await refusal(schema, None, MEMBER) == expected


async def test_the_wrong_kind_of_caller_is_denied(schema: ServedSchema) -> None:
    till = replace(STAFF, kind=Caller.TILL)
    assert await refusal(schema, till, MEMBER) == ("DENIED", "This caller may not do that: not as a till.")


async def test_a_key_without_the_scope_is_denied(schema: ServedSchema) -> None:
    unscoped = replace(STAFF, scopes=frozenset({"points:read"}))
    expected = ("DENIED", "This caller may not do that: the key lacks the scope members:read.")
    assert await refusal(schema, unscoped, MEMBER) == expected


async def test_a_guest_needs_no_scope(schema: ServedSchema) -> None:
    guest = Principal("chn_1", Caller.MEMBER, "mem_1")
    assert await ask(schema, MEMBER, caller=guest) == {"data": {"member": {"name": "name of mem_1"}}}


async def test_a_mutation_is_denied_before_it_is_done(schema: ServedSchema) -> None:
    guest = Principal("chn_1", Caller.MEMBER, "mem_1")
    rename = 'mutation { rename(input: {id: "mem_1", name: "Li"}) { member { id } } }'
    assert await refusal(schema, guest, rename) == ("DENIED", "This caller may not do that: not as a member.")


async def test_a_field_of_an_extended_entity_has_its_own_rule() -> None:
    reader = replace(STAFF, scopes=frozenset({"members:read"}))
    answer = await ask(MergedSchema([MEMBERS, POINTS]), '{ member(id: "mem_1") { name points } }', caller=reader)
    assert answer["data"] == {"member": None}
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["member", "points"], "DENIED")
    ]


ENTITY = """query ($of: [_Any!]!) { _entities(representations: $of) { ... on Member { name } } }"""


async def test_entities_are_for_callers_with_a_key() -> None:
    of = [{"__typename": "Member", "id": "mem_1"}]
    memory = Memory()
    answer = await ask(MEMBERS.schema(), ENTITY, caller=None, memory=memory, of=of)
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert memory.asked == []


async def test_anyone_may_read_the_sdl() -> None:
    answer = await ask(MEMBERS.schema(), "{ _service { sdl } __typename }", caller=None)
    assert answer["data"]["_service"]["sdl"] + "\n" == MEMBERS.schema().federation_sdl()
