"""The caller's side: retries, reconnects, and what is carried along."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from protos.points.v1 import points_pb2, points_pb2_grpc
from services.kit.errors import Kind
from services.kit.principal import Caller
from services.kit.rpc import RemoteProblem, RpcChannel, RpcServer
from tests.support.eventually import eventually
from tests.support.toy_server import Keys, principal, toy_running


def failing(times: int, kind: Kind, *, retry_after_ms: int = 0) -> tuple[list[str], Callable[[str], Awaitable[str]]]:
    """Return what was asked so far, and a `say` that fails `times` times before it answers."""
    asked: list[str] = []

    async def say(text: str) -> str:
        asked.append(text)
        if len(asked) <= times:
            raise RemoteProblem("not now", kind=kind, retry_after_ms=retry_after_ms)
        return text

    return asked, say


@pytest.mark.parametrize(("times", "calls"), [(0, 1), (1, 2), (2, 3)])
async def test_what_is_unavailable_is_tried_again_when_that_is_harmless(times: int, calls: int) -> None:
    asked, say = failing(times, Kind.UNAVAILABLE)
    async with toy_running(say) as toy:
        answer = await toy.channel.call(toy.stub.Say, StringValue(value="x"), principal=principal(), idempotent=True)
    assert answer.value == "x"
    assert len(asked) == calls


async def test_two_retries_are_the_most() -> None:
    asked, say = failing(9, Kind.UNAVAILABLE)
    async with toy_running(say) as toy:
        with pytest.raises(RemoteProblem, match="not now"):
            await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(), idempotent=True)
    assert len(asked) == 3


async def test_a_call_that_may_not_be_repeated_is_not() -> None:
    asked, say = failing(9, Kind.UNAVAILABLE)
    async with toy_running(say) as toy:
        with pytest.raises(RemoteProblem, match="not now"):
            await toy.channel.call(toy.stub.Say, StringValue(), principal=principal())
    assert len(asked) == 1


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.UNAVAILABLE])
async def test_no_other_kind_is_tried_again(kind: Kind) -> None:
    asked, say = failing(9, kind)
    async with toy_running(say) as toy:
        with pytest.raises(RemoteProblem):
            await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(), idempotent=True)
    assert len(asked) == 1


async def test_the_other_sides_advice_is_followed_but_not_beyond_the_deadline() -> None:
    loop = asyncio.get_running_loop()
    asked, say = failing(1, Kind.UNAVAILABLE, retry_after_ms=600)
    async with toy_running(say) as toy:
        began = loop.time()
        answer = await toy.channel.call(toy.stub.Say, StringValue(value="x"), principal=principal(), idempotent=True)
        assert answer.value == "x"
        assert loop.time() - began > 0.29
    asked, say = failing(1, Kind.UNAVAILABLE, retry_after_ms=60_000)
    async with toy_running(say) as toy:
        began = loop.time()
        with pytest.raises(RemoteProblem, match="not now"):
            await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(), idempotent=True)
    assert len(asked) == 1
    assert loop.time() - began < 20


async def test_a_service_that_is_away_is_unavailable_in_our_own_words() -> None:
    channel = RpcChannel("127.0.0.1:1", tokens=lambda _principal: "none")
    stub = channel.stub(points_pb2_grpc.PointsStub)
    with pytest.raises(RemoteProblem) as caught:
        await channel.call(stub.GetAccounts, points_pb2.GetAccountsRequest(), principal=principal())
    await channel.close()
    assert (caught.value.kind, caught.value.code) == (Kind.UNAVAILABLE, "UNAVAILABLE")
    assert caught.value.message == "Something that is needed cannot be reached; try again in a moment."


class Points(points_pb2_grpc.PointsServicer):
    """Answers one method of the real contract."""

    async def GetAccounts(  # noqa: N802 - as in the contract
        self, request: points_pb2.GetAccountsRequest, _context: object
    ) -> points_pb2.GetAccountsResponse:
        return points_pb2.GetAccountsResponse(
            accounts=[points_pb2.Account(member_id=member, available_points=7) for member in request.member_ids]
        )


def points_server(address: str, keys: Keys) -> RpcServer:
    descriptor = points_pb2.DESCRIPTOR.services_by_name["Points"]
    servicer = Points()  # type: ignore[abstract]  # one method is enough here
    return RpcServer(
        address=address,
        verifier=keys.verifier,
        servicers=[(points_pb2_grpc.add_PointsServicer_to_server, servicer, descriptor)],
    )


async def test_a_channel_finds_a_service_that_comes_back() -> None:
    keys = Keys()
    first = points_server("127.0.0.1:0", keys)
    await first.start()
    address = f"127.0.0.1:{first.port}"
    channel = RpcChannel(address, tokens=keys.signer.token)
    stub = channel.stub(points_pb2_grpc.PointsStub)

    async def balances() -> list[int]:
        request = points_pb2.GetAccountsRequest(member_ids=["mem_1"])
        caller = principal(Caller.TILL, scopes=["points:read"])
        try:
            answer = await channel.call(stub.GetAccounts, request, principal=caller)
        except RemoteProblem as problem:
            assert problem.kind is Kind.UNAVAILABLE  # noqa: PT017 - not yet there, and nothing else
            return []
        return [account.available_points for account in answer.accounts]

    async def back() -> bool:
        return await balances() == [7]

    assert await balances() == [7]
    await first.stop(0)
    assert await balances() == []
    second = points_server(address, keys)
    await second.start()
    # gRPC's own back-off would be minutes by now and then; ours is 2 s at most.
    assert await eventually(back, within_s=20)
    await channel.close()
    await second.stop(0)


async def test_a_method_that_the_servicer_leaves_out_is_a_fault() -> None:
    keys = Keys()
    server = points_server("127.0.0.1:0", keys)
    await server.start()
    channel = RpcChannel(f"127.0.0.1:{server.port}", tokens=keys.signer.token)
    stub = channel.stub(points_pb2_grpc.PointsStub)
    with pytest.raises(RemoteProblem) as caught:
        await channel.call(stub.ListEntries, points_pb2.ListEntriesRequest(), principal=principal())
    await channel.close()
    await server.stop(0)
    assert caught.value.kind is Kind.FAULT
