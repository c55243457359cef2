"""Chains, stores and menus, over a real connection and on the real database."""

import asyncio
from typing import Any

import pytest

from protos.events.v1 import members_pb2 as events_pb2
from protos.members.v1 import chains_pb2 as pb
from services.kit.errors import Kind
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import OUTBOX
from services.members.store.collections import MENU_ITEMS, STORES
from tests.support.members_service import OPERATOR, MembersService, staff


def opening(key: str = "open-noodles", *, name: str = "Noodles", zone: str = "Asia/Shanghai") -> pb.OpenChainRequest:
    return pb.OpenChainRequest(key=key, name=name, currency="CNY", time_zone=zone, sandbox=True)


async def save(service: MembersService, chain: str, *stores: pb.StoreInput) -> list[pb.Store]:
    answer = await service.call(service.chains.SaveStores, pb.SaveStoresRequest(stores=stores), staff(chain))
    return list(answer.stores)


async def get(service: MembersService, chain: str, *ids: str) -> list[pb.Store]:
    return list((await service.call(service.chains.GetStores, pb.GetStoresRequest(ids=ids), staff(chain))).stores)


async def events_of(database: Database, chain: str) -> list[tuple[str, int, str, int]]:
    """Return (aggregate, sequence, name, version) of each waiting event."""
    rows = await database.collection(OUTBOX).find({"chain": chain}).sort("_id", 1).to_list()
    bodies = [events_pb2.StoreSaved.FromString(row["body"]) for row in rows]
    return [
        (row["aggregate"], row["sequence"], body.name, body.version) for row, body in zip(rows, bodies, strict=True)
    ]


async def test_a_chain_is_opened_once_for_each_key(service: MembersService) -> None:
    first = await service.call(service.chains.OpenChain, opening(), OPERATOR)
    again = await service.call(service.chains.OpenChain, opening(), OPERATOR)
    other = await service.call(service.chains.OpenChain, opening("another-key"), OPERATOR)
    assert first == again
    assert first.chain.id != other.chain.id
    shown = await service.call(service.chains.GetChain, pb.GetChainRequest(), staff(first.chain.id))
    assert shown.chain == first.chain
    assert (shown.chain.name, shown.chain.currency, shown.chain.sandbox) == ("Noodles", "CNY", True)


async def test_a_key_that_opened_another_chain_shows_it(service: MembersService) -> None:
    first = await service.call(service.chains.OpenChain, opening(), OPERATOR)
    refused = await service.refusal(service.chains.OpenChain, opening(name="Dumplings"), OPERATOR)
    assert (refused.kind, refused.code) == (Kind.CONFLICT, "KEY_REUSED")
    assert first.chain.id in refused.message


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        (opening("short"), "INVALID_KEY", "key"),
        (opening(name=""), "INVALID_CHAIN", "name"),
        (opening(zone="Mars"), "INVALID_CHAIN", "timeZone"),
    ],
)
async def test_a_wrong_chain_is_refused(
    service: MembersService, request_: pb.OpenChainRequest, code: str, field: str
) -> None:
    refused = await service.refusal(service.chains.OpenChain, request_, OPERATOR)
    assert (refused.kind, refused.code, refused.field) == (Kind.INVALID, code, field)


async def test_only_operators_open_chains(service: MembersService, chain: str) -> None:
    refused = await service.refusal(service.chains.OpenChain, opening("some-key"), staff(chain))
    assert refused.kind is Kind.DENIED


async def test_each_change_of_a_store_is_a_version_and_an_event(service: MembersService, chain: str) -> None:
    [bund, park] = await save(
        service, chain, pb.StoreInput(code="b", name="Bund"), pb.StoreInput(code="p", name="Park")
    )
    assert (bund.version, bund.time_zone, bund.currency) == (1, "Asia/Shanghai", "CNY")
    [park_again, bund_moved] = await save(
        service,
        chain,
        pb.StoreInput(code="p", name="Park"),
        pb.StoreInput(code="b", name="Bund", time_zone="Asia/Urumqi"),
    )
    assert park_again == park
    assert (bund_moved.id, bund_moved.version, bund_moved.time_zone) == (bund.id, 2, "Asia/Urumqi")
    assert await get(service, chain) == sorted([bund_moved, park], key=lambda store: store.id)
    assert await events_of(service.database, chain) == sorted(
        [(bund.id, 1, "Bund", 1), (bund.id, 2, "Bund", 2), (park.id, 1, "Park", 1)]
    )


async def test_a_region_is_kept_and_told(service: MembersService, chain: str) -> None:
    [bund] = await save(service, chain, pb.StoreInput(code="b", name="Bund", region="east"))
    [moved] = await save(service, chain, pb.StoreInput(code="b", name="Bund", region="$west"))
    assert (bund.region, moved.region, moved.version) == ("east", "$west", 2)
    assert [store.region for store in await get(service, chain)] == ["$west"]
    rows = await service.database.collection(OUTBOX).find({"chain": chain}).to_list(None)
    told = [events_pb2.StoreSaved.FromString(row["body"]) for row in rows if row["aggregate"] == bund.id]
    assert sorted((one.version, one.region) for one in told) == [(1, "east"), (2, "$west")]


async def test_stores_as_they_are_already_write_nothing(service: MembersService, chain: str) -> None:
    stores = [pb.StoreInput(code="b", name="Bund"), pb.StoreInput(code="p", name="Park")]
    first = await save(service, chain, *stores)
    before = await service.everything()
    assert await save(service, chain, *stores) == first
    assert await service.everything() == before


async def test_a_wrong_store_refuses_all_of_them(service: MembersService, chain: str) -> None:
    request = pb.SaveStoresRequest(stores=[pb.StoreInput(code="b", name="Bund"), pb.StoreInput(code="b", name="Park")])
    refused = await service.refusal(service.chains.SaveStores, request, staff(chain))
    assert (refused.code, refused.field) == ("INVALID_STORE", "stores.1.code")


async def test_who_is_limited_to_stores_changes_none(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    request = pb.SaveStoresRequest(stores=[pb.StoreInput(code="bund", name="Mine")])
    assert (await service.refusal(service.chains.SaveStores, request, staff(chain, stores=[store]))).kind is Kind.DENIED


async def test_a_code_names_one_store_under_any_concurrency(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    """No index can keep a store's code unique on several shards, so it is seen here."""
    for number in range(20):
        wanted = pb.StoreInput(code=f"s{number}", name="Store")
        both = await asyncio.gather(save(service, chain, wanted), save(other_replica, chain, wanted))
        assert both[0] == both[1]
    assert await service.database.collection(STORES).count_documents({"chain": chain}) == 20


async def test_stores_of_another_chain_are_not_found(service: MembersService, chain: str, other_chain: str) -> None:
    store = await service.store(chain)
    assert [found.id for found in await get(service, chain, store, "sto_nowhere")] == [store]
    assert await get(service, other_chain, store) == []
    assert await get(service, other_chain) == []
    assert await service.store(other_chain) != store


async def test_the_menu_is_saved_and_listed(service: MembersService, chain: str, other_chain: str) -> None:
    async def save_items(*items: pb.MenuItem) -> list[tuple[str, int]]:
        request = pb.SaveMenuItemsRequest(items=items)
        answer = await service.call(service.chains.SaveMenuItems, request, staff(chain))
        return [(item.code, item.version) for item in answer.items]

    noodles = pb.MenuItem(code="n", name="Noodles", category="main", price_minor=3_200)
    tea = pb.MenuItem(code="t", name="Tea", price_minor=0)
    assert await save_items(tea, noodles) == [("t", 1), ("n", 1)]
    before = await service.everything()
    assert await save_items(noodles) == [("n", 1)]
    assert await service.everything() == before
    assert await save_items(pb.MenuItem(code="t", name="Tea", price_minor=500, version=9)) == [("t", 2)]

    menu = await service.call(service.chains.ListMenuItems, pb.ListMenuItemsRequest(), staff(chain))
    assert [(item.code, item.price_minor, item.version) for item in menu.items] == [("n", 3_200, 1), ("t", 500, 2)]
    theirs = await service.call(service.chains.ListMenuItems, pb.ListMenuItemsRequest(), staff(other_chain))
    assert list(theirs.items) == []


async def menu_events(database: Database, chain: str) -> list[tuple[str, int, events_pb2.MenuItemSaved]]:
    """Return (aggregate, sequence, body) of each waiting event of the menu, by code and sequence."""
    rows = await database.collection(OUTBOX).find({"chain": chain, "stream": "members.menu"}).to_list()
    told = [(row["aggregate"], row["sequence"], events_pb2.MenuItemSaved.FromString(row["body"])) for row in rows]
    return sorted(told, key=lambda one: (one[2].item_code, one[1]))


async def test_each_change_of_an_item_is_told_in_its_order(service: MembersService, chain: str) -> None:
    noodles = pb.MenuItem(code="n", name="Noodles", category="main", price_minor=3_200, launched_on="2026-03-01")
    tea = pb.MenuItem(code="茶" * 64, name="Tea", price_minor=0)
    for items in ([noodles, tea], [noodles], [tea, pb.MenuItem(code="n", name="Noodles", price_minor=3_200)]):
        await service.call(service.chains.SaveMenuItems, pb.SaveMenuItemsRequest(items=items), staff(chain))
    told = await menu_events(service.database, chain)
    had: Any = {"on_sale": True, "in_stock": True}
    first = events_pb2.MenuItemSaved(
        item_code="n", version=1, name="Noodles", category="main", price_minor=3_200, launched_on="2026-03-01", **had
    )
    second = events_pb2.MenuItemSaved(item_code="n", version=2, name="Noodles", price_minor=3_200, **had)
    third = events_pb2.MenuItemSaved(item_code="茶" * 64, version=1, name="Tea", **had)
    assert [(sequence, body) for _, sequence, body in told] == [(1, first), (2, second), (1, third)]
    assert [aggregate for aggregate, _, _ in told] == [
        "itm_1b16b1df538ba12dc3f97edbb85caa70",
        "itm_1b16b1df538ba12dc3f97edbb85caa70",
        "itm_6d211966f5dddc9b0863495d87ff0a24",
    ]


async def test_an_item_from_before_it_was_told_of_is_told_with_its_next_change(
    service: MembersService, chain: str
) -> None:
    old = {"chain": chain, "code": "n", "name": "Noodles", "category": "", "price_minor": 1, "version": 3}
    await service.database.collection(MENU_ITEMS).insert_one(dict(old))
    request = pb.SaveMenuItemsRequest(items=[pb.MenuItem(code="n", name="Noodles", price_minor=2)])
    saved = await service.call(service.chains.SaveMenuItems, request, staff(chain))
    assert list(saved.items) == [
        pb.MenuItem(code="n", name="Noodles", price_minor=2, version=4, on_sale=True, in_stock=True, brand="")
    ]
    [(_, sequence, body)] = await menu_events(service.database, chain)
    assert (sequence, body.version) == (1, 4)


async def test_items_are_found_by_their_codes(service: MembersService, chain: str, other_chain: str) -> None:
    tea = pb.MenuItem(code="t", name="Tea", price_minor=500, launched_on="2026-03-01")
    noodles = pb.MenuItem(code="n", name="Noodles", price_minor=3_200)
    egg = pb.MenuItem(code="e", name="Egg", price_minor=200)
    request = pb.SaveMenuItemsRequest(items=[tea, noodles, egg])
    saved = {one.code: one for one in (await service.call(service.chains.SaveMenuItems, request, staff(chain))).items}

    async def get(of: str, *codes: str) -> list[pb.MenuItem]:
        answer = await service.call(service.chains.GetMenuItems, pb.GetMenuItemsRequest(codes=codes), staff(of))
        return list(answer.items)

    assert await get(chain, "t", "n", "x", "t") == [saved["n"], saved["t"]]
    assert await get(chain) == []
    assert await get(other_chain, "t") == []
    too_many = pb.GetMenuItemsRequest(codes=[str(number) for number in range(501)])
    refused = await service.refusal(service.chains.GetMenuItems, too_many, staff(chain))
    assert (refused.code, refused.field) == ("TOO_MANY", "codes")


async def test_a_wrong_menu_item_refuses_all_of_them(service: MembersService, chain: str) -> None:
    request = pb.SaveMenuItemsRequest(
        items=[pb.MenuItem(code="n", name="Noodles"), pb.MenuItem(code="t", name="Tea", price_minor=-1)]
    )
    refused = await service.refusal(service.chains.SaveMenuItems, request, staff(chain))
    assert (refused.code, refused.field) == ("INVALID_MENU_ITEM", "items.1.priceMinor")
