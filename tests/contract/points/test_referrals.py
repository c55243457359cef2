"""Both sides of a referral are rewarded, once, whatever comes twice and whoever does the work."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from protos.events.v1.members_pb2 import MemberErased, ReferralCompleted
from services.kit.errors import Problem
from services.kit.ids import make_id
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.kit.outbox.events import Event
from services.kit.timestamps import to_timestamp
from services.points.consumers import MembersHandler
from services.points.domain.batches import Answer
from services.points.domain.commands import AnyCommand
from services.points.domain.programs import DEFAULT_PROGRAM, Programs
from services.points.domain.referral_terms import Referral
from services.points.store.accounts import MongoAccounts
from services.points.store.collections import ACCOUNTS, ENTRIES
from services.points.store.copies import MongoCopies
from services.points.store.items import ItemCopies
from services.points.store.merges import MongoHeardMerges
from services.points.store.referrals import REFERRAL_WISHES, MongoHeardReferrals, MongoRewards
from services.points.store.stores import StoreCopies
from services.points.usecases.ledger import Ledger
from services.points.usecases.referrals import Rewarder
from tests.contract.points.booked import verified
from tests.contract.points.conftest import ledger_on
from tests.contract.points.desk import KnownMembers
from tests.support.clock import START, FixedClock
from tests.support.programs import program_with

TERMS = Referral(referrer_points=300, referred_points=200, most_a_month=2)
PROGRAMS = Programs((program_with(referral=TERMS),))


def completed(referred: str = "mem_bob", referrer: str = "mem_ada", *, chain: str = "chn_1", days: int = 0) -> Event:
    return event(told(referred, f"rfl_{referred}", referrer, days=days), chain=chain)


def told(referred: str, referral: str, referrer: str = "mem_ada", *, days: int = 0) -> ReferralCompleted:
    at = to_timestamp(START + timedelta(days=days))
    return ReferralCompleted(member_id=referred, referral_id=referral, referrer_id=referrer, completed_at=at)


def event(body: ReferralCompleted | MemberErased, *, chain: str = "chn_1") -> Event:
    return Event(
        id=f"{chain}/{body.member_id}/2",
        chain=chain,
        stream="members.member",
        aggregate=body.member_id,
        sequence=2,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
    )


async def hear(database: Database, *events: Event) -> None:
    stores = StoreCopies(database, source=KnownMembers(), clock=FixedClock())
    items = ItemCopies(database, source=KnownMembers(), clock=FixedClock())
    handler = MembersHandler(
        partial(MongoCopies, database, stores, items),
        partial(MongoHeardMerges, database),
        partial(MongoHeardReferrals, database),
    )
    await database.in_transaction(partial(handler, events))


@asynccontextmanager
async def rewarding(database: Database, programs: Programs = PROGRAMS) -> AsyncIterator[Rewarder]:
    ledger = ledger_on(database, programs)
    await ledger.start()
    try:
        yield Rewarder(MongoRewards(database), ledger, MongoChainClocks(database, system=FixedClock()), make_id)
    finally:
        await ledger.stop()


async def available(database: Database, chain: str = "chn_1") -> dict[str, int]:
    found = await database.collection(ACCOUNTS).find({"chain": chain}, {"account": True}).to_list(None)
    accounts = await MongoAccounts(database).accounts(chain, sorted(one["account"] for one in found))
    return {name: one.account.balance("points").available for name, one in accounts.items()}


@dataclass
class HalfLedger:
    """A ledger that is lost after the first command of a batch."""

    whole: Ledger

    def check_room(self, count: int) -> None:
        self.whole.check_room(count)

    async def submit_all(self, commands: Sequence[AnyCommand]) -> Sequence[Answer | Problem]:
        await self.whole.submit_all(commands[:1])
        raise ConnectionError


async def test_both_sides_are_rewarded_once_however_often_it_is_heard_and_done(database: Database) -> None:
    async with rewarding(database) as job, rewarding(database) as other_job:
        await hear(database, completed(), completed())
        await asyncio.gather(job.carry_out(), other_job.carry_out())  # two replicas, one of which has lost its lease
        assert await available(database) == {"mem_ada": 300, "mem_bob": 200}
        assert await database.collection(REFERRAL_WISHES).count_documents({}) == 0
        await hear(database, completed())  # redelivered, and its cursor lost
        assert (await job.carry_out(), await other_job.carry_out()) == (1, 0)
        assert await available(database) == {"mem_ada": 300, "mem_bob": 200}
        assert await verified(database, chain="chn_1") == []
        entries = await database.collection(ENTRIES).find({"chain": "chn_1"}).to_list(None)
        assert sorted((one["account"], one["kind"], one["amount"]) for one in entries) == [
            ("mem_ada", "referral", 300),
            ("mem_bob", "referral", 200),
        ]


async def test_a_job_that_was_cut_short_after_one_side_does_the_other(database: Database) -> None:
    async with rewarding(database) as job:
        await hear(database, completed())
        [wish] = await job.rewards.waiting(first=10)

        with suppress(ConnectionError):
            await replace(job, ledger=HalfLedger(job.ledger)).carry_out()
        assert await available(database) == {"mem_ada": 300}
        assert await job.rewards.waiting(first=10) == [wish]
        assert await job.carry_out() == 1
        assert await available(database) == {"mem_ada": 300, "mem_bob": 200}
        assert await verified(database, chain="chn_1") == []


async def test_another_referral_of_the_same_member_is_another_reward(database: Database) -> None:
    """As when two that had become one were told apart again, and the other one bought for the first time."""
    async with rewarding(database) as job:
        again = replace(completed(), body=told("mem_bob", "rfl_again").SerializeToString())
        await hear(database, completed(), again)
        assert await job.carry_out() == 2
        assert await available(database) == {"mem_ada": 600, "mem_bob": 400}


async def test_a_referrer_gets_at_most_so_many_in_a_month_and_another_chain_is_not_counted(database: Database) -> None:
    async with rewarding(database) as job:
        await hear(database, *(completed(f"mem_{number}") for number in range(5)), completed("mem_0", chain="chn_2"))
        assert await job.carry_out() == 6
        friends = {f"mem_{number}": 200 for number in range(5)}
        assert await available(database) == {"mem_ada": 600, **friends}
        assert await available(database, "chn_2") == {"mem_ada": 300, "mem_0": 200}
        await hear(database, completed("mem_9", days=31))
        assert await job.carry_out() == 1
        assert await available(database) == {"mem_ada": 900, **friends, "mem_9": 200}
        assert await verified(database, chain="chn_1") == []


async def test_a_program_that_says_nothing_gives_nothing_and_opens_nothing(database: Database) -> None:
    async with rewarding(database, Programs((DEFAULT_PROGRAM,))) as job:
        await hear(database, completed())
        assert (await job.carry_out(), await job.carry_out()) == (1, 0)
        assert await available(database) == {}
        assert await database.collection(REFERRAL_WISHES).count_documents({}) == 0


async def test_who_was_erased_meanwhile_gets_nothing_and_the_other_what_it_would_have_got(database: Database) -> None:
    async with rewarding(database) as job:
        await hear(database, completed(), event(MemberErased(member_id="mem_ada")))
        assert await job.carry_out() == 1
        assert await available(database) == {"mem_bob": 200}
