"""Ports on loopback: is one taken, by whom, and which are free for a test run.

All lie below 32768, where the kernel starts to hand out ports for outgoing connections: a poll of a listener's port in
that range can connect to itself and report "up".
"""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
TEST_PORTS = range(20_000, 25_000)
"""Apart from everything that `make run` uses."""

TRIES = 200
"""More than a machine full of test runs would need; then something else is wrong."""


class PortTakenError(Exception):
    """A port that is needed is in use by something that is not ours."""

    def __init__(self, port: int, *, needed_by: str, variable: str) -> None:
        holder = holder_of(port)
        by = f" by process {holder}" if holder else ""
        super().__init__(
            f"Port {port} is in use{by}. {needed_by} needs it: stop that process, or choose another port below 32768, "
            f"like {variable}={port + 100} make run"
        )


def is_free(port: int) -> bool:
    """Tell whether a server could listen on `port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier server that are still fading away do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Return who listens on `port`, like "4711 (python -m http.server)"; empty when that cannot be seen."""
    if not (pid := listener_pid(port)):
        return ""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:  # gone meanwhile
        return ""
    return f"{pid} ({command[:80]})"


def listener_pid(port: int) -> int:
    """Return the id of the process that listens on `port`; 0 when that cannot be seen."""
    inode = _listening_inode(port)
    if not inode:
        return 0
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()) == f"socket:[{inode}]":
                return int(descriptor.parts[2])
        except OSError:  # gone meanwhile, or another user's
            continue
    return 0


def _listening_inode(port: int) -> str:
    """Return the socket's inode by Linux's own table; its fields: proc(5), 0A is the state LISTEN."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                return fields[9]
    return ""


@contextmanager
def free_port() -> Iterator[int]:
    """Yield a port that is free and that no other test run on this machine gets as long as this lasts."""
    folder = Path(tempfile.gettempdir()) / f"huitou-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for _ in range(TRIES):
        port = random.choice(TEST_PORTS)  # noqa: S311 - not a secret
        with (folder / str(port)).open("w") as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if is_free(port):
                yield port
                return
    message = f"No free port found from {TEST_PORTS.start} to {TEST_PORTS.stop}."
    raise RuntimeError(message)
