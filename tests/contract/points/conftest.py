from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.kit.group_commit import GroupCommit
from services.kit.keys import OwnKey
from services.kit.mongo import command_keys
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database, Driver
from services.kit.outbox import outbox
from services.kit.outbox.outbox import Outbox
from services.points.domain.batches import Answer
from services.points.domain.commands import AnyCommand
from services.points.domain.identities import IdentityHasher
from services.points.domain.programs import Programs
from services.points.main import group_commit, servicers
from services.points.store.items import ItemCopies
from services.points.store.migrations import MIGRATIONS
from services.points.store.stores import StoreCopies
from services.points.usecases.record_purchases import Recorder
from tests.contract.points.desk import KnownMembers, Points
from tests.support.clock import FixedClock
from tests.support.members_service import MembersService, members_running, migrate_members
from tests.support.programs import OneProgram, program_with
from tests.support.recycled import Recycled
from tests.support.served import served

SIGNER = OwnKey("points/test", Ed25519PrivateKey.from_private_bytes(bytes(32)))
Ledger = GroupCommit[AnyCommand, Answer]


def ledger_on(database: Database, programs: Programs | None = None) -> Ledger:
    return group_commit(database, Outbox(database), OneProgram(programs or Programs()))


async def set_up(database: Database) -> None:
    await outbox.set_up(database)
    await command_keys.set_up(database)
    for migration in MIGRATIONS:
        await migration.apply(database)


@pytest.fixture
async def database(recycled: Recycled, driver: Driver) -> AsyncIterator[Database]:
    """Yield an empty database of points."""
    async with recycled.database(set_up, driver) as database:
        yield database


@pytest.fixture
async def points(database: Database, ledger: Ledger, clock: FixedClock) -> AsyncIterator[Points]:
    members = KnownMembers()
    stores = StoreCopies(database, source=members, clock=clock)
    items = ItemCopies(database, source=members, clock=clock)
    programs = OneProgram(Programs((program_with(stamped=("coffee",)),)))
    hasher = IdentityHasher(bytes(32))
    recorder = Recorder(stores=stores, members=members, ledger=ledger, hasher=hasher, programs=programs, items=items)
    registrations = servicers(
        database, recorder=recorder, programs=programs, signer=SIGNER, clocks=MongoChainClocks(database, system=clock)
    )
    async with served(registrations) as channel:
        yield Points(channel, database, members, recorder)


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    ledger = ledger_on(database)
    await ledger.start()
    yield ledger
    await ledger.stop()


@pytest.fixture
async def members(recycled: Recycled, driver: Driver, clock: FixedClock) -> AsyncIterator[MembersService]:
    """Yield the real members service, on a database of its own."""
    async with (
        recycled.database(migrate_members, driver) as database,
        members_running(database, recycled.mongo_url, clock) as service,
    ):
        yield service
