"""Items of the menu, as far as rules ask about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.points.domain.purchases import Line


@dataclass(frozen=True, slots=True)
class Item:
    """An item as members told of it. `version` grows by one with every change."""

    code: str
    version: int
    category: str  # empty: none
    launched_on: date | None  # since which local day it is sold; None: not known


def category_of(line: Line, items: Mapping[str, Item]) -> str:
    """Return a line's category: what the till said, else what the menu says; empty: neither does."""
    item = items.get(line.item_code)
    return line.category or (item.category if item else "")
