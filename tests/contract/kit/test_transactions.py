import asyncio
from collections.abc import Mapping
from typing import Any, NoReturn

import pytest
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import AutoReconnect, DuplicateKeyError

from services.kit.mongo.collections import Document, Keyed, Session, ShardKeyListener
from services.kit.mongo.database import Conflict, ContendedError, Database, DatabaseDownError, Driver, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.mongo.transactions import ATTEMPTS, COMMIT_ATTEMPTS, OutcomeUnknownError

ACCOUNTS = Keyed("accounts", ("chain", "account"))
A1: Document = {"chain": "c", "account": "a1"}
A2: Document = {"chain": "c", "account": "a2"}


@pytest.fixture(autouse=True)
async def accounts(database: Database) -> None:
    await create_indexes(database, ACCOUNTS, [])
    await database.collection(ACCOUNTS).insert_one({**A1, "points": 0, "version": 0})


async def points(database: Database) -> dict[str, int]:
    rows = await database.collection(ACCOUNTS).find({"chain": "c"}).to_list(10)
    return {row["account"]: row["points"] for row in rows}


async def earn(database: Database, session: Session) -> None:
    """Add a point the way a store does: read, decide, write with a guard."""
    accounts = database.collection(ACCOUNTS)
    row = await accounts.find_one(A1, session=session)
    assert row is not None
    update = {"$set": {"points": row["points"] + 1, "version": row["version"] + 1}}
    await write_guarded(accounts, [UpdateOne({**A1, "version": row["version"]}, update)], session=session)


async def test_all_is_committed_and_the_result_returned(database: Database) -> None:
    async def body(session: Session) -> str:
        await database.collection(ACCOUNTS).insert_one({**A2, "points": 2}, session=session)
        await database.collection(ACCOUNTS).update_one(A1, {"$set": {"points": 1}}, session=session)
        return "done"

    assert await database.in_transaction(body) == "done"
    assert await points(database) == {"a1": 1, "a2": 2}


async def test_nothing_is_written_when_the_body_raises(database: Database) -> None:
    async def body(session: Session) -> NoReturn:
        await database.collection(ACCOUNTS).insert_one({**A2, "points": 2}, session=session)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.in_transaction(body)
    assert await points(database) == {"a1": 0}


async def test_it_reads_a_snapshot_and_commits_to_a_majorities_journals(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, Any]] = []
    monkeypatch.setattr(ShardKeyListener, "started", lambda _, event: asked.append(event.command))

    async def body(session: Session) -> None:
        await earn(database, session)

    await database.in_transaction(body)
    read, write, commit = asked
    assert read["startTransaction"] is True
    assert read["readConcern"]["level"] == "snapshot"
    assert "writeConcern" not in write
    assert commit["writeConcern"] == {"w": "majority", "j": True, "wtimeout": 10_000}


async def test_rivals_all_get_through(database: Database) -> None:
    async def body(session: Session) -> None:
        await earn(database, session)

    await asyncio.gather(*(database.in_transaction(body) for _ in range(4)))
    assert await points(database) == {"a1": 4}


async def test_a_conflict_of_ours_is_tried_again_from_the_start(database: Database) -> None:
    tries = 0

    async def body(session: Session) -> None:
        nonlocal tries
        tries += 1
        await database.collection(ACCOUNTS).update_one(A1, {"$inc": {"points": 1}}, session=session)
        if tries < 3:
            raise Conflict

    await database.in_transaction(body)
    assert tries == 3
    assert await points(database) == {"a1": 1}


async def test_it_gives_up_after_a_number_of_conflicts(database: Database) -> None:
    tries = 0

    async def body(_session: Session) -> None:
        nonlocal tries
        tries += 1
        raise Conflict

    with pytest.raises(ContendedError) as contended:
        await database.in_transaction(body)
    assert tries == ATTEMPTS
    assert contended.value.retry_after_ms == 1_000


async def test_a_connection_that_keeps_breaking_is_not_called_contention(database: Database) -> None:
    async def body(_session: Session) -> None:
        message = "reset by peer"
        raise AutoReconnect(message, {"errorLabels": ["TransientTransactionError"]})

    with pytest.raises(DatabaseDownError):
        await database.in_transaction(body)


async def test_once_leaves_a_conflict_to_the_caller(database: Database) -> None:
    async def body(session: Session) -> None:
        await database.collection(ACCOUNTS).update_one(A1, {"$inc": {"points": 1}}, session=session)
        raise Conflict

    with pytest.raises(Conflict):
        await database.once_in_transaction(body)
    assert await points(database) == {"a1": 0}


async def test_a_write_conflict_of_the_server_is_a_conflict(database: Database) -> None:
    async def overtaken(session: Session) -> None:
        await database.collection(ACCOUNTS).find_one(A1, session=session)
        await database.collection(ACCOUNTS).update_one(A1, {"$inc": {"points": 10}})
        await database.collection(ACCOUNTS).update_one(A1, {"$inc": {"points": 1}}, session=session)

    with pytest.raises(Conflict):
        await database.once_in_transaction(overtaken)
    assert await points(database) == {"a1": 10}


async def test_a_body_reads_one_moment_only(database: Database) -> None:
    async def body(session: Session) -> list[int]:
        before = await database.collection(ACCOUNTS).find_one(A1, session=session)
        await database.collection(ACCOUNTS).update_one(A1, {"$inc": {"points": 1}})
        after = await database.collection(ACCOUNTS).find_one(A1, session=session)
        assert before is not None
        assert after is not None
        return [before["points"], after["points"]]

    assert await database.in_transaction(body) == [0, 0]


async def test_a_guard_whose_version_has_passed_is_a_conflict(database: Database) -> None:
    async def body(session: Session) -> None:
        stale = UpdateOne({**A1, "version": 7}, {"$inc": {"points": 1}})
        fresh = ReplaceOne({**A1, "version": 0}, {**A1, "version": 1, "points": 1})
        await write_guarded(database.collection(ACCOUNTS), [fresh, stale], session=session)

    with pytest.raises(Conflict):
        await database.once_in_transaction(body)
    assert await points(database) == {"a1": 0}


async def test_a_key_that_was_taken_meanwhile_is_a_conflict(database: Database) -> None:
    accounts = database.collection(ACCOUNTS)
    await accounts.create_index([("chain", 1), ("account", 1)], unique=True, name="unique")

    async def body(session: Session) -> None:
        await insert_new(accounts, [{**A2, "points": 0}, {**A1, "points": 0}], session=session)

    with pytest.raises(Conflict):
        await database.once_in_transaction(body)
    assert await points(database) == {"a1": 0}


async def test_nothing_to_write_is_fine(database: Database) -> None:
    async def body(session: Session) -> None:
        await insert_new(database.collection(ACCOUNTS), [], session=session)
        await write_guarded(database.collection(ACCOUNTS), [], session=session)

    await database.in_transaction(body)


async def test_a_duplicate_that_is_a_mistake_is_not_tried_again(database: Database) -> None:
    tries = 0

    async def body(session: Session) -> None:
        nonlocal tries
        tries += 1
        await database.collection(ACCOUNTS).insert_one({"_id": 1, **A2}, session=session)
        await database.collection(ACCOUNTS).insert_one({"_id": 1, **A2}, session=session)

    with pytest.raises(DuplicateKeyError):
        await database.in_transaction(body)
    assert tries == 1


async def cancelled_in(database: Database, *, when: str) -> None:
    """Run a transaction that is cancelled before, during or after its write."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def body(session: Session) -> None:
        if when == "before":
            reached.set()
            await go_on.wait()
        writing = database.collection(ACCOUNTS).update_one(A1, {"$inc": {"points": 1}}, session=session)
        if when == "during":
            reached.set()
        await writing
        if when == "after":
            reached.set()
            await go_on.wait()

    running = asyncio.create_task(database.in_transaction(body))
    await reached.wait()
    running.cancel()
    asyncio.get_running_loop().call_later(0.02, go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_a_cancelled_transaction_is_aborted_and_its_locks_are_free(database: Database, when: str) -> None:
    await cancelled_in(database, when=when)
    assert await points(database) == {"a1": 0}
    # Would wait for the lock, and fail after a while, if the transaction were still open.
    await database.collection(ACCOUNTS).update_one(A1, {"$set": {"points": 5}})
    assert await points(database) == {"a1": 5}


async def test_cancelling_many_at_random_moments_leaves_nothing_open(database: Database) -> None:
    async def body(session: Session) -> None:
        await earn(database, session)

    for pause_ms in range(12):
        running = [asyncio.create_task(database.in_transaction(body)) for _ in range(3)]
        await asyncio.sleep(pause_ms / 1_000)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    assert database._transactions._running == set()
    row = await database.collection(ACCOUNTS).find_one_and_update(A1, {"$set": {"done": True}})
    assert row is not None
    assert row["points"] == row["version"]


class FailingSession:
    """A session whose commits fail as they do when a primary goes away."""

    def __init__(self, session: Session, failures: int) -> None:
        self._session, self.failures, self.commits = session, failures, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)

    async def commit_transaction(self) -> None:
        await self._session.commit_transaction()
        self.commits += 1
        if self.commits <= self.failures:
            raise AutoReconnect("gone", {"errorLabels": ["UnknownTransactionCommitResult"]})


async def commit_failing(database: Database, failures: int) -> FailingSession:
    session = FailingSession(await database._client.start_session(), failures)
    await database._client.start_transaction(session._session)
    await database.collection(ACCOUNTS).update_one(A1, {"$inc": {"points": 1}}, session=session._session)
    try:
        await database._transactions._commit(session)  # type: ignore[arg-type] # a double of the driver's session
    finally:
        await session._session.end_session()
    return session


async def test_a_commit_whose_outcome_is_unknown_is_asked_for_again(database: Database) -> None:
    session = await commit_failing(database, failures=2)
    assert session.commits == 3
    assert await points(database) == {"a1": 1}


async def test_an_outcome_that_stays_unknown_is_said_so(database: Database) -> None:
    with pytest.raises(OutcomeUnknownError):
        await commit_failing(database, failures=COMMIT_ATTEMPTS)


async def test_a_database_that_is_away_is_said_so(driver: Driver, silent_server: str) -> None:
    nowhere = Database.connect(silent_server, name="nowhere", driver=driver)

    async def body(session: Session) -> None:
        await nowhere.collection(ACCOUNTS).bulk_write([InsertOne({**A2})], session=session)

    with pytest.raises(DatabaseDownError):
        await nowhere.in_transaction(body)
    await nowhere.close()
