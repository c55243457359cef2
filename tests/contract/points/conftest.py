from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.kit.group_commit import GroupCommit
from services.kit.mongo.database import Database
from services.kit.outbox import outbox
from services.kit.outbox.outbox import Outbox
from services.points.domain.batches import Recorded
from services.points.domain.booking import BookPurchase
from services.points.domain.programs import DEFAULT_PROGRAM
from services.points.store.journal import MongoJournal
from services.points.store.migrations import MIGRATIONS
from services.points.usecases.ledger import commit

Ledger = GroupCommit[BookPurchase, Recorded]


def ledger_on(database: Database) -> Ledger:
    journal = MongoJournal(database, Outbox(database))
    return GroupCommit(partial(commit, journal=journal, program=DEFAULT_PROGRAM), name="ledger")


@pytest.fixture
async def migrated(database: Database) -> Database:
    await outbox.set_up(database)
    for migration in MIGRATIONS:
        await migration.apply(database)
    return database


@pytest.fixture
async def ledger(migrated: Database) -> AsyncIterator[Ledger]:
    ledger = ledger_on(migrated)
    await ledger.start()
    yield ledger
    await ledger.stop()
