"""Many receipts at once: batches of an offline till, and streams."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from protos.points.v1 import points_pb2 as pb
from services.points.store.collections import RECEIPTS
from tests.contract.points.desk import STAFF, TILL, Points, receipt


def many(count: int, *, first: int = 0) -> pb.RecordPurchasesRequest:
    members = ("mem_ada", "mem_bob")
    return pb.RecordPurchasesRequest(
        purchases=[receipt(f"R{n}", paid_minor=100, member=members[n % 2]) for n in range(first, first + count)]
    )


async def test_an_offline_till_sends_its_day_twice_and_doubles_nothing(points: Points) -> None:
    request = many(1_200)
    reordered = pb.RecordPurchasesRequest(purchases=reversed(request.purchases))
    for sent, repeated in ((request, False), (reordered, True)):
        answer = await points.channel.call(points.stub.RecordPurchases, sent, principal=TILL, timeout_s=60)
        assert [one.recorded.repeated_call for one in answer.results] == [repeated] * 1_200
    assert (await points.account("mem_ada")).available_points == 600
    assert await points.database.collection(RECEIPTS).count_documents({"chain": "chn_1"}) == 1_200


async def test_a_stream_is_answered_request_by_request(points: Points) -> None:
    asked = asyncio.Queue[pb.RecordPurchasesRequest | None]()

    async def requests() -> AsyncIterator[pb.RecordPurchasesRequest]:
        while (request := await asked.get()) is not None:
            yield request

    call = points.stub.StreamPurchases(requests(), metadata=points.channel._metadata(TILL))
    answers = call.__aiter__()
    for number in range(3):  # each answer comes before the next request is made
        await asked.put(many(10, first=10 * number))
        answer = await anext(answers)
        assert [one.recorded.booked.purchase.receipt_number for one in answer.results] == [
            f"R{n}" for n in range(10 * number, 10 * number + 10)
        ]
    await asked.put(many(5))
    await asked.put(None)
    assert [one.recorded.repeated_call for one in (await anext(answers)).results] == [True] * 5
    with pytest.raises(StopAsyncIteration):
        await anext(answers)


async def test_requests_of_a_stream_are_answered_in_their_order_however_many_are_under_way(points: Points) -> None:
    async def requests() -> AsyncIterator[pb.RecordPurchasesRequest]:
        for number in range(12):
            yield many(7, first=7 * number)

    call = points.stub.StreamPurchases(requests(), metadata=points.channel._metadata(STAFF))
    numbers = [one.recorded.booked.purchase.receipt_number async for answer in call for one in answer.results]
    assert numbers == [f"R{n}" for n in range(84)]


async def test_a_stream_with_a_request_that_is_too_long_ends_with_its_problem(points: Points) -> None:
    async def requests() -> AsyncIterator[pb.RecordPurchasesRequest]:
        yield many(3)
        yield pb.RecordPurchasesRequest(purchases=[receipt()] * 5_001)

    call = points.stub.StreamPurchases(requests(), metadata=points.channel._metadata(STAFF))
    answers = call.__aiter__()
    assert len((await anext(answers)).results) == 3
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await anext(answers)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stream_needs_the_scope(points: Points) -> None:
    async def requests() -> AsyncIterator[pb.RecordPurchasesRequest]:
        yield many(1)

    call = points.stub.StreamPurchases(requests(), metadata=())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await anext(call.__aiter__())
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
