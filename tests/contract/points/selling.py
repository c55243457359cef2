"""A chain whose events are told to the sums of its sales: booked by the real ledger, heard by the real handler."""

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session
from services.kit.outbox.events import Event
from services.kit.outbox.outbox import Outbox
from services.kit.principal import Caller, Principal
from services.points.consumers import SalesHandler
from services.points.domain.commands import BookPurchase, BookRefund
from services.points.domain.purchases import Channel, Line, Purchase
from services.points.domain.refunds import Refund, RefundLine
from services.points.domain.sales import Additions, Turned
from services.points.domain.sales_reports import Dimension, Question
from services.points.events.told import sold
from services.points.store.collections import STORES
from services.points.store.sales import MongoSalesBook, MongoSalesNews, MongoSalesRoll
from services.points.store.sales_reports import MongoSalesSums
from services.points.store.stores import MongoStoreList
from services.points.usecases.sales_reports import Insight, SalesReport, sales
from tests.contract.points.booked import CHAIN, Booker, day

PARTITIONS = 8
STAFF = Principal(CHAIN, Caller.STAFF, "sta_1", frozenset({"insight:read"}))
REGIONS = {"sto_1": "east", "sto_2": "west", "sto_3": "east"}
ITEMS = [("noodles", "mains"), ("tea", "drinks"), ("a.b$c%/d", "x/y"), ("", ""), ("=1+1", "面")]


class Seller:
    def __init__(self, booker: Booker) -> None:
        self.booker, self.database = booker, booker.database
        self.insight = Insight(MongoSalesSums(self.database), MongoStoreList(self.database))

    async def open_stores(self, chain: str = CHAIN) -> None:
        for store, region in REGIONS.items():
            content: Document = {"version": 1, "time_zone": "Asia/Shanghai", "currency": "CNY", "region": region}
            await self.database.collection(STORES).insert_one({"chain": chain, "store": store, **content})

    def purchase(self, number: str, **more: Any) -> BookPurchase:
        at = more.pop("at", day(0))
        visit_zone = more.pop("time_zone", "Asia/Shanghai")
        bought = Purchase(
            store=more.pop("store", "sto_1"),
            receipt_number=number,
            member=more.pop("member", "mem_ada"),
            occurred_at=at,
            currency="CNY",
            lines=more.pop("lines", (Line("noodles", 1, 1_000, category="mains"),)),
            **more,
        )
        return BookPurchase(
            author=self.booker.author(at, bought.key),
            purchase=bought,
            time_zone=visit_zone,
            purchase_id=f"pur_{number}",
            opens_account=True,
        )

    def refund(self, number: str, of: str, *lines: RefundLine, **more: Any) -> BookRefund:
        at = more.pop("at", day(0))
        wanted = Refund(
            store=more.pop("store", "sto_1"), number=number, receipt_number=of, occurred_at=at, lines=lines, **more
        )
        return BookRefund(author=self.booker.author(at, wanted.key), refund=wanted, refund_id=f"ref_{number}")

    async def told(self) -> list[Event]:
        """Take what the ledger has told since the last time, each account's in order."""
        outbox, found = Outbox(self.database), list[Event]()
        for partition in range(PARTITIONS):
            while some := await outbox.first(self.booker.chain, partition, most=1_000):
                found += some
                await outbox.delete(some, partition=partition)
        return found

    async def hear(self, events: Sequence[Event]) -> None:
        await self.note(events)
        while await MongoSalesRoll(self.database).add_some(self.booker.chain):
            pass

    async def note(self, events: Sequence[Event]) -> None:
        handler = SalesHandler(partial(MongoSalesNews, self.database))
        await self.database.in_transaction(partial(handler, events))

    async def hear_as(self, generation: int, events: Sequence[Event]) -> None:
        """Let only one counting hear of it."""
        additions = Additions()
        for event in events:
            if (one := sold(event)) is not None:
                additions.add(one)

        async def once(session: Session) -> None:
            await MongoSalesBook(self.database, session).add(self.booker.chain, generation, additions)

        await self.database.in_transaction(once)

    async def sell(self, *commands: BookPurchase | BookRefund) -> None:
        await self.booker.book(*commands)
        await self.hear(await self.told())

    async def report(self, *by: str, caller: Principal = STAFF, **more: Any) -> SalesReport:
        since, until = more.pop("since", day(-100).date()), more.pop("until", day(100).date())
        question = Question(since, until, tuple(map(Dimension, by)), **more)
        return await sales(question, caller=caller, insight=self.insight)

    async def rows(self, *by: str, show: Sequence[str], **more: Any) -> dict[tuple[str, ...], tuple[Any, ...]]:
        report = await self.report(*by, **more)
        return {row.group: tuple(getattr(row.sums, name) for name in show) for row in report.rows}


async def kept(database: Database, keyed: Keyed, *, generation: int, chain: str = CHAIN) -> list[Document]:
    """Return a counting's documents without its number, in an order of their own, and without who turned: see there."""
    found = database.collection(keyed).find({"chain": chain, "generation": generation}, {"_id": False})
    documents = [{**one, "generation": ""} for one in await found.to_list(None)]
    for one in documents:
        one.pop("guests", None)
        one.pop("repeaters", None)
    return sorted(documents, key=lambda one: (one.get("store", one.get("account")), one.get("span", one.get("month"))))


async def turned(seller: Seller, *, generation: int) -> Mapping[str, Turned]:
    """Return the months' guests: at which store a member is counted depends on which purchase is heard of first, the
    sums do not."""
    months = [f"2026-{number:02}" for number in range(1, 13)]
    return await seller.insight.sums.turned(CHAIN, generation, stores=list(REGIONS), months=months)


def anything(dice: random.Random, seller: Seller, *, count: int) -> list[BookPurchase | BookRefund]:
    """Return purchases of all kinds, and refunds of some, in any order: also before their purchase."""
    commands: list[BookPurchase | BookRefund] = []
    for number in range(count):
        lines = tuple(_line(dice) for _ in range(dice.randint(1, 4)))
        store = dice.choice(list(REGIONS))
        at = day(dice.uniform(-40, 40))
        commands.append(
            seller.purchase(
                f"R{number}",
                at=at,
                store=store,
                member=f"mem_{dice.randint(1, 6)}",
                lines=lines,
                channel=dice.choice(list(Channel)),
                party_size=dice.randint(0, 5),
                time_zone=dice.choice(["Asia/Shanghai", "America/New_York", "Europe/Berlin"]),
            )
        )
        if dice.random() < 0.4:
            back = () if dice.random() < 0.5 else (RefundLine(1, 1),)
            elsewhere = dice.choice(list(REGIONS))
            commands.append(
                seller.refund(
                    f"C{number}",
                    f"R{number}",
                    *back,
                    at=at + timedelta(days=dice.uniform(0, 5)),
                    store=elsewhere,
                    receipt_store=store,
                )
            )
    dice.shuffle(commands)
    return commands


def _line(dice: random.Random) -> Line:
    code, category = dice.choice(ITEMS)
    gross = dice.randint(0, 5_000)
    return Line(
        code, dice.randint(1, 3), gross, discount_minor=dice.randint(0, gross), category=category,
        cost_minor=dice.choice([0, dice.randint(1, 900)]),
    )  # fmt: skip


def shuffled(dice: random.Random, events: Sequence[Event]) -> list[list[Event]]:
    """Return batches of any size in any order, each account's events in their own."""
    queues: dict[str, list[Event]] = {}
    for event in events:
        queues.setdefault(event.aggregate, []).append(event)
    mixed: list[Event] = []
    while queues:
        aggregate = dice.choice(sorted(queues))
        mixed.append(queues[aggregate].pop(0))
        if not queues[aggregate]:
            del queues[aggregate]
    batches: list[list[Event]] = []
    while mixed:
        size = dice.randint(1, 20)
        batches.append(mixed[:size])
        mixed = mixed[size:]
    return batches
