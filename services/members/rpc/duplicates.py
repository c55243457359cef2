"""The Duplicates servicer."""

from dataclasses import dataclass
from typing import Any

from protos.members.v1 import duplicates_pb2 as pb
from protos.members.v1 import duplicates_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.ids import MakeId
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from services.members.domain.likeness import Reason
from services.members.rpc.member_words import member_proto
from services.members.rpc.pages import decoded, encoded, size
from services.members.usecases.duplicates import Duplicate, DuplicateDesk, dismiss_duplicate, list_duplicates

_REASON_OF = {one: pb.DuplicateReason.Value(f"DUPLICATE_REASON_{one.name}") for one in Reason}


@dataclass(frozen=True, slots=True)
class DuplicatesServicer(duplicates_pb2_grpc.DuplicatesServicer):
    """protos/members/v1/duplicates.proto."""

    desk: DuplicateDesk
    clocks: ChainClocks
    make_id: MakeId

    async def ListDuplicates(self, request: pb.ListDuplicatesRequest, _context: Any) -> pb.ListDuplicatesResponse:  # noqa: N802 - gRPC's name
        """Show a page of pairs."""
        who = caller()
        now = await self.clocks.now(who.chain)
        page = await list_duplicates(
            after=decoded(request.page.after),
            first=size(request.page),
            look_id=self.make_id("look", now),
            now=now,
            caller=who,
            desk=self.desk,
        )
        return pb.ListDuplicatesResponse(
            duplicates=[_duplicate_proto(one) for one in page.duplicates], end_cursor=encoded(page.next_after)
        )

    async def DismissDuplicate(self, request: pb.DismissDuplicateRequest, _context: Any) -> pb.DismissDuplicateResponse:  # noqa: N802 - gRPC's name
        """Let two members be two."""
        who = caller()
        await dismiss_duplicate(
            request.member_id,
            request.other_member_id,
            caller=who,
            by=f"{who.kind}:{who.id}",
            now=await self.clocks.now(who.chain),
            desk=self.desk,
        )
        return pb.DismissDuplicateResponse()


def _duplicate_proto(one: Duplicate) -> pb.Duplicate:
    return pb.Duplicate(
        first=member_proto(one.first),
        second=member_proto(one.second),
        score=one.pair.score,
        reasons=[_REASON_OF[reason] for reason in one.pair.reasons],
        found_at=to_timestamp(one.pair.found_at),
    )
