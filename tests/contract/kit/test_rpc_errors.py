"""What a caller learns when a call fails, over a real connection."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.kit.errors import Kind, Problem
from services.kit.rpc import RemoteProblem
from services.kit.rpc.problems import STATUS
from tests.support.toy_server import Running, principal, toy_running
from tests.support.toys import Toy

Raw = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


class GoneError(Problem):
    """The store {store} is closed."""

    kind = Kind.REFUSED
    code = "STORE_CLOSED"


def raises(error: Exception) -> Callable[[str], object]:
    async def say(_text: str) -> str:
        raise error

    return say


async def told(toy: Running) -> RemoteProblem:
    with pytest.raises(RemoteProblem) as caught:
        await toy.channel.call(toy.stub.Say, StringValue(value="x"), principal=principal())
    return caught.value


async def test_a_problem_arrives_as_it_was_raised() -> None:
    async with toy_running(raises(GoneError(field="purchase.storeId", retry_after_ms=7, store="S1"))) as toy:
        problem = await told(toy)
    assert (problem.kind, problem.code, problem.field, problem.message, problem.retry_after_ms) == (
        Kind.REFUSED,
        "STORE_CLOSED",
        "purchase.storeId",
        "The store S1 is closed.",
        7,
    )


@pytest.mark.parametrize("kind", Kind)
async def test_each_kind_has_its_status_and_comes_back(kind: Kind) -> None:
    async with toy_running(raises(RemoteProblem("so", kind=kind, code="C"))) as toy:
        problem = await told(toy)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await toy.bare_stub.Say(StringValue(), metadata=toy.metadata(principal()))
    assert (problem.kind, problem.code, problem.message) == (kind, "C", "so")
    assert caught.value.code() is STATUS[kind]


@pytest.mark.parametrize("method", ["Say", "Count", "Join", "Echo"])
async def test_what_nobody_foresaw_shows_nothing_inner(method: str, caplog: pytest.LogCaptureFixture) -> None:
    async with toy_running(raises(RuntimeError("mongodb://root:secret@db"))) as toy:
        asks = StringValue(value="x")

        async def each() -> AsyncIterator[StringValue]:
            yield asks

        call = getattr(toy.bare_stub, method)(
            each() if method in {"Join", "Echo"} else asks, metadata=toy.metadata(principal())
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (call.read() if method in {"Count", "Echo"} else call)
    error = caught.value
    assert error.code() is grpc.StatusCode.INTERNAL
    words = error.details() or ""
    assert words.startswith("Something went wrong on the platform's side; trace ")
    shown = repr(error) + "".join(str(value) for _, value in error.trailing_metadata())
    assert "secret" not in shown
    assert "RuntimeError" not in shown
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "mongodb://root:secret@db"
    assert record.getMessage() == f"{toy.service.full_name}/{method} failed"


async def test_what_a_librarys_exception_means_can_be_said() -> None:
    def explain(error: Exception) -> Problem | None:
        return GoneError(store="A") if isinstance(error, ConnectionError) else None

    async with toy_running(raises(ConnectionError("10.0.0.7 refused")), explain=explain) as toy:
        assert (await told(toy)).message == "The store A is closed."
    async with toy_running(raises(ValueError("secret")), explain=explain) as toy:
        assert (await told(toy)).code == "FAULT"


async def test_an_answer_that_cannot_be_written_is_a_fault_too() -> None:
    async def say(_text: str) -> object:
        return object()

    async with toy_running(say) as toy:
        problem = await told(toy)
    assert (problem.kind, problem.code) == (Kind.FAULT, "FAULT")
    assert "object" not in problem.message


class Aborting(Toy):
    """Ends its calls by itself, as servicers that are not ours may."""

    async def Say(self, request: StringValue, context: Any) -> StringValue:  # noqa: N802 - as in gRPC
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "too far")
        return request


async def test_a_servicer_that_ends_the_call_itself_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with toy_running(raises(RuntimeError()), servicer=Aborting(raises(RuntimeError()))) as toy:
        with pytest.raises(grpc.aio.AioRpcError, match="too far") as caught:
            await toy.bare_stub.Say(StringValue(), metadata=toy.metadata(principal()))
    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert caplog.records == []


async def test_a_request_that_cannot_be_read_is_invalid_and_only_told_to_those_who_may_call() -> None:
    async def say(text: str) -> str:
        return text

    async with toy_running(say) as toy:
        raw: Raw = toy.bare.unary_unary(f"/{toy.service.full_name}/Say")
        for metadata, status in ((toy.metadata(principal()), "INVALID_ARGUMENT"), ((), "UNAUTHENTICATED")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await raw(b"\xff\xff\xff", metadata=metadata)
            assert caught.value.code().name == status


async def test_a_timeout_inside_is_a_fault_and_not_the_callers_time() -> None:
    async with toy_running(raises(TimeoutError())) as toy:
        assert (await told(toy)).kind is Kind.FAULT


async def test_calls_beyond_the_bound_are_refused_with_advice() -> None:
    release = asyncio.Event()
    inside = asyncio.Event()

    async def say(text: str) -> str:
        inside.set()
        await release.wait()
        return text

    async with toy_running(say, max_under_way=1) as toy:
        first = asyncio.create_task(toy.channel.call(toy.stub.Say, StringValue(value="1"), principal=principal()))
        await inside.wait()
        problem = await told(toy)
        release.set()
        assert (await first).value == "1"
        assert (await toy.channel.call(toy.stub.Say, StringValue(value="2"), principal=principal())).value == "2"
    assert (problem.kind, problem.code, problem.retry_after_ms) == (Kind.OVERLOADED, "BUSY", 200)


async def test_streams_carry_what_was_said_before_the_failure() -> None:
    async def say(text: str) -> str:
        if text == "c":
            raise GoneError(store="c")
        return text

    async with toy_running(say) as toy:
        call = toy.bare_stub.Count(StringValue(value="a b c d"), metadata=toy.metadata(principal()))
        got = [await call.read(), await call.read()]
        with pytest.raises(grpc.aio.AioRpcError, match="The store c is closed") as caught:
            await call.read()
    assert got == [StringValue(value="a"), StringValue(value="b")]
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_all_four_shapes_answer() -> None:
    async def say(text: str) -> str:
        return text.upper()

    async with toy_running(say) as toy:
        metadata = toy.metadata(principal())

        async def words() -> AsyncIterator[StringValue]:
            for word in ("a", "b"):
                yield StringValue(value=word)

        stub = toy.bare_stub
        assert (await stub.Say(StringValue(value="a b"), metadata=metadata)).value == "A B"
        assert [each.value async for each in stub.Count(StringValue(value="a b"), metadata=metadata)] == ["A", "B"]
        assert (await stub.Join(words(), metadata=metadata)).value == "A B"
        assert [each.value async for each in stub.Echo(words(), metadata=metadata)] == ["A", "B"]


async def test_any_words_arrive_or_at_least_their_beginning() -> None:
    said = RemoteProblem("", kind=Kind.CONFLICT)

    async def say(_text: str) -> str:
        raise said

    async with toy_running(say) as toy:
        loop = asyncio.get_running_loop()
        texts = st.text(st.characters(codec="utf-8"), max_size=300)

        @given(message=texts, repeats=st.integers(1, 100), field=texts)
        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        def check(message: str, repeats: int, field: str) -> None:
            nonlocal said
            said = RemoteProblem(message * repeats, kind=Kind.CONFLICT, code="LONG", field=field * repeats)
            problem = asyncio.run_coroutine_threadsafe(told(toy), loop).result(30)
            assert (problem.kind, problem.code) == (Kind.CONFLICT, "LONG")
            assert said.message.startswith(problem.message)
            assert len(problem.message) >= min(len(said.message), 500)
            assert said.field.startswith(problem.field)

        await asyncio.to_thread(check)
