"""What all services stand on: a database, an outbox with its relay, an inbox with its consumer, a gRPC server.

A service's `main` takes the chassis for its config, hangs its own parts on it, and gets the Service that `run` runs:

    def build(config: ServiceConfig) -> Service:
        chassis = Chassis.of(config)
        ...
        return chassis.service(migrations=MIGRATIONS, servicers=[...], handle=handler, parts=[ledger])
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from aio_pika.abc import AbstractConnection

from services.kit.chain_clocks import Due
from services.kit.clock import Clock, system_clock
from services.kit.config import ServiceConfig
from services.kit.keys import load_signer, load_verifier
from services.kit.mongo import command_keys
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database, Driver
from services.kit.mongo.leases import Leases
from services.kit.mongo.migrations import Migration, migrate
from services.kit.mongo.transactions import explain
from services.kit.outbox import outbox as outbox_collections
from services.kit.outbox.outbox import Outbox
from services.kit.outbox.relay import Relay
from services.kit.principal import Signer, Verifier
from services.kit.rabbit import inbox
from services.kit.rabbit.connection import close, connect
from services.kit.rabbit.consumer import Consumer
from services.kit.rabbit.dead_letters import DeadLettersServicer
from services.kit.rabbit.inbox import Handle
from services.kit.rabbit.publisher import RabbitPublisher
from services.kit.rabbit.topology import Topology
from services.kit.rpc.client import RpcChannel
from services.kit.rpc.server import RpcServer, Servicer
from services.kit.sandboxes import ChainClockServicer
from services.kit.service import Need, Part, Service, Step

PING_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chassis:
    """One process's connections. Nothing outside is touched before the service starts."""

    config: ServiceConfig
    clock: Clock  # the system's
    clocks: MongoChainClocks  # the chains'
    database: Database
    outbox: Outbox
    topology: Topology
    signer: Signer
    verifier: Verifier
    channels: dict[str, RpcChannel] = field(default_factory=dict)
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex}")

    @classmethod
    def of(cls, config: ServiceConfig, *, clock: Clock = system_clock) -> "Chassis":
        """Return the chassis of the service that `config` names."""
        database = Database.connect(config.mongo_url, name=config.database_name, driver=Driver(config.driver))
        return cls(
            config=config,
            clock=clock,
            clocks=MongoChainClocks(database, system=clock),
            database=database,
            outbox=Outbox(database),
            topology=Topology.load(config.topology, config.namespace),
            signer=load_signer(config.keys_dir, config.name, clock=clock),
            verifier=load_verifier(config.keys_dir, clock=clock),
        )

    def channel(self, service: str) -> RpcChannel:
        """Return the channel to another service; one for each, closed with the rest."""
        if service not in self.channels:
            self.channels[service] = RpcChannel(self.config.addresses[service], tokens=self.signer.token)
        return self.channels[service]

    def leases(self) -> Leases:
        """Return leases in this process's name."""
        return Leases(self.database, owner=self.owner)

    def service(
        self,
        *,
        migrations: Sequence[Migration],
        servicers: Sequence[Servicer],
        handle: Handle,
        parts: Sequence[Part] = (),
        dues: Sequence[Due] = (),
    ) -> Service:
        """Return the service: `parts` start before events and calls come in, and stop after both have ended.

        `dues` are the kinds of things that happen by themselves: a sandbox's clock stops at each of them.
        """
        owner = self.owner
        probe = _BrokerProbe(self.config)
        publisher = RabbitPublisher(self.config.amqp_url, self.topology)
        return Service(
            needs=(
                Need("MongoDB", lambda: self.database.wait_until_up(PING_S)),
                # The broker may go later: calls are still answered, and their events wait in the outbox.
                Need("RabbitMQ", probe.check, essential=False),
            ),
            parts=(
                Step("connections", on_stop=self._close),
                Step("probe", on_stop=probe.close),
                Step("migrations", on_start=lambda: migrate(self.database, _numbered(migrations), owner=owner)),
                Step("topology", on_start=self._declare),
                Step("publisher", on_stop=publisher.close),
                Relay(self.outbox, self.database, publisher, owner=owner),
                *parts,
                Consumer(
                    self.config.amqp_url,
                    self.topology,
                    service=self.config.name,
                    database=self.database,
                    handle=handle,
                ),
                RpcServer(
                    address=self.config.address,
                    verifier=self.verifier,
                    servicers=[*servicers, *self._for_operators(dues)],
                    explain=explain,
                ),
            ),
        )

    def _for_operators(self, dues: Sequence[Due]) -> list[Servicer]:
        """Return what every service serves beside its own: its dead letters, and its clocks of sandboxes."""
        name, database = self.config.name, self.database
        dead_letters = DeadLettersServicer(self.config.amqp_url, self.topology, service=name, database=database)
        hears = self.topology.streams_of(name)
        chain_clock = ChainClockServicer(database, clocks=self.clocks, dues=dues, hears=hears)
        return [dead_letters.registration, chain_clock.registration]

    async def _declare(self) -> None:
        connection = await connect(self.config.amqp_url, name=f"{self.config.name} topology")
        try:
            await self.topology.declare(await connection.channel())
        finally:
            await close(connection)

    async def _close(self) -> None:
        for channel in self.channels.values():
            await channel.close()
        await self.database.close()


class _BrokerProbe:
    """Holds one connection, so that looking every few seconds does not mean connecting every few seconds."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._connection: AbstractConnection | None = None

    async def check(self) -> None:
        """Return when the broker is there; raise when not."""
        if self._connection is None or self._connection.is_closed:
            self._connection = await connect(self._config.amqp_url, name=f"{self._config.name} probe")

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            await close(self._connection)


async def _set_up(database: Database) -> None:
    await command_keys.set_up(database)
    await outbox_collections.set_up(database)
    await inbox.set_up(database)


def _numbered(migrations: Sequence[Migration]) -> list[Migration]:
    """Put the collections of the chassis first: they are the same for all, and there before the service's own."""
    first = Migration(1, "command keys, outbox and inbox", _set_up)
    return [first, *(Migration(each.version + 1, each.name, each.apply) for each in migrations)]
