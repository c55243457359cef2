"""The caller's side of a method with many answers: they come as they are said, and fail as any call does."""

import asyncio
from contextlib import suppress

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.kit.errors import Kind, Problem
from services.kit.graph import Channels, GraphContext
from services.kit.principal import Caller
from services.kit.rpc import RemoteProblem
from services.kit.rpc.calls import TimedOutError
from services.kit.telemetry import SpanKind, current_traceparent, set_up
from tests.support.eventually import eventually
from tests.support.toy_server import Running, principal, toy_running
from tests.support.toys import ToyStub


class GoneError(Problem):
    """The store {store} is closed."""

    kind = Kind.REFUSED
    code = "STORE_CLOSED"


async def echo(text: str) -> str:
    if text == "gone":
        raise GoneError(field="storeId", store="c")
    return text


async def heard(toy: Running, text: str, *, timeout_s: float = 5.0) -> list[str]:
    said: list[str] = []
    with suppress(RemoteProblem):
        async with toy.channel.stream(
            toy.stub.Count, StringValue(value=text), principal=principal(), timeout_s=timeout_s
        ) as answers:
            async for answer in answers:
                said += [answer.value]
    return said


async def test_every_answer_comes_in_order() -> None:
    async with toy_running(echo) as toy:
        assert await heard(toy, "a b c") == ["a", "b", "c"]
        assert await heard(toy, "") == []


async def test_what_was_said_before_a_refusal_is_had_and_the_refusal_is_the_services_own() -> None:
    async with toy_running(echo) as toy:
        assert await heard(toy, "a b gone d") == ["a", "b"]
        with pytest.raises(RemoteProblem, match="The store c is closed") as caught:
            async with toy.channel.stream(toy.stub.Count, StringValue(value="gone"), principal=principal()) as answers:
                [_ async for _ in answers]
    assert (caught.value.kind, caught.value.code, caught.value.field) == (Kind.REFUSED, "STORE_CLOSED", "storeId")


async def test_who_may_not_call_is_told_so() -> None:
    async with toy_running(echo, kinds=[1], scope="") as toy:
        with pytest.raises(RemoteProblem) as caught:
            async with toy.channel.stream(
                toy.stub.Count, StringValue(value="a"), principal=principal(Caller.TILL)
            ) as answers:
                [_ async for _ in answers]
    assert caught.value.kind is Kind.DENIED


async def test_who_has_heard_enough_ends_the_call() -> None:
    going, ended = asyncio.Event(), asyncio.Event()

    async def say(text: str) -> str:
        if text == "b":
            going.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
        return text

    async with toy_running(say) as toy:
        async with toy.channel.stream(
            toy.stub.Count, StringValue(value="a b"), principal=principal(), timeout_s=60.0
        ) as answers:
            async for answer in answers:
                assert answer.value == "a"
                break
            await going.wait()
        await eventually(ended.is_set)


async def test_all_answers_together_have_one_deadline() -> None:
    async def say(text: str) -> str:
        if text == "never":
            await asyncio.Event().wait()
        return text

    async with toy_running(say) as toy:
        with pytest.raises(RemoteProblem) as caught:
            async with toy.channel.stream(
                toy.stub.Count, StringValue(value="a never"), principal=principal(), timeout_s=0.3
            ) as answers:
                [_ async for _ in answers]
        assert caught.value.kind is Kind.TIMED_OUT
        with pytest.raises(TimedOutError):
            async with toy.channel.stream(
                toy.stub.Count, StringValue(value="a"), principal=principal(), timeout_s=0.0
            ) as answers:
                raise AssertionError(answers)


async def test_a_resolver_asks_for_a_stream_in_the_name_of_who_asks() -> None:
    async with toy_running(echo, kinds=[3], scope="") as toy:
        channels = Channels({"toy": toy.channel})
        context = GraphContext(caller=principal(Caller.PARTNER), channels=channels)
        calls = context.channel("toy")
        method = calls.stub(ToyStub.of(toy.service)).Count
        async with calls.ask_stream(method, StringValue(value="a b")) as answers:
            assert [answer.value async for answer in answers] == ["a", "b"]


async def test_the_trace_crosses_a_stream() -> None:
    async def here(_text: str) -> str:
        return current_traceparent()

    exporter = InMemorySpanExporter()
    telemetry = set_up("toy", {}, exporter=exporter)
    try:
        async with toy_running(here) as toy:
            [said] = await heard(toy, "a")
            path = f"{toy.service.full_name}/Count"
    finally:
        await telemetry.stop()
    spans = {each.kind: each for each in exporter.get_finished_spans()}
    server, client = spans[SpanKind.SERVER], spans[SpanKind.CLIENT]
    assert (server.name, client.name) == (path, path)
    assert server.parent is not None
    assert server.parent.span_id == client.context.span_id
    assert said.split("-")[2] == f"{server.context.span_id:016x}"
