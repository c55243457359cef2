"""Lots that expire: settled in bulk as the job does, against one transaction for each account."""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from infra.local.mongod import Mongod
from infra.local.ports import free_port
from services.kit.chain_clocks import ChainClocks
from services.kit.clock import system_clock
from services.kit.errors import Problem
from services.kit.group_commit import GroupCommit
from services.kit.ids import make_id
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import Outbox
from services.points import main
from services.points.domain.batches import Answer
from services.points.domain.calendar import Span
from services.points.domain.commands import AnyCommand, BookPurchase
from services.points.domain.drafts import Author
from services.points.domain.expiries import Expiry
from services.points.domain.programs import DEFAULT_PROGRAM, Programs
from services.points.domain.purchases import Line, Purchase
from services.points.store.collections import ENTRIES, LOTS
from services.points.store.due_accounts import MongoDueAccounts
from services.points.store.journal import MongoJournal
from services.points.usecases.ledger import commit
from services.points.usecases.settle_due import AT_ONCE, Settling
from tests.bench.composed import OneByOne, set_up
from tests.bench.figures import ROUNDS, Figure, middle, spread
from tests.bench.receipts import CURRENCY, STORES, TIME_ZONE, member_name
from tests.support.programs import OneProgram

EXPIRING = OneProgram(Programs((replace(DEFAULT_PROGRAM, expiry=Expiry(Span(days=30))),)))
EARNED = datetime(2026, 1, 5, 12, tzinfo=UTC)
GONE = EARNED + timedelta(days=40)

PART = 8
"""The baseline gets so many times fewer accounts: it is that much slower."""


@dataclass(frozen=True, slots=True)
class Settled:
    """One side's round."""

    accounts: int
    took_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Lots expired a second; each account has one."""
        return self.accounts / self.took_s


def expire_vs_txn(folder: Path, *, accounts: int) -> Figure:
    """Return lots expired per second by the job against those of one transaction for each account."""
    with free_port() as port, Mongod(folder / "mongod", port=port) as mongod:
        rounds = asyncio.run(_measured(mongod.url, accounts))
    ratios = [ours.per_s / theirs.per_s for ours, theirs in rounds]
    return Figure(
        figure="points.expire_vs_txn",
        value=middle(ratios),
        unit="ratio",
        spread=spread(ratios),
        detail={
            "target": ">= 8",
            "accounts_a_round": {"job": rounds[0][0].accounts, "txn": rounds[0][1].accounts},
            "job": _told([ours for ours, _ in rounds]),
            "txn": _told([theirs for _, theirs in rounds]),
            "how": f"the job settles {AT_ONCE} accounts in one commit; the baseline does the same fold and writes the "
            "same documents (account, entry, lot, event) in a transaction for each account, as many at once as points "
            "has commits; both in one process on one mongod, w:majority, j:true",
        },
    )


async def _measured(url: str, accounts: int) -> list[tuple[Settled, Settled]]:
    database = Database.connect(url, name="bench_expire")
    await set_up(database)
    outbox = Outbox(database)
    group = main.group_commit(database, outbox, EXPIRING)
    one_by_one = OneByOne(partial(commit, journal=MongoJournal(database, outbox, EXPIRING)))
    clocks = MongoChainClocks(database, system=system_clock)
    await group.start()
    try:
        for number in range(ROUNDS + 1):
            await _earn(group, f"chn_job{number}", accounts)
            await _earn(group, f"chn_txn{number}", accounts // PART)
        rounds = []
        for number in range(ROUNDS + 1):
            ours = await _settle(database, group, clocks, f"chn_job{number}", accounts)
            theirs = await _settle(database, one_by_one, clocks, f"chn_txn{number}", accounts // PART)
            rounds.append((ours, theirs))
    finally:
        await group.stop()
        await database.close()
    return rounds[1:]  # the first one was to warm up


async def _earn(ledger: GroupCommit[AnyCommand, Answer], chain: str, accounts: int) -> None:
    for start in range(0, accounts, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, accounts))
        for answer in await ledger.submit_all([_purchase(chain, number) for number in numbers]):
            if isinstance(answer, Problem):
                raise answer


def _purchase(chain: str, number: int) -> BookPurchase:
    lines = (Line("item-001", 1, 5_000),)
    bought = Purchase(STORES[0], f"R{number}", member_name(number), EARNED, CURRENCY, lines)
    return BookPurchase(
        author=Author(chain, make_id("ent", EARNED), EARNED, "till:bench", bought.key),
        purchase=bought,
        time_zone=TIME_ZONE,
        purchase_id=make_id("pur", EARNED),
        opens_account=True,
    )


async def _settle(
    database: Database, ledger: GroupCommit[AnyCommand, Answer] | OneByOne, clocks: ChainClocks, chain: str, due: int
) -> Settled:
    settling = Settling(MongoDueAccounts(database), ledger, make_id, Outbox(database), clocks)
    cpu_s, began = time.process_time(), time.monotonic()
    accounts = await settling.run(chain, GONE)
    took = Settled(accounts, time.monotonic() - began, time.process_time() - cpu_s)
    booked = await database.collection(ENTRIES).count_documents({"chain": chain, "kind": "expiry"})
    left = await database.collection(LOTS).count_documents({"chain": chain, "open": True})
    if (accounts, booked, left) != (due, due, 0):
        message = f"{due} accounts were due; {accounts} were settled, {booked} lots expired, {left} are left"
        raise RuntimeError(message)
    return took


def _told(rounds: list[Settled]) -> dict[str, Any]:
    return {
        "lots_per_s": middle([one.per_s for one in rounds]),
        "rounds_per_s": [round(one.per_s) for one in rounds],
        "cpu_s_per_1000": middle([1_000 * one.cpu_s / one.accounts for one in rounds]),
    }
