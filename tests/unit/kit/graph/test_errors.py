"""Errors: a problem's own sentence or none of ours; what nobody expected is logged and not shown."""

import logging
from typing import ClassVar

import pytest

from services.kit.errors import Kind, Problem
from services.kit.graph import MergedSchema
from services.kit.graph.documents import InvalidDocumentError
from services.kit.graph.errors import shown
from services.kit.rpc import RemoteProblem
from tests.support.toy_graph import MEMBERS, POINTS, Memory, ask

SCHEMA = MergedSchema([MEMBERS, POINTS])
MEMBER = '{ member(id: "mem_1") { name } }'


class SomeError(Problem):
    """There is something."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code = "SOMETHING"


async def test_what_nobody_expected_is_masked_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    answer = await ask(SCHEMA, '{ member(id: "mem_1") { broken } }')
    (error,) = answer["errors"]
    assert error == {
        "message": "Something went wrong on our side. Name the trace id when you report it.",
        "locations": [{"line": 1, "column": 25}],
        "path": ["member", "broken"],
        "extensions": {"code": "FAULT", "traceId": "4bf9"},
    }
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "secret words of the inside" in record.getMessage()
    assert record.exc_info is not None


@pytest.mark.parametrize(
    ("problem", "message", "told"),
    [
        (SomeError(field="id"), "There is something.", {"code": "SOMETHING", "field": "id"}),
        (
            RemoteProblem("Busy.", kind=Kind.OVERLOADED, retry_after_ms=20),
            "Busy.",
            {"code": "OVERLOADED", "retryAfterMs": 20},
        ),
        (
            RemoteProblem("10.0.0.1 is down", kind=Kind.UNAVAILABLE, code="MONGO_DOWN", field="x"),
            "A part of the platform cannot be reached. Try again in a moment.",
            {"code": "UNAVAILABLE"},
        ),
        (
            RemoteProblem("at line 12", kind=Kind.TIMED_OUT),
            "This took too long. Try again; a command with the same key is never done twice.",
            {"code": "TIMED_OUT"},
        ),
        (
            RemoteProblem("at line 12", kind=Kind.FAULT),
            "Something went wrong on our side. Name the trace id when you report it.",
            {"code": "FAULT"},
        ),
    ],
    ids=["refused", "overloaded", "unavailable", "timed out", "fault"],
)
async def test_a_problem_is_shown_by_its_kind(problem: Problem, message: str, told: dict[str, object]) -> None:
    memory = Memory()
    memory.raises = problem
    answer = await ask(SCHEMA, MEMBER, memory=memory)
    (error,) = answer["errors"]
    assert (error["message"], error["extensions"]) == (message, {**told, "traceId": "4bf9"})


def test_an_invalid_document_says_what_is_wrong() -> None:
    codes = []
    for text in ("{ member(", "{ nothing }"):
        with pytest.raises(InvalidDocumentError) as invalid:
            SCHEMA.documents.known(text)
        (error,) = shown(invalid.value.errors, trace_id="4bf9")
        codes.append((error.message, error.extensions))
    assert codes == [
        ("Syntax Error: Expected Name, found <EOF>.", {"code": "SYNTAX", "traceId": "4bf9"}),
        ("Cannot query field 'nothing' on type 'Query'.", {"code": "BAD_REQUEST", "traceId": "4bf9"}),
    ]


async def test_wrong_variables_are_the_callers() -> None:
    answer = await ask(SCHEMA, "query ($count: Int!) { members(count: $count) { name } }", count="many")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_REQUEST"]
