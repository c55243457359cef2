"""What `make run` is told from outside: ports, and servers of one's own."""

import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.child import PAUSE_S
from infra.local.ports import LOOPBACK, PortTakenError, is_free

ROOT = Path(__file__).parents[2]
SERVICES = ("members", "points", "campaigns", "feedback")
FIRST_PORT, LAST_PORT = 1024, 32_767
"""Below, a port takes root; above, the kernel hands them out to outgoing connections."""

FADING_S = 2.0
"""A server of many threads may hold its port for a moment after its process was last seen."""


class WrongSettingError(Exception):
    """A variable has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Something that listens on a port of its own."""

    needed_by: str
    variable: str
    usual_port: int


GATEWAY = "gateway"
MONGOD = ("mongod",)
RABBITMQ = ("rabbitmq", "rabbitmq_dist", "epmd")
LISTENERS: Mapping[str, Listener] = {
    GATEWAY: Listener("The gateway", "HUITOU_GATEWAY_PORT", 8000),
    "members": Listener("The members service", "HUITOU_MEMBERS_PORT", 7101),
    "points": Listener("The points service", "HUITOU_POINTS_PORT", 7102),
    "campaigns": Listener("The campaigns service", "HUITOU_CAMPAIGNS_PORT", 7103),
    "feedback": Listener("The feedback service", "HUITOU_FEEDBACK_PORT", 7104),
    "mongod": Listener("MongoDB", "HUITOU_MONGO_PORT", 27217),
    "rabbitmq": Listener("RabbitMQ", "HUITOU_RABBIT_PORT", 5772),
    "rabbitmq_dist": Listener("RabbitMQ's own tools", "HUITOU_RABBIT_DIST_PORT", 25772),
    "epmd": Listener("RabbitMQ's name server", "HUITOU_EPMD_PORT", 4469),
}


@dataclass(frozen=True, slots=True)
class Servers:
    """Where MongoDB and RabbitMQ are."""

    mongo_url: str
    amqp_url: str


def read_ports(environ: Mapping[str, str]) -> dict[str, int]:
    """Return each listener's port; `WrongSettingError` for one that is no port, or is given twice."""
    ports: dict[str, int] = {}
    for name, listener in LISTENERS.items():
        given = environ.get(listener.variable) or str(listener.usual_port)
        if not (given.isascii() and given.isdecimal()) or not FIRST_PORT <= int(given) <= LAST_PORT:
            message = f"{listener.variable} is {given!r}; it must be a port from {FIRST_PORT} to {LAST_PORT}."
            raise WrongSettingError(message)
        for other, port in ports.items():
            if port == int(given):
                message = f"{listener.variable} and {LISTENERS[other].variable} are both {given}: choose two ports."
                raise WrongSettingError(message)
        ports[name] = int(given)
    return ports


def check_free(ports: Mapping[str, int], names: Iterable[str]) -> None:
    """Raise `PortTakenError` for the first of the named listeners whose port is in use."""
    deadline = time.monotonic() + FADING_S
    for name in names:
        while not is_free(ports[name]):
            if time.monotonic() < deadline:
                time.sleep(PAUSE_S)  # nothing tells when a port is free: it can only be tried
                continue
            raise PortTakenError(ports[name], needed_by=LISTENERS[name].needed_by, variable=LISTENERS[name].variable)


def command(name: str) -> list[str]:
    """Return how one of the platform's five processes is started, from the folder ROOT."""
    module = "gateway.main" if name == GATEWAY else f"services.{name}.main"
    return [sys.executable, "-m", module]


def environment(ports: Mapping[str, int], *, servers: Servers, keys_dir: Path, namespace: str = "") -> dict[str, str]:
    """Return the environment of the platform's processes; see services/kit/config."""
    addresses = {f"{name.upper()}_ADDRESS": f"{LOOPBACK}:{ports[name]}" for name in (GATEWAY, *SERVICES)}
    return {
        **os.environ,
        **addresses,
        "MONGO_URL": servers.mongo_url,
        "AMQP_URL": servers.amqp_url,
        "HUITOU_KEYS_DIR": str(keys_dir),
        "HUITOU_NAMESPACE": namespace,
        "HUITOU_TOPOLOGY": str(ROOT / "infra" / "broker" / "topology.toml"),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "GRPC_VERBOSITY": "NONE",  # its C core writes past the log, and every failed call is told by its caller
    }
