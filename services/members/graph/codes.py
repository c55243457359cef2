"""QR codes over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import directory_pb2 as pb
from protos.members.v1.directory_pb2_grpc import DirectoryStub
from services.kit.graph import (
    INPUT,
    After,
    Connection,
    First,
    Info,
    Instant,
    Kind,
    Page,
    Problem,
    UserError,
    field,
    instant,
    mutation,
)
from services.members.graph.chains import EVERYBODY, Store, store
from services.members.graph.saving import WRITERS


@strawberry.enum(description="What a code hangs on.")
class Spot(Enum):
    """Spots, named as in the proto."""

    TABLE = strawberry.enum_value("TABLE", description="A table.")
    COUNTER = strawberry.enum_value("COUNTER", description="The counter.")
    DOOR = strawberry.enum_value("DOOR", description="The door.")
    POSTER = strawberry.enum_value("POSTER", description="A poster.")


@strawberry.type(description="A code that hangs in a store.")
class QrCode:
    """A code."""

    code: str = strawberry.field(description="What the picture says: 16 characters that nobody can guess.")
    store: Store = strawberry.field(description="Where it hangs.")
    spot: Spot = strawberry.field(description="What it hangs on.")
    label: str | None = strawberry.field(description='Which of these, like "12" for a table; null: not said.')
    good: bool = strawberry.field(description="Neither is it revoked nor its store closed for good.")
    created_at: Instant = strawberry.field(description="When it was made.")
    revoked_at: Instant | None = strawberry.field(description="Since when it is worthless; null: it is not.")


@strawberry.input(description="Where a code will hang.")
class QrPlaceInput:
    """A place."""

    spot: Spot = strawberry.field(description="What it hangs on.")
    label: str | None = strawberry.field(default=None, description='Which of these, like "12"; only tables need one.')


@strawberry.input(description="New codes for one store.")
class CreateQrCodesInput:
    """New codes."""

    key: str = strawberry.field(
        description="The command key, 8 to 128 characters: a new one for each wish, the same one for each try."
    )
    store_id: strawberry.ID = strawberry.field(description="Where they will hang.")
    places: list[QrPlaceInput] = strawberry.field(description="Up to 1,000; a code for each.")


@strawberry.input(description="A code that is to be worthless.")
class RevokeQrCodeInput:
    """A code to revoke."""

    code: str = strawberry.field(description="The code.")


@strawberry.enum(description="Why codes were not made or revoked.")
class QrCodeErrorCode(Enum):
    """Codes of `QrCodeError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    INVALID_QR_CODE = strawberry.enum_value("INVALID_QR_CODE", description="No code can hang like that.")
    QR_CODE_NOT_FOUND = strawberry.enum_value("QR_CODE_NOT_FOUND", description="There is no such code.")
    STORE_NOT_FOUND = strawberry.enum_value("STORE_NOT_FOUND", description="There is no such store.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why codes were not made or revoked.")
class QrCodeError(UserError):
    """An item of `userErrors`."""

    code: QrCodeErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The new codes, or why there are none.")
class CreateQrCodesPayload:
    """Made codes."""

    user_errors: list[QrCodeError] = strawberry.field(description="Empty: they are good from now on.")
    codes: list[str] = strawberry.field(default_factory=list, description="In the order of the places.")


@strawberry.type(description="The revoked code, or why it is not.")
class RevokeQrCodePayload:
    """A revoked code."""

    user_errors: list[QrCodeError] = strawberry.field(description="Empty: it is worthless.")
    qr_code: QrCode | None = strawberry.field(default=None, description="As it is now; null when it was not revoked.")


@strawberry.type
class QrCodeQuery:
    """Asking for codes."""

    @field(EVERYBODY, description="Where a code hangs, and whether it is good; null: there is no such code.")
    async def qr_code(
        self, info: Info, code: Annotated[str, strawberry.argument(description="What the picture says.")]
    ) -> QrCode | None:
        """Look a code up."""
        members = info.context.channel("members")
        try:
            answer = await members.ask(members.stub(DirectoryStub).GetQrCode, pb.GetQrCodeRequest(code=code))
        except Problem as problem:
            if problem.kind is Kind.NOT_FOUND:
                return None
            raise
        return _qr_code(answer.code)

    @field(WRITERS, description="The codes of a store, revoked ones too, in the order of the codes.")
    async def qr_codes(
        self,
        info: Info,
        store_id: Annotated[strawberry.ID, strawberry.argument(description="Where they hang.")],
        first: First = 20,
        after: After = None,
    ) -> Connection[QrCode]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        members = info.context.channel("members")
        request = pb.ListQrCodesRequest(store_id=store_id, page=page.to_proto())
        answer = await members.ask(members.stub(DirectoryStub).ListQrCodes, request)
        return Connection.of([_qr_code(one) for one in answer.codes], page, end_cursor=answer.end_cursor)


@strawberry.type
class QrCodeMutation:
    """Codes."""

    @mutation(WRITERS, description="Makes codes for places of a store. Safe to send again.")
    async def create_qr_codes(self, info: Info, wish: Annotated[CreateQrCodesInput, INPUT]) -> CreateQrCodesPayload:
        """Make codes."""
        places = [pb.Place(spot=pb.Spot.Value(f"SPOT_{one.spot.name}"), label=one.label or "") for one in wish.places]
        members = info.context.channel("members")
        request = pb.CreateQrCodesRequest(key=wish.key, store_id=wish.store_id, places=places)
        answer = await members.ask(members.stub(DirectoryStub).CreateQrCodes, request)
        return CreateQrCodesPayload(user_errors=[], codes=list(answer.codes))

    @mutation(WRITERS, description="Makes a code worthless, for ever.")
    async def revoke_qr_code(self, info: Info, wish: Annotated[RevokeQrCodeInput, INPUT]) -> RevokeQrCodePayload:
        """Revoke a code."""
        members = info.context.channel("members")
        answer = await members.ask(members.stub(DirectoryStub).RevokeQrCode, pb.RevokeQrCodeRequest(code=wish.code))
        return RevokeQrCodePayload(user_errors=[], qr_code=_qr_code(answer.code))


def _qr_code(one: pb.QrCode) -> QrCode:
    return QrCode(
        code=one.code,
        store=store(one.store),
        spot=Spot[pb.Spot.Name(one.place.spot).removeprefix("SPOT_")],
        label=one.place.label or None,
        good=one.good,
        created_at=instant(one.created_at),
        revoked_at=instant(one.revoked_at) if one.HasField("revoked_at") else None,
    )
