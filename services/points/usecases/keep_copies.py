"""Keep what points must know at once: accounts for members, copies of stores and of menu items."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.points.domain.items import Item
from services.points.usecases.record_purchases import Store


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new member."""

    member: str
    at: datetime


class Copies(Protocol):
    """Where copies are kept, within one transaction."""

    async def open_accounts(self, members: Sequence[tuple[str, Enrolled]]) -> None:
        """Open an empty account for each (chain, member) that has none."""

    async def save_stores(self, stores: Sequence[tuple[str, Store]]) -> None:
        """Keep each (chain, store) unless a newer version is there."""

    async def save_items(self, items: Sequence[tuple[str, Item]]) -> None:
        """Keep each (chain, item) unless a newer version is there."""


async def keep_copies(
    *,
    enrolled: Sequence[tuple[str, Enrolled]],
    stores: Sequence[tuple[str, Store]],
    items: Sequence[tuple[str, Item]],
    copies: Copies,
) -> None:
    """Take over a batch of news from members: (chain, member), (chain, store) and (chain, item) in their order."""
    if enrolled:
        await copies.open_accounts(enrolled)
    if stores:
        await copies.save_stores(stores)
    if items:
        await copies.save_items(items)
