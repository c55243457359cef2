import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from infra.local.child import Child, ChildFailedError, Identity
from infra.local.given import UnusableServerError, check_mongodb, check_rabbitmq
from infra.local.mongod import Mongod, mongod_binary
from infra.local.ports import LOOPBACK, free_port, is_free
from infra.local.rabbitmq import RabbitMQ
from tests.support.eventually import eventually


@pytest.fixture
def ports() -> Iterator[list[int]]:
    with ExitStack() as held:
        yield [held.enter_context(free_port()) for _ in range(3)]


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of all processes whose command or environment names the folder, ours excepted."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if process.name != str(os.getpid()) and Identity.of(int(process.name)):
            found += [words[0].decode() for word in words if str(folder).encode() in word]
    return found


def value_in(url: str) -> int | None:
    with MongoClient[dict[str, Any]](url) as client:
        found = client["test"]["values"].find_one({"_id": 1})
        return found["value"] if found else None


def test_mongod_keeps_its_data_when_its_port_changes(tmp_path: Path, ports: list[int]) -> None:
    with Mongod(tmp_path, port=ports[0]) as mongod, MongoClient[dict[str, Any]](mongod.url) as client:
        client["test"]["values"].insert_one({"_id": 1, "value": 7})
    assert processes_of(tmp_path) == []
    with Mongod(tmp_path, port=ports[1]) as mongod:
        assert value_in(mongod.url) == 7


def test_mongod_after_a_crash_of_its_supervisor(tmp_path: Path, ports: list[int]) -> None:
    lost = Mongod(tmp_path, port=ports[0])
    lost.start()
    first = lost.pid
    with Mongod(tmp_path, port=ports[0]) as mongod:  # finds the other running, stops it, and takes its place
        assert mongod.pid != first
        assert value_in(mongod.url) is None
    lost.stop()
    assert processes_of(tmp_path) == []


def test_mongod_that_cannot_start_says_why(tmp_path: Path, ports: list[int]) -> None:
    with Mongod(tmp_path / "one", port=ports[0]), pytest.raises(ChildFailedError) as raised:
        Mongod(tmp_path / "other", port=ports[0]).start()
    assert "Address already in use" in str(raised.value)
    assert processes_of(tmp_path) == []


def test_rabbitmq_after_a_crash_and_no_process_left(tmp_path: Path, ports: list[int]) -> None:
    port, dist_port, epmd_port = ports
    rabbit = RabbitMQ(tmp_path, port=port, dist_port=dist_port, epmd_port=epmd_port)
    rabbit.launch()
    check_rabbitmq(rabbit.wait_until_up())
    os.kill(rabbit.pids[0], signal.SIGKILL)
    assert not is_free(epmd_port)  # as a crash leaves it

    with RabbitMQ(tmp_path, port=port, dist_port=dist_port, epmd_port=epmd_port) as again:
        check_rabbitmq(again.url)
    assert processes_of(tmp_path) == []
    assert [is_free(each) for each in ports] == [True, True, True]
    rabbit.stop()


async def test_a_mongodb_without_replica_set_is_refused(tmp_path: Path, ports: list[int]) -> None:
    alone = Child("mongod", folder=tmp_path, stop_within_s=20)
    command = [str(mongod_binary()), "--port", str(ports[0]), "--dbpath", str(tmp_path), "--bind_ip", LOOPBACK]
    alone.start([*command, "--nounixsocket"], environ=os.environ, orphaned=signal.SIGKILL)
    try:
        await eventually(lambda: not is_free(ports[0]))
        with pytest.raises(UnusableServerError) as raised:
            check_mongodb(f"mongodb://{LOOPBACK}:{ports[0]}/")
    finally:
        alone.stop()
    assert str(raised.value) == (
        "MONGO_URL: that MongoDB is not a replica set, so it has no transactions and no change streams. "
        "Start mongod with --replSet rs0 and run rs.initiate() once (one node is enough), or leave MONGO_URL unset."
    )


def test_a_replica_set_will_do(mongo_url: str) -> None:
    check_mongodb(mongo_url)


def test_nobody_there(ports: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.given.ANSWER_WITHIN_S", 0.2)
    with pytest.raises(UnusableServerError, match="MONGO_URL: no MongoDB answers there"):
        check_mongodb(f"mongodb://{LOOPBACK}:{ports[0]}/")
    with pytest.raises(UnusableServerError, match="AMQP_URL: no RabbitMQ answers there"):
        check_rabbitmq(f"amqp://guest:guest@{LOOPBACK}:{ports[1]}/")
    with pytest.raises(UnusableServerError, match="AMQP_URL: no RabbitMQ answers there"):
        check_rabbitmq("http://127.0.0.1/")
