import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from protos.campaigns.v1 import campaigns_pb2
from protos.common.v1 import dead_letters_pb2, problem_pb2
from protos.feedback.v1 import feedback_pb2
from protos.members.v1 import (
    cards_pb2,
    care_pb2,
    chains_pb2,
    configuration_pb2,
    directory_pb2,
    jobs_pb2,
    members_pb2,
    referrals_pb2,
    staff_pb2,
)
from protos.points.v1 import points_pb2
from services.kit.errors import BUSINESS, Kind, Problem
from services.kit.rpc.access import SCOPED, rules
from services.kit.rpc.problems import STATUS, RemoteProblem, from_error, from_proto, to_proto, to_status


def test_every_kind_has_a_status_of_its_own() -> None:
    assert {kind.name: STATUS[kind].name for kind in Kind} == {
        "INVALID": "INVALID_ARGUMENT",
        "NOT_FOUND": "NOT_FOUND",
        "CONFLICT": "ALREADY_EXISTS",
        "REFUSED": "FAILED_PRECONDITION",
        "UNAUTHENTICATED": "UNAUTHENTICATED",
        "DENIED": "PERMISSION_DENIED",
        "OVERLOADED": "RESOURCE_EXHAUSTED",
        "UNAVAILABLE": "UNAVAILABLE",
        "FAULT": "INTERNAL",
        "TIMED_OUT": "DEADLINE_EXCEEDED",
    }
    assert len(set(STATUS.values())) == len(Kind)


def test_every_kind_of_the_contract_is_known() -> None:
    contract = problem_pb2.ErrorKind.DESCRIPTOR.values_by_name
    assert set(contract) == {"ERROR_KIND_UNSPECIFIED", *(f"ERROR_KIND_{kind.name}" for kind in Kind)}


@given(
    st.sampled_from(Kind),
    st.from_regex(r"[A-Z_]{1,30}", fullmatch=True),
    st.text(st.characters(codec="utf-8"), max_size=50),
    st.text(st.characters(codec="utf-8"), max_size=300),
    st.integers(0, 10**9),
)
def test_a_problem_survives_the_wire(kind: Kind, code: str, field: str, message: str, retry_after_ms: int) -> None:
    sent = RemoteProblem(message, kind=kind, code=code, field=field, retry_after_ms=retry_after_ms)
    got = from_proto(problem_pb2.Problem.FromString(to_proto(sent).SerializeToString()))
    assert (got.kind, got.code, got.field, got.message, got.retry_after_ms) == (
        kind,
        code,
        field,
        message,
        retry_after_ms,
    )


@given(st.text(st.characters(codec="utf-8"), max_size=3_000), st.integers(1, 4))
def test_a_status_fits_into_the_headers(text: str, repeats: int) -> None:
    problem = RemoteProblem(text * repeats, kind=Kind.CONFLICT, code="C", field=text * repeats)
    status = to_status(problem)
    percent_encoded = len(status.message.encode()) * 3
    base64_encoded = len(status.SerializeToString()) * 4 // 3
    assert percent_encoded + base64_encoded < 7_000


def test_half_a_pair_of_surrogates_does_not_break_the_answer() -> None:
    assert to_proto(RemoteProblem("a\ud800b")).message == "a?b"


def test_a_kind_that_is_new_to_us_is_a_fault() -> None:
    future = problem_pb2.Problem.FromString(problem_pb2.Problem(code="NEW").SerializeToString() + b"\x08\x63")
    assert (from_proto(future).kind, from_proto(future).code) == (Kind.FAULT, "NEW")
    assert from_proto(problem_pb2.Problem()).kind is Kind.FAULT


def test_braces_in_a_message_are_only_braces() -> None:
    assert RemoteProblem("{message} {x}").message == "{message} {x}"


def failed(status: grpc.StatusCode, *trailing: tuple[str, bytes]) -> RemoteProblem:
    return from_error(AioRpcError(status, Metadata(), Metadata(*trailing), details="10.1.2.3:7102 is down"))


@pytest.mark.parametrize("status", [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK])
def test_what_grpc_says_by_itself_is_put_into_our_words(status: grpc.StatusCode) -> None:
    problem = failed(status)
    assert problem.kind is {each: kind for kind, each in STATUS.items()}.get(status, Kind.FAULT)
    assert problem.code == problem.kind.name
    assert "10.1.2.3" not in problem.message
    assert len(problem.message) > 10


@pytest.mark.parametrize(
    "trailing", [b"\xff\xff", to_status(RemoteProblem("x", kind=Kind.CONFLICT)).SerializeToString()]
)
def test_details_that_do_not_fit_are_not_believed(trailing: bytes) -> None:
    problem = failed(grpc.StatusCode.UNAVAILABLE, ("grpc-status-details-bin", trailing))
    assert (problem.kind, problem.code) == (Kind.UNAVAILABLE, "UNAVAILABLE")


def test_a_remote_problem_is_a_problem_with_the_other_sides_kind() -> None:
    problem: Problem = RemoteProblem("no", kind=Kind.REFUSED, code="CLOSED")
    assert problem.kind in BUSINESS
    assert (Problem.kind, RemoteProblem.kind) == (Kind.FAULT, Kind.FAULT)


SERVICES: list[ServiceDescriptor] = [
    service
    for file in (
        campaigns_pb2.DESCRIPTOR,
        cards_pb2.DESCRIPTOR,
        care_pb2.DESCRIPTOR,
        chains_pb2.DESCRIPTOR,
        configuration_pb2.DESCRIPTOR,
        directory_pb2.DESCRIPTOR,
        jobs_pb2.DESCRIPTOR,
        staff_pb2.DESCRIPTOR,
        dead_letters_pb2.DESCRIPTOR,
        feedback_pb2.DESCRIPTOR,
        members_pb2.DESCRIPTOR,
        referrals_pb2.DESCRIPTOR,
        points_pb2.DESCRIPTOR,
    )
    for service in file.services_by_name.values()
]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.full_name)
def test_every_method_of_ours_has_a_rule_and_a_scope_for_whoever_carries_scopes(service: ServiceDescriptor) -> None:
    # What every guest can see anyway.
    lists = {"GetStores", "FindNearestStores", "GetMenuItems", "ListMenuItems", "ListBrands", "ListRegions"}
    reads_the_chain = {"GetChain", "GetQrCode", *lists}
    for method, rule in rules(service).items():
        assert rule.kinds
        if rule.kinds & SCOPED and method not in reads_the_chain:
            assert rule.scope, method
