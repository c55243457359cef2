"""Items of the menu, as far as rules ask about them."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Item:
    """An item as members told of it. `version` grows by one with every change."""

    code: str
    version: int
    category: str  # empty: none
    launched_on: date | None  # since which local day it is sold; None: not known
