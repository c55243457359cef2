"""The menu: save and list."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.kit.principal import NotAllowedError, Principal
from services.members.domain.menu import MenuItem, SavedItems, check_items
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count

MAX_CODES = 500
"""Codes that one call may ask for."""


class Menu(Protocol):
    """Where menu items are kept."""

    async def save(self, wanted: Sequence[MenuItem], *, chain: str, now: datetime, traceparent: str) -> SavedItems:
        """Fold `wanted` over what is there, and keep and tell what changed."""

    async def find(self, chain: str, codes: frozenset[str]) -> list[MenuItem]:
        """Return those of `codes` that are on the menu, in the order of their codes."""

    async def every(self, chain: str) -> list[MenuItem]:
        """Return all items in the order of their codes."""


async def save_menu_items(
    wanted: Sequence[MenuItem],
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
    return (await menu.save(wanted, chain=chain.id, now=now, traceparent=traceparent)).items


async def get_menu_items(codes: Sequence[str], *, caller: Principal, menu: Menu) -> list[MenuItem]:
    """Return the items of these codes that are on the menu, in the order of their codes."""
    check_count(codes, field="codes", most=MAX_CODES)
    return await menu.find(caller.chain, frozenset(codes))
