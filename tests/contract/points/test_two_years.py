"""A sandbox chain moved through two years, from one thing that is due to the next, over the real store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from protos.events.v1.points_pb2 import PointsExpiring, TierChanged
from services.kit.ids import make_id
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import OUTBOX, Outbox
from services.kit.timestamps import from_timestamp
from services.points.domain.calendar import Span
from services.points.domain.commands import BookPurchase
from services.points.domain.drafts import Author
from services.points.domain.expiries import Expiry, Release
from services.points.domain.programs import DEFAULT_PROGRAM, Programs
from services.points.domain.purchases import Line, Purchase
from services.points.domain.tiers import Lasts, LastsKind, Tiers, Window, WindowKind, by_spend
from services.points.main import group_commit
from services.points.store.accounts import MongoAccounts
from services.points.store.due_accounts import MongoDueAccounts
from services.points.usecases.settle_due import Settling
from tests.contract.points.booked import verified
from tests.contract.points.conftest import Ledger
from tests.support.clock import FixedClock
from tests.support.programs import OneProgram

CHAIN = "sbx_1"
ZONE = ZoneInfo("Europe/London")
LONDON = OneProgram(
    Programs(
        (
            replace(
                DEFAULT_PROGRAM,
                tiers=Tiers(
                    (by_spend("regular", 0), by_spend("silver", 50_000, earn_permille=1_200)),
                    window=Window(WindowKind.CALENDAR, 12),
                    lasts=Lasts(LastsKind.PERIODS, 1, grace_days=28),
                ),
                expiry=Expiry(Span(months=12)),
                release=Release(14),
                remind_days=30,
            ),
        ),
        "Europe/London",
    )
)
"""The clocks go forward on 2027-03-28 and 2028-03-26 there, and back on 2027-10-31."""


def at(local: str) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)


def shown(moment: datetime) -> str:
    local = moment.astimezone(ZONE)
    return f"{local:%Y-%m-%d}" if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%dT%H:%M}"


@dataclass
class Sandbox:
    database: Database
    ledger: Ledger
    clocks: MongoChainClocks
    settling: Settling

    async def move(self, to: datetime) -> None:
        """Stop wherever something is due, as the operators' command does."""
        now = await self.clocks.now(CHAIN)
        while now < to:
            due = await self.settling.next_due(CHAIN, now)
            now = to if due is None else min(due, to)
            await self.clocks.move(CHAIN, now)
            await self.settling.run(CHAIN, now)

    async def buy(self, number: int, local: str, paid_minor: int) -> None:
        await self.move(at(local))
        bought = Purchase("sto_1", f"R{number}", "mem_ada", at(local), "GBP", (Line("tea", 1, paid_minor),))
        author = Author(CHAIN, f"ent_{number:04}", await self.clocks.now(CHAIN), "till:t", bought.key)
        command = BookPurchase(
            author=author, purchase=bought, time_zone="Europe/London", purchase_id=f"pur_{number}", opens_account=True
        )
        await self.ledger.submit(command)


@pytest.fixture
async def sandbox(database: Database, clock: FixedClock) -> AsyncIterator[Sandbox]:
    ledger = group_commit(database, Outbox(database), LONDON)
    await ledger.start()
    clocks = MongoChainClocks(database, system=clock)
    settling = Settling(MongoDueAccounts(database), ledger, make_id, Outbox(database), clocks)
    yield Sandbox(database, ledger, clocks, settling)
    await ledger.stop()


async def test_each_thing_happens_on_its_day(sandbox: Sandbox) -> None:
    await sandbox.clocks.move(CHAIN, at("2027-02-01T09:00"))
    await sandbox.buy(1, "2027-02-28T23:30", 10_000)
    await sandbox.buy(2, "2027-03-14T09:00", 45_000)  # 550.00: silver to the end of 2028
    await sandbox.buy(3, "2028-02-29T08:00", 1_000)
    await sandbox.move(at("2029-04-01T00:00"))
    journal = await MongoAccounts(sandbox.database).journals(CHAIN, ["mem_ada"], before=None, first=50)
    happened = [
        (entry.kind.value, shown(entry.occurred_at), shown(entry.booked_at), entry.postings[0].amount)
        for entry in reversed(journal["mem_ada"])
        if entry.kind.value != "purchase"
    ]
    assert happened == [
        ("level", "2027-03-14T09:00", "2027-03-14T09:00", 0),
        ("release", "2027-03-15", "2027-03-15", 0),
        ("release", "2027-03-29", "2027-03-29", 0),  # the day before had 23 hours
        ("expiry", "2028-02-29", "2028-02-29", -100),  # its last day was the 28th
        ("release", "2028-03-15", "2028-03-15", 0),
        ("expiry", "2028-03-15", "2028-03-15", -450),
        ("level", "2029-01-29", "2029-01-29", 0),
        ("expiry", "2029-03-01", "2029-03-01", -12),
    ]
    rows = [row async for row in sandbox.database.collection(OUTBOX).find({"chain": CHAIN}).sort("sequence", 1)]
    reminded = [
        (shown(row["at"].replace(tzinfo=UTC)), told.amount, shown(from_timestamp(told.expires_at)))
        for row in rows
        if row["type"] == PointsExpiring.DESCRIPTOR.full_name
        for told in [PointsExpiring.FromString(row["body"])]
    ]
    assert reminded == [
        ("2028-01-30", 100, "2028-02-29"),
        ("2028-02-14", 450, "2028-03-15"),
        ("2029-01-30", 12, "2029-03-01"),
    ]
    levels = [
        (told.to_level, shown(from_timestamp(told.since)), told.reason)
        for row in rows
        if row["type"] == TierChanged.DESCRIPTOR.full_name
        for told in [TierChanged.FromString(row["body"])]
    ]
    assert levels == [("silver", "2027-03-14T09:00", "reached"), ("regular", "2029-01-29", "ended")]
    assert await verified(sandbox.database, chain=CHAIN) == []
