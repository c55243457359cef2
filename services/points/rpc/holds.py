"""The Holds servicer: translate, call one use case, translate."""

from dataclasses import dataclass
from typing import Any

from protos.points.v1 import holds_pb2 as pb
from protos.points.v1 import holds_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.ids import MakeId
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import from_timestamp, to_timestamp
from services.points.domain.books import Posted
from services.points.domain.holds import Hold, HoldState
from services.points.rpc import words
from services.points.usecases import holds
from services.points.usecases.holds import HoldDesk
from services.points.usecases.ledger import Call

STATES = {
    HoldState.OPEN: pb.HOLD_STATE_OPEN,
    HoldState.CAPTURED: pb.HOLD_STATE_CAPTURED,
    HoldState.VOIDED: pb.HOLD_STATE_VOIDED,
    HoldState.EXPIRED: pb.HOLD_STATE_EXPIRED,
    HoldState.REVERSED: pb.HOLD_STATE_REVERSED,
}


@dataclass(frozen=True, slots=True)
class HoldsServicer(holds_pb2_grpc.HoldsServicer):
    """protos/points/v1/holds.proto."""

    desk: HoldDesk
    clocks: ChainClocks
    make_id: MakeId

    async def AuthoriseHold(self, request: pb.AuthoriseHoldRequest, _context: Any) -> pb.HoldResponse:  # noqa: N802 - gRPC's name
        """Set points aside."""
        posted = await holds.authorise(
            request.key,
            member=request.member_id,
            currency=request.currency,
            amount=request.amount,
            expires_at=from_timestamp(request.expires_at) if request.HasField("expires_at") else None,
            reference=request.reference,
            call=await self._call(),
            desk=self.desk,
        )
        return _response(posted)

    async def CaptureHold(self, request: pb.CaptureHoldRequest, _context: Any) -> pb.HoldResponse:  # noqa: N802 - gRPC's name
        """Consume a hold."""
        posted = await holds.capture(
            request.key,
            request.hold_id,
            amount=request.amount or None,
            keep_rest=request.keep_rest,
            call=await self._call(),
            desk=self.desk,
        )
        return _response(posted)

    async def VoidHold(self, request: pb.HoldRequest, _context: Any) -> pb.HoldResponse:  # noqa: N802 - gRPC's name
        """Give back what a hold sets aside."""
        return _response(await holds.void(request.key, request.hold_id, call=await self._call(), desk=self.desk))

    async def ReverseHold(self, request: pb.HoldRequest, _context: Any) -> pb.HoldResponse:  # noqa: N802 - gRPC's name
        """Give back what was captured."""
        return _response(await holds.reverse(request.key, request.hold_id, call=await self._call(), desk=self.desk))

    async def PinHold(self, request: pb.HoldRequest, _context: Any) -> pb.HoldResponse:  # noqa: N802 - gRPC's name
        """Keep a hold from running out."""
        return _response(await holds.pin(request.key, request.hold_id, call=await self._call(), desk=self.desk))

    async def ExtendHold(self, request: pb.ExtendHoldRequest, _context: Any) -> pb.HoldResponse:  # noqa: N802 - gRPC's name
        """Let a hold run out later."""
        posted = await holds.extend(
            request.key,
            request.hold_id,
            expires_at=from_timestamp(request.expires_at),
            call=await self._call(),
            desk=self.desk,
        )
        return _response(posted)

    async def GetHolds(self, request: pb.GetHoldsRequest, _context: Any) -> pb.GetHoldsResponse:  # noqa: N802 - gRPC's name
        """Read holds."""
        found = await holds.get_holds(request.hold_ids, call=await self._call(), desk=self.desk)
        return pb.GetHoldsResponse(holds=[pb.Hold() if hold is None else _hold(hold) for hold in found])

    async def _call(self) -> Call:
        who = caller()
        return Call(who, await self.clocks.now(who.chain), self.make_id, current_traceparent())


def _response(posted: Posted) -> pb.HoldResponse:
    assert posted.hold is not None  # noqa: S101 - narrows the type: that is what hold commands are answered with
    currency = posted.hold.currency
    return pb.HoldResponse(
        hold=_hold(posted.hold),
        balance=words.balance(currency, posted.account.balance(currency)),
        repeated_call=posted.repeated_call,
    )


def _hold(hold: Hold) -> pb.Hold:
    return pb.Hold(
        id=hold.id,
        member_id=hold.account,
        currency=hold.currency,
        amount=hold.amount,
        captured=hold.captured,
        left=hold.left,
        state=STATES[hold.state],
        expires_at=to_timestamp(hold.expires_at),
        pinned=hold.pinned,
        reference=hold.reference,
    )
