"""Identities that a member proves, loses or changes, over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import members_pb2 as pb
from protos.members.v1.members_pb2_grpc import MembersStub
from services.kit.graph import INPUT, Caller, Info, UserError, allow, field, mutation
from services.members.graph.enrollment import IdentityInput
from services.members.graph.members import READERS, Member, members

KEY = "The command key, 8 to 128 characters: a new one for each wish, the same one for each try."
WRITERS = allow(Caller.STAFF, scope="members:write")
LOSERS = allow(Caller.STAFF, Caller.TILL, scope="members:write")


@strawberry.enum(description="What to do when another member has the identity.")
class WhenTaken(Enum):
    """Named as in the proto."""

    REFUSE = strawberry.enum_value("REFUSE", description="Refused, unless one of the two is provisional.")
    MERGE = strawberry.enum_value("MERGE", description="Both are the same person, and become one.")
    PASS_ON = strawberry.enum_value(
        "PASS_ON", description="The number was given to somebody else: the other member loses it."
    )


@strawberry.input(description="What somebody pays with, as the payment company calls it.")
class PaymentAccountInput:
    """A payment account."""

    payment_kind: str = strawberry.field(description='"wechat", "alipay", "card" …, as on receipts.')
    account: str = strawberry.field(description="An openid, the token of a card; kept as a keyed hash only.")


@strawberry.input(description="An identity that the member has proved: one of `identity` and `paymentAccount`.")
class AddIdentityInput:
    """A proof."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="Whose.")
    identity: IdentityInput | None = strawberry.field(default=None, description="What was proved.")
    payment_account: PaymentAccountInput | None = strawberry.field(default=None, description="What was paid with.")
    when_taken: WhenTaken = strawberry.field(default=WhenTaken.REFUSE, description="Should somebody else have it.")


@strawberry.input(description="An identity of a member.")
class MemberIdentityInput:
    """An identity that a member has."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="Whose.")
    identity: IdentityInput = strawberry.field(description="Which.")


@strawberry.input(description="One identity for another.")
class ReplaceIdentityInput:
    """A change."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="Whose.")
    old: IdentityInput = strawberry.field(description="The one that it has.")
    new: IdentityInput = strawberry.field(description="The one that it has from now on.")


@strawberry.enum(description="Why a member's identities stayed as they are.")
class IdentityErrorCode(Enum):
    """Codes of `IdentityError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    INVALID_IDENTITY = strawberry.enum_value("INVALID_IDENTITY", description="No identity can be like that.")
    INVALID_MEMBER = strawberry.enum_value("INVALID_MEMBER", description="No member can be like that.")
    IDENTITY_TAKEN = strawberry.enum_value("IDENTITY_TAKEN", description="Another member has it.")
    IDENTITY_LOST = strawberry.enum_value("IDENTITY_LOST", description="It was reported lost.")
    IDENTITY_NOT_FOUND = strawberry.enum_value("IDENTITY_NOT_FOUND", description="The member does not have it.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    CANNOT_MERGE = strawberry.enum_value("CANNOT_MERGE", description="The two members cannot become one.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")


@strawberry.type(description="Why a member's identities stayed as they are.")
class IdentityError(UserError):
    """An item of `userErrors`."""

    code: IdentityErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The member as it is from now on, or why it stayed as it was.")
class IdentityPayload:
    """The answer to a change of identities."""

    user_errors: list[IdentityError] = strawberry.field(description="Empty: it is done.")
    merge_id: strawberry.ID | None = strawberry.field(
        default=None, description="Not null: two members became one by it. `splitMembers` undoes that."
    )
    repeated_call: bool = strawberry.field(default=False, description="It had been done with this key before.")
    member_id: strawberry.Private[str] = ""

    @field(READERS, description="The member, which after a merge may be another one than was named.")
    async def member(self, info: Info) -> Member | None:
        """Load the member."""
        return await members.load(info, strawberry.ID(self.member_id)) if self.member_id else None


@strawberry.type
class IdentityMutation:
    """Identities. The key makes each safe to send again."""

    @mutation(WRITERS, description="Gives a member an identity that it has proved.")
    async def add_identity(self, info: Info, wish: Annotated[AddIdentityInput, INPUT]) -> IdentityPayload:
        """Add one."""
        service = info.context.channel("members")
        account = wish.payment_account
        request = pb.AddIdentityRequest(
            key=wish.key,
            member_id=wish.member_id,
            identity=None if wish.identity is None else identity_proto(wish.identity),
            payment_account=None
            if account is None
            else pb.PaymentAccount(payment_kind=account.payment_kind, account=account.account),
            when_taken=pb.WhenTaken.Value(f"WHEN_TAKEN_{wish.when_taken.name}"),
        )
        return _payload(await service.ask(service.stub(MembersStub).AddIdentity, request))

    @mutation(WRITERS, description="Takes an identity from a member; whoever proves it next has it.")
    async def remove_identity(self, info: Info, wish: Annotated[MemberIdentityInput, INPUT]) -> IdentityPayload:
        """Remove one."""
        service = info.context.channel("members")
        return _payload(await service.ask(service.stub(MembersStub).RemoveIdentity, _named(wish)))

    @mutation(LOSERS, description="Lets a lost card name nobody any more. Nobody can join by it.")
    async def report_identity_lost(self, info: Info, wish: Annotated[MemberIdentityInput, INPUT]) -> IdentityPayload:
        """Report one lost."""
        service = info.context.channel("members")
        return _payload(await service.ask(service.stub(MembersStub).ReportLost, _named(wish)))

    @mutation(WRITERS, description="Changes one identity for another in one step: a new phone number.")
    async def replace_identity(self, info: Info, wish: Annotated[ReplaceIdentityInput, INPUT]) -> IdentityPayload:
        """Replace one."""
        service = info.context.channel("members")
        request = pb.ReplaceIdentityRequest(
            key=wish.key, member_id=wish.member_id, old=identity_proto(wish.old), new=identity_proto(wish.new)
        )
        return _payload(await service.ask(service.stub(MembersStub).ReplaceIdentity, request))


def identity_proto(one: IdentityInput) -> pb.Identity:
    """Return the identity as the service takes it."""
    return pb.Identity(kind=pb.IdentityKind.Value(f"IDENTITY_KIND_{one.kind.name}"), value=one.value)


def _named(wish: MemberIdentityInput) -> pb.RemoveIdentityRequest:
    return pb.RemoveIdentityRequest(key=wish.key, member_id=wish.member_id, identity=identity_proto(wish.identity))


def _payload(answer: pb.IdentityResponse) -> IdentityPayload:
    return IdentityPayload(
        user_errors=[],
        merge_id=strawberry.ID(answer.merge_id) if answer.merge_id else None,
        repeated_call=answer.repeated_call,
        member_id=answer.member_id,
    )
