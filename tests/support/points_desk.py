"""The points service as its graph sees it: every method of its contracts behind a real server, from memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.message import Message

from protos.points.v1 import holds_pb2, insight_pb2, ledger_pb2, points_pb2, programs_pb2
from protos.points.v1.holds_pb2_grpc import add_HoldsServicer_to_server
from protos.points.v1.insight_pb2_grpc import add_InsightServicer_to_server
from protos.points.v1.ledger_pb2_grpc import add_LedgerServicer_to_server
from protos.points.v1.points_pb2_grpc import add_PointsServicer_to_server
from protos.points.v1.programs_pb2_grpc import add_ProgramsServicer_to_server
from services.kit.errors import Kind, Problem
from services.kit.graph import Channels, GraphContext
from services.kit.principal import Caller, Principal
from services.kit.rpc.server import Servicer
from services.points.graph import subgraph
from tests.support.served import served
from tests.support.watched import Watched

SCHEMA = subgraph.schema()
SERVICES = (
    (add_PointsServicer_to_server, points_pb2.DESCRIPTOR.services_by_name["Points"]),
    (add_HoldsServicer_to_server, holds_pb2.DESCRIPTOR.services_by_name["Holds"]),
    (add_LedgerServicer_to_server, ledger_pb2.DESCRIPTOR.services_by_name["Ledger"]),
    (add_InsightServicer_to_server, insight_pb2.DESCRIPTOR.services_by_name["Insight"]),
    (add_ProgramsServicer_to_server, programs_pb2.DESCRIPTOR.services_by_name["Programs"]),
)
STREAMS = {method.name for _, service in SERVICES for method in service.methods if method.server_streaming}

SCOPES = frozenset(
    {"points:read", "points:spend", "purchases:read", "purchases:write", "insight:read"}
    | {f"ledger:{verb}" for verb in ("adjust", "approve", "freeze", "level", "open", "read")}
    | {"program:read", "program:write"}
)
STAFF = Principal(chain="chn_1", kind=Caller.STAFF, id="key_staff", scopes=SCOPES)


def refusal(code: str, kind: Kind, *, field: str = "") -> Problem:
    """Make a problem as a service of any version may answer it."""
    error = type("SaidError", (Problem,), {"__doc__": f"It is {code}.", "kind": kind, "code": code})
    problem: Problem = error(field=field)
    return problem


class Desk:
    """What the servicers are; `answers` by method: a message, several for a stream, or a problem to raise."""

    def __init__(self) -> None:
        self.answers: dict[str, Message | Problem | Sequence[Message]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.written = 0  # of a stream's answers

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return self._stream(method) if method in STREAMS else self._once(method)

    def _once(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def answer(request: Any, _context: Any) -> Any:
            self.asked.append((method, request))
            said = self.answers[method]
            if isinstance(said, Problem):
                raise said
            return said

        return answer

    def _stream(self, method: str) -> Callable[..., AsyncIterator[Any]]:
        async def answer(request: Any, _context: Any) -> AsyncIterator[Any]:
            self.asked.append((method, request))
            said = self.answers[method]
            if isinstance(said, Problem):
                raise said
            assert isinstance(said, Sequence)
            for part in said:
                self.written += 1
                yield part

        return answer


class PointsDesk:
    """The desk, and the graph in front of it."""

    def __init__(self, desk: Desk, channel: Watched) -> None:
        self.desk, self.channel = desk, channel

    def says(self, **answers: Message | Problem | Sequence[Message]) -> None:
        """Let methods answer so from now on."""
        self.desk.answers |= answers

    async def answer(
        self, text: str, *, by: Principal | None = STAFF, **variables: Any
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the data, and the codes of the errors."""
        context = GraphContext(caller=by, channels=Channels({"points": self.channel}))
        result = await SCHEMA.answer(SCHEMA.documents.known(text), context=context, variables=variables)
        return result.data or {}, [str((error.extensions or {})["code"]) for error in result.errors or []]

    async def ask(self, text: str, *, by: Principal = STAFF, **variables: Any) -> dict[str, Any]:
        """Return the data; an error fails the test."""
        data, errors = await self.answer(text, by=by, **variables)
        assert errors == []
        return data

    def heard(self) -> Any:
        """Return the one request that the service has heard since this was last asked."""
        [(_, request)] = self.desk.asked
        self.desk.asked.clear()
        return request


@asynccontextmanager
async def points_desk() -> AsyncIterator[PointsDesk]:
    desk = Desk()
    servicers: list[Servicer] = [(add, desk, service) for add, service in SERVICES]
    async with served(servicers) as channel:
        yield PointsDesk(desk, Watched(channel))
