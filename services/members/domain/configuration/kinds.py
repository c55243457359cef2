"""The kinds of things in a configuration, and all that one holds."""

from dataclasses import dataclass
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.brands import Brand
from services.members.domain.menu import MenuItem, WantedItem
from services.members.domain.partners import Partner
from services.members.domain.regions import Region
from services.members.domain.stores import Store, WantedStore

FORMAT = 1
"""Grows when a document of today could no longer be read as it was meant."""


class Part(StrEnum):
    """The parts of a configuration, in the order in which they name each other."""

    BRANDS = "brands"
    REGIONS = "regions"
    PARTNERS = "partners"
    STORES = "stores"
    MENU = "menu"


class InvalidConfigurationError(Problem):
    """The configuration cannot be read: {why}."""

    kind = Kind.INVALID
    code = "INVALID_CONFIGURATION"


class OtherCurrencyError(Problem):
    """The configuration's prices are in {theirs}, and the chain sells in {ours}."""

    kind = Kind.REFUSED
    code = "OTHER_CURRENCY"


@dataclass(frozen=True, slots=True)
class Held:
    """What a chain has."""

    brands: tuple[Brand, ...] = ()
    regions: tuple[Region, ...] = ()
    partners: tuple[Partner, ...] = ()
    stores: tuple[Store, ...] = ()
    items: tuple[MenuItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a document says. None: it does not say anything of that kind, which then stays as it is."""

    currency: str
    brands: tuple[Brand, ...] | None = None
    regions: tuple[Region, ...] | None = None
    partners: tuple[Partner, ...] | None = None
    stores: tuple[WantedStore, ...] | None = None
    items: tuple[WantedItem, ...] | None = None
