"""What is on record about a member: what happened with it, and who looked at it."""

from typing import Annotated

import strawberry

from protos.members.v1 import members_pb2 as pb
from protos.members.v1.members_pb2_grpc import MembersStub
from services.kit.graph import (
    BY_ID,
    After,
    Caller,
    Connection,
    First,
    Info,
    Instant,
    Page,
    SafeInt,
    allow,
    field,
    instant,
)

LOOKERS = allow(Caller.MEMBER, Caller.STAFF, scope="members:read")
AUDITORS = allow(Caller.STAFF, scope="members:audit")


@strawberry.type(description="One thing that happened with a member, wherever in the platform.")
class Happening:
    """A happening."""

    kind: str = strawberry.field(
        description='"purchase", "refund", "points", "level", "coupon_issued", "coupon_redeemed", "case_opened"; what '
        'other systems tell: "booking", "pre_order", "check_in", "event", "visit", "social"; more may come.'
    )
    ref: str = strawberry.field(description="What it is about: a purchase's, a coupon's, a case's, an activity's id.")
    at: Instant = strawberry.field(description="When.")
    store_id: strawberry.ID | None = strawberry.field(description="Where; null: not in a store.")
    amount: SafeInt | None = strawberry.field(
        description="In the minor unit of `currency`, or in points or stamps where those are the currency."
    )
    currency: str | None = strawberry.field(description='ISO 4217, "points" or "stamps"; null: no amount.')
    detail: str | None = strawberry.field(
        description='A word of whoever told it: a level, an entry\'s kind, an offer; of an activity "planned", '
        '"happened", "cancelled" or "no_show".'
    )


@strawberry.type(description="That somebody was shown personal data of a member.")
class Look:
    """A look."""

    at: Instant = strawberry.field(description="When.")
    by: str = strawberry.field(description='Who: "staff:key_…", "till:key_…".')
    role: str = strawberry.field(description='As what: "service_agent", "till" ….')
    fields: list[str] = strawberry.field(description="Which personal fields were shown, in part or whole.")


@strawberry.type
class RecordQuery:
    """Records."""

    @field(LOOKERS, description="What happened with a member, the latest first, whatever its id was then.")
    async def timeline(
        self, info: Info, member_id: Annotated[strawberry.ID, BY_ID], first: First = 20, after: After = None
    ) -> Connection[Happening]:
        """Ask for a page of the timeline."""
        page = Page.checked(first=first, after=after)
        service = info.context.channel("members")
        request = pb.GetTimelineRequest(member_id=member_id, page=page.to_proto())
        answer = await service.ask(service.stub(MembersStub).GetTimeline, request)
        return Connection.of([_happening(one) for one in answer.happenings], page, end_cursor=answer.end_cursor)

    @field(AUDITORS, description="Who was shown personal data of a member, the latest first.")
    async def personal_data_looks(
        self, info: Info, member_id: Annotated[strawberry.ID, BY_ID], first: First = 20, after: After = None
    ) -> Connection[Look]:
        """Ask for a page of looks."""
        page = Page.checked(first=first, after=after)
        service = info.context.channel("members")
        request = pb.ListLooksRequest(member_id=member_id, page=page.to_proto())
        answer = await service.ask(service.stub(MembersStub).ListLooks, request)
        looks = [Look(at=instant(one.at), by=one.by, role=one.role, fields=list(one.fields)) for one in answer.looks]
        return Connection.of(looks, page, end_cursor=answer.end_cursor)


def _happening(one: pb.Happening) -> Happening:
    return Happening(
        kind=one.kind,
        ref=one.ref,
        at=instant(one.at),
        store_id=strawberry.ID(one.store_id) if one.store_id else None,
        amount=one.amount if one.currency else None,
        currency=one.currency or None,
        detail=one.detail or None,
    )
