"""The points service as it is measured: a process of its own that lives as the product's does.

`python -m tests.bench.served MODE`, with the product's settings in the environment; see composed.py for the modes.
"""

import os
import sys
from functools import partial

from services.kit.clock import system_clock
from services.kit.config import ServiceConfig
from services.kit.keys import load_verifier
from services.kit.mongo.database import Database, Driver
from services.kit.mongo.transactions import explain
from services.kit.rpc import RpcServer
from services.kit.service import Need, Service, Step, run
from tests.bench.composed import Mode, ledger_on, servicers_on, set_up

PING_S = 2.0


def build(config: ServiceConfig, *, mode: Mode) -> Service:
    """Return the service with the ledger of `mode`, without broker and relay."""
    database = Database.connect(config.mongo_url, name=config.database_name, driver=Driver(config.driver))
    ledger = ledger_on(database, mode)
    return Service(
        needs=(Need("MongoDB", lambda: database.wait_until_up(PING_S)),),
        parts=(
            Step("connections", on_stop=database.close),
            Step("collections", on_start=lambda: set_up(database)),
            ledger,
            RpcServer(
                address=config.address,
                verifier=load_verifier(config.keys_dir, clock=system_clock),
                servicers=servicers_on(database, ledger),
                explain=explain,
            ),
        ),
    )


if __name__ == "__main__":
    chosen: Mode = "txn" if sys.argv[1] == "txn" else "group"
    run(ServiceConfig.from_environ(os.environ, "points"), partial(build, mode=chosen))
