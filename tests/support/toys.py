"""A gRPC service for tests of the plumbing: methods of all four shapes, each with the access rule that a test wants.

`toy_service(...)` makes the contract at run time, so that rules can be left out or be wrong as no committed proto is.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import count
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.wrappers_pb2 import StringValue

from protos.common.v1 import access_pb2

SHAPES = {"Say": (False, False), "Count": (False, True), "Join": (True, False), "Echo": (True, True)}
"""Method name → (the requests are a stream, the answers are a stream)."""

EVERYBODY = tuple(access_pb2.CallerKind.values())[1:]

_HANDLERS: dict[tuple[bool, bool], Callable[..., "grpc.RpcMethodHandler[Any, Any]"]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
_numbers = count()

Say = Callable[[StringValue], Any]


def toy_service(
    kinds: Sequence[int] | None = EVERYBODY,
    scope: str = "",
    *,
    of_methods: Mapping[str, Sequence[int] | None] | None = None,
) -> ServiceDescriptor:
    """Return a new contract; `kinds` None: no access rule, which `of_methods` says for single methods."""
    name = f"toy{next(_numbers)}"
    file = descriptor_pb2.FileDescriptorProto(
        name=f"toys/{name}.proto",
        package=f"huitou.{name}.v1",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto", "protos/common/v1/access.proto"],
    )
    service = file.service.add(name="Toy")
    for method, (asks_many, answers_many) in SHAPES.items():
        added = service.method.add(
            name=method,
            input_type=".google.protobuf.StringValue",
            output_type=".google.protobuf.StringValue",
            client_streaming=asks_many,
            server_streaming=answers_many,
        )
        allowed = (of_methods or {}).get(method, kinds)
        if allowed is not None:
            rule = added.options.Extensions[access_pb2.access]
            rule.kinds.extend(allowed)  # type: ignore[arg-type]  # tests also pass numbers that are no kind
            rule.scope = scope
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName(f"huitou.{name}.v1.Toy")


class Toy:
    """Answers by calling `say` (async) with each text that comes in."""

    def __init__(self, say: Callable[[str], Any]) -> None:
        self._say = say

    async def _text(self, request: StringValue) -> StringValue:
        return StringValue(value=await self._say(request.value))

    async def Say(self, request: StringValue, _context: Any) -> StringValue:  # noqa: N802 - as in gRPC
        return await self._text(request)

    async def Count(self, request: StringValue, _context: Any) -> AsyncIterator[StringValue]:  # noqa: N802 - as in gRPC
        """Answer each word of the request by itself."""
        for word in request.value.split():
            yield await self._text(StringValue(value=word))

    async def Join(self, requests: AsyncIterator[StringValue], _context: Any) -> StringValue:  # noqa: N802 - as in gRPC
        """Answer all words at once."""
        return await self._text(StringValue(value=" ".join([request.value async for request in requests])))

    async def Echo(self, requests: AsyncIterator[StringValue], _context: Any) -> AsyncIterator[StringValue]:  # noqa: N802 - as in gRPC
        async for request in requests:
            yield await self._text(request)


def add_toy(descriptor: ServiceDescriptor) -> Callable[[Any, Any], None]:
    """Return what generated code calls `add_ToyServicer_to_server`."""

    def add(servicer: Any, server: Any) -> None:
        handlers = {
            name: _HANDLERS[shape](
                getattr(servicer, name),
                request_deserializer=StringValue.FromString,
                response_serializer=StringValue.SerializeToString,
            )
            for name, shape in SHAPES.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(descriptor.full_name, handlers),))
        server.add_registered_method_handlers(descriptor.full_name, handlers)

    return add


class ToyStub:
    """The client's side of one toy contract: `ToyStub.of(descriptor)` makes the class that `RpcChannel.stub` takes."""

    def __init__(self, channel: grpc.aio.Channel, service: str) -> None:
        make = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }
        methods: dict[str, Any] = {
            name: make[shape](
                f"/{service}/{name}",
                request_serializer=StringValue.SerializeToString,
                response_deserializer=StringValue.FromString,
            )
            for name, shape in SHAPES.items()
        }
        self.Say: grpc.aio.UnaryUnaryMultiCallable[StringValue, StringValue] = methods["Say"]
        self.Count: grpc.aio.UnaryStreamMultiCallable[StringValue, StringValue] = methods["Count"]
        self.Join: grpc.aio.StreamUnaryMultiCallable[StringValue, StringValue] = methods["Join"]
        self.Echo: grpc.aio.StreamStreamMultiCallable[StringValue, StringValue] = methods["Echo"]

    @staticmethod
    def of(descriptor: ServiceDescriptor) -> Callable[[grpc.aio.Channel], "ToyStub"]:
        return lambda channel: ToyStub(channel, descriptor.full_name)
