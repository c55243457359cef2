"""What is on record about members: what happened, who looked, who was erased."""

from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from protos.common.v1.page_pb2 import Page
from protos.members.v1 import members_pb2 as pb
from services.kit.errors import Kind, Problem
from services.kit.rpc.server import caller
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.domain.timeline import Happening
from services.members.usecases.erasure import Erasure, Erasures
from services.members.usecases.looks import Looks, list_looks
from services.members.usecases.timelines import IdFinder, Place, Timelines, get_timeline, own_ids

USUAL_PAGE, LARGEST_PAGE = 20, 100
MOST_ERASURES = 1_000


class CursorError(Problem):
    """This is not a cursor of this list. Take the `endCursor` of an earlier answer."""

    kind = Kind.INVALID
    code = "CURSOR"


class PageSizeError(Problem):
    """A page has 1 to {most} items, not {first}."""

    kind = Kind.INVALID
    code = "PAGE_SIZE"


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
            first=_first(request.first or MOST_ERASURES, most=MOST_ERASURES),
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
            before=place_after(request.page.after),
            first=page_size(request.page),
            looks=self.records.looks,
        )
        looks = [
            pb.Look(at=to_timestamp(one.at), by=one.by, role=one.role.value, fields=one.fields) for one in page.looks
        ]
        return pb.ListLooksResponse(looks=looks, end_cursor=place_words(page.next_after))

    async def GetTimeline(self, request: pb.GetTimelineRequest, _context: Any) -> pb.GetTimelineResponse:  # noqa: N802 - gRPC's name
        """Show what happened with a member."""
        page = await get_timeline(
            request.member_id,
            caller=caller(),
            before=_place(request.page.after),
            first=page_size(request.page),
            members=self.ids,
            timelines=self.records.timelines,
        )
        end = page.next_before
        return pb.GetTimelineResponse(
            happenings=[_happening(one) for one in page.happenings],
            end_cursor="" if end is None else place_words(f"{end.at.isoformat()} {end.ref}"),
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


def page_size(page: Page) -> int:
    """Return how many are wanted, or raise PageSizeError."""
    return _first(page.first or USUAL_PAGE, most=LARGEST_PAGE)


def _first(first: int, *, most: int) -> int:
    if not 1 <= first <= most:
        raise PageSizeError(field="first", first=first, most=most)
    return first


def _place(cursor: str) -> Place | None:
    at, _, ref = place_after(cursor).partition(" ")
    if not cursor:
        return None
    try:
        return Place(datetime.fromisoformat(at), ref)
    except ValueError:
        raise CursorError(field="after") from None


def place_words(place: str) -> str:
    """Return a cursor for a place in a list."""
    return urlsafe_b64encode(place.encode()).decode()


def place_after(cursor: str) -> str:
    """Return the place that a cursor means, "" for none, or raise CursorError."""
    try:
        return b64decode(cursor, altchars="-_", validate=True).decode()
    except ValueError:  # neither base64 nor text
        raise CursorError(field="after") from None
