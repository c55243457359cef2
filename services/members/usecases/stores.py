"""Stores: save and list."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from services.kit.ids import MakeId
from services.kit.principal import NotAllowedError, Principal
from services.members.domain.chains import Chain
from services.members.domain.stores import SavedStores, Store, WantedStore, check_stores
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count


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
