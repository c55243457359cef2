"""Copies of the menu, and the items that a command brings to the ledger."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from pymongo.monitoring import CommandStartedEvent

from protos.events.v1.members_pb2 import MenuItemSaved
from protos.members.v1 import chains_pb2
from services.kit.errors import Problem
from services.kit.ids import make_id
from services.kit.mongo.database import Database, Driver
from services.kit.outbox.events import Event
from services.points.clients import MembersClient
from services.points.consumers import MembersHandler
from services.points.domain.batches import Answer
from services.points.domain.commands import AnyCommand, BookPurchase
from services.points.domain.items import Item
from services.points.domain.programs import Programs
from services.points.domain.purchases import Line
from services.points.store import items as room
from services.points.store.collections import MENU_ITEMS
from services.points.store.copies import MongoCopies
from services.points.store.items import ItemCopies
from services.points.store.merges import MongoHeardMerges
from services.points.store.referrals import MongoHeardReferrals
from services.points.store.stores import StoreCopies
from services.points.usecases.ledger import Call
from services.points.usecases.record_purchases import Receipt, record_purchases
from tests.contract.points.desk import STAFF, KnownMembers, Points, receipt
from tests.support.clock import START, FixedClock
from tests.support.members_service import members_running, migrate_members, staff
from tests.support.programs import OneProgram
from tests.support.recycled import Recycled
from tests.support.watched import Watched
from tests.unit.points.receipts import LATER, purchase

TEA = Item("tea", 3, "$drinks", date(2026, 3, 1))
EGG = Item("egg", 1, "", None)


def copies_of(database: Database, members: KnownMembers, clock: FixedClock | None = None) -> ItemCopies:
    return ItemCopies(database, source=members, clock=clock or FixedClock())


def saved(version: int, category: str, launched_on: str = "", *, chain: str = "chn_1") -> Event:
    body = MenuItemSaved(item_code="tea", version=version, name="Tea", category=category, launched_on=launched_on)
    return Event(
        id=f"itm_tea/{version}",
        chain=chain,
        stream="members.menu",
        aggregate="itm_tea",
        sequence=version,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
    )


async def hear(database: Database, items: ItemCopies, *events: Event) -> None:
    stores = StoreCopies(database, source=KnownMembers(), clock=FixedClock())
    handler = MembersHandler(
        partial(MongoCopies, database, stores, items),
        partial(MongoHeardMerges, database),
        partial(MongoHeardReferrals, database),
    )
    await database.in_transaction(partial(handler, events))


async def test_the_newest_version_of_an_item_is_kept_for_its_chain(database: Database) -> None:
    members = KnownMembers()
    items = copies_of(database, members)
    await hear(database, items, saved(2, "snacks"), saved(3, "$drinks", "2026-03-01"))
    await hear(database, items, saved(1, "soups"), saved(7, "theirs", chain="chn_2"))
    assert await items.items("chn_1", frozenset({"tea"})) == {"tea": TEA}
    assert (await items.items("chn_2", frozenset({"tea"})))["tea"].version == 7
    assert members.asked_items == []


async def test_items_never_heard_of_are_asked_for_once_and_kept(database: Database) -> None:
    members = KnownMembers(menu={"tea": TEA, "egg": EGG, "rice": replace(EGG, code="rice")})
    both = {"tea": TEA, "egg": EGG}
    for items in (copies_of(database, members), copies_of(database, members)):
        for _ in range(2):
            assert await items.items("chn_1", frozenset(both)) == both
    assert members.asked_items == [frozenset(both)]
    kept = await database.collection(MENU_ITEMS).find({"chain": "chn_1"}, {"_id": False}).sort("code", 1).to_list(9)
    assert kept == [
        {"chain": "chn_1", "code": "egg", "version": 1, "category": "", "launched_on": ""},
        {"chain": "chn_1", "code": "tea", "version": 3, "category": "$drinks", "launched_on": "2026-03-01"},
    ]


async def test_what_is_on_no_menu_is_remembered_for_a_minute(database: Database) -> None:
    clock, members = FixedClock(), KnownMembers(menu={"tea": TEA})
    items = copies_of(database, members, clock)
    asked = frozenset({"tea", "junk"})
    assert await items.items("chn_1", asked) == {"tea": TEA}
    clock.move(timedelta(seconds=59))
    assert await items.items("chn_1", asked) == {"tea": TEA}
    assert members.asked_items == [asked]
    members.menu["junk"] = replace(EGG, code="junk")
    clock.move(timedelta(seconds=1))
    assert (await items.items("chn_1", asked)).keys() == asked
    assert members.asked_items == [asked, frozenset({"junk"})]


async def test_while_members_is_away_the_known_items_are_given_and_it_is_not_asked_again_at_once(
    database: Database,
) -> None:
    clock, members = FixedClock(), KnownMembers(menu={"tea": TEA, "egg": EGG})
    items = copies_of(database, members, clock)
    await items.items("chn_1", frozenset({"tea"}))
    members.away = True
    for _ in range(2):
        assert await items.items("chn_1", frozenset({"tea", "egg"})) == {"tea": TEA}
    assert len(members.asked_items) == 2
    members.away = False
    clock.move(timedelta(seconds=5))
    assert await items.items("chn_1", frozenset({"tea", "egg"})) == {"tea": TEA, "egg": EGG}


async def test_memory_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CACHE_SIZE", 2)
    members = KnownMembers()
    items = copies_of(database, members)
    for code in ("a", "b", "c", "b", "a"):
        await items.items("chn_1", frozenset(code))
    assert members.asked_items == [frozenset(code) for code in ("a", "b", "c", "a")]


def listen(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the filters with which copies are looked for from now on."""
    listener, filters = database.listener, list[dict[str, Any]]()
    assert listener is not None
    checked = listener.started

    def started(event: CommandStartedEvent) -> None:
        checked(event)
        if event.command.get("find") == MENU_ITEMS.name:
            filters.append(event.command["filter"])

    monkeypatch.setattr(listener, "started", started)
    return filters


async def test_a_batch_is_one_question_to_the_database_and_none_when_its_items_are_known(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = copies_of(database, KnownMembers())
    await items.save([("chn_1", TEA), ("chn_1", EGG)])
    filters = listen(database, monkeypatch)
    for _ in range(2):
        assert await items.items("chn_1", frozenset({"tea", "egg"})) == {"tea": TEA, "egg": EGG}
    assert filters == [{"chain": "chn_1", "code": {"$in": ["egg", "tea"]}}]


async def test_more_codes_than_are_looked_up_one_by_one_are_one_question_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = KnownMembers(menu={"tea": TEA})
    items = copies_of(database, members)
    await items.save([("chn_1", EGG), ("chn_1", replace(EGG, code="rice")), ("chn_2", TEA)])
    filters = listen(database, monkeypatch)
    junk = frozenset(f"junk{number}" for number in range(room.MOST_BY_CODE))
    assert await items.items("chn_1", junk | {"egg", "tea"}) == {"egg": EGG, "tea": TEA}
    assert filters == [{"chain": "chn_1"}]
    assert members.asked_items == [junk | {"tea"}]


async def test_members_is_asked_by_code_or_for_its_whole_menu(
    recycled: Recycled, driver: Driver, clock: FixedClock
) -> None:
    async with (
        recycled.database(migrate_members, driver) as database,
        members_running(database, recycled.mongo_url, clock) as service,
    ):
        chain = await service.open_chain()
        menu = [chains_pb2.MenuItem(code="tea", name="Tea", category="$drinks", launched_on="2026-03-01")]
        menu += [chains_pb2.MenuItem(code=code, name="Egg") for code in ("egg", "rice")]
        await service.call(service.chains.SaveMenuItems, chains_pb2.SaveMenuItemsRequest(items=menu), staff(chain))
        channel: Any = Watched(service.channel)
        members = MembersClient(channel, clock=clock)
        expected = {"tea": replace(TEA, version=1), "egg": EGG}
        few = frozenset({"tea", "egg", "junk"})
        many = few | {str(number) for number in range(498)}
        assert await members.items(chain, few) == expected
        assert await members.items(chain, many) == expected
        assert channel.asked == [
            chains_pb2.GetMenuItemsRequest(codes=["egg", "junk", "tea"]),
            chains_pb2.ListMenuItemsRequest(),
        ]
        assert [options["timeout_s"] for options in channel.options] == [1.0, 1.0]


class Overheard:
    """The ledger, and the purchases that it was given."""

    def __init__(self, ledger: Any) -> None:
        self._ledger, self.purchases = ledger, list[BookPurchase]()
        self.check_room = ledger.check_room

    async def submit_all(self, commands: Sequence[AnyCommand]) -> Sequence[Answer | Problem]:
        self.purchases += [one for one in commands if isinstance(one, BookPurchase)]
        return list(await self._ledger.submit_all(commands))


RECEIPTS = [
    Receipt(purchase("R1", lines=(Line("tea", 1, 500), Line("egg", 1, 200), Line("", 1, 10))), "mem_ada"),
    Receipt(replace(purchase("R2", lines=(Line("egg", 1, 200),)), store="sto_9"), "mem_ada"),
    Receipt(purchase("R3", lines=(Line("junk", 1, 500), Line("egg", 2, 400, category="till's"))), "mem_bob"),
]
CALL = Call(caller=STAFF, now=LATER, make_id=make_id)


async def test_each_command_brings_the_items_of_its_receipt_which_stays_as_it_was_sent(points: Points) -> None:
    points.members.menu = {"tea": TEA, "egg": EGG}
    ledger = Overheard(points.recorder.ledger)
    answers = await record_purchases(RECEIPTS, call=CALL, recorder=replace(points.recorder, ledger=ledger))
    assert [getattr(answer, "code", "") for answer in answers] == ["", "STORE_NOT_FOUND", ""]
    commands = {one.purchase.receipt_number: one for one in ledger.purchases}
    assert {number: one.items for number, one in commands.items()} == {
        "R1": {"tea": TEA, "egg": EGG},
        "R3": {"egg": EGG},
    }
    assert [one.purchase.lines for one in commands.values()] == [RECEIPTS[0].content.lines, RECEIPTS[2].content.lines]
    assert points.members.asked_items == [frozenset({"tea", "egg", "junk"})]


async def test_without_rules_about_items_nobody_is_asked(points: Points) -> None:
    ledger = Overheard(points.recorder.ledger)
    recorder = replace(points.recorder, ledger=ledger, programs=OneProgram(Programs()))
    await record_purchases(RECEIPTS[:1], call=CALL, recorder=recorder)
    assert [one.items for one in ledger.purchases] == [{}, {}]  # again, with leave to open the account
    assert points.members.asked_items == []


async def test_a_paid_sale_is_booked_while_members_is_away(points: Points) -> None:
    await points.record(receipt("R1"))
    points.members.menu, points.members.away = {"tea": TEA}, True
    bought = receipt("R2")
    bought.lines[0].item_code = "tea"
    assert (await points.record(bought)).booked.points == 100
    assert points.members.asked_items == [frozenset({"noodles"}), frozenset({"tea"})]


async def test_the_same_receipt_gets_its_first_answer_when_the_menu_has_changed(
    points: Points, clock: FixedClock
) -> None:
    points.members.menu = {"noodles": replace(TEA, code="noodles")}
    first = await points.record(receipt())
    points.members.menu = {}
    await points.database.collection(MENU_ITEMS).delete_many({"chain": "chn_1"})
    clock.move(timedelta(minutes=2))
    again = await points.record(receipt())
    assert (first.repeated_call, again.repeated_call) == (False, True)
    assert first.booked == again.booked
    assert len(points.members.asked_items) == 2
