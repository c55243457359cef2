"""Stores: saved by the chain's own code; each change makes a new version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, MAX_NAME_LENGTH, Chain, is_code, is_name, is_time_zone
from services.members.domain.hours import Hours, check_hours, is_open
from services.members.domain.named import Named
from services.members.domain.places import Address, Position, check_address, check_position
from services.members.domain.wanted import KEEP, Wanted, chosen

MAX_STORES = 10_000
"""Stores of one chain: all of them fit into one answer."""


class InvalidStoreError(Problem):
    """The store is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_STORE"


class NoStoreError(Problem):
    """There is no store {store} in this chain."""

    kind = Kind.NOT_FOUND
    code = "STORE_NOT_FOUND"


class TooManyStoresError(Problem):
    """A chain has at most {most} stores."""

    kind = Kind.REFUSED
    code = "TOO_MANY_STORES"


@dataclass(frozen=True, slots=True)
class Store:
    """A store as it is now. `version` grows by one with every change, from 1. `closed` is for good."""

    id: str
    code: str
    name: str
    time_zone: str
    currency: str
    version: int
    region: str = ""  # the chain's own code, empty: none
    brand: str = ""  # as the region
    address: Address | None = None
    position: Position | None = None
    hours: Hours | None = None  # None: not known
    closed: bool = False


@dataclass(frozen=True, slots=True)
class WantedStore:
    """A store as somebody wants it. An empty `time_zone` means the chain's.

    Name, zone and region are as they stand here; the rest may be `KEEP`: as it was, in a new store none.
    """

    code: str
    name: str
    time_zone: str = ""
    region: str = ""
    brand: Wanted[str] = KEEP
    address: Wanted[Address | None] = KEEP
    position: Wanted[Position | None] = KEEP
    hours: Wanted[Hours | None] = KEEP
    closed: Wanted[bool] = KEEP


@dataclass(frozen=True, slots=True)
class SavedStores:
    """All stores that were asked for, in the order of the input, and of them those that are new or changed."""

    stores: tuple[Store, ...]
    changed: tuple[Store, ...]


def check_stores(wanted: Sequence[WantedStore]) -> None:
    """Refuse, with the field at fault, what no store can be, and a code that is given twice."""
    seen: set[str] = set()
    for number, store in enumerate(wanted):
        path = f"stores.{number}"
        if not is_code(store.code):
            raise InvalidStoreError(field=f"{path}.code", why=f"a code has 1 to {MAX_CODE_LENGTH} visible characters")
        if store.code in seen:
            raise InvalidStoreError(field=f"{path}.code", why="its code stands twice in this call")
        if not is_name(store.name):
            raise InvalidStoreError(field=f"{path}.name", why=f"a name has 1 to {MAX_NAME_LENGTH} visible characters")
        if store.time_zone and not is_time_zone(store.time_zone):
            raise InvalidStoreError(field=f"{path}.timeZone", why="a time zone is an IANA name like Asia/Shanghai")
        if store.region and not is_code(store.region):
            raise InvalidStoreError(
                field=f"{path}.region", why=f"a region's code has 1 to {MAX_CODE_LENGTH} visible characters"
            )
        if store.address is not KEEP and store.address is not None:
            check_address(store.address, path=f"{path}.address")
        if store.position is not KEEP and store.position is not None:
            check_position(store.position, path=f"{path}.position")
        if store.hours is not KEEP and store.hours is not None:
            check_hours(store.hours, path=f"{path}.hours")
        seen.add(store.code)


def is_open_at(store: Store, moment: datetime) -> bool | None:
    """Tell whether the store is open at `moment`; None when its hours are not known."""
    if store.closed:
        return False
    return None if store.hours is None else is_open(store.hours, time_zone=store.time_zone, moment=moment)


def save_stores(
    wanted: Sequence[WantedStore],
    *,
    known: Mapping[str, Store],
    count: int,
    chain: Chain,
    new_id: Callable[[], str],
    named: Named,
) -> SavedStores:
    """Fold `wanted` over `known`, the chain's stores of these codes; `count` is how many it has in all."""
    saved = [_saved(store, known.get(store.code), chain=chain, new_id=new_id) for store in wanted]
    changed = tuple(store for store in saved if store != known.get(store.code))
    if count + sum(store.version == 1 for store in changed) > MAX_STORES:
        raise TooManyStoresError(field="stores", most=MAX_STORES)
    for number, store in enumerate(saved):
        before = known.get(store.code)
        named.check_brand(store.brand, field=f"stores.{number}.brand")
        if before is None or store.region != before.region:
            named.check_region(store.region, field=f"stores.{number}.region")
    return SavedStores(tuple(saved), changed)


def _saved(wanted: WantedStore, known: Store | None, *, chain: Chain, new_id: Callable[[], str]) -> Store:
    time_zone = wanted.time_zone or chain.time_zone
    before = known or Store(new_id(), wanted.code, wanted.name, time_zone, chain.currency, version=0)
    after = replace(
        before,
        name=wanted.name,
        time_zone=time_zone,
        region=wanted.region,
        brand=chosen(wanted.brand, before.brand),
        address=chosen(wanted.address, before.address),
        position=chosen(wanted.position, before.position),
        hours=chosen(wanted.hours, before.hours),
        closed=chosen(wanted.closed, before.closed),
    )
    return known if after == known else replace(after, version=before.version + 1)
