"""The whole platform as five real processes, for e2e tests: driven through GraphQL, killed and started again."""

import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # the library has no types

from infra.local.child import Child
from infra.local.demo import PARTNER_SCOPES, STAFF_SCOPES, TILL_SCOPES
from infra.local.graphql import GraphQL
from infra.local.operator import Operator
from infra.local.ports import LOOPBACK, free_port
from infra.local.settings import GATEWAY, SERVICES, Servers, command, environment
from services.kit.keys import ensure_keys
from services.kit.principal import Caller

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 40.0
LOOK_EVERY_S = 0.05

SCOPES = {Caller.STAFF: STAFF_SCOPES, Caller.TILL: TILL_SCOPES, Caller.PARTNER: PARTNER_SCOPES, Caller.MEMBER: ()}


@dataclass(frozen=True, slots=True)
class OpenedChain:
    """A chain of a test's own, with a key for its staff."""

    id: str
    stores: Mapping[str, str]  # code → id
    staff_key: str


class Platform:
    """Started as a context manager; stops all of it at the end, in order."""

    def __init__(
        self, folder: Path, *, servers: Servers, namespace: str, environ: Mapping[str, str] | None = None
    ) -> None:
        self.folder, self.servers, self.namespace = folder, servers, namespace
        self.keys_dir = folder / "keys"
        self._held = ExitStack()
        self._environ: dict[str, str] = dict(environ or {})
        self._children = {
            name: Child(name, folder=folder, stop_within_s=STOP_WITHIN_S) for name in (*SERVICES, GATEWAY)
        }
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        self.ports = {name: self._held.enter_context(free_port()) for name in self._children}
        ensure_keys(self.keys_dir)
        settings = environment(self.ports, servers=self.servers, keys_dir=self.keys_dir, namespace=self.namespace)
        self._environ = settings | self._environ
        try:
            for name in self._children:
                self.start(name)
            for name in self._children:
                self.wait_until_ready(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed = {name: status for name, status in self.stop().items() if status != 0}
        assert failed == {}, f"these processes did not end in order; see their logs in {self.folder}"

    @property
    def graphql_url(self) -> str:
        """Where the merged graph is served."""
        return f"http://{self.address(GATEWAY)}/graphql"

    def address(self, name: str) -> str:
        """Return where the process `name` listens, as host:port."""
        return f"{LOOPBACK}:{self.ports[name]}"

    # ---- processes

    def start(self, name: str) -> None:
        """Start a process without waiting; see `wait_until_ready`."""
        self._children[name].start(command(name), environ=self._environ, orphaned=signal.SIGKILL)

    def kill(self, name: str) -> None:
        """End a process as `kill -9` does."""
        self._children[name].kill()

    def restart(self, name: str) -> None:
        """Start a process that was killed, or stop and start it, and wait until it serves.

        The others notice within about 2 s; until then they may still answer UNAVAILABLE, as in production.
        """
        self._children[name].stop()
        self.start(name)
        self.wait_until_ready(name)

    def wait_until_ready(self, name: str) -> None:
        """Return when the process says that it serves."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not (self._gateway_is_ready() if name == GATEWAY else self._serves(name)):
            self._children[name].check()
            assert time.monotonic() < deadline, f"{name} was not ready within {READY_WITHIN_S} s:\n{self.log(name)}"
            time.sleep(LOOK_EVERY_S)  # a process does not tell when it is ready: it can only be asked

    def log(self, name: str) -> str:
        """Return all that the process has written so far."""
        return self._children[name].log.read_text()

    def stop(self) -> dict[str, int]:
        """End all of it in order; return each process's exit status."""
        try:
            statuses = {GATEWAY: self._children[GATEWAY].stop()}
            for name in SERVICES:
                self._children[name].tell_to_stop()
            return statuses | {name: self._children[name].stop() for name in SERVICES}
        finally:
            self._held.close()

    def _serves(self, name: str) -> bool:
        with grpc.insecure_channel(self.address(name), options=[("grpc.enable_http_proxy", 0)]) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _gateway_is_ready(self) -> bool:
        try:
            return httpx.get(f"http://{self.address(GATEWAY)}/health/ready", trust_env=False).is_success
        except httpx.TransportError:
            return False

    # ---- callers

    def operator(self) -> Operator:
        """Return the operators' door, an async context manager."""
        return Operator(
            members_address=self.address("members"),
            campaigns_address=self.address("campaigns"),
            keys_dir=self.keys_dir,
        )

    async def open_chain(
        self, key: str, *, stores: Mapping[str, str], currency: str = "CNY", sandbox: bool = False
    ) -> OpenedChain:
        """Open a chain with stores (code → name) in Shanghai's time and a key for its staff."""
        async with self.operator() as operator:
            chain = await operator.open_chain(
                key, name=key, currency=currency, time_zone="Asia/Shanghai", sandbox=sandbox
            )
            ids = await operator.save_stores(chain, stores)
        return OpenedChain(chain, ids, await self.api_key(chain, Caller.STAFF, subject="Test"))

    async def api_key(self, chain: str, kind: Caller, *, subject: str, store_ids: tuple[str, ...] = ()) -> str:
        """Return a new key with all scopes that this kind of caller has in the demo chain."""
        async with self.operator() as operator:
            return await operator.create_api_key(chain, kind, subject=subject, scopes=SCOPES[kind], store_ids=store_ids)

    async def graphql(self, query: str, variables: Mapping[str, object] | None = None, *, key: str) -> dict[str, Any]:
        """Return the data of the answer to a caller with `key`; GraphQLFailedError when it has errors."""
        async with GraphQL(self.graphql_url, key=key) as client:
            return await client.data(query, variables)

    async def answer(self, query: str, variables: Mapping[str, object] | None = None, *, key: str) -> dict[str, Any]:
        """Return the whole answer, errors included."""
        async with GraphQL(self.graphql_url, key=key) as client:
            return await client.answer(query, variables)
