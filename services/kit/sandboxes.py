"""The ChainClock servicer of one service: what operators move a sandbox with."""

from collections.abc import Sequence
from typing import Any

from protos.common.v1 import chain_clock_pb2 as pb
from protos.common.v1 import chain_clock_pb2_grpc
from services.kit.chain_clocks import Due, is_sandbox
from services.kit.errors import Kind, Problem
from services.kit.mongo.chain_clocks import MongoChainClocks, NotASandboxError
from services.kit.mongo.database import Database
from services.kit.outbox.told import count_told
from services.kit.rabbit.cursors import count_heard
from services.kit.rpc.calls import caller
from services.kit.rpc.server import Servicer
from services.kit.timestamps import from_timestamp, to_timestamp


class NoMomentError(Problem):
    """Say where to move the clock: `moment` is missing, or no date of the calendar."""

    kind = Kind.INVALID
    code = "NO_MOMENT"


class ChainClockServicer(chain_clock_pb2_grpc.ChainClockServicer):
    """protos/common/v1/chain_clock.proto. `hears` are the streams that the service subscribes to."""

    def __init__(
        self, database: Database, *, clocks: MongoChainClocks, dues: Sequence[Due], hears: Sequence[str]
    ) -> None:
        self._database, self._clocks, self._dues, self._hears = database, clocks, tuple(dues), tuple(hears)

    @property
    def registration(self) -> Servicer:
        """What the RpcServer takes."""
        descriptor = pb.DESCRIPTOR.services_by_name["ChainClock"]
        return chain_clock_pb2_grpc.add_ChainClockServicer_to_server, self, descriptor

    async def GetNextDue(self, _request: pb.GetNextDueRequest, _context: Any) -> pb.GetNextDueResponse:  # noqa: N802 - gRPC's name
        """Tell what time it is, and what comes next."""
        chain = caller().chain
        standing = await self._clocks.standing(chain)
        moments = [await due.next_due(chain, standing.now) for due in self._dues]
        due_at = min((moment for moment in moments if moment is not None), default=None)
        return pb.GetNextDueResponse(
            now=to_timestamp(standing.now),
            stands=standing.stands,
            due_at=None if due_at is None else to_timestamp(due_at),
        )

    async def MoveTo(self, request: pb.MoveToRequest, _context: Any) -> pb.MoveToResponse:  # noqa: N802 - gRPC's name
        """Set the clock."""
        if not request.HasField("moment"):
            raise NoMomentError(field="moment")
        try:
            moment = from_timestamp(request.moment)
        except OverflowError as error:
            raise NoMomentError(field="moment") from error
        return pb.MoveToResponse(now=to_timestamp(await self._clocks.move(caller().chain, moment)))

    async def RunDue(self, _request: pb.RunDueRequest, _context: Any) -> pb.RunDueResponse:  # noqa: N802 - gRPC's name
        """Do what is due, one kind after the other."""
        chain = _sandbox()
        now = await self._clocks.now(chain)
        for due in self._dues:
            await due.run(chain, now)
        return pb.RunDueResponse()

    async def CountEvents(self, _request: pb.CountEventsRequest, _context: Any) -> pb.CountEventsResponse:  # noqa: N802 - gRPC's name
        """Count what was heard, then what was told."""
        chain = _sandbox()
        heard = await count_heard(self._database, chain)
        told = await count_told(self._database, chain)
        return pb.CountEventsResponse(told=told, heard={stream: heard.get(stream, 0) for stream in self._hears})


def _sandbox() -> str:
    chain = caller().chain
    if not is_sandbox(chain):
        raise NotASandboxError(chain=chain or "No chain")
    return chain
