"""API keys over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.common.v1 import access_pb2
from protos.members.v1 import chains_pb2 as pb
from protos.members.v1.chains_pb2_grpc import ChainsStub
from services.kit.graph import INPUT, Caller, Info, Instant, UserError, allow, instant, mutation
from services.members.graph.staff import StaffRole

KEY_MAKERS = allow(Caller.STAFF, scope="keys:write")


@strawberry.enum(description="Who calls with a key.")
class ApiKeyKind(Enum):
    """Kinds of key, named as in the proto."""

    MEMBER = strawberry.enum_value("MEMBER", description="A guest, for the own data only.")
    STAFF = strawberry.enum_value("STAFF", description="Somebody who works for the chain.")
    PARTNER = strawberry.enum_value("PARTNER", description="Another brand.")
    TILL = strawberry.enum_value("TILL", description="A cash register or an ordering kiosk.")


@strawberry.input(description="A key as it should be. It cannot have more than the key that makes it.")
class CreateApiKeyInput:
    """A new key."""

    kind: ApiKeyKind = strawberry.field(description="Who will call with it.")
    subject: str = strawberry.field(description="A member's id, or a name for a person, a brand or a device.")
    scopes: list[str] = strawberry.field(
        default_factory=list, description='What it may do, like "purchases:write"; for members: empty.'
    )
    store_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Limited to these stores; empty: all. A till has exactly one."
    )
    role: StaffRole | None = strawberry.field(
        default=None, description="Of staff: as what it looks at guests; null: as a service agent."
    )


@strawberry.input(description="A key that is no longer good.")
class RevokeApiKeyInput:
    """A key to revoke."""

    id: strawberry.ID = strawberry.field(description="`key_…`.")


@strawberry.enum(description="Why a key was not created or revoked.")
class ApiKeyErrorCode(Enum):
    """Codes of `ApiKeyError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_API_KEY = strawberry.enum_value("INVALID_API_KEY", description="No key can be like that.")
    API_KEY_NOT_FOUND = strawberry.enum_value("API_KEY_NOT_FOUND", description="There is no such key.")
    STORE_NOT_FOUND = strawberry.enum_value("STORE_NOT_FOUND", description="There is no such store.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")


@strawberry.type(description="Why a key was not created or revoked.")
class ApiKeyError(UserError):
    """An item of `userErrors`."""

    code: ApiKeyErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The new key, or why there is none.")
class CreateApiKeyPayload:
    """A created key."""

    user_errors: list[ApiKeyError] = strawberry.field(description="Empty: the key is good from now on.")
    id: strawberry.ID | None = strawberry.field(default=None, description="`key_…`, to revoke it by.")
    secret: str | None = strawberry.field(
        default=None, description="What to call with. Shown this once, and kept nowhere: put it away safely."
    )


@strawberry.type(description="Since when the key is no longer good, or why it still is.")
class RevokeApiKeyPayload:
    """A revoked key."""

    user_errors: list[ApiKeyError] = strawberry.field(description="Empty: it is revoked.")
    revoked_at: Instant | None = strawberry.field(default=None, description="The first time holds.")


@strawberry.type
class ApiKeyMutation:
    """Keys."""

    @mutation(KEY_MAKERS, description="Makes a key to call with.")
    async def create_api_key(self, info: Info, wish: Annotated[CreateApiKeyInput, INPUT]) -> CreateApiKeyPayload:
        """Make a key."""
        members = info.context.channel("members")
        request = pb.CreateApiKeyRequest(
            kind=access_pb2.CallerKind.Value(f"CALLER_KIND_{wish.kind.name}"),
            subject=wish.subject,
            scopes=wish.scopes,
            store_ids=wish.store_ids,
            role=wish.role.name.lower() if wish.role else "",
        )
        answer = await members.ask_once(members.stub(ChainsStub).CreateApiKey, request)
        return CreateApiKeyPayload(user_errors=[], id=strawberry.ID(answer.id), secret=answer.secret)

    @mutation(KEY_MAKERS, description="Revokes a key; it is refused everywhere within 5 seconds.")
    async def revoke_api_key(self, info: Info, wish: Annotated[RevokeApiKeyInput, INPUT]) -> RevokeApiKeyPayload:
        """Revoke a key."""
        members = info.context.channel("members")
        answer = await members.ask(members.stub(ChainsStub).RevokeApiKey, pb.RevokeApiKeyRequest(id=wish.id))
        return RevokeApiKeyPayload(user_errors=[], revoked_at=instant(answer.revoked_at))
