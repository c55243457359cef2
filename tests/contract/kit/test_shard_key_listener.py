from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest
from pymongo import DeleteMany, DeleteOne, InsertOne, UpdateMany, UpdateOne

from services.kit.mongo.collections import Document, Keyed, Session
from services.kit.mongo.database import Database, Driver, create_indexes

LOTS = Keyed("lots", ("chain", "account"))
SETTINGS = Keyed("settings", ())
C: Document = {"chain": "c"}
CA: Document = {"chain": "c", "account": "a"}
PREFIX = "filter fixes no prefix of (chain, account)"
WHOLE = "filter does not fix account of (chain, account)"


@pytest.fixture
async def watched(mongo_url: str, driver: Driver) -> AsyncIterator[Database]:
    """Yield a database whose misses do not fail the test: they are what is tested."""
    database = Database.connect(mongo_url, name=f"test_{uuid4().hex}", driver=driver, check_shard_keys=True)
    yield database
    await database.drop()
    await database.close()


def misses(database: Database) -> list[str]:
    assert database.listener
    return database.listener.misses


Use = Callable[[Database], Awaitable[object]]

GOOD: dict[str, Use] = {
    "find one": lambda d: d.collection(LOTS).find_one(C),
    "find many": lambda d: d.collection(LOTS).find({"chain": {"$in": ["c", "d"]}, "left": {"$gt": 0}}).to_list(10),
    "count": lambda d: d.collection(LOTS).count_documents(C),
    "distinct": lambda d: d.collection(LOTS).distinct("account", C),
    "aggregate": lambda d: d.aggregate(LOTS, [{"$match": {"left": 1}}, {"$match": C}, {"$count": "n"}]),
    "join a control collection": lambda d: d.aggregate(
        LOTS, [{"$match": C}, {"$lookup": {"from": "settings", "pipeline": [], "as": "s"}}]
    ),
    "insert one": lambda d: d.collection(LOTS).insert_one({**CA}),
    "insert many": lambda d: d.collection(LOTS).insert_many([{**CA}, {**CA}]),
    "update one": lambda d: d.collection(LOTS).update_one(CA, {"$set": {"left": 1}}),
    "update many": lambda d: d.collection(LOTS).update_many(C, {"$set": {"left": 1}}),
    "replace": lambda d: d.collection(LOTS).replace_one(CA, {**CA, "left": 1}),
    "upsert": lambda d: d.collection(LOTS).update_one(CA, {"$set": {"left": 1}}, upsert=True),
    "delete one": lambda d: d.collection(LOTS).delete_one(CA),
    "delete many": lambda d: d.collection(LOTS).delete_many(C),
    "find and update": lambda d: d.collection(LOTS).find_one_and_update(CA, {"$set": {"left": 1}}),
    "find and delete": lambda d: d.collection(LOTS).find_one_and_delete(CA),
    "bulk": lambda d: d.collection(LOTS).bulk_write(
        [InsertOne({**CA}), UpdateOne(CA, {"$inc": {"left": 1}}), UpdateMany(C, {"$inc": {"left": 1}}), DeleteMany(C)]
    ),
    "indexes": lambda d: d.collection(LOTS).index_information(),
    "a control collection": lambda d: d.collection(SETTINGS).find({}).to_list(10),
    "write a control collection": lambda d: d.collection(SETTINGS).update_one({}, {"$set": {"a": 1}}, upsert=True),
}

BAD: dict[str, tuple[Use, str]] = {
    "find one": (lambda d: d.collection(LOTS).find_one({"_id": 1}), f"find lots: {PREFIX}"),
    "find many": (lambda d: d.collection(LOTS).find({"account": "a"}).to_list(10), f"find lots: {PREFIX}"),
    "find all": (lambda d: d.collection(LOTS).find().to_list(10), f"find lots: {PREFIX}"),
    "count": (lambda d: d.collection(LOTS).count_documents({"left": 1}), f"aggregate lots: {PREFIX}"),
    "estimate": (lambda d: d.collection(LOTS).estimated_document_count(), f"count lots: {PREFIX}"),
    "distinct": (lambda d: d.collection(LOTS).distinct("account"), f"distinct lots: {PREFIX}"),
    "aggregate": (
        lambda d: d.aggregate(LOTS, [{"$match": {"left": 1}}, {"$sort": {"left": 1}}, {"$match": C}]),
        f"aggregate lots: {PREFIX}",
    ),
    "join": (
        lambda d: d.aggregate(LOTS, [{"$match": C}, {"$lookup": {"from": "lots", "pipeline": [], "as": "l"}}]),
        "aggregate lots: $lookup of lots does not show its shard key",
    ),
    "join in a facet": (
        lambda d: d.aggregate(LOTS, [{"$match": C}, {"$facet": {"a": [{"$unionWith": "lots"}]}}]),
        "aggregate lots: $unionWith of lots does not show its shard key",
    ),
    "merge": (
        lambda d: d.aggregate(LOTS, [{"$match": C}, {"$merge": {"into": {"db": d.name, "coll": "other"}}}]),
        "aggregate lots: $merge of other does not show its shard key",
    ),
    "insert one": (
        lambda d: d.collection(LOTS).insert_one({**C}),
        "insert lots: document lacks account of (chain, account)",
    ),
    "insert many": (
        lambda d: d.collection(LOTS).insert_many([{**CA}, {"account": "a"}]),
        "insert lots: document lacks chain of (chain, account)",
    ),
    "update one": (lambda d: d.collection(LOTS).update_one(C, {"$set": {"left": 1}}), f"update lots: {WHOLE}"),
    "update many": (lambda d: d.collection(LOTS).update_many({}, {"$set": {"left": 1}}), f"update lots: {PREFIX}"),
    "upsert many": (
        lambda d: d.collection(LOTS).update_many(C, {"$setOnInsert": {"account": "a"}}, upsert=True),
        f"update lots: {WHOLE}",
    ),
    "move": (
        lambda d: d.collection(LOTS).update_one(CA, {"$set": {"account": "b"}}),
        "update lots: update changes account of (chain, account)",
    ),
    "replace": (
        lambda d: d.collection(LOTS).replace_one(CA, {"left": 1}),
        "update lots: document lacks chain, account of (chain, account)",
    ),
    "delete one": (lambda d: d.collection(LOTS).delete_one(C), f"delete lots: {WHOLE}"),
    "delete many": (lambda d: d.collection(LOTS).delete_many({"account": "a"}), f"delete lots: {PREFIX}"),
    "find and update": (
        lambda d: d.collection(LOTS).find_one_and_update(C, {"$set": {"left": 1}}),
        f"findAndModify lots: {WHOLE}",
    ),
    "find and move": (
        lambda d: d.collection(LOTS).find_one_and_update(CA, {"$set": {"chain": "d"}}),
        "findAndModify lots: update changes chain of (chain, account)",
    ),
    "bulk": (
        lambda d: d.collection(LOTS).bulk_write([UpdateOne(CA, {"$inc": {"left": 1}}), DeleteOne(C)]),
        f"delete lots: {WHOLE}",
    ),
    "an unknown command": (
        lambda d: d._client.command(d.name, {"collStats": "lots"}),
        "collStats lots: this command is not known to carry a shard key",
    ),
    "an undeclared collection": (
        lambda d: d._client.collection(d.name, "other").find_one(C),
        "find other: the collection is not declared",
    ),
}


@pytest.mark.parametrize("use", GOOD.values(), ids=GOOD.keys())
async def test_what_carries_the_key_is_no_miss(watched: Database, use: Use) -> None:
    watched.collection(LOTS)
    watched.collection(SETTINGS)
    await use(watched)
    assert misses(watched) == []


@pytest.mark.parametrize(("use", "miss"), BAD.values(), ids=BAD.keys())
async def test_what_lacks_the_key_is_a_miss(watched: Database, use: Use, miss: str) -> None:
    watched.collection(LOTS)
    await use(watched)
    assert misses(watched) == [miss]


async def test_a_transaction_is_listened_to_as_well(watched: Database) -> None:
    await create_indexes(watched, LOTS, [])

    async def body(session: Session) -> None:
        await watched.collection(LOTS).insert_one({**CA}, session=session)
        await watched.collection(LOTS).find_one({"account": "a"}, session=session)

    await watched.in_transaction(body)
    assert misses(watched) == [f"find lots: {PREFIX}"]


async def test_a_long_result_and_a_change_stream_are_no_misses(watched: Database) -> None:
    lots = watched.collection(LOTS)
    async with watched.watch(LOTS, []) as changes:
        await lots.insert_many([{**CA, "number": number} for number in range(300)])
        await anext(changes)
    assert len(await lots.find(C).batch_size(100).to_list(1_000)) == 300
    assert misses(watched) == []


async def test_nothing_is_listened_to_unless_asked(mongo_url: str, driver: Driver) -> None:
    database = Database.connect(mongo_url, name=f"test_{uuid4().hex}", driver=driver)
    await database.collection(LOTS).find_one({})
    assert database.listener is None
    await database.close()


async def test_two_declarations_of_one_collection_must_agree(watched: Database) -> None:
    watched.collection(LOTS)
    with pytest.raises(ValueError, match="lots is declared with two shard keys"):
        watched.collection(Keyed("lots", ("chain",)))
