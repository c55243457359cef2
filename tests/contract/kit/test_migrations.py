import asyncio
from datetime import datetime, timedelta

import pytest
from pymongo import ReturnDocument

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database
from services.kit.mongo.leases import LEASES
from services.kit.mongo.migrations import (
    MIGRATIONS,
    DatabaseNewerError,
    Migration,
    MigrationChangedError,
    migrate,
)
from tests.support.eventually import eventually

DONE = Keyed("done", ())


def adding(version: int, name: str) -> Migration:
    async def apply(database: Database) -> None:
        await database.collection(DONE).find_one_and_update(
            {"_id": version}, {"$inc": {"times": 1}}, upsert=True, return_document=ReturnDocument.AFTER
        )

    return Migration(version, name, apply)


ONE, TWO, THREE = adding(1, "accounts"), adding(2, "outbox"), adding(3, "rewards")


async def done(database: Database) -> dict[int, int]:
    return {row["_id"]: row["times"] for row in await database.collection(DONE).find({}).sort("_id", 1).to_list(10)}


async def test_each_is_applied_once_in_order(database: Database) -> None:
    assert await migrate(database, [ONE, TWO], owner="first") == [1, 2]
    assert await migrate(database, [ONE, TWO, THREE], owner="second") == [3]
    assert await migrate(database, [ONE, TWO, THREE], owner="third") == []
    assert await done(database) == {1: 1, 2: 1, 3: 1}
    rows = await database.collection(MIGRATIONS).find({}).sort("_id", 1).to_list(10)
    assert rows == [
        {"_id": 1, "name": "accounts", "by": "first"},
        {"_id": 2, "name": "outbox", "by": "first"},
        {"_id": 3, "name": "rewards", "by": "second"},
    ]


async def test_replicas_that_start_together_share_the_work(database: Database) -> None:
    steps = [ONE, TWO, THREE]
    applied = await asyncio.gather(*(migrate(database, steps, owner=f"replica {number}") for number in range(4)))
    assert sorted(version for versions in applied for version in versions) == [1, 2, 3]
    assert await done(database) == {1: 1, 2: 1, 3: 1}


async def test_one_that_was_cut_short_is_done_again(database: Database) -> None:
    async def crash(database: Database) -> None:
        await TWO.apply(database)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await migrate(database, [ONE, Migration(2, "outbox", crash), THREE], owner="crashed")
    assert await migrate(database, [ONE, TWO, THREE], owner="next") == [2, 3]
    assert await done(database) == {1: 1, 2: 2, 3: 1}


async def test_a_replica_that_died_is_followed_when_its_lease_runs_out(database: Database) -> None:
    hanging = asyncio.Event()

    async def hang(_database: Database) -> None:
        hanging.set()
        await asyncio.Event().wait()

    dead = asyncio.create_task(migrate(database, [Migration(1, "accounts", hang)], owner="dead"))
    await hanging.wait()
    follower = asyncio.create_task(migrate(database, [ONE], owner="follower"))
    # As if it had died: the server sees no renewal any more, and the lease runs out.
    await database.collection(LEASES).update_one({"_id": "migrations"}, [{"$set": {"until": "$$NOW"}}])
    assert await follower == [1]
    dead.cancel()
    await asyncio.gather(dead, return_exceptions=True)
    assert await done(database) == {1: 1}


async def lease(database: Database) -> Document:
    row = await database.collection(LEASES).find_one({"_id": "migrations"})
    assert row is not None
    return row


async def renewed_since(database: Database, until: datetime) -> bool:
    """Tell whether the lease would have run out at `until` plus a whole life if it had not been renewed again."""
    return bool((await lease(database))["until"] > until + timedelta(seconds=1.5))


async def test_one_that_takes_longer_than_the_lease_keeps_it(database: Database) -> None:
    async def slow(database: Database) -> None:
        began = await lease(database)
        await eventually(lambda: renewed_since(database, began["until"]))
        await ONE.apply(database)

    steps = [Migration(1, "accounts", slow)]
    applied = await asyncio.gather(
        *(migrate(database, steps, owner=f"replica {number}", ttl_ms=1_500) for number in range(2))
    )
    assert sorted(applied) == [[], [1]]
    assert await done(database) == {1: 1}


@pytest.mark.parametrize("hangs", [True, False], ids=["while it runs", "just before it is noted"])
async def test_one_that_loses_its_lease_is_not_noted(database: Database, *, hangs: bool) -> None:
    tries = 0

    async def robbed(database: Database) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            robbery = {"$set": {"owner": "robber", "fence": 7, "until": {"$add": ["$$NOW", 50]}}}
            await database.collection(LEASES).update_one({"_id": "migrations"}, [robbery])
            if hangs:
                await asyncio.Event().wait()
        await ONE.apply(database)

    assert await migrate(database, [Migration(1, "accounts", robbed)], owner="ours", ttl_ms=300) == [1]
    assert tries == 2
    assert await done(database) == {1: 1 if hangs else 2}


async def test_a_database_of_a_newer_release_is_refused(database: Database) -> None:
    await migrate(database, [ONE, TWO], owner="newer")
    with pytest.raises(DatabaseNewerError, match="has migration 2, which this release does not know"):
        await migrate(database, [ONE], owner="older")


async def test_a_migration_that_was_swapped_for_another_is_refused(database: Database) -> None:
    await migrate(database, [ONE], owner="first")
    with pytest.raises(MigrationChangedError, match='has had migration 1 as "accounts"'):
        await migrate(database, [adding(1, "members")], owner="second")


async def test_versions_without_gaps_are_asked_for(database: Database) -> None:
    with pytest.raises(ValueError, match="numbered 1, 2, 3"):
        await migrate(database, [ONE, THREE], owner="any")
