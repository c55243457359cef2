"""What members agree to, in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import care_pb2 as pb
from protos.members.v1.care_pb2_grpc import CareStub
from services.kit.graph import (
    INPUT,
    After,
    Caller,
    Connection,
    First,
    GraphContext,
    Info,
    Instant,
    Page,
    UserError,
    allow,
    field,
    instant,
    loader,
    mutation,
    timestamp,
)

READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.TILL, scope="members:read")
HISTORIANS = allow(Caller.MEMBER, Caller.STAFF, scope="members:read")
WRITERS = allow(Caller.MEMBER, Caller.STAFF, Caller.TILL, scope="consents:write")


@strawberry.enum(description="By what a member is reached.")
class ContactChannel(Enum):
    """Named as in the proto."""

    SMS = strawberry.enum_value("SMS", description="A text message.")
    EMAIL = strawberry.enum_value("EMAIL", description="An e-mail.")
    PUSH = strawberry.enum_value("PUSH", description="A message of the chain's app.")
    WECHAT = strawberry.enum_value("WECHAT", description="A message over WeChat.")
    PHONE = strawberry.enum_value("PHONE", description="A call.")
    POST = strawberry.enum_value("POST", description="A letter.")


@strawberry.enum(description="For what a member is reached, or its data used.")
class Purpose(Enum):
    """Named as in the proto."""

    MARKETING = strawberry.enum_value("MARKETING", description="Offers and news.")
    PROFILING = strawberry.enum_value("PROFILING", description="What it does decides what it is told.")
    SERVICE = strawberry.enum_value("SERVICE", description="What belongs to an order, a booking, a complaint.")
    PARTNER_SHARING = strawberry.enum_value("PARTNER_SHARING", description="Partners get to know of the member.")


@strawberry.enum(description="How the chain came to know.")
class ConsentSource(Enum):
    """Named as in the proto."""

    APP = strawberry.enum_value("APP", description="The member, in the app.")
    TILL = strawberry.enum_value("TILL", description="Said at a till.")
    STAFF = strawberry.enum_value("STAFF", description="Said to somebody of the chain.")
    IMPORT = strawberry.enum_value("IMPORT", description="From another system.")
    LINK = strawberry.enum_value("LINK", description="A link in a message.")
    COMPLAINT = strawberry.enum_value("COMPLAINT", description="The member has complained.")


@strawberry.type(description="Something that a member agrees to, or has taken back.")
class Consent:
    """A consent."""

    channel: ContactChannel = strawberry.field(description="By what.")
    purpose: Purpose = strawberry.field(description="For what.")
    granted: bool = strawberry.field(description="False: taken back.")
    at: Instant = strawberry.field(description="When the member said so.")
    text_version: str | None = strawberry.field(description="Which words it has agreed to; null: not known.")
    source: ConsentSource = strawberry.field(description="How the chain came to know.")
    recorded_by: str = strawberry.field(description='Like "staff:key_…"; "link": the member, by a link.')
    recorded_at: Instant = strawberry.field(description="When it was recorded.")


@strawberry.type
class ConsentFields:
    """What a member shows of its consents."""

    id: strawberry.ID

    @field(READERS, description="What holds now. Of what is missing nothing was ever said: it is not granted.")
    async def consents(self, info: Info) -> list[Consent]:
        """Load what holds, together with the other members of this level."""
        return await consents.load(info, self.id)

    @field(HISTORIANS, description="All that was ever agreed to or taken back, the last recorded first.")
    async def consent_history(self, info: Info, first: First = 20, after: After = None) -> Connection[Consent]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        service = info.context.channel("members")
        request = pb.ListConsentsRequest(member_id=self.id, page=page.to_proto())
        answer = await service.ask(service.stub(CareStub).ListConsents, request)
        return Connection.of([_consent(one) for one in answer.consents], page, end_cursor=answer.end_cursor)


@loader(most=1_000)
async def consents(context: GraphContext, ids: list[str]) -> list[list[Consent]]:
    """Fetch what holds; nothing for those whom the caller may not see."""
    service = context.channel("members")
    answer = await service.ask(service.stub(CareStub).GetConsents, pb.GetConsentsRequest(member_ids=ids))
    found = {one.member_id: [_consent(each) for each in one.consents] for one in answer.members}
    return [found.get(id_, []) for id_ in ids]


@strawberry.input(description="What a member has said.")
class ConsentInput:
    """A consent."""

    member_id: strawberry.ID = strawberry.field(description="Who.")
    channel: ContactChannel = strawberry.field(description="By what.")
    purpose: Purpose = strawberry.field(description="For what.")
    granted: bool = strawberry.field(description="False: taken back.")
    at: Instant | None = strawberry.field(default=None, description="When the member said so; null: now.")
    text_version: str | None = strawberry.field(default=None, description="Which words; up to 64 characters.")
    source: ConsentSource | None = strawberry.field(
        default=None, description="How it is known; null: as the caller's kind has it, APP for a member."
    )


@strawberry.input(description="What members have said.")
class RecordConsentsInput:
    """Consents."""

    key: str = strawberry.field(description="The command key: the same one for each try.")
    consents: list[ConsentInput] = strawberry.field(description="Up to 500, all or none.")


@strawberry.enum(description="Why nothing was recorded.")
class RecordConsentsErrorCode(Enum):
    """Codes of `RecordConsentsError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    INVALID_CONSENT = strawberry.enum_value("INVALID_CONSENT", description="No consent can be like that.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why nothing was recorded.")
class RecordConsentsError(UserError):
    """An item of `userErrors`."""

    code: RecordConsentsErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="That it was recorded, or why not.")
class RecordConsentsPayload:
    """The answer."""

    user_errors: list[RecordConsentsError] = strawberry.field(description="Empty: all of it is recorded.")
    repeated_call: bool = strawberry.field(default=False, description="The key had been used for it before.")


@strawberry.type
class ConsentMutation:
    """Recording. The key makes it safe to send again."""

    @mutation(WRITERS, description="Records what members agree to or take back. It holds at once.")
    async def record_consents(self, info: Info, wish: Annotated[RecordConsentsInput, INPUT]) -> RecordConsentsPayload:
        """Record consents."""
        members = info.context.channel("members")
        request = pb.RecordConsentsRequest(key=wish.key, consents=[_said(one) for one in wish.consents])
        answer = await members.ask(members.stub(CareStub).RecordConsents, request)
        return RecordConsentsPayload(user_errors=[], repeated_call=answer.repeated_call)


def _said(wish: ConsentInput) -> pb.SaidConsent:
    consent = pb.Consent(
        channel=pb.ContactChannel.Value(f"CONTACT_CHANNEL_{wish.channel.name}"),
        purpose=pb.Purpose.Value(f"PURPOSE_{wish.purpose.name}"),
        granted=wish.granted,
        at=None if wish.at is None else timestamp(wish.at),
        text_version=wish.text_version or "",
        source=pb.CONSENT_SOURCE_UNSPECIFIED
        if wish.source is None
        else pb.ConsentSource.Value(f"CONSENT_SOURCE_{wish.source.name}"),
    )
    return pb.SaidConsent(member_id=wish.member_id, consent=consent)


def _consent(one: pb.Consent) -> Consent:
    return Consent(
        channel=ContactChannel[pb.ContactChannel.Name(one.channel).removeprefix("CONTACT_CHANNEL_")],
        purpose=Purpose[pb.Purpose.Name(one.purpose).removeprefix("PURPOSE_")],
        granted=one.granted,
        at=instant(one.at),
        text_version=one.text_version or None,
        source=ConsentSource[pb.ConsentSource.Name(one.source).removeprefix("CONSENT_SOURCE_")],
        recorded_by=one.recorded_by,
        recorded_at=instant(one.recorded_at),
    )
