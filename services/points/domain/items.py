"""Menu items, as members last told them."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Item:
    """What rules may look at of an item: its category, and since when it is sold."""

    code: str
    version: int = 0
    category: str = ""
    launched_on: date | None = None
