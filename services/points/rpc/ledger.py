"""The Ledger servicer: translate, call one use case, translate."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1 import ledger_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.errors import BUSINESS, Problem
from services.kit.ids import MakeId
from services.kit.rpc.problems import to_proto
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import from_timestamp, to_timestamp
from services.points.domain.adjustments import Adjustment, AdjustmentState
from services.points.domain.books import Posted
from services.points.domain.commands import OpeningLot
from services.points.domain.tier_views import tier_of
from services.points.rpc import words
from services.points.rpc.audit import AuditReports
from services.points.rpc.reports import LedgerReports
from services.points.usecases import adjustments
from services.points.usecases.adjustments import AdjustmentDesk, Opening
from services.points.usecases.ledger import Call
from services.points.usecases.programs import ProgramSource
from services.points.usecases.read_accounts import page_size

STATES = {
    AdjustmentState.WAITING: pb.ADJUSTMENT_STATE_WAITING,
    AdjustmentState.BOOKED: pb.ADJUSTMENT_STATE_BOOKED,
    AdjustmentState.REJECTED: pb.ADJUSTMENT_STATE_REJECTED,
}


@dataclass(frozen=True, slots=True)
class LedgerServicer(ledger_pb2_grpc.LedgerServicer):
    """protos/points/v1/ledger.proto."""

    desk: AdjustmentDesk
    reports: LedgerReports
    audit: AuditReports
    programs: ProgramSource
    clocks: ChainClocks
    make_id: MakeId

    async def AdjustPoints(self, request: pb.AdjustPointsRequest, _context: Any) -> pb.AdjustmentResponse:  # noqa: N802 - gRPC's name
        """Add or take points by hand."""
        posted = await adjustments.adjust(
            request.key,
            member=request.member_id,
            currency=request.currency,
            amount=request.amount,
            reason=request.reason,
            call=await self._call(),
            desk=self.desk,
        )
        return await self._adjusted(posted)

    async def DecideAdjustment(self, request: pb.DecideAdjustmentRequest, _context: Any) -> pb.AdjustmentResponse:  # noqa: N802 - gRPC's name
        """Approve or reject an adjustment that waits."""
        posted = await adjustments.decide(
            request.key, request.adjustment_id, approve=request.approve, call=await self._call(), desk=self.desk
        )
        return await self._adjusted(posted)

    async def ListWaitingAdjustments(  # noqa: N802 - gRPC's name
        self, request: pb.ListWaitingAdjustmentsRequest, _context: Any
    ) -> pb.ListWaitingAdjustmentsResponse:
        """Read a page of adjustments that wait."""
        first = page_size(request.page.first)
        found, reasons = await adjustments.waiting_adjustments(
            after=request.page.after, first=first + 1, call=await self._call(), desk=self.desk
        )
        return pb.ListWaitingAdjustmentsResponse(
            adjustments=[_adjustment(one, reasons) for one in found[:first]],
            end_cursor=found[first - 1].id if len(found) > first else "",
        )

    async def FreezeAccount(self, request: pb.FreezeAccountRequest, _context: Any) -> pb.FreezeAccountResponse:  # noqa: N802 - gRPC's name
        """Freeze or unfreeze."""
        posted = await adjustments.freeze(
            request.key,
            member=request.member_id,
            frozen=request.frozen,
            reason=request.reason,
            call=await self._call(),
            desk=self.desk,
        )
        return pb.FreezeAccountResponse(frozen=posted.account.frozen, repeated_call=posted.repeated_call)

    async def GrantLevel(self, request: pb.GrantLevelRequest, _context: Any) -> pb.GrantLevelResponse:  # noqa: N802 - gRPC's name
        """Give a level by hand."""
        call = await self._call()
        posted = await adjustments.grant_level(
            request.key,
            member=request.member_id,
            level=request.level,
            until=from_timestamp(request.until) if request.HasField("until") else None,
            reason=request.reason,
            call=call,
            desk=self.desk,
        )
        chain = call.caller.chain
        of_chain = (await self.programs.of([chain]))[chain]
        tier = tier_of(posted.account, max(call.now, posted.account.as_of or call.now), of_chain)
        return pb.GrantLevelResponse(tier=words.tier_words(tier), repeated_call=posted.repeated_call)

    async def OpenBalances(self, request: pb.OpenBalancesRequest, _context: Any) -> pb.OpenBalancesResponse:  # noqa: N802 - gRPC's name
        """Bring balances from another system."""
        openings = [_opening(balance) for balance in request.balances]
        answers = await adjustments.open_balances(openings, call=await self._call(), desk=self.desk)
        return pb.OpenBalancesResponse(
            results=[_opened(answer, opening) for answer, opening in zip(answers, openings, strict=True)]
        )

    async def GetBalancesAt(self, request: pb.GetBalancesAtRequest, _context: Any) -> pb.GetBalancesAtResponse:  # noqa: N802 - gRPC's name
        """Read balances at a past moment."""
        return await self.reports.GetBalancesAt(request)

    async def GetStatement(self, request: pb.GetStatementRequest, _context: Any) -> AsyncIterator[pb.StatementPart]:  # noqa: N802 - gRPC's name
        """Write a statement, part by part."""
        async with aclosing(self.reports.GetStatement(request)) as parts:
            async for part in parts:
                yield part

    async def GetMonths(self, request: pb.GetMonthsRequest, _context: Any) -> pb.GetMonthsResponse:  # noqa: N802 - gRPC's name
        """Read what happened month by month."""
        return await self.reports.GetMonths(request)

    async def GetLiability(self, request: pb.GetLiabilityRequest, _context: Any) -> pb.GetLiabilityResponse:  # noqa: N802 - gRPC's name
        """Read what is outstanding by month of expiry."""
        return await self.reports.GetLiability(request)

    async def VerifyLedger(  # noqa: N802 - gRPC's name
        self, request: pb.VerifyLedgerRequest, _context: Any
    ) -> AsyncIterator[pb.VerifyLedgerProgress]:
        """Verify, and tell how far it is."""
        async with aclosing(self.audit.VerifyLedger(request)) as steps:
            async for progress in steps:
                yield progress

    async def ListSeals(self, request: pb.ListSealsRequest, _context: Any) -> pb.ListSealsResponse:  # noqa: N802 - gRPC's name
        """Read a page of seals."""
        return await self.audit.ListSeals(request)

    async def _adjusted(self, posted: Posted) -> pb.AdjustmentResponse:
        adjustment = posted.adjustment
        assert adjustment is not None  # noqa: S101 - narrows the type: that is what adjustments are answered with
        reasons = await self.desk.adjustments.reasons(caller().chain, [adjustment])
        currency = adjustment.currency
        return pb.AdjustmentResponse(
            adjustment=_adjustment(adjustment, reasons),
            balance=words.balance(currency, posted.account.balance(currency)),
            repeated_call=posted.repeated_call,
        )

    async def _call(self) -> Call:
        who = caller()
        return Call(who, await self.clocks.now(who.chain), self.make_id, current_traceparent())


def _adjustment(adjustment: Adjustment, reasons: Mapping[str, str]) -> pb.Adjustment:
    return pb.Adjustment(
        id=adjustment.id,
        member_id=adjustment.account,
        currency=adjustment.currency,
        amount=adjustment.amount,
        reason=reasons.get(adjustment.note, ""),
        state=STATES[adjustment.state],
        asked_by=adjustment.asked_by,
        asked_at=to_timestamp(adjustment.asked_at),
        decided_by=adjustment.decided_by,
        decided_at=to_timestamp(adjustment.decided_at) if adjustment.decided_at else None,
    )


def _opening(balance: pb.OpeningBalance) -> Opening:
    named = balance.WhichOneof("holder") == "identity"
    return Opening(
        key=balance.key,
        holder=words.identity_of(balance.identity) if named else balance.member_id,
        currency=balance.currency,
        lots=tuple(
            OpeningLot(
                amount=lot.amount,
                earned_at=from_timestamp(lot.earned_at),
                expires_at=from_timestamp(lot.expires_at) if lot.HasField("expires_at") else None,
            )
            for lot in balance.lots
        ),
    )


def _opened(answer: Posted | Problem, opening: Opening) -> pb.OpenResult:
    if isinstance(answer, Problem):
        if answer.kind not in BUSINESS:
            raise answer
        return pb.OpenResult(problem=to_proto(answer))
    return pb.OpenResult(
        opened=pb.OpenedBalance(
            member_id=answer.account.id,
            balance=words.balance(opening.currency, answer.account.balance(opening.currency)),
            repeated_call=answer.repeated_call,
        )
    )
