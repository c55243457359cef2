"""Mutations: refusals are data, faults are errors, and what was loaded before a change is forgotten after it."""

from enum import Enum
from typing import Annotated, Any

import pytest
import strawberry

from protos.common.v1 import problem_pb2
from services.kit.errors import Kind, Problem
from services.kit.graph import (
    INPUT,
    Caller,
    MergedSchema,
    MutationShapeError,
    Subgraph,
    UserError,
    allow,
    mutation,
    user_error,
)
from services.kit.graph.schema import ServedSchema
from services.kit.principal import NotAllowedError
from services.kit.rpc import RemoteProblem
from tests.support.toy_graph import MEMBERS, POINTS, Memory, RenameError, RenameErrorCode, ask


@pytest.fixture(params=["single", "merged"])
def schema(request: pytest.FixtureRequest) -> ServedSchema:
    return MEMBERS.schema() if request.param == "single" else MergedSchema([MEMBERS, POINTS])


RENAME = """mutation ($name: String!) { rename(input: {id: "mem_1", name: $name}) {
    member { name } userErrors { code field message } } }"""


async def test_done_is_without_errors(schema: ServedSchema) -> None:
    answer = await ask(schema, RENAME, name="Li")
    assert answer == {"data": {"rename": {"member": {"name": "Li"}, "userErrors": []}}}


async def test_a_refusal_is_data(schema: ServedSchema) -> None:
    answer = await ask(schema, RENAME, name="taken")
    refused = [{"code": "NAME_TAKEN", "field": "name", "message": "taken is taken."}]
    assert answer == {"data": {"rename": {"member": None, "userErrors": refused}}}


async def test_a_refusal_newer_than_the_enum_shows_its_kind(schema: ServedSchema) -> None:
    memory = Memory()
    memory.raises = RemoteProblem("Too long.", kind=Kind.INVALID, code="NAME_TOO_LONG")
    answer = await ask(schema, RENAME, memory=memory, name="Li")
    assert answer["data"]["rename"]["userErrors"] == [{"code": "INVALID", "field": None, "message": "Too long."}]


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (RemoteProblem("10.0.0.1 is down", kind=Kind.UNAVAILABLE), "UNAVAILABLE"),
        (RemoteProblem("Too much.", kind=Kind.OVERLOADED, retry_after_ms=250), "OVERLOADED"),
        (NotAllowedError(why="another store's"), "DENIED"),
        (Problem(), "FAULT"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_fault_is_an_error(schema: ServedSchema, problem: Problem, code: str) -> None:
    memory = Memory()
    memory.raises = problem
    answer = await ask(schema, RENAME, memory=memory, name="Li")
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


async def test_what_was_loaded_is_forgotten_after_each_mutation_field(schema: ServedSchema) -> None:
    memory = Memory()
    twice = """mutation {
        a: rename(input: {id: "mem_1", name: "Li"}) { before member { name } }
        b: rename(input: {id: "mem_1", name: "Wu"}) { before member { name } } }"""
    answer = await ask(schema, twice, memory=memory)
    assert answer["data"] == {
        "a": {"before": "name of mem_1", "member": {"name": "Li"}},
        "b": {"before": "Li", "member": {"name": "Wu"}},
    }


def test_an_item_of_a_batch_has_its_path() -> None:
    problem = problem_pb2.Problem(
        kind=problem_pb2.ERROR_KIND_CONFLICT, code="NAME_TAKEN", field="profile.name", message="Taken."
    )
    made = user_error(RenameError, problem, at="members.3")
    assert made == RenameError(code=RenameErrorCode.NAME_TAKEN, field="members.3.profile.name", message="Taken.")


def test_an_item_that_cannot_be_mended_fails_the_whole() -> None:
    problem = problem_pb2.Problem(kind=problem_pb2.ERROR_KIND_OVERLOADED, code="OVERLOADED", message="Busy.")
    with pytest.raises(RemoteProblem) as raised:
        user_error(RenameError, problem)
    assert raised.value.kind is Kind.OVERLOADED


@strawberry.input
class Wish:
    name: str


@strawberry.enum
class FullCode(Enum):
    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    REFUSED = "REFUSED"


@strawberry.enum
class ShortCode(Enum):
    INVALID = "INVALID"


@strawberry.type
class FullError(UserError):
    code: FullCode


@strawberry.type
class ShortError(UserError):
    code: ShortCode


@strawberry.type
class TextError(UserError):
    code: str


def payload(error: Any, **more: Any) -> type:
    annotations = {"user_errors": list[error], **more}
    return strawberry.type(type("Payload", (), {"__annotations__": annotations}))


def mutating(payload: Any, wish: Any = Annotated[Wish, INPUT]) -> Subgraph:
    async def act(self: object, wish: object) -> object:
        return self, wish

    act.__annotations__ = {"wish": wish, "return": payload}
    made = mutation(allow(Caller.STAFF), description="Acts.")(act)
    return Subgraph("one", query=MEMBERS.query, mutation=strawberry.type(type("Mutation", (), {"act": made})))


@pytest.mark.parametrize(
    ("subgraph", "rule"),
    [
        (
            mutating(payload(FullError), Annotated[Wish, strawberry.argument(name="wish")]),
            "takes one argument, `input`",
        ),
        (mutating(str), "returns a payload"),
        (mutating(payload(FullError) | None), "returns a payload"),
        (mutating(payload(str)), "needs Payload.user_errors"),
        (mutating(payload(FullError, name=str)), "gives every field of Payload but user_errors a default"),
        (mutating(payload(ShortError)), "lacks CONFLICT, NOT_FOUND, REFUSED in ShortCode"),
    ],
)
def test_a_mutation_that_is_written_otherwise_fails_the_build(subgraph: Subgraph, rule: str) -> None:
    for build in (subgraph.schema, lambda: MergedSchema([subgraph])):
        with pytest.raises(MutationShapeError) as failed:
            build()
        assert str(failed.value).startswith(f"Mutation.act: a mutation {rule}")


def test_a_code_is_an_enum() -> None:
    with pytest.raises(MutationShapeError, match=r"TextError\.code is an enum of its own"):
        mutating(payload(TextError)).schema()
