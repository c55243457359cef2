"""Brands, regions and partners: save and list."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from services.kit.principal import NotAllowedError, Principal
from services.members.domain.coded import Coded, Saved
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count

T = TypeVar("T", bound=Coded)


class Listed(Protocol[T]):
    """Where a chain's things of one kind are kept."""

    async def save(self, wanted: Sequence[T], *, chain: str, now: datetime, traceparent: str) -> Saved[T]:
        """Fold `wanted` over what is there, and keep and tell what changed."""

    async def every(self, chain: str) -> list[T]:
        """Return all of them in the order of their codes."""


async def save_listed(
    wanted: Sequence[T],
    *,
    check: Callable[[Sequence[T]], None],
    things: str,
    caller: Principal,
    now: datetime,
    chains: ChainFinder,
    listed: Listed[T],
    traceparent: str = "",
) -> tuple[T, ...]:
    """Add or change `things`, by their code, all or none; what is as wanted stays untouched."""
    check_count(wanted, field=things)
    if caller.stores:
        raise NotAllowedError(why=f"it is limited to some stores, and {things} are the whole chain's")
    check(wanted)
    chain = await callers_chain(caller, chains=chains)
    return (await listed.save(wanted, chain=chain.id, now=now, traceparent=traceparent)).all
