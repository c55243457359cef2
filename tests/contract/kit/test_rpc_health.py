"""Probes and stopping: readiness, liveness, reflection, and calls under way at the end."""

import asyncio

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # the library has no types
from grpc_reflection.v1alpha import (  # type: ignore[import-untyped]  # as above
    reflection_pb2,
    reflection_pb2_grpc,
)

from services.kit.errors import Kind
from services.kit.rpc import RemoteProblem, RpcChannel, RpcServer
from services.kit.rpc.server import PortTakenError
from tests.support.eventually import eventually
from tests.support.toy_server import Keys, Running, principal, toy_running
from tests.support.toys import Toy, ToyStub, add_toy, toy_service

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def echo(text: str) -> str:
    return text


async def health(channel: grpc.aio.Channel, service: str = "") -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    return int(answer.status)


async def test_before_its_start_a_server_answers_probes_and_refuses_calls() -> None:
    keys, service = Keys(), toy_service()
    server = RpcServer(
        address="127.0.0.1:0", verifier=keys.verifier, servicers=[(add_toy(service), Toy(echo), service)]
    )
    await server.listen()
    channel = RpcChannel(f"127.0.0.1:{server.port}", tokens=keys.signer.token)
    stub = channel.stub(ToyStub.of(service))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as bare:
        assert [await health(bare, name) for name in ("", service.full_name, "live")] == [
            NOT_SERVING,
            NOT_SERVING,
            SERVING,
        ]
        with pytest.raises(RemoteProblem) as caught:
            await channel.call(stub.Say, StringValue(value="x"), principal=principal())
        assert (caught.value.kind, caught.value.code) == (Kind.UNAVAILABLE, "NOT_READY")
        port = server.port
        await server.start()
        assert server.port == port
        assert (await channel.call(stub.Say, StringValue(value="x"), principal=principal())).value == "x"
        assert [await health(bare, name) for name in ("", service.full_name, "live")] == [SERVING, SERVING, SERVING]
    await channel.close()
    await server.stop(0)


async def test_readiness_flips_while_calls_are_still_tried() -> None:
    async with toy_running(echo) as toy:
        toy.server.set_ready(False)
        assert [await health(toy.bare, name) for name in ("", toy.service.full_name, "live")] == [
            NOT_SERVING,
            NOT_SERVING,
            SERVING,
        ]
        assert (await toy.channel.call(toy.stub.Say, StringValue(value="x"), principal=principal())).value == "x"
        toy.server.set_ready(True)
        assert await health(toy.bare) == SERVING


async def test_a_service_that_is_not_here_is_not_found() -> None:
    async with toy_running(echo) as toy:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health(toy.bare, "nobody")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        watch = health_pb2_grpc.HealthStub(toy.bare).Watch(health_pb2.HealthCheckRequest(service="nobody"))
        assert (await watch.read()).status == SERVICE_UNKNOWN


async def test_all_states_at_once() -> None:
    async with toy_running(echo) as toy:
        toy.server.set_ready(False)
        answer = await health_pb2_grpc.HealthStub(toy.bare).List(health_pb2.HealthListRequest())
        found = {name: status.status for name, status in answer.statuses.items()}
        assert found == {"": NOT_SERVING, toy.service.full_name: NOT_SERVING, "live": SERVING}


async def test_who_watches_is_told_of_each_change_and_does_not_hold_up_a_stop() -> None:
    async with toy_running(echo) as toy:
        watch = health_pb2_grpc.HealthStub(toy.bare).Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await watch.read()).status == SERVING
        toy.server.set_ready(False)
        assert (await watch.read()).status == NOT_SERVING
        toy.server.set_ready(True)
        assert (await watch.read()).status == SERVING
        await asyncio.wait_for(toy.server.stop(60), 20)
        assert (await watch.read()).status == NOT_SERVING
        assert await watch.read() is grpc.aio.EOF


async def test_the_contract_can_be_asked_for() -> None:
    async with toy_running(echo) as toy:
        stream = reflection_pb2_grpc.ServerReflectionStub(toy.bare).ServerReflectionInfo()
        await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        listed = (await stream.read()).list_services_response.service
        await stream.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=toy.service.full_name))
        files = (await stream.read()).file_descriptor_response.file_descriptor_proto
        await stream.done_writing()
    assert sorted(each.name for each in listed) == sorted(
        [toy.service.full_name, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"]
    )
    assert len(files) >= 1


async def refused(toy: Running) -> bool:
    try:
        await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(), timeout_s=0.2)
    except RemoteProblem as problem:
        return problem.kind is Kind.UNAVAILABLE
    return False


async def test_a_stop_answers_what_is_under_way_and_refuses_what_is_new() -> None:
    inside, release = asyncio.Event(), asyncio.Event()

    async def say(text: str) -> str:
        inside.set()
        await release.wait()
        return text

    async with toy_running(say) as toy:
        under_way = asyncio.create_task(
            toy.channel.call(toy.stub.Say, StringValue(value="first"), principal=principal())
        )
        await inside.wait()
        stopping = asyncio.create_task(toy.server.stop(30))
        # Until the stop has reached the other end, a call may still come in: it waits like the first.
        assert await eventually(lambda: refused(toy), within_s=5)
        assert not stopping.done()
        release.set()
        assert (await under_way).value == "first"
        await asyncio.wait_for(stopping, 20)
        with pytest.raises(RemoteProblem) as caught:
            await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(), timeout_s=5)
        assert caught.value.kind is Kind.UNAVAILABLE


async def test_a_stop_cancels_what_outlasts_the_grace() -> None:
    inside, ended = asyncio.Event(), asyncio.Event()

    async def say(text: str) -> str:
        inside.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return text

    async with toy_running(say) as toy:
        call = toy.channel.call(toy.stub.Say, StringValue(), principal=principal(), timeout_s=50)
        under_way = asyncio.create_task(call)
        await inside.wait()
        await asyncio.wait_for(toy.server.stop(0.1), 20)
        with pytest.raises(RemoteProblem):
            await under_way
        await asyncio.wait_for(ended.wait(), 20)


async def test_a_taken_port_is_said_to_be_taken() -> None:
    async with toy_running(echo) as toy:
        address = f"127.0.0.1:{toy.server.port}"
        second = RpcServer(address=address, verifier=Keys().verifier, servicers=[])
        with pytest.raises(PortTakenError, match=address):
            await second.start()
