"""The members service as it is measured: a process of its own that lives as the product's does, without the broker."""

import os
from secrets import token_bytes

from services.kit.clock import system_clock
from services.kit.config import ServiceConfig
from services.kit.keys import load_identity_key, load_verifier, load_wrapping_keys
from services.kit.mongo import command_keys
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database, Driver
from services.kit.mongo.transactions import explain
from services.kit.outbox import outbox
from services.kit.outbox.outbox import Outbox
from services.kit.rpc import RpcServer
from services.kit.service import Need, Service, Step, run
from services.members.main import servicers
from services.members.store.migrations import migrations
from services.members.store.vault import Vault

PING_S = 2.0


def build(config: ServiceConfig) -> Service:
    """Return the service, without broker, relay and jobs."""
    database = Database.connect(config.mongo_url, name=config.database_name, driver=Driver(config.driver))
    vault = Vault(database, load_wrapping_keys(config.keys_dir), random_bytes=token_bytes)
    enrollments, registrations = servicers(
        database,
        vault,
        Outbox(database),
        clock=system_clock,
        clocks=MongoChainClocks(database, system=system_clock),
        payer_key=load_identity_key(config.keys_dir),
    )

    async def set_up() -> None:
        await command_keys.set_up(database)
        await outbox.set_up(database)
        for migration in migrations(vault):
            await migration.apply(database)

    return Service(
        needs=(Need("MongoDB", lambda: database.wait_until_up(PING_S)),),
        parts=(
            Step("connections", on_stop=database.close),
            Step("collections", on_start=set_up),
            enrollments,
            RpcServer(
                address=config.address,
                verifier=load_verifier(config.keys_dir, clock=system_clock),
                servicers=registrations,
                explain=explain,
            ),
        ),
    )


if __name__ == "__main__":
    run(ServiceConfig.from_environ(os.environ, "members"), build)
