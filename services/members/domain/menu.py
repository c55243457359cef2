"""The menu: items saved by the chain's own code; each change makes a new version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, MAX_NAME_LENGTH, is_code, is_name
from services.members.domain.named import Named
from services.members.domain.wanted import KEEP, Wanted, chosen

MAX_ITEMS = 10_000
"""Items of one chain: all of them fit into one answer."""

MAX_PRICE_MINOR = 10**12
"""Ten billion of a currency with cents: far above any dish, far below what 64 bits hold."""

MAX_STOCK_EXCEPTIONS = 500
"""Stores in which an item is otherwise than in the chain: with more of them, the chain's own word is the wrong one."""


class InvalidMenuItemError(Problem):
    """The menu item is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_MENU_ITEM"


class NoMenuItemError(Problem):
    """There is no menu item {item} in this chain."""

    kind = Kind.NOT_FOUND
    code = "MENU_ITEM_NOT_FOUND"


class TooManyMenuItemsError(Problem):
    """A chain has at most {most} menu items."""

    kind = Kind.REFUSED
    code = "TOO_MANY_MENU_ITEMS"


class TooManyExceptionsError(Problem):
    """An item is otherwise than in the chain in at most {most} stores: say it for the whole chain instead."""

    kind = Kind.REFUSED
    code = "TOO_MANY_STOCK_EXCEPTIONS"


@dataclass(frozen=True, slots=True)
class MenuItem:
    """An item; its price and cost in minor units of the chain's currency. `version` is 0 until it is saved."""

    code: str
    name: str
    category: str
    price_minor: int
    version: int = 0
    launched_on: str = ""  # since which local day it is sold, "2026-03-01"; empty: not known
    cost_minor: int | None = None  # what it costs the chain; None: not known. Not everybody's to see
    on_sale: bool = True
    in_stock: bool = True
    stock_exceptions: tuple[str, ...] = ()  # ids of the stores where `in_stock` is the other way round, sorted
    brand: str = ""

    def in_stock_at(self, store: str) -> bool:
        """Tell whether the store has it."""
        return self.in_stock != (store in self.stock_exceptions)


@dataclass(frozen=True, slots=True)
class WantedItem:
    """An item as somebody wants it. What is `KEEP` stays; a new item costs nobody knows what and can be had."""

    code: str
    name: str
    category: str
    price_minor: int
    launched_on: str = ""
    cost_minor: Wanted[int | None] = KEEP
    on_sale: Wanted[bool] = KEEP
    in_stock: Wanted[bool] = KEEP
    brand: Wanted[str] = KEEP


@dataclass(frozen=True, slots=True)
class SavedItems:
    """All items that were asked for, in the order of the input, and of them those that are new or changed."""

    items: tuple[MenuItem, ...]
    changed: tuple[MenuItem, ...]


def check_items(wanted: Sequence[WantedItem]) -> None:
    """Refuse, with the field at fault, what no item can be, and a code that is given twice."""
    seen: set[str] = set()
    for number, item in enumerate(wanted):
        path = f"items.{number}"
        if not is_code(item.code):
            raise InvalidMenuItemError(
                field=f"{path}.code", why=f"a code has 1 to {MAX_CODE_LENGTH} visible characters"
            )
        if item.code in seen:
            raise InvalidMenuItemError(field=f"{path}.code", why="its code stands twice in this call")
        if not is_name(item.name):
            raise InvalidMenuItemError(
                field=f"{path}.name", why=f"a name has 1 to {MAX_NAME_LENGTH} visible characters"
            )
        if item.category and not is_name(item.category):
            raise InvalidMenuItemError(
                field=f"{path}.category", why=f"a category has at most {MAX_NAME_LENGTH} visible characters"
            )
        if not 0 <= item.price_minor <= MAX_PRICE_MINOR:
            raise InvalidMenuItemError(field=f"{path}.priceMinor", why=f"a price is 0 to {MAX_PRICE_MINOR}")
        cost = item.cost_minor
        if cost is not KEEP and cost is not None and not 0 <= cost <= MAX_PRICE_MINOR:
            raise InvalidMenuItemError(field=f"{path}.costMinor", why=f"a cost is 0 to {MAX_PRICE_MINOR}")
        if item.launched_on and not is_day(item.launched_on):
            raise InvalidMenuItemError(field=f"{path}.launchedOn", why='a day is like "2026-03-01"')
        seen.add(item.code)


def is_day(text: str) -> bool:
    """Tell whether `text` is a day of the calendar in the one way of writing it, "2026-03-01"."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def save_items(wanted: Sequence[WantedItem], *, known: Mapping[str, MenuItem], count: int, named: Named) -> SavedItems:
    """Fold `wanted` over `known`, the chain's items of these codes; `count` is how many it has in all."""
    saved = [_saved(item, known.get(item.code)) for item in wanted]
    changed = tuple(item for item in saved if item != known.get(item.code))
    if count + sum(item.version == 1 for item in changed) > MAX_ITEMS:
        raise TooManyMenuItemsError(field="items", most=MAX_ITEMS)
    for number, item in enumerate(saved):
        named.check_brand(item.brand, field=f"items.{number}.brand")
    return SavedItems(tuple(saved), changed)


def with_stock(item: MenuItem, *, store: str, in_stock: bool) -> MenuItem:
    """Return the item as it is when a store says whether it has it; no `store`: the whole chain says so.

    What is said for the whole chain holds everywhere: no store remains an exception.
    """
    if not store:
        after = replace(item, in_stock=in_stock, stock_exceptions=())
    else:
        others = set(item.stock_exceptions) - {store}
        exceptions = others if in_stock == item.in_stock else others | {store}
        after = replace(item, stock_exceptions=tuple(sorted(exceptions)))
    if len(after.stock_exceptions) > MAX_STOCK_EXCEPTIONS:
        raise TooManyExceptionsError(field="storeId", most=MAX_STOCK_EXCEPTIONS)
    return item if after == item else replace(after, version=item.version + 1)


def _saved(wanted: WantedItem, known: MenuItem | None) -> MenuItem:
    before = known or MenuItem(wanted.code, wanted.name, wanted.category, wanted.price_minor)
    in_stock = chosen(wanted.in_stock, before.in_stock)
    after = replace(
        before,
        name=wanted.name,
        category=wanted.category,
        price_minor=wanted.price_minor,
        launched_on=wanted.launched_on,
        cost_minor=chosen(wanted.cost_minor, before.cost_minor),
        on_sale=chosen(wanted.on_sale, before.on_sale),
        in_stock=in_stock,
        stock_exceptions=before.stock_exceptions if in_stock == before.in_stock else (),
        brand=chosen(wanted.brand, before.brand),
    )
    return known if after == known else replace(after, version=before.version + 1)
