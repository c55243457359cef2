"""Seal the days that have ended: whoever keeps a seal elsewhere can tell later whether anything before it changed."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from services.kit.chain_clocks import ChainClocks
from services.points.domain.seals import EMPTY_ROOT, Seal, Sealed, day_start, leaf_hash, leaf_of, settled_days
from services.points.usecases.chains import Chains
from services.points.usecases.read_accounts import page_size


@dataclass(frozen=True, slots=True)
class Head:
    """How far an account's journal went; version 0: it had not begun."""

    account: str
    version: int
    hash: bytes


class Seals(Protocol):
    """Where seals are kept, and the heads are read."""

    async def newest(self, chain: str, *, before: date | None, first: int) -> Sequence[Seal]:
        """Return up to `first` of the days before `before`, the newest first."""

    async def first_booked(self, chain: str) -> datetime | None:
        """Return when the first posting of the chain was booked."""

    async def is_booked(self, chain: str, *, since: datetime, until: datetime) -> bool:
        """Tell whether anything was booked in [since, until)."""

    def heads(self, chain: str, *, until: datetime) -> AsyncGenerator[Sequence[Head], None]:
        """Yield each account's head as it was at `until`, in the order of their ids; those that had any posting."""

    async def keep(self, seal: Seal) -> bool:
        """Keep a seal; False when its day has one."""


class SealingKey(Protocol):
    """The service's own key."""

    @property
    def key_id(self) -> str:
        """By what whoever checks a signature finds the key."""

    def sign(self, text: bytes) -> bytes:
        """Return the signature over `text`."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """The job that seals: each day by itself, so it can be cut short and done again, by any replica."""

    seals: Seals
    chains: Chains
    key: SealingKey
    clocks: ChainClocks

    async def seal_all(self) -> None:
        """Seal what has ended and is not sealed, chain by chain."""
        for chain in await self.chains.chains():
            await seal_chain(chain, seals=self.seals, key=self.key, now=await self.clocks.now(chain))


async def seal_chain(chain: str, *, seals: Seals, key: SealingKey, now: datetime) -> int:
    """Seal every day of the chain that ended long enough ago, from its first posting on; return how many."""
    newest = await seals.newest(chain, before=None, first=1)
    last = newest[0] if newest else None
    if last is None:
        began = await seals.first_booked(chain)
        if began is None:
            return 0
        first = began.astimezone(UTC).date()
    else:
        first = last.day + timedelta(days=1)
    made = 0
    for day in settled_days(first, now):
        seal = await _seal(chain, day, last=last, seals=seals, now=now)
        seal = replace(seal, key_id=key.key_id, signature=key.sign(seal.text()))
        if not await seals.keep(seal):
            break  # another replica is at it
        last = seal
        made += 1
    return made


async def _seal(chain: str, day: date, *, last: Seal | None, seals: Seals, now: datetime) -> Seal:
    sealed = Sealed(day)
    previous = last.root if last else b""
    if last is not None and not await seals.is_booked(chain, since=day_start(day), until=sealed.ends):
        return replace(last, day=day, previous=previous, sealed_at=now)  # nothing has changed
    async with aclosing(seals.heads(chain, until=sealed.ends)) as pages:
        async for page in pages:
            for head in page:
                sealed.add(leaf_hash(leaf_of(head.account, head.version, head.hash)), head.version)
    root = sealed.tree.root() if sealed.tree.count else EMPTY_ROOT
    return Seal(chain, day, root, sealed.tree.count, sealed.postings, previous, now)


async def list_seals(chain: str, *, after: date | None, first: int, seals: Seals) -> tuple[Sequence[Seal], date | None]:
    """Return a page of seals, the newest first, and the day after which to go on, None at the end."""
    first = page_size(first)
    found = await seals.newest(chain, before=after, first=first + 1)
    page = found[:first]
    return page, page[-1].day if len(found) > first else None
