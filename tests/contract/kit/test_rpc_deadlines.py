"""Time: every call ends, and nobody works on for a caller who has left."""

import asyncio

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from services.kit.errors import Kind
from services.kit.rpc import RemoteProblem, TimedOutError, answering, guard, time_left_s
from tests.support.toy_server import principal, toy_running


async def time_left(_text: str) -> str:
    left_s = time_left_s()
    assert left_s is not None
    return str(left_s)


async def test_a_caller_that_names_no_deadline_gets_ten_seconds() -> None:
    async with toy_running(time_left) as toy:
        answer = await toy.bare_stub.Say(StringValue(), metadata=toy.metadata(principal()))
    assert 5 < float(answer.value) <= 10


async def test_nobody_gets_more_than_a_minute() -> None:
    async with toy_running(time_left) as toy:
        answer = await toy.bare_stub.Say(StringValue(), metadata=toy.metadata(principal()), timeout=600)
    assert 50 < float(answer.value) <= 60


async def test_the_callers_deadline_is_known_inside() -> None:
    async with toy_running(time_left) as toy:
        answer = await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(), timeout_s=30)
    assert 20 < float(answer.value) <= 30


@pytest.mark.parametrize("method", ["Say", "Count", "Join", "Echo"])
async def test_the_servers_own_limit_ends_the_work(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "DEFAULT_S", 0.1)
    ended = asyncio.Event()

    async def say(text: str) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return text

    async with toy_running(say) as toy:
        asks = StringValue(value="x")

        async def each() -> object:
            yield asks

        call = getattr(toy.bare_stub, method)(
            each() if method in {"Join", "Echo"} else asks, metadata=toy.metadata(principal())
        )
        with pytest.raises(grpc.aio.AioRpcError, match="longer than the time that was given") as caught:
            await (call.read() if method in {"Count", "Echo"} else call)
        await asyncio.wait_for(ended.wait(), 20)
        assert toy.server._guard.under_way == 0
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_the_callers_deadline_ends_the_call_and_the_work() -> None:
    ended = asyncio.Event()

    async def say(text: str) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return text

    async with toy_running(say) as toy:
        with pytest.raises(RemoteProblem) as caught:
            await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(), timeout_s=1)
        await asyncio.wait_for(ended.wait(), 20)
    assert caught.value.kind is Kind.TIMED_OUT


async def test_a_call_made_while_answering_has_only_what_is_left_of_that() -> None:
    async with toy_running(time_left) as inner:

        async def ask_inner(_text: str) -> str:
            answer = await inner.channel.call(inner.stub.Say, StringValue(), principal=principal(), timeout_s=50)
            return answer.value

        async with toy_running(ask_inner) as outer:
            answer = await outer.channel.call(outer.stub.Say, StringValue(), principal=principal(), timeout_s=20)
    assert 10 < float(answer.value) <= 20


async def test_a_call_that_has_no_time_left_is_not_made() -> None:
    asked: list[str] = []

    async def say(text: str) -> str:
        asked.append(text)
        return text

    async with toy_running(say) as toy:
        with answering(principal(), within_s=0), pytest.raises(TimedOutError):
            await toy.channel.call(toy.stub.Say, StringValue(value="x"), principal=principal())
        assert asked == []
        assert (await toy.channel.call(toy.stub.Say, StringValue(value="y"), principal=principal())).value == "y"


async def test_outside_of_a_call_nobody_asks_and_there_is_no_end() -> None:
    assert time_left_s() is None
