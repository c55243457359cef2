"""The Points servicer: translate, call one use case, translate."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from protos.points.v1 import points_pb2 as pb
from protos.points.v1 import points_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Problem
from services.kit.ids import MakeId
from services.kit.rpc.problems import to_proto
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.points.domain.batches import Recorded
from services.points.rpc import words
from services.points.rpc.reports import ReceiptReports
from services.points.usecases.ledger import Call, Journal
from services.points.usecases.orders import release_points
from services.points.usecases.programs import ProgramSource
from services.points.usecases.read_accounts import Accounts, JournalPage, get_accounts, list_entries
from services.points.usecases.record_purchases import AT_ONCE, Recorder, record_purchases
from services.points.usecases.record_refunds import record_refunds
from services.points.usecases.simulate import simulate_purchase

IN_FLIGHT = 4
"""Requests of one stream that are under way at once: the next is read when the first of them is answered."""


@dataclass(frozen=True, slots=True)
class PointsServicer(points_pb2_grpc.PointsServicer):
    """protos/points/v1/points.proto."""

    recorder: Recorder
    accounts: Accounts
    receipts: ReceiptReports
    programs: ProgramSource
    journal: Journal
    clocks: ChainClocks
    make_id: MakeId

    async def RecordPurchase(self, request: pb.RecordPurchaseRequest, _context: Any) -> pb.RecordPurchaseResponse:  # noqa: N802 - gRPC's name
        """Book one receipt."""
        answer = (await self._record([request.purchase]))[0]
        if isinstance(answer, Problem):
            raise answer
        return words.recorded(answer, request.purchase)

    async def SimulatePurchase(self, request: pb.SimulatePurchaseRequest, _context: Any) -> pb.SimulatePurchaseResponse:  # noqa: N802 - gRPC's name
        """Say what booking would give."""
        receipt = words.receipt_of(request.purchase)
        answer = await simulate_purchase(receipt, call=await self._call(), recorder=self.recorder, journal=self.journal)
        return words.simulated(answer, request.purchase)

    async def ReleasePoints(self, request: pb.ReleasePointsRequest, _context: Any) -> pb.ReleasePointsResponse:  # noqa: N802 - gRPC's name
        """Make pending points available."""
        posted = await release_points(
            request.key,
            store=request.store_id,
            receipt_number=request.receipt_number,
            call=await self._call(),
            recorder=self.recorder,
        )
        return pb.ReleasePointsResponse(
            member_id=posted.account.id, balances=words.balances(posted.account), repeated_call=posted.repeated_call
        )

    async def RecordPurchases(self, request: pb.RecordPurchasesRequest, _context: Any) -> pb.RecordPurchasesResponse:  # noqa: N802 - gRPC's name
        """Book many, each with its own result."""
        answers = await self._record(request.purchases)
        return pb.RecordPurchasesResponse(
            results=[
                pb.RecordResult(problem=to_proto(answer))
                if isinstance(answer, Problem)
                else pb.RecordResult(recorded=words.recorded(answer, sent))
                for answer, sent in zip(answers, request.purchases, strict=True)
            ]
        )

    async def StreamPurchases(  # noqa: N802 - gRPC's name
        self, requests: AsyncIterator[pb.RecordPurchasesRequest], context: Any
    ) -> AsyncIterator[pb.RecordPurchasesResponse]:
        """Book a stream, a few requests at once, answered in their order."""
        under_way: asyncio.Queue[asyncio.Task[pb.RecordPurchasesResponse] | None] = asyncio.Queue(IN_FLIGHT - 1)

        async def read() -> None:
            try:
                async for request in requests:
                    await under_way.put(asyncio.create_task(self.RecordPurchases(request, context)))
            finally:
                await under_way.put(None)

        reading = asyncio.create_task(read())
        try:
            while (task := await under_way.get()) is not None:
                yield await task
            await reading  # raises what broke the stream
        finally:
            await _drop(reading, under_way)

    async def RecordRefunds(self, request: pb.RecordRefundsRequest, _context: Any) -> pb.RecordRefundsResponse:  # noqa: N802 - gRPC's name
        """Take back many receipts, each with its own result."""
        refunds = [words.refund_of(refund) for refund in request.refunds]
        answers = await record_refunds(refunds, call=await self._call(), recorder=self.recorder)
        return pb.RecordRefundsResponse(
            results=[
                pb.RefundResult(problem=to_proto(answer))
                if isinstance(answer, Problem)
                else pb.RefundResult(recorded=words.recorded_refund(answer))
                for answer in answers
            ]
        )

    async def GetReceipts(self, request: pb.GetReceiptsRequest, _context: Any) -> pb.GetReceiptsResponse:  # noqa: N802 - gRPC's name
        """Read receipts."""
        return await self.receipts.GetReceipts(request)

    async def ReconcileDay(self, request: pb.ReconcileDayRequest, _context: Any) -> pb.ReconcileDayResponse:  # noqa: N802 - gRPC's name
        """Compare a store's day."""
        return await self.receipts.ReconcileDay(request)

    async def ListWaitingRefunds(  # noqa: N802 - gRPC's name
        self, request: pb.ListWaitingRefundsRequest, _context: Any
    ) -> pb.ListWaitingRefundsResponse:
        """Read refunds whose receipt has not come."""
        return await self.receipts.ListWaitingRefunds(request)

    async def GetAccounts(self, request: pb.GetAccountsRequest, _context: Any) -> pb.GetAccountsResponse:  # noqa: N802 - gRPC's name
        """Read accounts."""
        who = caller()
        views = await get_accounts(
            request.member_ids,
            caller=who,
            now=await self.clocks.now(who.chain),
            accounts=self.accounts,
            programs=self.programs,
        )
        return pb.GetAccountsResponse(accounts=[words.account(view) for view in views])

    async def ListEntries(self, request: pb.ListEntriesRequest, _context: Any) -> pb.ListEntriesResponse:  # noqa: N802 - gRPC's name
        """Read a page of journals."""
        pages = await list_entries(
            request.member_ids,
            caller=caller(),
            first=request.page.first,
            before=_before(request.page.after),
            accounts=self.accounts,
        )
        return pb.ListEntriesResponse(pages=[_page(page) for page in pages])

    async def _record(self, purchases: Sequence[pb.Purchase]) -> list[Recorded | Problem]:
        self.recorder.ledger.check_room(min(len(purchases), AT_ONCE))
        receipts = [words.receipt_of(purchase) for purchase in purchases]
        return await record_purchases(receipts, call=await self._call(), recorder=self.recorder)

    async def _call(self) -> Call:
        who = caller()
        return Call(who, await self.clocks.now(who.chain), self.make_id, current_traceparent())


async def _drop(reading: asyncio.Task[None], under_way: asyncio.Queue[asyncio.Task[Any] | None]) -> None:
    """End what a stream that was broken off has left; what is being committed is committed all the same."""
    left: list[asyncio.Task[Any]] = [reading]
    reading.cancel()
    while not reading.done() or not under_way.empty():
        if under_way.empty():
            await asyncio.wait({reading}, timeout=0.1)
        elif (task := under_way.get_nowait()) is not None:
            left.append(task)
            task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _page(page: JournalPage) -> pb.EntryPage:
    return pb.EntryPage(
        entries=[words.entry(entry) for entry in page.entries],
        end_cursor="" if page.next_before is None else str(page.next_before),
    )


def _before(cursor: str) -> int | None:
    if not cursor:
        return None
    try:
        return int(cursor)
    except ValueError:
        raise words.CursorError(field="after") from None
