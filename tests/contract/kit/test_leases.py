import asyncio

import pytest

from services.kit.mongo.collections import Session
from services.kit.mongo.database import Conflict, Database
from services.kit.mongo.leases import LEASES, LeaseLostError, Leases
from tests.support.eventually import eventually


@pytest.fixture
def ours(database: Database) -> Leases:
    return Leases(database, owner="ours")


@pytest.fixture
def theirs(database: Database) -> Leases:
    return Leases(database, owner="theirs")


async def run_out(database: Database, name: str) -> None:
    await database.collection(LEASES).update_one({"_id": name}, [{"$set": {"until": "$$NOW"}}])


async def test_one_of_many_gets_it(database: Database) -> None:
    replicas = [Leases(database, owner=f"replica {number}") for number in range(8)]
    leases = [lease for lease in await asyncio.gather(*(each.acquire("job") for each in replicas)) if lease]
    assert len(leases) == 1
    assert leases[0].fence == 1


async def test_who_holds_it_does_not_get_it_twice(ours: Leases) -> None:
    assert await ours.acquire("job")
    assert await ours.acquire("job") is None
    assert await ours.acquire("other job")


async def test_it_passes_on_when_it_is_released_and_the_fence_rises(ours: Leases, theirs: Leases) -> None:
    first = await ours.acquire("job")
    assert first
    assert await theirs.acquire("job") is None
    await ours.release(first)
    second = await theirs.acquire("job")
    assert second
    assert (first.fence, second.fence) == (1, 2)


async def test_it_passes_on_when_it_runs_out(database: Database, theirs: Leases) -> None:
    crashed = Leases(database, owner="crashed", ttl_ms=100)
    assert await crashed.acquire("job")
    lease = await eventually(lambda: theirs.acquire("job"))
    assert lease
    assert lease.fence == 2


async def test_renewing_keeps_it(theirs: Leases, database: Database) -> None:
    loop = asyncio.get_running_loop()
    short = Leases(database, owner="short", ttl_ms=500)
    first = await short.acquire("job")
    assert first
    lease = first
    while loop.time() < first.good_until + 0.2:
        renewed = await short.renew(lease)
        assert renewed
        assert renewed.good_until > lease.good_until
        assert await theirs.acquire("job") is None
        lease = renewed
    assert lease.fence == first.fence == 1


async def test_a_former_holder_can_neither_renew_nor_release_it(
    ours: Leases, theirs: Leases, database: Database
) -> None:
    former = await ours.acquire("job")
    assert former
    await run_out(database, "job")
    current = await theirs.acquire("job")
    assert current
    assert await ours.renew(former) is None
    await ours.release(former)
    assert await ours.acquire("job") is None
    assert await theirs.renew(current)


async def test_a_holder_stops_before_the_server_gives_it_away(ours: Leases, database: Database) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    lease = await ours.acquire("job")
    assert lease
    row = await database.collection(LEASES).find_one({"_id": "job"})
    [server] = await database.aggregate(LEASES, [{"$match": {"_id": "job"}}, {"$project": {"now": "$$NOW"}}])
    assert row is not None
    left_at_server = (row["until"] - server["now"]).total_seconds()
    assert before <= lease.good_until - 10 <= loop.time()
    assert lease.good_until <= loop.time() + left_at_server + 0.002  # the server's time has whole milliseconds


async def test_a_transaction_is_fenced_by_its_lease(ours: Leases, theirs: Leases, database: Database) -> None:
    lease = await ours.acquire("job")
    assert lease
    current = lease

    async def body(session: Session) -> None:
        await ours.confirm(current, session=session)

    await database.in_transaction(body)
    await run_out(database, "job")
    await database.in_transaction(body)  # ran out, but nobody took it
    assert await theirs.acquire("job")
    with pytest.raises(LeaseLostError, match="The lease job has passed to another holder"):
        await database.in_transaction(body)


async def test_a_lease_that_passes_on_during_the_transaction_undoes_it(
    ours: Leases, theirs: Leases, database: Database
) -> None:
    lease = await ours.acquire("job")
    assert lease
    current = lease

    async def confirm(session: Session) -> None:
        await ours.confirm(current, session=session)

    async def body(session: Session) -> None:
        await database.collection(LEASES).find_one({"_id": "job"}, session=session)  # the snapshot begins here
        await run_out(database, "job")
        assert await theirs.acquire("job")
        await ours.confirm(current, session=session)

    await database.once_in_transaction(confirm)
    with pytest.raises(Conflict):
        await database.once_in_transaction(body)


async def test_who_is_there(ours: Leases, theirs: Leases, database: Database) -> None:
    for leases, name in ((ours, "relay/ours"), (theirs, "relay/theirs"), (ours, "relays"), (ours, "job")):
        assert await leases.acquire(name)
    assert await ours.holders("relay/") == ["relay/ours", "relay/theirs"]
    await run_out(database, "relay/theirs")
    assert await ours.holders("relay/") == ["relay/ours"]


async def test_leases_that_ran_out_long_ago_are_forgotten(ours: Leases, database: Database) -> None:
    for name in ("relay/a", "relay/b", "job"):
        assert await ours.acquire(name)
    two_days_ago = [{"$set": {"until": {"$subtract": ["$$NOW", 2 * 86_400_000]}}}]
    await database.collection(LEASES).update_many({"_id": {"$in": ["relay/a", "job"]}}, two_days_ago)
    await run_out(database, "relay/b")
    await ours.forget("relay/")
    rows = await database.collection(LEASES).find({}).sort("_id", 1).to_list(10)
    assert [row["_id"] for row in rows] == ["job", "relay/b"]
