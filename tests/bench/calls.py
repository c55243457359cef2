"""How a till sends receipts to points: one a call, many a call, or many over a stream."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import grpc

from protos.points.v1 import points_pb2 as pb
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.clock import system_clock
from services.kit.timestamps import to_timestamp
from tests.bench.orders import Shape
from tests.bench.receipts import CURRENCY, Bill

if TYPE_CHECKING:
    from protos.points.v1.points_pb2_grpc import PointsAsyncStub

TIMEOUT_S = 60.0
"""As long as the server allows; what is refused or lost is counted, nothing is cut short by the load itself."""

Metadata = tuple[tuple[str, str], ...]
Stream = grpc.aio.StreamStreamCall[pb.RecordPurchasesRequest, pb.RecordPurchasesResponse]
Send = Callable[[Sequence[Bill]], Awaitable[None]]
"""Returns when all of them are booked, or booked already; raises AioRpcError."""


class NotBookedError(Exception):
    """The service took a receipt for wrong: the load is at fault, and the run does not count."""


@asynccontextmanager
async def unary(channel: grpc.aio.Channel, metadata: Metadata) -> AsyncIterator[Send]:
    """RecordPurchase: one receipt a call."""
    stub: PointsAsyncStub = PointsStub(channel)

    async def send(bills: Sequence[Bill]) -> None:
        [bill] = bills
        await stub.RecordPurchase(
            pb.RecordPurchaseRequest(purchase=_purchase(bill)), metadata=metadata, timeout=TIMEOUT_S
        )

    yield send


@asynccontextmanager
async def bulk(channel: grpc.aio.Channel, metadata: Metadata) -> AsyncIterator[Send]:
    """RecordPurchases: many a call."""
    stub: PointsAsyncStub = PointsStub(channel)

    async def send(bills: Sequence[Bill]) -> None:
        _check(bills, await stub.RecordPurchases(_request(bills), metadata=metadata, timeout=TIMEOUT_S))

    yield send


@asynccontextmanager
async def stream(channel: grpc.aio.Channel, metadata: Metadata) -> AsyncIterator[Send]:
    """StreamPurchases: many a message, over a stream that a caller keeps open; after a failure a new one is opened."""
    stub: PointsAsyncStub = PointsStub(channel)
    streams: list[Stream] = []

    async def send(bills: Sequence[Bill]) -> None:
        if not streams or (call := streams.pop()).done():
            call = stub.StreamPurchases(metadata=metadata, timeout=TIMEOUT_S)
        await call.write(_request(bills))
        answer = await call.read()
        if not isinstance(answer, pb.RecordPurchasesResponse):
            raise NotBookedError("the stream ended")
        _check(bills, answer)
        streams.append(call)

    yield send
    for call in streams:
        await call.done_writing()
        await call.read()


OPEN: MappingProxyType[Shape, Callable[[grpc.aio.Channel, Metadata], AbstractAsyncContextManager[Send]]] = (
    MappingProxyType({"unary": unary, "bulk": bulk, "stream": stream})
)


def _check(bills: Sequence[Bill], answer: pb.RecordPurchasesResponse) -> None:
    booked = sum(1 for result in answer.results if result.HasField("recorded"))
    if booked != len(bills):
        raise NotBookedError(next(result.problem for result in answer.results if result.HasField("problem")))


def _request(bills: Sequence[Bill]) -> pb.RecordPurchasesRequest:
    return pb.RecordPurchasesRequest(purchases=[_purchase(bill) for bill in bills])


def _purchase(bill: Bill) -> pb.Purchase:
    return pb.Purchase(
        store_id=bill.store,
        receipt_number=bill.number,
        member_id=bill.member,
        occurred_at=to_timestamp(system_clock()),
        currency=CURRENCY,
        lines=[pb.Line(item_code=item, quantity=1, gross_minor=amount_minor) for item, amount_minor in bill.lines],
    )
