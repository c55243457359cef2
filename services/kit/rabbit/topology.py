"""The broker's layout: one topic exchange for all streams, and for each subscriber partitioned queues behind a
consistent-hash exchange, with one queue for its dead letters.

    {ns}huitou.events (topic) ──stream──▶ {ns}S.events (hash of header "aggregate") ──▶ {ns}S.events.0 … N-1
                                                 given up by a consumer of S: {ns}S.dead (fanout) ──▶ {ns}S.dead-letters
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed

from services.kit.errors import Problem
from services.kit.rabbit.connection import CALL_TIMEOUT_S


class TopologyError(Problem):
    """The broker topology cannot be used: {why}."""

    code = "TOPOLOGY"


class UnknownStreamError(Problem):
    """The stream {stream} is not in the broker topology; add it to infra/broker/topology.toml."""

    code = "UNKNOWN_STREAM"


@dataclass(frozen=True, slots=True)
class Topology:
    """What is declared at the broker. `namespace` is put before every name, so that installations can share one."""

    partitions: int
    delivery_limit: int
    max_length: int  # messages in one queue
    streams: Mapping[str, frozenset[str]]  # stream → subscribers
    namespace: str = ""

    @classmethod
    def load(cls, path: Path, namespace: str = "") -> Self:
        """Read the file, or raise `TopologyError`."""
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls.parse(content, namespace=namespace)
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise TopologyError(why=f"{path}: {error}") from error

    @classmethod
    def parse(cls, content: Mapping[str, Any], *, namespace: str) -> Self:
        """Check and return the layout that `content` describes, or raise `TopologyError`."""
        numbers = {}
        for name in ("partitions", "delivery_limit", "max_length"):
            numbers[name] = _positive(content, name)
        services = content.get("services", [])
        streams = {}
        for stream, subscribers in content.get("streams", {}).items():
            owner, _, noun = stream.partition(".")
            if owner not in services or not noun.isidentifier():
                raise TopologyError(why=f'stream "{stream}" must be owner.noun, with its owner in `services`')
            if strangers := sorted(set(subscribers) - set(services)):
                raise TopologyError(why=f'stream "{stream}" names {strangers}, not in `services`')
            streams[stream] = frozenset(subscribers)
        return cls(**numbers, streams=streams, namespace=namespace)

    @property
    def events_exchange(self) -> str:
        """Where every event is published, with its stream as the routing key."""
        return f"{self.namespace}huitou.events"

    @property
    def subscribers(self) -> tuple[str, ...]:
        """All services that hear anything, sorted."""
        return tuple(sorted(frozenset[str]().union(*self.streams.values())))

    def has_subscribers(self, stream: str) -> bool:
        """Tell whether anyone hears `stream`; raise `UnknownStreamError` when it is not in the file."""
        if (subscribers := self.streams.get(stream)) is None:
            raise UnknownStreamError(stream=stream)
        return bool(subscribers)

    def streams_of(self, subscriber: str) -> tuple[str, ...]:
        """Return the streams that `subscriber` hears, sorted."""
        return tuple(sorted(stream for stream, names in self.streams.items() if subscriber in names))

    def queues(self, subscriber: str) -> tuple[str, ...]:
        """Return the subscriber's partition queues, in order."""
        return tuple(f"{self.namespace}{subscriber}.events.{number}" for number in range(self.partitions))

    def dead_letter_queue(self, subscriber: str) -> str:
        """Return the name of the queue of events that the subscriber could not work off."""
        return f"{self.namespace}{subscriber}.dead-letters"

    async def declare(self, channel: AbstractChannel) -> None:
        """Declare all of it; what exists already is left as it is. Raise `TopologyError` where it differs."""
        try:
            await channel.declare_exchange(
                self.events_exchange, ExchangeType.TOPIC, durable=True, timeout=CALL_TIMEOUT_S
            )
            for subscriber in self.subscribers:
                await self._declare_dead_letters(channel, subscriber)
                await self._declare_partitions(channel, subscriber)
        except ChannelPreconditionFailed as error:
            # Arguments of a queue are fixed when it is made; the broker's words name the queue and the argument.
            raise TopologyError(why=f"it differs from what the broker has ({error})") from error

    async def _declare_dead_letters(self, channel: AbstractChannel, subscriber: str) -> None:
        dead = await channel.declare_exchange(
            f"{self.namespace}{subscriber}.dead", ExchangeType.FANOUT, durable=True, timeout=CALL_TIMEOUT_S
        )
        # No delivery limit and no length: looking at dead letters returns them each time, and none may be lost.
        queue = await channel.declare_queue(
            self.dead_letter_queue(subscriber),
            durable=True,
            arguments={"x-queue-type": "quorum"},
            timeout=CALL_TIMEOUT_S,
        )
        await queue.bind(dead, timeout=CALL_TIMEOUT_S)

    async def _declare_partitions(self, channel: AbstractChannel, subscriber: str) -> None:
        hashed = await channel.declare_exchange(
            f"{self.namespace}{subscriber}.events",
            ExchangeType.X_CONSISTENT_HASH,
            durable=True,
            arguments={"hash-header": "aggregate"},
            timeout=CALL_TIMEOUT_S,
        )
        for name in self.queues(subscriber):
            queue = await channel.declare_queue(
                name, durable=True, arguments=self._partition_arguments(subscriber), timeout=CALL_TIMEOUT_S
            )
            await queue.bind(hashed, routing_key="1", timeout=CALL_TIMEOUT_S)  # the weight: all the same
        # Last, so that no event arrives while some of the queues are missing.
        for stream in self.streams_of(subscriber):
            await hashed.bind(self.events_exchange, routing_key=stream, timeout=CALL_TIMEOUT_S)

    def _partition_arguments(self, subscriber: str) -> dict[str, Any]:
        return {
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": self.delivery_limit,
            "x-max-length": self.max_length,
            # A dead letter is confirmed by its new queue before it leaves the old one; the broker grants that only
            # to queues that refuse what is too much instead of dropping the oldest.
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": f"{self.namespace}{subscriber}.dead",
            "x-dead-letter-strategy": "at-least-once",
        }


def _positive(content: Mapping[str, Any], name: str) -> int:
    number = content.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise TopologyError(why=f"`{name}` must be a whole number from 1, not {number!r}")
    return number
