"""Reports, as calls: what the Ledger and Points servicers answer with."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1 import points_pb2
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.timestamps import EPOCH, from_timestamp
from services.points.domain.receipts import Receipt
from services.points.domain.reconciling import DayTotals, ItemName
from services.points.rpc import words
from services.points.usecases import receipt_reports, reports
from services.points.usecases.programs import ProgramSource
from services.points.usecases.receipt_reports import Receipts, RefundMark
from services.points.usecases.record_purchases import Stores
from services.points.usecases.reports import History, JournalSums


@dataclass(frozen=True, slots=True)
class LedgerReports:
    """The calls that tell of the past."""

    history: History
    sums: JournalSums
    programs: ProgramSource
    clocks: ChainClocks

    async def GetBalancesAt(self, request: pb.GetBalancesAtRequest) -> pb.GetBalancesAtResponse:  # noqa: N802 - gRPC's name
        """Read balances at a past moment; what happened by then, unless what was booked by then is asked for."""
        member, at, who = request.member_id, from_timestamp(request.at), caller()
        now = await self.clocks.now(who.chain)
        if request.by == pb.MOMENT_BOOKED_AT:
            account = await reports.balances_booked_by(
                member, at=at, caller=who, now=now, history=self.history, programs=self.programs
            )
        else:
            account = await reports.balances_occurred_by(
                member, at=at, caller=who, now=now, history=self.history, programs=self.programs
            )
        return pb.GetBalancesAtResponse(balances=words.balances(account))

    async def GetStatement(self, request: pb.GetStatementRequest) -> AsyncGenerator[pb.StatementPart, None]:  # noqa: N802 - gRPC's name
        """Write a statement, part by part."""
        since = getattr(request, "from")
        parts = reports.statement(
            request.member_id,
            since=from_timestamp(since) if request.HasField("from") else None,
            until=from_timestamp(request.until) if request.HasField("until") else None,
            caller=caller(),
            history=self.history,
        )
        async with aclosing(parts):
            async for part in parts:
                yield pb.StatementPart(csv=part)

    async def GetMonths(self, request: pb.GetMonthsRequest) -> pb.GetMonthsResponse:  # noqa: N802 - gRPC's name
        """Read what happened month by month."""
        found = await reports.months(
            request.from_month, request.until_month, request.currency, chain=caller().chain, sums=self.sums
        )
        return pb.GetMonthsResponse(
            months=[
                pb.Month(
                    month=line.month,
                    issued=line.sums.issued,
                    redeemed=line.sums.redeemed,
                    expired=line.sums.expired,
                    adjusted=line.sums.adjusted,
                    debt=line.sums.debt,
                    outstanding=line.outstanding,
                )
                for line in found
            ]
        )

    async def GetLiability(self, request: pb.GetLiabilityRequest) -> pb.GetLiabilityResponse:  # noqa: N802 - gRPC's name
        """Read what is outstanding, by the month in which it expires."""
        chain = caller().chain
        now = await self.clocks.now(chain)
        found = await reports.liability(request.currency, chain=chain, now=now, sums=self.sums)
        return pb.GetLiabilityResponse(
            months=[pb.LiabilityMonth(month=month, amount=amount) for month, amount in found.months],
            outstanding=found.outstanding,
        )


@dataclass(frozen=True, slots=True)
class ReceiptReports:
    """The calls about receipts that are booked."""

    receipts: Receipts
    stores: Stores

    async def ReconcileDay(self, request: points_pb2.ReconcileDayRequest) -> points_pb2.ReconcileDayResponse:  # noqa: N802 - gRPC's name
        """Compare a store's day with what was booked."""
        sent = request.totals
        totals = DayTotals(sent.purchases, sent.paid_minor, sent.refunds, sent.refunded_minor)
        found = await receipt_reports.reconcile_day(
            request.store_id,
            request.day,
            totals=totals if request.HasField("totals") else None,
            items=[(ItemName(item.number, item.is_refund), item.amount_minor) for item in request.items],
            caller=caller(),
            stores=self.stores,
            receipts=self.receipts,
        )
        ours = found.totals
        return points_pb2.ReconcileDayResponse(
            matches=found.matches,
            totals=points_pb2.DayTotals(
                purchases=ours.purchases,
                paid_minor=ours.paid_minor,
                refunds=ours.refunds,
                refunded_minor=ours.refunded_minor,
            ),
            differences=[
                points_pb2.DayDifference(
                    number=one.name.number,
                    is_refund=one.name.is_refund,
                    booked_minor=one.booked_minor,
                    store_minor=one.store_minor,
                )
                for one in found.differences
            ],
        )

    async def ListWaitingRefunds(  # noqa: N802 - gRPC's name
        self, request: points_pb2.ListWaitingRefundsRequest
    ) -> points_pb2.ListWaitingRefundsResponse:
        """Read a page of refunds whose receipt has not come."""
        before = from_timestamp(request.received_before) if request.HasField("received_before") else None
        found, last = await receipt_reports.waiting_refunds(
            received_before=before,
            after=_mark(request.page.after) if request.page.after else None,
            first=request.page.first,
            caller=caller(),
            receipts=self.receipts,
        )
        return points_pb2.ListWaitingRefundsResponse(
            refunds=[words.booked_refund(one) for one in found],
            end_cursor="" if last is None else f"{(last.booked_at - EPOCH) // timedelta(milliseconds=1)}/{last.key}",
        )

    async def GetReceipts(self, request: points_pb2.GetReceiptsRequest) -> points_pb2.GetReceiptsResponse:  # noqa: N802 - gRPC's name
        """Read receipts with their refunds."""
        names = [(name.store_id, name.receipt_number) for name in request.receipts]
        found = await receipt_reports.get_receipts(names, caller=caller(), receipts=self.receipts)
        return points_pb2.GetReceiptsResponse(receipts=[_receipt(one) for one in found])


def _receipt(receipt: Receipt) -> points_pb2.Receipt:
    if receipt.booked is None:
        return points_pb2.Receipt()
    return points_pb2.Receipt(
        booked=words.booked_purchase(receipt.booked),
        refunds=[words.booked_refund(one) for one in receipt.refunds],
    )


def _mark(cursor: str) -> RefundMark:
    milliseconds, slash, key = cursor.partition("/")
    try:
        booked_at = EPOCH + timedelta(milliseconds=int(milliseconds))
    except (ValueError, OverflowError):
        slash = ""
        booked_at = datetime.min.replace(tzinfo=UTC)
    if not slash:
        raise words.CursorError(field="after")
    return RefundMark(booked_at, key)
