"""Documents: the hostile ones are refused before they cost anything, the others are checked once."""

import time
from contextlib import suppress

import pytest
from graphql import OperationType, get_introspection_query

from services.kit.graph import MergedSchema
from services.kit.graph.documents import KEPT, KEPT_CHARACTERS, Documents, InvalidDocumentError
from tests.support.toy_graph import MEMBERS, POINTS

SCHEMA = MergedSchema([MEMBERS, POINTS])
SECOND = 1.0


@pytest.fixture
def documents() -> Documents:
    return Documents(SCHEMA._schema)


def refusal(documents: Documents, text: str) -> str:
    began = time.process_time()
    with pytest.raises(InvalidDocumentError) as refused:
        documents.known(text)
    assert time.process_time() - began < SECOND
    return str(refused.value.errors[0].message)


def members(depth: int) -> str:
    return "{ members(count: 1) { " + "... { " * depth + "name" + " }" * depth + " } }"


def test_a_document_is_checked_once(documents: Documents) -> None:
    assert documents.known("{ __typename }") is documents.known("{ __typename }")


def test_no_more_than_so_many_are_kept(documents: Documents) -> None:
    first = documents.known("{ __typename }")
    for number in range(KEPT):
        documents.known(f"query Q{number} {{ __typename }}")
    assert len(documents._known) == KEPT
    assert documents.known("{ __typename }") is not first


def test_a_long_document_is_not_kept(documents: Documents) -> None:
    text = "{ __typename }" + " " * KEPT_CHARACTERS
    assert documents.known(text) is not documents.known(text)


def test_an_invalid_document_is_not_kept(documents: Documents) -> None:
    assert refusal(documents, "{ nothing }") == "Cannot query field 'nothing' on type 'Query'."
    assert len(documents._known) == 0


def test_the_kind_of_an_operation_is_known(documents: Documents) -> None:
    one = documents.known("{ __typename }")
    two = documents.known("query A { __typename } query B { __typename }")
    assert (one.kind_of(None), two.kind_of("B")) == (OperationType.QUERY, OperationType.QUERY)
    assert (two.kind_of(None), two.kind_of("C"), one.kind_of("A")) == (None, None, None)


def test_graphiql_can_introspect(documents: Documents) -> None:
    documents.known(get_introspection_query())


def test_nesting_is_limited(documents: Documents) -> None:
    fields = "{ member(id: 1) { entries { edges { node " + "{ node " * 13 + "}" * 13 + " } } } }"
    assert refusal(documents, fields) == "The document is nested more than 16 deep."


def test_fragments_count_where_they_are_spread(documents: Documents) -> None:
    text = "{ ...F0 } " + " ".join(f"fragment F{n} on Query {{ a {{ ...F{n + 1} }} }}" for n in range(20))
    assert refusal(documents, text) == "The document is nested more than 16 deep."


def test_deep_brackets_do_not_exhaust_the_stack(documents: Documents) -> None:
    too_deep = "Syntax Error: Document is nested too deeply. Parsing aborted."
    assert refusal(documents, "{ a" * 900) == too_deep
    assert refusal(documents, "{ a(x: " + "[" * 900) == too_deep


def test_aliases_are_limited(documents: Documents) -> None:
    text = "{ " + " ".join(f"a{n}: __typename" for n in range(51)) + " }"
    assert refusal(documents, text) == "The operation has more than 50 aliases."


def test_a_few_letters_that_spell_a_billion_fields_are_refused(documents: Documents) -> None:
    doubled = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(30))
    text = f"{{ ...F0 }} {doubled} fragment F30 on Query {{ __typename }}"
    assert refusal(documents, text) == "The operation asks for more than 500 fields."


def test_a_fragment_in_itself_is_refused(documents: Documents) -> None:
    text = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"
    assert "Cannot spread fragment 'A' within itself via 'B'." in refusal(documents, text)


def test_tokens_are_limited(documents: Documents) -> None:
    text = "{ " + "__typename " * 2_001 + "}"
    assert refusal(documents, text) == "Syntax Error: Document contains more than 2000 tokens. Parsing aborted."


def test_characters_are_limited(documents: Documents) -> None:
    assert refusal(documents, "#" * 100_001) == "The document has more than 100000 characters."


@pytest.mark.parametrize(
    "text",
    [
        "{ " + "__typename " * 499 + "}",
        "{ __typename " + "@skip(if: true) " * 300 + "}",
        "{ " + " ".join(f"a{n % 50}: member(id: {n}) {{ name }}" for n in range(50)) + " }",
        "query (" + " ".join(f"$a{n}: Int" for n in range(480)) + ") { __typename }",
        "{ " + "... { " * 400 + "__typename" + " }" * 400 + " }",
    ],
    ids=["same field", "directives", "conflicting", "variables", "inline fragments"],
)
def test_what_passes_the_measures_is_validated_within_a_second(documents: Documents, text: str) -> None:
    began = time.process_time()
    with suppress(InvalidDocumentError):
        documents.known(text)
    assert time.process_time() - began < SECOND
