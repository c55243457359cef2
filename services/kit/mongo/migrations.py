"""Schema and index migrations: each once, in order, by one replica while the others wait."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from pymongo.errors import PyMongoError

from services.kit.cancellation import check_cancelled
from services.kit.errors import Kind, Problem
from services.kit.mongo.collections import Keyed, Session
from services.kit.mongo.database import Database
from services.kit.mongo.leases import Lease, LeaseLostError, Leases

log = logging.getLogger(__name__)

MIGRATIONS = Keyed("migrations", ())
LEASE = "migrations"
TTL_MS = 10_000
WAIT_S = 0.2
"""How often a waiting replica looks whether its turn has come."""

SHORTEST_WAIT_S = 0.05
"""Between two tries to renew while the database is away."""


class DatabaseNewerError(Problem):
    """The database {database} has migration {version}, which this release does not know. Start a newer release."""

    kind = Kind.FAULT
    code = "DATABASE_NEWER"


class MigrationChangedError(Problem):
    """The database {database} has had migration {version} as "{was}", but this release calls it "{now}"."""

    kind = Kind.FAULT
    code = "MIGRATION_CHANGED"


@dataclass(frozen=True, slots=True)
class Migration:
    """A step from one version to the next. `apply` must bear to be done again: a crash may have cut it short."""

    version: int
    name: str
    apply: Callable[[Database], Awaitable[None]]


async def migrate(
    database: Database, migrations: Sequence[Migration], *, owner: str, ttl_ms: int = TTL_MS
) -> list[int]:
    """Bring the database to the last of `migrations` and return the versions that were applied by this call.

    Returns when the database is there, whoever did it. Raises what a migration raises; the next call goes on with it.
    """
    if [each.version for each in migrations] != list(range(1, len(migrations) + 1)):
        message = "migrations are numbered 1, 2, 3, … in order"
        raise ValueError(message)
    leases = Leases(database, owner=owner, ttl_ms=ttl_ms)
    applied: list[int] = []
    while await _pending(database, migrations):
        if lease := await leases.acquire(LEASE):
            with suppress(LeaseLostError):  # then another replica goes on with it
                await _under_lease(database, migrations, leases, lease, applied)
        else:
            await asyncio.sleep(WAIT_S)
    return applied


async def _pending(database: Database, migrations: Sequence[Migration]) -> list[Migration]:
    rows = await database.collection(MIGRATIONS).find({}).sort("_id", 1).to_list(len(migrations) + 1)
    known = {each.version: each.name for each in migrations}
    for row in rows:
        version, was = row["_id"], row["name"]
        if version not in known:
            raise DatabaseNewerError(database=database.name, version=version)
        if known[version] != was:
            raise MigrationChangedError(database=database.name, version=version, was=was, now=known[version])
    done = {row["_id"] for row in rows}
    return [each for each in migrations if each.version not in done]


async def _under_lease(
    database: Database, migrations: Sequence[Migration], leases: Leases, lease: Lease, applied: list[int]
) -> None:
    async with _kept(leases, lease):
        for migration in await _pending(database, migrations):
            log.info("%s: migration %d, %s", database.name, migration.version, migration.name)
            await migration.apply(database)
            await _note(database, migration, leases, lease)
            applied.append(migration.version)


async def _note(database: Database, migration: Migration, leases: Leases, lease: Lease) -> None:
    async def note(session: Session) -> None:
        await leases.confirm(lease, session=session)
        row = {"_id": migration.version, "name": migration.name, "by": lease.owner}
        await database.collection(MIGRATIONS).insert_one(row, session=session)

    await database.in_transaction(note)


@asynccontextmanager
async def _kept(leases: Leases, lease: Lease) -> AsyncIterator[None]:
    """Renew the lease while the block runs, then release it. When it is lost, the block ends by `LeaseLostError`."""
    until = asyncio.timeout_at(lease.good_until)
    try:
        async with until:
            renewing = asyncio.create_task(_keep(leases, lease, until))
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.wait({renewing})
    except TimeoutError as error:
        if not until.expired():
            raise
        raise LeaseLostError(name=lease.name) from error
    finally:
        with suppress(PyMongoError):
            await leases.release(lease)


async def _keep(leases: Leases, lease: Lease, until: asyncio.Timeout) -> None:
    loop = asyncio.get_running_loop()
    while True:
        check_cancelled()
        await asyncio.sleep(max(SHORTEST_WAIT_S, (lease.good_until - loop.time()) / 3))
        with suppress(PyMongoError):  # a database that is away for a moment: there is time to try again
            renewed = await leases.renew(lease)
            if not until.expired():
                until.reschedule(renewed.good_until if renewed else loop.time())
            if renewed is None:
                return
            lease = renewed
