"""The menu: items saved by the chain's own code; each change makes a new version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, MAX_NAME_LENGTH, is_code, is_name

MAX_ITEMS = 10_000
"""Items of one chain: all of them fit into one answer."""

MAX_PRICE_MINOR = 10**12
"""Ten billion of a currency with cents: far above any dish, far below what 64 bits hold."""


class InvalidMenuItemError(Problem):
    """The menu item is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_MENU_ITEM"


class TooManyMenuItemsError(Problem):
    """A chain has at most {most} menu items."""

    kind = Kind.REFUSED
    code = "TOO_MANY_MENU_ITEMS"


@dataclass(frozen=True, slots=True)
class MenuItem:
    """An item; its price in minor units of the chain's currency. `version` is 0 until it is saved."""

    code: str
    name: str
    category: str
    price_minor: int
    version: int = 0
    launched_on: str = ""  # since which local day it is sold, "2026-03-01"; empty: not known


@dataclass(frozen=True, slots=True)
class SavedItems:
    """All items that were asked for, in the order of the input, and of them those that are new or changed."""

    items: tuple[MenuItem, ...]
    changed: tuple[MenuItem, ...]


def check_items(wanted: Sequence[MenuItem]) -> None:
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
        if item.launched_on and not is_day(item.launched_on):
            raise InvalidMenuItemError(field=f"{path}.launchedOn", why='a day is like "2026-03-01"')
        seen.add(item.code)


def is_day(text: str) -> bool:
    """Tell whether `text` is a day of the calendar in the one way of writing it, "2026-03-01"."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def save_items(wanted: Sequence[MenuItem], *, known: Mapping[str, MenuItem], count: int) -> SavedItems:
    """Fold `wanted` over `known`, the chain's items of these codes; `count` is how many it has in all."""
    saved = [_saved(item, known.get(item.code)) for item in wanted]
    changed = tuple(item for item in saved if item != known.get(item.code))
    if count + sum(item.version == 1 for item in changed) > MAX_ITEMS:
        raise TooManyMenuItemsError(field="items", most=MAX_ITEMS)
    return SavedItems(tuple(saved), changed)


def _saved(wanted: MenuItem, known: MenuItem | None) -> MenuItem:
    if known is None:
        return replace(wanted, version=1)
    same = replace(wanted, version=known.version) == known
    return known if same else replace(wanted, version=known.version + 1)
