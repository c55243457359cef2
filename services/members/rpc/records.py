"""What is on record about members: what happened, who looked, who was erased."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from protos.members.v1 import members_pb2 as pb
from services.kit.rpc.server import caller
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.domain.timeline import Happening
from services.members.rpc.pages import CursorError, checked_first, decoded, encoded, size
from services.members.usecases.erasure import Erasure, Erasures
from services.members.usecases.looks import Looks, list_looks
from services.members.usecases.timelines import IdFinder, Place, Timelines, get_timeline, own_ids

MOST_ERASURES = 1_000


@dataclass(frozen=True, slots=True)
class Records:
    """Where they are kept."""

    looks: Looks
    timelines: Timelines
    erasures: Erasures


class RecordCalls:
    """The part of the Members servicer that shows what is on record."""

    records: Records
    ids: IdFinder

    async def ListErasures(self, request: pb.ListErasuresRequest, _context: Any) -> pb.ListErasuresResponse:  # noqa: N802 - gRPC's name
        """Show who was erased."""
        after = Erasure(request.after.member_id, from_timestamp(request.after.erased_at))
        found = await self.records.erasures.erasures(
            caller().chain,
            after=after if request.HasField("after") else None,
            first=checked_first(request.first or MOST_ERASURES, most=MOST_ERASURES),
        )
        return pb.ListErasuresResponse(
            erasures=[pb.Erasure(member_id=one.member, erased_at=to_timestamp(one.at)) for one in found]
        )

    async def ListLooks(self, request: pb.ListLooksRequest, _context: Any) -> pb.ListLooksResponse:  # noqa: N802 - gRPC's name
        """Show who looked at a member."""
        ids = await own_ids(request.member_id, caller=caller(), members=self.ids)
        page = await list_looks(
            ids,
            caller=caller(),
            before=decoded(request.page.after),
            first=size(request.page),
            looks=self.records.looks,
        )
        looks = [
            pb.Look(at=to_timestamp(one.at), by=one.by, role=one.role.value, fields=one.fields) for one in page.looks
        ]
        return pb.ListLooksResponse(looks=looks, end_cursor=encoded(page.next_after))

    async def GetTimeline(self, request: pb.GetTimelineRequest, _context: Any) -> pb.GetTimelineResponse:  # noqa: N802 - gRPC's name
        """Show what happened with a member."""
        page = await get_timeline(
            request.member_id,
            caller=caller(),
            before=place_in(request.page.after),
            first=size(request.page),
            members=self.ids,
            timelines=self.records.timelines,
        )
        end = page.next_before
        return pb.GetTimelineResponse(
            happenings=[_happening(one) for one in page.happenings],
            end_cursor="" if end is None else cursor_of(end),
        )


def _happening(one: Happening) -> pb.Happening:
    return pb.Happening(
        kind=one.kind.value,
        ref=one.ref,
        at=to_timestamp(one.at),
        store_id=one.store,
        amount=one.amount,
        currency=one.currency,
        detail=one.detail,
    )


def cursor_of(place: Place) -> str:
    """Return the cursor that stands for a place."""
    return encoded(f"{place.at.isoformat()} {place.ref}")


def place_in(cursor: str) -> Place | None:
    """Return the place that a cursor stands for, None for an empty one, or raise CursorError."""
    at, _, ref = decoded(cursor).partition(" ")
    if not cursor:
        return None
    try:
        return Place(datetime.fromisoformat(at), ref)
    except ValueError:
        raise CursorError(field="after") from None
