"""Problems on the wire: one table from kind to gRPC status, and the details that carry code, field and advice."""

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # the library has no types
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status import rpc_status  # type: ignore[import-untyped]  # the library has no types

from protos.common.v1 import problem_pb2
from services.kit.errors import Kind, Problem

STATUS: dict[Kind, StatusCode] = {
    Kind.INVALID: StatusCode.INVALID_ARGUMENT,
    Kind.NOT_FOUND: StatusCode.NOT_FOUND,
    Kind.CONFLICT: StatusCode.ALREADY_EXISTS,
    Kind.REFUSED: StatusCode.FAILED_PRECONDITION,
    Kind.UNAUTHENTICATED: StatusCode.UNAUTHENTICATED,
    Kind.DENIED: StatusCode.PERMISSION_DENIED,
    Kind.OVERLOADED: StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: StatusCode.UNAVAILABLE,
    Kind.FAULT: StatusCode.INTERNAL,
    Kind.TIMED_OUT: StatusCode.DEADLINE_EXCEEDED,
}
"""The one table; read backwards by callers, where any other status is a fault."""

_KINDS = {status: kind for kind, status in STATUS.items()}

# A status travels in HTTP/2 headers, which peers refuse beyond 8 KB; the longest of ours stays below 7.
_STATUS_BYTES, _MESSAGE_BYTES, _FIELD_BYTES = 300, 2_000, 300

_GENERIC = {
    Kind.UNAVAILABLE: "Something that is needed cannot be reached; try again in a moment.",
    Kind.TIMED_OUT: "It took longer than the time that was given; try again.",
    Kind.OVERLOADED: "Too much is asked at once; try again in a moment.",
    Kind.FAULT: "Something went wrong on the platform's side.",
}
"""For statuses that gRPC made itself: its own words name addresses and inner parts."""


class RemoteProblem(Problem):
    """{message}"""  # noqa: D415 - the sentence is the other side's

    def __init__(
        self, message: str, *, kind: Kind = Kind.FAULT, code: str = "", field: str = "", retry_after_ms: int = 0
    ) -> None:
        """Hold what another service answered; `code` is by default the kind's name."""
        super().__init__(field=field, retry_after_ms=retry_after_ms, message=message)
        self.kind = kind  # type: ignore[misc]  # the other side's class says it, and is not here
        self.code = code or kind.name  # type: ignore[misc]  # as the kind


def to_proto(problem: Problem) -> problem_pb2.Problem:
    """Return `problem` as it travels, as an item of a batch's answer or in a status."""
    return problem_pb2.Problem(
        kind=problem_pb2.ErrorKind.Value(f"ERROR_KIND_{problem.kind.name}"),
        code=problem.code,
        field=_cut(problem.field, _FIELD_BYTES),
        message=_cut(problem.message, _MESSAGE_BYTES),
        retry_after_ms=problem.retry_after_ms,
    )


def from_proto(problem: problem_pb2.Problem) -> RemoteProblem:
    """Return what another service meant; a kind that this code does not know yet is a fault."""
    try:
        kind = Kind[problem_pb2.ErrorKind.Name(problem.kind).removeprefix("ERROR_KIND_")]
    except (ValueError, KeyError):
        kind = Kind.FAULT
    return RemoteProblem(
        problem.message,
        kind=kind,
        code=problem.code,
        field=problem.field,
        retry_after_ms=problem.retry_after_ms,
    )


def to_status(problem: Problem) -> Status:
    """Return the google.rpc.Status of a call that failed as a whole."""
    status = Status(code=STATUS[problem.kind].value[0], message=_cut(problem.message, _STATUS_BYTES))
    status.details.add().Pack(to_proto(problem))
    return status


def from_error(error: AioRpcError) -> RemoteProblem:
    """Return what a failed call means: the other side's own words, or, when gRPC itself gave up, ours."""
    if (problem := _details(error)) is not None:
        return from_proto(problem)
    kind = _KINDS.get(error.code(), Kind.FAULT)
    return RemoteProblem(_GENERIC.get(kind, "The service that was asked did not take the call."), kind=kind)


def _details(error: AioRpcError) -> problem_pb2.Problem | None:
    try:
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            problem = problem_pb2.Problem()
            if detail.Unpack(problem):
                return problem
    except (ValueError, DecodeError):
        pass  # unreadable, or not of this status (a proxy between us): nothing to rely on
    return None


def _cut(text: str, length: int) -> str:
    """Return at most `length` bytes of `text`, never half a character."""
    return text.encode(errors="replace")[:length].decode(errors="ignore")
