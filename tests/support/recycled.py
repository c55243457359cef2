"""Databases with a service's collections and indexes, emptied after a test and given to the next one.

To create a service's indexes takes most of a second, to empty its collections a twentieth of that.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.database import AsyncDatabase

from services.kit.mongo.database import Database
from services.kit.mongo.drivers import Driver
from services.members.store.vault import SUFFIX

SetUp = Callable[[Database], Awaitable[None]]
Shape = dict[str, dict[str, set[str]]]
"""The names of indexes by collection, by the end of the database's name."""

ENDS = ("", f"_{SUFFIX}")


class Recycled:
    """Databases of one run of tests, on one server."""

    def __init__(self, mongo_url: str) -> None:
        self.mongo_url = mongo_url
        self._free: dict[SetUp, list[str]] = defaultdict(list)
        self._shapes: dict[SetUp, Shape] = {}
        self._made: list[str] = []

    @asynccontextmanager
    async def database(self, set_up: SetUp, driver: Driver) -> AsyncIterator[Database]:
        """Lend an empty database on which `set_up` was done; a command without its shard key is an error at the end."""
        free = self._free[set_up]
        name = free.pop() if free else f"test_{uuid4().hex}"
        database = Database.connect(self.mongo_url, name=name, driver=driver, check_shard_keys=True)
        try:
            if name not in self._made:
                self._made.append(name)
                await set_up(database)
                async with AsyncMongoClient[dict[str, Any]](self.mongo_url) as client:
                    self._shapes.setdefault(set_up, await _shape(client, name))
            yield database
            assert database.listener is not None
            misses = database.listener.misses
        finally:
            await database.close()
        async with AsyncMongoClient[dict[str, Any]](self.mongo_url) as client:
            if await _emptied(client, name, self._shapes[set_up]):
                free.append(name)
        assert misses == [], "commands without their collection's shard key"

    def drop(self) -> None:
        """Delete them all."""
        with MongoClient[dict[str, Any]](self.mongo_url) as client:
            for name in self._made:
                for end in ENDS:
                    client.drop_database(name + end)


async def _shape(client: AsyncMongoClient[dict[str, Any]], name: str) -> Shape:
    return {end: await _indexes(client[name + end]) for end in ENDS}


async def _indexes(database: AsyncDatabase[dict[str, Any]]) -> dict[str, set[str]]:
    names = await database.list_collection_names()
    found = await asyncio.gather(*(database[one].index_information() for one in names))
    return {one: set(indexes) for one, indexes in zip(names, found, strict=True)}


async def _emptied(client: AsyncMongoClient[dict[str, Any]], name: str, shape: Shape) -> bool:
    """Empty the database, and tell whether it is as it was; one whose indexes are others is not used again."""
    for end, collections in shape.items():
        database = client[name + end]
        found = await _indexes(database)
        if any(found.get(one) != indexes for one, indexes in collections.items()):
            return False
        await asyncio.gather(
            *(database[one].delete_many({}) if one in collections else database[one].drop() for one in found)
        )
    return True
