"""A real RabbitMQ for one machine: Debian's, as the current user, with everything of its own in one folder.

Its own node name, cookie, ports and epmd (Erlang's name server) keep it apart from any other on the machine.
"""

import os
import shutil
import signal
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local.child import PAUSE_S, Child, ChildFailedError
from infra.local.ports import LOOPBACK, listener_pid

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's wrapper in /usr/sbin insists on root; this one runs as anybody."""

START_WITHIN_S = 60
"""4 to 5 s on an idle machine; queues to recover on a busy one take longer."""
STOP_WITHIN_S = 20

CONFIG = """\
log.file.level = warning
# Quorum queues keep what the write-ahead log holds in memory too: 64 MB instead of 512 MB.
raft.wal_max_size_bytes = 67108864
"""


class RabbitMQ:
    """RabbitMQ on `port` of loopback, with data, logs and pid files in `folder`."""

    def __init__(self, folder: Path, *, port: int, dist_port: int, epmd_port: int) -> None:
        self._folder, self._port, self._dist_port, self._epmd_port = folder, port, dist_port, epmd_port
        self._epmd = Child("epmd", folder=folder, stop_within_s=5)
        self._child = Child("rabbitmq", folder=folder, stop_within_s=STOP_WITHIN_S)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"amqp://guest:guest@{LOOPBACK}:{self._port}/"

    @property
    def pids(self) -> tuple[int, int]:
        """The ids of the server's and epmd's process; 0 for one that does not run."""
        return self._child.pid, self._epmd.pid

    def launch(self) -> None:
        """Start the processes without waiting; those that an earlier crash left over are stopped first."""
        epmd = shutil.which("epmd")
        if not SERVER.exists() or not epmd:
            message = (
                "RabbitMQ is not installed: `make setup` installs it, or set AMQP_URL to a RabbitMQ of your own that "
                "has the plugin rabbitmq_consistent_hash_exchange."
            )
            raise FileNotFoundError(message)
        environ = self._environ()
        # In the foreground and before the server, which would start one that outlives it.
        self._epmd.start([epmd], environ=environ, orphaned=signal.SIGTERM)
        self._child.start([str(SERVER)], environ=environ, orphaned=signal.SIGTERM)

    def wait_until_up(self) -> str:
        """Wait until it speaks AMQP, which it does last of all, and return the address."""
        deadline = time.monotonic() + START_WITHIN_S
        while not self._speaks_amqp():
            self.check()
            if time.monotonic() > deadline:
                raise ChildFailedError("RabbitMQ", self._child.log, why=f"was not up after {START_WITHIN_S} s")
            time.sleep(PAUSE_S)
        return self.url

    def start(self) -> str:
        """Start it, wait until it is up, and return the address; nothing is left running when that fails."""
        try:
            self.launch()
            return self.wait_until_up()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server in order, then its epmd, and wait for both ends."""
        self._child.stop()
        self._epmd.stop()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._child.kill()
        self._epmd.kill()

    def check(self) -> None:
        """Raise `ChildFailedError` unless it runs."""
        self._epmd.check()
        self._child.check()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _speaks_amqp(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self._port), timeout=5) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                speaks = connection.recv(1) == b"\x01"  # the first frame of AMQP 0-9-1: Connection.Start
        except OSError:
            return False
        return speaks and listener_pid(self._port) in {0, self._child.pid}  # not another's that has the port

    def _environ(self) -> dict[str, str]:
        folder = self._folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rabbitmq.conf").write_text(CONFIG)
        (folder / "environment.conf").write_text("")
        (folder / "enabled_plugins").write_text("[rabbitmq_consistent_hash_exchange].\n")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))},
            "HOME": str(folder),  # Erlang keeps the cookie there
            "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the server instead of watching over it
            "RABBITMQ_NODENAME": "huitou@localhost",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "erlang_pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
        }
