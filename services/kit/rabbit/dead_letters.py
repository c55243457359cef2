"""The DeadLetters servicer of one service: translate, look or put back, translate."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError

from protos.common.v1 import dead_letters_pb2 as pb
from protos.common.v1 import dead_letters_pb2_grpc
from services.kit.errors import Kind, Problem
from services.kit.mongo.database import Database
from services.kit.outbox.events import Event
from services.kit.rabbit.cursors import Cursor, read_cursors
from services.kit.rabbit.dead_letter_queue import MOST, Dead, DeadLetterQueue
from services.kit.rabbit.sequencing import Origin
from services.kit.rabbit.topology import Topology
from services.kit.rpc.calls import caller
from services.kit.rpc.server import Servicer
from services.kit.timestamps import to_timestamp

DEFAULT_FIRST, MOST_FIRST = 100, 1_000


class WrongFirstError(Problem):
    """`first` must be from 1 to 1,000."""

    kind = Kind.INVALID
    code = "WRONG_FIRST"


class NoSuchDeadLetterError(Problem):
    """There is no dead letter {id} among the oldest {most}; it may have been replayed meanwhile."""

    kind = Kind.NOT_FOUND
    code = "NO_SUCH_DEAD_LETTER"


class DeadLettersServicer(dead_letters_pb2_grpc.DeadLettersServicer):
    """protos/common/v1/dead_letters.proto. An operator who is limited to one chain sees that chain's only."""

    def __init__(self, url: str, topology: Topology, *, service: str, database: Database) -> None:
        self._queue, self._database = DeadLetterQueue(url, topology, service=service), database

    @property
    def registration(self) -> Servicer:
        """What the RpcServer takes."""
        descriptor = pb.DESCRIPTOR.services_by_name["DeadLetters"]
        return dead_letters_pb2_grpc.add_DeadLettersServicer_to_server, self, descriptor

    async def ListDeadLetters(  # noqa: N802 - gRPC's name
        self, request: pb.ListDeadLettersRequest, _context: Any
    ) -> pb.ListDeadLettersResponse:
        """Return the oldest."""
        first = request.first or DEFAULT_FIRST
        if not 0 < first <= MOST_FIRST:
            raise WrongFirstError(field="first")
        chain = caller().chain
        async with self._queue.look() as look:
            seen = _visible(look.dead, chain)
            return pb.ListDeadLettersResponse(
                dead_letters=await self._described(seen[:first]), total=len(seen) if chain else look.total
            )

    async def GetDeadLetter(  # noqa: N802 - gRPC's name
        self, request: pb.GetDeadLetterRequest, _context: Any
    ) -> pb.GetDeadLetterResponse:
        """Return one with its body."""
        async with self._queue.look() as look:
            for dead in _visible(look.dead, caller().chain):
                if dead.id == request.id:
                    (described,) = await self._described([dead])
                    return pb.GetDeadLetterResponse(dead_letter=described, body_json=_body_json(dead))
        raise NoSuchDeadLetterError(id=request.id, most=MOST)

    async def ReplayDeadLetters(  # noqa: N802 - gRPC's name
        self, request: pb.ReplayDeadLettersRequest, _context: Any
    ) -> pb.ReplayDeadLettersResponse:
        """Put back those that are named, or all that are there now; one that is there no longer is passed over."""
        chain, ids = caller().chain, frozenset(request.ids)
        replayed = 0
        to_do: int | None = None
        while to_do is None or to_do > 0:
            async with self._queue.look() as look:
                # One that dies again meanwhile comes to the end of the queue: the first look says how many to do.
                to_do = look.total if to_do is None else to_do
                wanted = [dead for dead in _visible(look.dead, chain) if not ids or dead.id in ids][:to_do]
                await look.put_back(wanted)
            replayed += len(wanted)
            # What is left in place would be all that the next look finds.
            to_do = to_do - len(wanted) if len(wanted) == len(look.dead) else 0
        return pb.ReplayDeadLettersResponse(replayed=replayed)

    async def _described(self, some: Sequence[Dead]) -> list[pb.DeadLetter]:
        origins = {Origin.of(dead.event) for dead in some if dead.event}
        cursors = await read_cursors(self._database, origins) if origins else {}
        return [_described(dead, cursors) for dead in some]


def _visible(some: Iterable[Dead], chain: str) -> list[Dead]:
    return [dead for dead in some if not chain or (dead.event and dead.event.chain == chain)]


def _described(dead: Dead, cursors: Mapping[Origin, Cursor]) -> pb.DeadLetter:
    described = pb.DeadLetter(id=dead.id, queue=dead.queue, reason=dead.reason, error=dead.flaw)
    if dead.died_at:
        described.died_at.CopyFrom(to_timestamp(dead.died_at))
    if (event := dead.event) is None:
        return described
    cursor = cursors[Origin.of(event)]
    described.type, described.chain_id = event.type, event.chain
    described.aggregate, described.sequence = event.aggregate, event.sequence
    described.error = _why(event, cursor)
    described.waiting = cursor.parked if event.sequence == cursor.sequence + 1 else 0
    return described


def _why(event: Event, cursor: Cursor) -> str:
    if event.sequence <= cursor.sequence:
        return "applied meanwhile; a replay is ignored"
    if event.sequence == cursor.failed:
        return cursor.error
    if event.sequence > cursor.sequence + 1:
        return f"waits for event {cursor.sequence + 1}, as do {cursor.parked} others, and more are not kept"
    return ""


def _body_json(dead: Dead) -> str:
    """Return the body in JSON; as base64 when its type is not known here or it does not parse."""
    name = dead.event.type if dead.event else ""
    try:
        kind = message_factory.GetMessageClass(Default().FindMessageTypeByName(name))
        return json_format.MessageToJson(kind.FromString(dead.message.body), preserving_proto_field_name=True)
    except (KeyError, DecodeError):
        return json.dumps({"base64": b64encode(dead.message.body).decode()})
