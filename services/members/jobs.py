"""What members does by the clock."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.kit.chain_clocks import ChainClocks
from services.kit.clock import Clock
from services.kit.errors import Kind, Problem
from services.kit.ids import MakeId
from services.kit.jobs import Job
from services.members.domain.exports import NoExportError
from services.members.usecases.chains import ChainFinder
from services.members.usecases.duplicates import LikenessUnits, find_duplicates
from services.members.usecases.exports import Exports, Named, give_up, write_next

AT_ONCE = 1_000

OPEN_AT_ONCE = 100
"""Exports that are written in turn."""

SWEPT_AT_ONCE = 100

ROUNDS = 1_000
"""Chunks of each export in one run of the job: some minutes, after which it is due again at once."""

PASSING = frozenset({Kind.OVERLOADED, Kind.UNAVAILABLE, Kind.TIMED_OUT})

_log = logging.getLogger(__name__)


class Rewrapping(Protocol):
    """Where data keys are kept under wrapping keys."""

    async def rewrap(self, *, first: int) -> int:
        """Wrap up to `first` data keys anew that an older key wraps, and return how many."""


class KeptErasures(Protocol):
    """What the vault remembers of erasures, against what the database says of their members."""

    async def chains(self) -> list[str]:
        """Return the chains that have erased somebody."""

    async def erase_again(self, chain: str, *, now: datetime) -> int:
        """Erase those of the chain's members anew who were erased before and are back."""


def forget_again(kept: KeptErasures, clocks: ChainClocks) -> Job:
    """Return the job that erases anew whom a restored backup has brought back."""

    async def run() -> None:
        for chain in await kept.chains():
            if back := await kept.erase_again(chain, now=await clocks.now(chain)):
                _log.warning("chain %s: %d erased members were back, and are erased again", chain, back)

    return Job(name="forget-again", every_s=3_600.0, run=run, within_s=3_600.0)


def find_likely(units: LikenessUnits, chains: ChainFinder, clocks: ChainClocks) -> Job:
    """Return the job that finds out who may be the same person as somebody who has changed."""

    async def run() -> None:
        while await find_duplicates(units=units, chains=chains, now=clocks.now):
            pass

    return Job(name="find-duplicates", every_s=1.0, run=run, within_s=3_600.0)


def rewrap_keys(vault: Rewrapping) -> Job:
    """Return the job that brings all data keys under the current wrapping key, after there is a new one."""

    async def run() -> None:
        while await vault.rewrap(first=AT_ONCE):
            pass

    return Job(name="rewrap-keys", every_s=60.0, run=run, within_s=3_600.0)


class OpenExports(Exports, Protocol):
    """Where exports wait to be written, and files that are gone to be deleted."""

    async def open(self, *, first: int) -> Sequence[Named]:
        """Return up to `first` exports, of all chains, that wait or are written."""

    async def sweep(self, *, now: datetime, first: int) -> int:
        """Drop what has become too old, and delete up to `first` files that are gone; returns how many."""


def write_exports(exports: OpenExports, *, clock: Clock, clocks: ChainClocks, make_id: MakeId) -> Job:
    """Return the job that writes exports, a chunk of each in turn, so that a small one never waits for a large one."""

    async def run() -> None:
        for _ in range(ROUNDS):
            some = await exports.open(first=OPEN_AT_ONCE)
            for named in some:
                await write_chunk(named, exports=exports, clocks=clocks, make_id=make_id)
            while await exports.sweep(now=clock(), first=SWEPT_AT_ONCE) == SWEPT_AT_ONCE:
                pass
            if not some:
                break

    return Job(name="write-exports", every_s=1.0, run=run, within_s=3_600.0)


async def write_chunk(named: Named, *, exports: Exports, clocks: ChainClocks, make_id: MakeId) -> None:
    """Write the next chunk of one export; what fails is tried a few times, and no other export's harm."""
    now = await clocks.now(named.chain)
    try:
        found = await exports.get(named.chain, named.export)
        if not found.chunks and found.rows_estimated is None and not found.after:
            await exports.estimate(named.chain, found)
        await write_next(named, look_id=make_id("look", now), now=now, exports=exports)
    except NoExportError:
        return  # dropped meanwhile
    except Problem as problem:
        if problem.kind in PASSING:
            return  # the database is away, or others were faster: it is the next round's
        _log.exception("export %s cannot be written", named.export)
        await give_up(named, None if problem.kind is Kind.FAULT else problem, now=now, exports=exports)
    except Exception:  # noqa: BLE001 - one export that cannot be written must not keep the others waiting
        _log.exception("export %s failed", named.export)
        await give_up(named, None, now=now, exports=exports)
