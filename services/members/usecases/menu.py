"""The menu: save and list."""

from collections.abc import Sequence
from typing import Protocol

from services.kit.principal import NotAllowedError, Principal
from services.members.domain.menu import MenuItem, SavedItems, check_items
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count


class Menu(Protocol):
    """Where menu items are kept."""

    async def save(self, wanted: Sequence[MenuItem], *, chain: str) -> SavedItems:
        """Fold `wanted` over what is there, and keep what changed."""

    async def every(self, chain: str) -> list[MenuItem]:
        """Return all items in the order of their codes."""


async def save_menu_items(
    wanted: Sequence[MenuItem], *, caller: Principal, chains: ChainFinder, menu: Menu
) -> tuple[MenuItem, ...]:
    """Add or change menu items, by their code, all or none; what is as wanted stays untouched."""
    check_count(wanted, field="items")
    if caller.stores:
        raise NotAllowedError(why="it is limited to some stores, and the menu is the whole chain's")
    check_items(wanted)
    chain = await callers_chain(caller, chains=chains)
    return (await menu.save(wanted, chain=chain.id)).items
