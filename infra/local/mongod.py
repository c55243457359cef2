"""A real MongoDB for one machine: the mongod of a Python wheel as a replica set of one node.

One node is enough for transactions and change streams, which need a replica set.
"""

import importlib.util
import os
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from infra.local.child import PAUSE_S, Child, ChildFailedError
from infra.local.ports import LOOPBACK, listener_pid

START_WITHIN_S = 30
"""0.4 s on an idle machine; a journal to recover on a busy one takes longer."""
STOP_WITHIN_S = 20
NOT_INITIALISED = 94
ORPHANED_S = 5
"""How long a transaction may last. The server keeps the locks of one whose process was killed until then: by default
for a minute, in which whoever comes to the same accounts is refused (docs/decisions/0008)."""

SMALL_JOURNAL = "log=(enabled=true,file_max=8MB,prealloc=false)"
"""9 MB on disk instead of 302 MB."""

FOR_TESTS = (
    *("--setParameter", "ttlMonitorEnabled=false"),
    # Each test makes and drops a database. Files of what was dropped stay open until a checkpoint after the history
    # window, by default six minutes: the files of some hundred tests, more than a process may have open.
    *("--setParameter", "minSnapshotHistoryWindowInSeconds=5"),
    *("--syncdelay", "10"),
)


def mongod_binary() -> Path:
    """Return the wheel's mongod; FileNotFoundError says what to do when it is not installed."""
    spec = importlib.util.find_spec("fiftyone")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        binary = Path(folder) / "db" / "bin" / "mongod"
        if binary.exists():
            return binary
    message = "mongod is not installed: `make setup` installs it, or set MONGO_URL to a replica set of your own."
    raise FileNotFoundError(message)


class Mongod:
    """mongod on `port` of loopback, with data, log and pid file in `folder`.

    Without `expiry` TTL indexes delete nothing: for tests, whose clock may stand years before the server's.
    """

    def __init__(self, folder: Path, *, port: int, expiry: bool = True) -> None:
        self._folder, self._port, self._expiry = folder, port, expiry
        self._child = Child("mongod", folder=folder, stop_within_s=STOP_WITHIN_S)

    @property
    def url(self) -> str:
        """Where drivers connect."""
        return f"mongodb://{LOOPBACK}:{self._port}/?replicaSet=rs0"

    @property
    def pid(self) -> int:
        """The id of mongod's process; 0 when it does not run."""
        return self._child.pid

    def launch(self) -> None:
        """Start the process without waiting; one that an earlier crash left over is stopped first."""
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        command = [
            str(mongod_binary()),
            *("--replSet", "rs0"),
            *("--bind_ip", LOOPBACK),
            *("--port", str(self._port)),
            *("--dbpath", str(data)),
            "--quiet",  # without a line for each connection
            "--nounixsocket",  # its path would be too long in some folders
            *("--wiredTigerCacheSizeGB", "1"),
            *("--wiredTigerEngineConfigString", SMALL_JOURNAL),
            *("--setParameter", f"transactionLifetimeLimitSeconds={ORPHANED_S}"),
            *(() if self._expiry else FOR_TESTS),
        ]
        self._child.start(command, environ=os.environ, orphaned=signal.SIGTERM)

    def wait_until_up(self) -> str:
        """Make it a replica set at the first start, wait for its primary, return the address."""
        deadline = time.monotonic() + START_WITHIN_S
        with MongoClient[dict[str, Any]](
            f"mongodb://{LOOPBACK}:{self._port}/?directConnection=true", serverSelectionTimeoutMS=200
        ) as client:
            while not self._is_primary(client):
                self.check()
                if time.monotonic() > deadline:
                    raise ChildFailedError("mongod", self._child.log, why=f"was not up after {START_WITHIN_S} s")
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
        """End it in order and wait for the end."""
        self._child.stop()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._child.kill()

    def check(self) -> None:
        """Raise `ChildFailedError` unless it runs."""
        self._child.check()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _is_primary(self, client: MongoClient[dict[str, Any]]) -> bool:
        try:
            self._be_replica_set(client)
            primary = bool(client.admin.command("hello")["isWritablePrimary"])
        except PyMongoError:  # not up yet, or in the middle of an election
            return False
        return primary and listener_pid(self._port) in {0, self.pid}  # not another's that has the port

    def _be_replica_set(self, client: MongoClient[dict[str, Any]]) -> None:
        host = f"{LOOPBACK}:{self._port}"
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code != NOT_INITIALISED:
                raise
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": host}]})
            return
        if config["members"][0]["host"] != host:  # the port was changed since the last start
            config["members"][0]["host"] = host
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)
