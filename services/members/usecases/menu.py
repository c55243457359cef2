"""The menu: save, list, and say what has run out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from services.kit.principal import Caller, NotAllowedError, Principal
from services.members.domain.menu import MenuItem, NoMenuItemError, SavedItems, WantedItem, check_items
from services.members.domain.stores import NoStoreError
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count
from services.members.usecases.stores import Stores

MAX_CODES = 500
"""Codes that one call may ask for."""

COST_SCOPES = frozenset({"chain:write", "insight:read"})
"""Staff with one of these see what an item costs the chain; guests, tills and partners never do."""


class Menu(Protocol):
    """Where menu items are kept."""

    async def save(self, wanted: Sequence[WantedItem], *, chain: str, now: datetime, traceparent: str) -> SavedItems:
        """Fold `wanted` over what is there, and keep and tell what changed."""

    async def find(self, chain: str, codes: frozenset[str]) -> list[MenuItem]:
        """Return those of `codes` that are on the menu, in the order of their codes."""

    async def every(self, chain: str) -> list[MenuItem]:
        """Return all items in the order of their codes."""

    async def set_stock(
        self, code: str, *, chain: str, store: str, in_stock: bool, now: datetime, traceparent: str
    ) -> MenuItem | None:
        """Note and tell whether the store, or without one the chain, has the item; None: there is no such item."""


async def save_menu_items(
    wanted: Sequence[WantedItem],
    *,
    caller: Principal,
    now: datetime,
    chains: ChainFinder,
    menu: Menu,
    traceparent: str = "",
) -> tuple[MenuItem, ...]:
    """Add or change menu items, by their code, all or none; what is as wanted stays untouched."""
    check_count(wanted, field="items")
    if caller.stores:
        raise NotAllowedError(why="it is limited to some stores, and the menu is the whole chain's")
    check_items(wanted)
    chain = await callers_chain(caller, chains=chains)
    saved = await menu.save(wanted, chain=chain.id, now=now, traceparent=traceparent)
    return tuple(item_shown_to(caller, item) for item in saved.items)


async def get_menu_items(codes: Sequence[str], *, caller: Principal, menu: Menu) -> list[MenuItem]:
    """Return the items of these codes that are on the menu, in the order of their codes."""
    check_count(codes, field="codes", most=MAX_CODES)
    return [item_shown_to(caller, item) for item in await menu.find(caller.chain, frozenset(codes))]


async def list_menu_items(*, caller: Principal, menu: Menu) -> list[MenuItem]:
    """Return the whole menu, in the order of the codes."""
    return [item_shown_to(caller, item) for item in await menu.every(caller.chain)]


async def set_item_stock(
    code: str,
    *,
    store: str,
    in_stock: bool,
    caller: Principal,
    now: datetime,
    stores: Stores,
    menu: Menu,
    traceparent: str = "",
) -> MenuItem:
    """Note whether a store has an item; no `store`: for the whole chain, or for a till its own store."""
    if not store and caller.kind is Caller.TILL and len(caller.stores) == 1:
        store = next(iter(caller.stores))
    if not store and caller.stores:
        raise NotAllowedError(field="storeId", why="it is limited to some stores: say for which one")
    if store and not caller.may_use_store(store):
        raise NotAllowedError(field="storeId", why="its key is for another store")
    if store and not await stores.find(caller.chain, frozenset({store})):
        raise NoStoreError(field="storeId", store=store)
    item = await menu.set_stock(
        code, chain=caller.chain, store=store, in_stock=in_stock, now=now, traceparent=traceparent
    )
    if item is None:
        raise NoMenuItemError(field="code", item=code)
    return item_shown_to(caller, item)


def item_shown_to(caller: Principal, item: MenuItem) -> MenuItem:
    """Return the item, without its cost for those whom that does not concern."""
    sees_cost = caller.kind in {Caller.SERVICE, Caller.OPERATOR} or (
        caller.kind is Caller.STAFF and bool(caller.scopes & COST_SCOPES)
    )
    return item if sees_cost else replace(item, cost_minor=None)
