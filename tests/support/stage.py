"""A publisher, consumers over a cable, and the effects of what was sent, for tests of the way in between."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from protos.common.v1 import dead_letters_pb2 as pb
from protos.common.v1.dead_letters_pb2 import DeadLetter
from services.kit.mongo.database import Database, create_indexes
from services.kit.outbox.events import Event
from services.kit.principal import Caller, Principal
from services.kit.rabbit import inbox
from services.kit.rabbit.consumer import Consumer
from services.kit.rabbit.cursors import Cursor, read_cursors
from services.kit.rabbit.dead_letters import DeadLettersServicer
from services.kit.rabbit.publisher import RabbitPublisher
from services.kit.rabbit.sequencing import Origin
from services.kit.rabbit.topology import Topology
from services.kit.rpc.calls import answering
from tests.support.cable import Cable
from tests.support.events import CHAIN, EFFECTS, STREAM, Effects
from tests.support.eventually import eventually


@dataclass(slots=True)
class Stage:
    amqp_url: str
    topology: Topology
    database: Database
    publisher: RabbitPublisher
    cable: Cable
    effects: Effects
    consumers: list[Consumer] = field(default_factory=list)

    async def set_up(self) -> None:
        await inbox.set_up(self.database)
        await create_indexes(self.database, EFFECTS, [])

    async def publish(self, *events: Event) -> None:
        await self.publisher.publish(events)

    async def consume(self, **options: Any) -> Consumer:
        arguments: dict[str, Any] = {"service": "members", "database": self.database, "handle": self.effects.handle}
        consumer = Consumer(self.cable.url, self.topology, **(arguments | options))
        self.consumers.append(consumer)
        await consumer.start()
        return consumer

    async def stop(self) -> None:
        for consumer in self.consumers:
            await consumer.stop()
        await self.publisher.close()

    async def applied(self, aggregate: str = "mem_1", *, stream: str = STREAM) -> list[int]:
        return await self.effects.of(aggregate, stream=stream)

    async def applies(
        self, sequences: Sequence[int], aggregate: str = "mem_1", *, stream: str = STREAM, within_s: float = 10
    ) -> None:
        """Wait until exactly `sequences` are applied, in this order."""
        await eventually(_shows(lambda: self.applied(aggregate, stream=stream), list(sequences)), within_s)

    async def parks(self, count: int, aggregate: str = "mem_1") -> None:
        """Wait until `count` events of `aggregate` are parked."""

        async def parked() -> int:
            return (await self.cursor(aggregate)).parked

        await eventually(_shows(parked, count))

    async def cursor(self, aggregate: str = "mem_1") -> Cursor:
        origin = Origin(CHAIN, aggregate, STREAM)
        return (await read_cursors(self.database, [origin]))[origin]

    async def dies(self, *died: tuple[str, int]) -> list[DeadLetter]:
        """Wait until exactly these (aggregate, sequence) are dead letters, the oldest first; return them."""

        async def dead() -> list[tuple[str, int]]:
            return [(one.aggregate, one.sequence) for one in await self.dead_letters()]

        await eventually(_shows(dead, list(died)), within_s=20)
        return await self.dead_letters()

    async def dead_letters(self, *, chain: str = "") -> list[DeadLetter]:
        with operator(chain):
            return list((await self.servicer.ListDeadLetters(pb.ListDeadLettersRequest(), None)).dead_letters)

    async def replay(self, *ids: str, chain: str = "") -> int:
        with operator(chain):
            answer = await self.servicer.ReplayDeadLetters(pb.ReplayDeadLettersRequest(ids=ids), None)
        return answer.replayed

    @property
    def servicer(self) -> DeadLettersServicer:
        return DeadLettersServicer(self.amqp_url, self.topology, service="members", database=self.database)


def operator(chain: str = "") -> AbstractContextManager[None]:
    """Return the context of a call that an operator makes."""
    return answering(Principal(chain=chain, kind=Caller.OPERATOR, id="opr_1"), within_s=10)


def _shows(look: Callable[[], Awaitable[object]], wanted: object) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        found = await look()
        assert found == wanted
        return True

    return condition
