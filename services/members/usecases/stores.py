"""Stores: save, list, and find the nearest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from services.kit.errors import Kind, Problem
from services.kit.ids import MakeId
from services.kit.principal import NotAllowedError, Principal
from services.members.domain.chains import Chain
from services.members.domain.places import Position, check_position, distance_m
from services.members.domain.stores import SavedStores, Store, WantedStore, check_stores, is_open_at
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count

MAX_NEAREST = 100
"""Stores in one answer."""

MAX_LOOKED_AT = 1_000
"""The nearest stores among which open ones are looked for: nobody walks past more closed doors."""

MAX_DISTANCE_M = 20_100_000
"""Half way round the earth."""


class InvalidSearchError(Problem):
    """Stores cannot be looked for like that: {why}."""

    kind = Kind.INVALID
    code = "INVALID_SEARCH"


class NewId(Protocol):
    """Makes ids for what turns out to be new."""

    def __call__(self) -> str:
        """Return a new store id."""


class Stores(Protocol):
    """Where stores are kept."""

    async def save(
        self, wanted: Sequence[WantedStore], *, chain: Chain, new_id: NewId, now: datetime, traceparent: str
    ) -> SavedStores:
        """Fold `wanted` over what is there, and keep and tell what changed."""

    async def every(self, chain: str) -> list[Store]:
        """Return all stores in the order of their ids."""

    async def find(self, chain: str, ids: frozenset[str]) -> list[Store]:
        """Return those of `ids` that exist, in the order of their ids."""

    async def nearest(self, chain: str, to: Position, *, most: int, within_m: int) -> list[Store]:
        """Return the stores with a position that are not closed for good, the nearest first."""


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for. `within_m` 0: however far. `open_now`: only stores that are known to be open."""

    near: Position
    most: int
    within_m: int = 0
    open_now: bool = False


@dataclass(frozen=True, slots=True)
class Near:
    """A store, and how far it is in whole metres."""

    store: Store
    distance_m: int


async def save_stores(
    wanted: Sequence[WantedStore],
    *,
    caller: Principal,
    now: datetime,
    chains: ChainFinder,
    stores: Stores,
    make_id: MakeId,
    traceparent: str = "",
) -> tuple[Store, ...]:
    """Add or change stores, by their code, all or none; what is as wanted stays untouched."""
    check_count(wanted, field="stores")
    if caller.stores:
        raise NotAllowedError(why="it is limited to some stores, and stores are the whole chain's")
    check_stores(wanted)
    chain = await callers_chain(caller, chains=chains)
    saved = await stores.save(
        wanted, chain=chain, new_id=partial(make_id, "sto", now), now=now, traceparent=traceparent
    )
    return saved.stores


async def get_stores(ids: Sequence[str], *, caller: Principal, stores: Stores) -> list[Store]:
    """Return the stores of these ids that exist, all stores when no id is given; in the order of their ids."""
    check_count(ids, field="ids")
    return await stores.find(caller.chain, frozenset(ids)) if ids else await stores.every(caller.chain)


async def nearest_stores(search: Search, *, caller: Principal, now: datetime, stores: Stores) -> list[Near]:
    """Return the nearest stores, the nearest first."""
    if not 1 <= search.most <= MAX_NEAREST:
        raise InvalidSearchError(field="first", why=f"ask for 1 to {MAX_NEAREST} stores")
    if not 0 <= search.within_m <= MAX_DISTANCE_M:
        raise InvalidSearchError(field="maxDistanceM", why=f"a distance is 1 to {MAX_DISTANCE_M} metres")
    check_position(search.near)
    most = MAX_LOOKED_AT if search.open_now else search.most
    within_m = search.within_m or MAX_DISTANCE_M
    found = await stores.nearest(caller.chain, search.near, most=most, within_m=within_m)
    some = [store for store in found if not search.open_now or is_open_at(store, now)][: search.most]
    return [Near(store, round(distance_m(search.near, store.position))) for store in some if store.position]
