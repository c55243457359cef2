"""Loaders: what one level of a query asks for, one thing at a time, is fetched in one call.

A loader is declared once, beside the types, for each way to reach something; what it has loaded lives for one
operation, and is forgotten after each mutation field.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from strawberry.dataloader import DataLoader

from services.kit.graph.context import GraphContext, Info
from services.kit.graph.types import Page

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loader(Generic[K, V]):
    """Fetches values by key, many in one call; see `loader`."""

    def __init__(self, fetch: Callable[[GraphContext, list[K]], Awaitable[Sequence[V]]], *, most: int) -> None:
        self._fetch, self._most = fetch, most

    def load(self, info: Info, key: K) -> Awaitable[V]:
        """Return the value of `key`, asked for together with all others of this moment."""
        return self._of(info.context).load(key)

    def load_many(self, info: Info, keys: Sequence[K]) -> Awaitable[list[V]]:
        """Return the values in the order of `keys`."""
        return self._of(info.context).load_many(keys)

    def _of(self, context: GraphContext) -> DataLoader[K, V]:
        loaded: DataLoader[K, V] = context.once(self, lambda: self._new(context))
        return loaded

    def _new(self, context: GraphContext) -> DataLoader[K, V]:
        async def fetch(keys: list[K]) -> Sequence[V]:
            return await self._fetch(context, keys)

        return DataLoader(load_fn=fetch, max_batch_size=self._most)


def loader(*, most: int) -> Callable[[Callable[[GraphContext, list[K]], Awaitable[Sequence[V]]]], Loader[K, V]]:
    """Make a loader of `async fetch(context, keys) -> values in the order of the keys`, `most` keys to a call."""

    def make(fetch: Callable[[GraphContext, list[K]], Awaitable[Sequence[V]]]) -> Loader[K, V]:
        return Loader(fetch, most=most)

    return make


class PageLoader(Generic[K, V]):
    """Fetches one page of a list for each of many keys; see `page_loader`."""

    def __init__(
        self,
        fetch: Callable[[GraphContext, list[K], Page], Awaitable[Sequence[V]]],
        *,
        most_keys: int,
        most_rows: int,
    ) -> None:
        self._fetch, self._most_keys, self._most_rows = fetch, most_keys, most_rows

    def load(self, info: Info, key: K, *, first: int, after: str | None) -> Awaitable[V]:
        """Return the page of `key`. Raises `PageSizeError` when `first` is out of bounds."""
        page = Page.checked(first=first, after=after)
        loaded: DataLoader[K, V] = info.context.once((self, page), lambda: self._new(info.context, page))
        return loaded.load(key)

    def _new(self, context: GraphContext, page: Page) -> DataLoader[K, V]:
        async def fetch(keys: list[K]) -> Sequence[V]:
            return await self._fetch(context, keys, page)

        most = max(1, min(self._most_keys, self._most_rows // page.first))
        return DataLoader(load_fn=fetch, max_batch_size=most)


def page_loader(
    *, most_keys: int = 100, most_rows: int = 1_000
) -> Callable[[Callable[[GraphContext, list[K], Page], Awaitable[Sequence[V]]]], PageLoader[K, V]]:
    """Make a loader of `async fetch(context, keys, page) -> connections in the order of the keys`.

    A call has at most `most_keys` keys, and fewer when their pages together could pass `most_rows` rows.
    """

    def make(fetch: Callable[[GraphContext, list[K], Page], Awaitable[Sequence[V]]]) -> PageLoader[K, V]:
        return PageLoader(fetch, most_keys=most_keys, most_rows=most_rows)

    return make
