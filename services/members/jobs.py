"""What members does by the clock."""

import logging
from datetime import datetime
from typing import Protocol

from services.kit.chain_clocks import ChainClocks
from services.kit.jobs import Job
from services.members.usecases.chains import ChainFinder
from services.members.usecases.duplicates import LikenessUnits, find_duplicates

AT_ONCE = 1_000

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
