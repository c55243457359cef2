import asyncio

import pytest
from pymongo import IndexModel

from services.kit.mongo.collections import Keyed, Session
from services.kit.mongo.database import Database, DatabaseDownError, Driver, create_indexes
from services.kit.mongo.drivers import Pipeline
from tests.support.clock import START

ACCOUNTS = Keyed("accounts", ("chain", "account"))


async def test_it_reads_what_it_wrote(database: Database) -> None:
    accounts = database.collection(ACCOUNTS)
    await accounts.insert_one({"_id": "a1", "chain": "c", "account": "a1", "at": START, "points": 5})
    assert await accounts.find_one({"chain": "c"}) == {
        "_id": "a1",
        "chain": "c",
        "account": "a1",
        "at": START,
        "points": 5,
    }


async def test_it_reads_and_writes_what_a_majority_has_journaled(database: Database) -> None:
    accounts = database.collection(ACCOUNTS)
    assert accounts.read_concern.document == {"level": "majority"}
    assert accounts.write_concern.document == {"w": "majority", "j": True, "wtimeout": 10_000}


async def test_it_aggregates(database: Database) -> None:
    rows = [{"chain": "c", "account": f"a{number}", "points": number} for number in range(4)]
    await database.collection(ACCOUNTS).insert_many(rows)
    total: Pipeline = [{"$match": {"chain": "c"}}, {"$group": {"_id": None, "points": {"$sum": "$points"}}}]
    assert await database.aggregate(ACCOUNTS, total) == [{"_id": None, "points": 6}]


async def test_an_aggregation_is_never_cut_off_silently(database: Database) -> None:
    await database.collection(ACCOUNTS).insert_many([{"chain": "c", "account": f"a{each}"} for each in range(3)])
    everything: Pipeline = [{"$match": {"chain": "c"}}]
    assert len(await database.aggregate(ACCOUNTS, everything, limit=3)) == 3
    with pytest.raises(ValueError, match="accounts yielded more than 2 documents"):
        await database.aggregate(ACCOUNTS, everything, limit=2)


async def test_it_aggregates_inside_a_transaction(database: Database) -> None:
    await create_indexes(database, ACCOUNTS, [])

    async def body(session: Session) -> list[str]:
        await database.collection(ACCOUNTS).insert_one({"chain": "c", "account": "a1"}, session=session)
        inside = await database.aggregate(ACCOUNTS, [{"$match": {"chain": "c"}}], session=session)
        outside = await database.aggregate(ACCOUNTS, [{"$match": {"chain": "c"}}])
        return [row["account"] for row in inside + outside]

    assert await database.in_transaction(body) == ["a1"]


async def test_watching_sees_everything_after_it_began(database: Database) -> None:
    accounts = database.collection(ACCOUNTS)
    await accounts.insert_one({"_id": 0, "chain": "c", "account": "before"})
    inserted: Pipeline = [{"$match": {"operationType": "insert"}}]
    async with database.watch(ACCOUNTS, inserted) as changes:
        await accounts.insert_many([{"_id": 1, "chain": "c", "account": "a"}, {"_id": 2, "chain": "c", "account": "b"}])
        seen = [await anext(changes), await anext(changes)]
    assert [change["documentKey"]["_id"] for change in seen] == [1, 2]


async def test_watching_goes_on_after_a_change_that_was_seen(database: Database) -> None:
    accounts = database.collection(ACCOUNTS)
    async with database.watch(ACCOUNTS, []) as changes:
        await accounts.insert_many([{"_id": 1, "chain": "c", "account": "a"}, {"_id": 2, "chain": "c", "account": "b"}])
        first = await anext(changes)
    async with database.watch(ACCOUNTS, [], resume_after=first["_id"]) as changes:
        assert (await anext(changes))["documentKey"]["_id"] == 2


async def test_watching_ends_when_the_collection_is_dropped(database: Database) -> None:
    accounts = database.collection(ACCOUNTS)
    await accounts.insert_one({"chain": "c", "account": "a"})
    async with database.watch(ACCOUNTS, []) as changes:
        await accounts.drop()
        assert [change["operationType"] async for change in changes] == ["drop", "invalidate"]


async def test_watching_can_be_cancelled_while_nothing_happens(database: Database) -> None:
    began = asyncio.Event()

    async def watch() -> None:
        async with database.watch(ACCOUNTS, []) as changes:
            began.set()
            await anext(changes)

    watching = asyncio.create_task(watch())
    await began.wait()
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_it_waits_until_the_database_is_up(database: Database) -> None:
    await database.wait_until_up(5)


async def test_it_says_when_the_database_is_down(driver: Driver, silent_server: str) -> None:
    nowhere = Database.connect(silent_server, name="nowhere", driver=driver)
    with pytest.raises(DatabaseDownError):
        await nowhere.wait_until_up(0.3)
    await nowhere.close()


async def test_indexes_are_made_once_with_one_on_the_shard_key(database: Database) -> None:
    indexes = [IndexModel([("chain", 1), ("at", 1)], name="by_time")]
    await create_indexes(database, ACCOUNTS, indexes)
    await create_indexes(database, ACCOUNTS, indexes)
    assert sorted(await database.collection(ACCOUNTS).index_information()) == ["_id_", "by_time", "chain_1_account_1"]


async def test_an_index_that_begins_with_the_shard_key_suffices(database: Database) -> None:
    await create_indexes(database, ACCOUNTS, [IndexModel([("chain", 1), ("account", 1), ("at", 1)], name="by_account")])
    assert sorted(await database.collection(ACCOUNTS).index_information()) == ["_id_", "by_account"]


async def test_a_unique_index_that_shards_could_not_keep_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="a unique index of accounts must begin with"):
        await create_indexes(database, ACCOUNTS, [IndexModel([("chain", 1), ("phone", 1)], unique=True)])
    assert await database.collection(ACCOUNTS).index_information() == {}
