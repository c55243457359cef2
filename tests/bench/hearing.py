"""Purchase events taken into portraits in batches, as the consumer does, against one transaction for each event."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import Any

from infra.local.mongod import Mongod
from infra.local.ports import free_port
from protos.common.v1.money_pb2 import Money
from protos.events.v1 import points_pb2
from services.kit.ids import make_id
from services.kit.mongo import command_keys
from services.kit.mongo.database import Database
from services.kit.outbox import outbox
from services.kit.outbox.events import Event
from services.kit.outbox.outbox import Outbox
from services.kit.rabbit import inbox
from services.kit.rabbit.inbox import Inbox
from services.kit.sealing import FileWrappingKeys, wrapping_key_line
from services.kit.timestamps import to_timestamp
from services.members.consumers import Completer, CreditHandler, Handlers, PortraitHandler, Watch
from services.members.domain.enrollment import Enroll, fold
from services.members.domain.members import Channel, Member
from services.members.domain.profiles import Profile
from services.members.store.completing import MongoCompleting
from services.members.store.credits import MongoCredits
from services.members.store.enrollment import MongoRoll
from services.members.store.migrations import migrations
from services.members.store.portraits import MongoPortraits
from services.members.store.signals import MongoSignals
from services.members.store.timeline import TIMELINE
from services.members.store.vault import Vault
from tests.bench.figures import ROUNDS, Figure, middle, spread

CHAIN = "chn_bench"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)

PARTITIONS = 4
"""As many queues as the broker gives each subscriber: so many transactions are under way on either side."""

BATCH = 200
"""What a consumer has in hand when it is behind."""

PART = 5
"""The baseline gets so many times fewer events: it is that much slower."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One side's round."""

    events: int
    took_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Events applied a second."""
        return self.events / self.took_s


def events_vs_txn(folder: Path, *, members: int) -> Figure:
    """Return purchase events applied per second in batches against those of one transaction for each."""
    with free_port() as port, Mongod(folder / "mongod", port=port) as mongod:
        rounds = asyncio.run(_measured(folder, mongod.url, members))
    ratios = [ours.per_s / theirs.per_s for ours, theirs in rounds]
    return Figure(
        figure="members.events_vs_txn",
        value=middle(ratios),
        unit="ratio",
        spread=spread(ratios),
        detail={
            "target": ">= 5",
            "members": members,
            "batches": _told([ours for ours, _ in rounds]),
            "txn": _told([theirs for _, theirs in rounds]),
            "how": "both through the inbox into timelines, portraits and cursors, looked at for fraud, "
            f"referrals and credits, {PARTITIONS} transactions at once, w:majority, j:true; {BATCH} events in one "
            "transaction against one in each; one process on one mongod",
        },
    )


async def _measured(folder: Path, url: str, members: int) -> list[tuple[Heard, Heard]]:
    database = Database.connect(url, name="bench_hearing")
    try:
        vault = _vault(folder, database)
        names = await _set_up(vault, database, members)
        taking = Inbox(database, handle=_handler(database, vault))
        heard = dict.fromkeys(names, 0)
        rounds = []
        for _ in range(ROUNDS + 1):
            ours = await _hear(taking, _purchases(names, heard), batch=BATCH)
            theirs = await _hear(taking, _purchases(names[: members // PART], heard), batch=1)
            rounds.append((ours, theirs))
        kept = await database.collection(TIMELINE).count_documents({"chain": CHAIN})
        if kept != sum(heard.values()):
            message = f"{sum(heard.values())} events were told, {kept} are in timelines"
            raise RuntimeError(message)
    finally:
        await database.close()
    return rounds[1:]  # the first one was to warm up


class _Then:
    """What time it is for a chain whose purchases these are: the latest of them is news."""

    async def now(self, _chain: str) -> datetime:
        return NOW + timedelta(days=2 * ROUNDS)

    async def each(self, chains: Iterable[str]) -> Mapping[str, datetime]:
        return {chain: await self.now(chain) for chain in chains}


def _handler(database: Database, vault: Vault) -> Handlers:
    """Return what the service handles these events with, referrals, signs of fraud and credits included."""
    outbox_ = Outbox(database)
    completer = Completer(partial(MongoCompleting, database, vault, outbox_), _Then())
    watch = Watch(partial(MongoSignals, database, outbox_), _Then(), make_id)
    portraits = PortraitHandler(partial(MongoPortraits, database), completer, watch)
    return Handlers(portraits, CreditHandler(partial(MongoCredits, database)))


async def _hear(taking: Inbox, events: Sequence[Event], *, batch: int) -> Heard:
    cpu_s, began = time.process_time(), time.monotonic()
    queues = [events[number::PARTITIONS] for number in range(PARTITIONS)]

    async def one_after_the_other(queue: Sequence[Event]) -> None:
        for start in range(0, len(queue), batch):
            await taking.take(queue[start : start + batch])

    await asyncio.gather(*map(one_after_the_other, queues))
    return Heard(len(events), time.monotonic() - began, time.process_time() - cpu_s)


def _purchases(names: Sequence[str], heard: dict[str, int]) -> list[Event]:
    """Return one more purchase of each member, numbered as the member's next."""
    events = []
    for name in names:
        heard[name] += 1
        at = NOW + timedelta(days=heard[name])
        body = points_pb2.PurchaseBooked(
            purchase_id=make_id("pur", at),
            member_id=name,
            store_id="sto_1",
            occurred_at=to_timestamp(at),
            paid=Money(amount_minor=5_000, currency="CNY"),
            time_zone="Asia/Shanghai",
        )
        events.append(
            Event(
                id=f"{CHAIN}/{name}/{heard[name]}",
                chain=CHAIN,
                stream="points.account",
                aggregate=name,
                sequence=heard[name],
                type=body.DESCRIPTOR.full_name,
                at=at,
                body=body.SerializeToString(),
            )
        )
    return events


def _vault(folder: Path, database: Database) -> Vault:
    keys = folder / "wrapping.keys"
    keys.write_text(wrapping_key_line("bench", token_bytes(32)))
    return Vault(database, FileWrappingKeys(keys, random_bytes=token_bytes), random_bytes=token_bytes)


async def _set_up(vault: Vault, database: Database, members: int) -> list[str]:
    """Create the collections, enroll `members`, and return their ids."""
    for set_up in (command_keys.set_up, outbox.set_up, inbox.set_up):
        await set_up(database)
    for migration in migrations(vault):
        await migration.apply(database)
    roll = MongoRoll(database, vault, Outbox(database))
    names = [make_id("mem", NOW) for _ in range(members)]
    for start in range(0, members, 500):
        commands = [
            Enroll(CHAIN, f"enroll-{name}", b"", Member(name, Profile("Bench"), NOW, Channel.POS), (), NOW)
            for name in names[start : start + 500]
        ]
        await roll.commit(commands, fold)
    return names


def _told(rounds: list[Heard]) -> dict[str, Any]:
    return {
        "events_per_s": middle([one.per_s for one in rounds]),
        "rounds_per_s": [round(one.per_s) for one in rounds],
        "cpu_ms_per_event": middle([1_000 * one.cpu_s / one.events for one in rounds]),
    }
