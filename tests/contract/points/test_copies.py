from functools import partial

from protos.events.v1.members_pb2 import MemberEnrolled, StoreSaved
from services.kit.mongo.database import Database
from services.kit.outbox.events import Event
from services.points.consumers import MembersHandler
from services.points.store.collections import ACCOUNTS, STORES
from services.points.store.copies import MongoCopies
from services.points.store.items import ItemCopies
from services.points.store.merges import MongoHeardMerges
from services.points.store.referrals import MongoHeardReferrals
from services.points.store.stores import MongoStoreList, StoreCopies
from tests.contract.points.conftest import Ledger
from tests.contract.points.desk import KnownMembers
from tests.support.clock import START, FixedClock
from tests.unit.points.receipts import command, recorded


def event(body: MemberEnrolled | StoreSaved, aggregate: str, sequence: int = 1) -> Event:
    return Event(
        id=f"{aggregate}/{sequence}",
        chain="chn_1",
        stream="members.any",
        aggregate=aggregate,
        sequence=sequence,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
    )


def saved(version: int, time_zone: str, region: str = "") -> Event:
    body = StoreSaved(
        store_id="sto_1", version=version, name="Bund", time_zone=time_zone, currency="CNY", region=region
    )
    return event(body, "sto_1", version)


async def hear(database: Database, stores: StoreCopies, *events: Event) -> None:
    items = ItemCopies(database, source=KnownMembers(), clock=FixedClock())
    handler = MembersHandler(
        partial(MongoCopies, database, stores, items),
        partial(MongoHeardMerges, database),
        partial(MongoHeardReferrals, database),
    )
    await database.in_transaction(partial(handler, events))


async def test_an_enrolled_member_can_be_booked_without_asking_anybody(database: Database, ledger: Ledger) -> None:
    stores = StoreCopies(database, source=KnownMembers(), clock=FixedClock())
    await hear(database, stores, event(MemberEnrolled(member_id="mem_ada"), "mem_ada"))
    assert recorded(await ledger.submit(command(opens_account=False))).booked.points == 100


async def test_an_enrollment_heard_late_changes_nothing(database: Database, ledger: Ledger) -> None:
    await ledger.submit(command())
    stores = StoreCopies(database, source=KnownMembers(), clock=FixedClock())
    before = await database.collection(ACCOUNTS).find_one({"chain": "chn_1", "account": "mem_ada"})
    await hear(database, stores, event(MemberEnrolled(member_id="mem_ada"), "mem_ada"))
    assert await database.collection(ACCOUNTS).find_one({"chain": "chn_1", "account": "mem_ada"}) == before


async def test_the_newest_version_of_a_store_is_kept(database: Database) -> None:
    clock = FixedClock()
    stores = StoreCopies(database, source=KnownMembers(), clock=clock)
    await hear(database, stores, saved(2, "Asia/Tokyo"), saved(3, "Asia/Seoul"))
    await hear(database, stores, saved(1, "Europe/Paris"))
    found = await stores.stores("chn_1", frozenset({"sto_1"}))
    assert (found["sto_1"].version, found["sto_1"].time_zone) == (3, "Asia/Seoul")


async def test_a_stores_region_is_kept_as_it_is(database: Database) -> None:
    stores = StoreCopies(database, source=KnownMembers(), clock=FixedClock())
    await hear(database, stores, saved(1, "Asia/Tokyo", "$name"))
    await hear(database, stores, saved(2, "Asia/Tokyo", "east"), saved(1, "Asia/Tokyo", "west"))
    assert [store.region for store in await MongoStoreList(database).every("chn_1")] == ["east"]
    await hear(database, stores, saved(3, "Asia/Tokyo", "$name"))
    assert [store.region for store in await MongoStoreList(database).every("chn_1")] == ["$name"]
    assert await MongoStoreList(database).every("chn_2") == []


async def test_a_store_never_heard_of_is_asked_for_once_and_kept(database: Database) -> None:
    stores = StoreCopies(database, source=KnownMembers(), clock=FixedClock())
    assert (await stores.stores("chn_1", frozenset({"sto_2", "sto_9"}))).keys() == {"sto_2"}
    kept = await database.collection(STORES).find_one({"chain": "chn_1", "store": "sto_2"}, {"_id": False})
    assert kept == {
        "chain": "chn_1",
        "store": "sto_2",
        "version": 1,
        "time_zone": "Asia/Shanghai",
        "currency": "CNY",
        "region": "",
    }
