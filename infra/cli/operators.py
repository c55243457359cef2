"""Questions to the services as an operator: their own gRPC addresses, and the operator's key."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from protos.common.v1.dead_letters_pb2_grpc import DeadLettersStub
from services.kit.clock import system_clock
from services.kit.config import ServiceConfig
from services.kit.errors import Problem
from services.kit.keys import load_signer
from services.kit.principal import Caller, Principal
from services.kit.rpc.client import RpcChannel

LOCAL_KEYS = Path(__file__).parents[2] / ".state" / "run" / "keys"
"""Where `make run` keeps the platform's keys."""

SERVICES = ("members", "points", "campaigns", "feedback")
ANSWER_WITHIN_S = 30.0
"""A look takes up to 8 s, and to put ten thousand messages back a while longer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one service said: the answer's fields, named as in the proto, or the problem that it was."""

    service: str
    said: dict[str, Any]
    problem: Problem | None


async def ask(method: str, request: Message, *, services: Sequence[str]) -> list[Answer]:
    """Call a method of DeadLetters at each of the services at once, and return their answers in the same order.

    Raises `NoKeyError` when there is no operator's key, `WrongSettingError` for an address that is none.
    """
    return await asyncio.gather(*(_ask(service, method, request) for service in services))


async def _ask(service: str, method: str, request: Message) -> Answer:
    async with connected(service) as line:
        try:
            answer = await line.ask(getattr(line.channel.stub(DeadLettersStub), method), request)
        except Problem as problem:
            return Answer(service, {}, problem)
    said = MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return Answer(service, said, None)


@dataclass(frozen=True, slots=True)
class Line:
    """A connection to one service, and who speaks over it."""

    channel: RpcChannel
    operator: Principal

    async def ask(self, method: Any, request: Message, *, within_s: float = ANSWER_WITHIN_S) -> Any:
        """Return the answer, or raise `RemoteProblem`; what is unavailable is tried again."""
        return await self.channel.call(method, request, principal=self.operator, timeout_s=within_s, idempotent=True)

    async def stream(self, method: Any, request: Message, *, within_s: float) -> AsyncGenerator[Any, None]:
        """Yield the answers as they come, or raise `RemoteProblem`: nothing is tried again, the caller knows where.

        To be closed by whoever does not read it to its end.
        """
        async with self.channel.stream(method, request, principal=self.operator, timeout_s=within_s) as answers:
            async for answer in answers:
                yield answer


@asynccontextmanager
async def connected(service: str, *, chain: str = "") -> AsyncIterator[Line]:
    """Speak with a service as an operator, about one chain where it is given.

    Raises `NoKeyError` when there is no operator's key, `WrongSettingError` for an address that is none.
    """
    config = ServiceConfig.from_environ(os.environ, service)
    given = os.environ.get("HUITOU_KEYS_DIR", "").strip()
    keys_dir = LOCAL_KEYS if not given and LOCAL_KEYS.exists() else config.keys_dir
    signer = load_signer(keys_dir, "operator", clock=system_clock)
    channel = RpcChannel(config.address, tokens=signer.token)
    try:
        yield Line(channel, Principal(chain=chain, kind=Caller.OPERATOR, id="huitou-cli"))
    finally:
        await channel.close()
