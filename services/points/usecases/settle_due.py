"""Settle accounts that are due: what the fold would do before an account's next command is done in bulk, on its day.

Points lapse and become available, holds run out, levels end, members are reminded, whether or not anybody looks: this
books it, so that reports have it and others hear of it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Problem
from services.kit.ids import MakeId
from services.points.domain.batches import Settled
from services.points.domain.commands import Settle
from services.points.domain.drafts import Author
from services.points.domain.journal import BY_ITSELF
from services.points.usecases.chains import Chains
from services.points.usecases.ledger import Ledger

AT_ONCE = 500
"""Accounts in one commit."""

BESIDE = 2
"""Commits that are asked for at once: one is folded while the other is at the database. The next begin when both are
through, so that what guests do finds room beside them."""


class DueAccounts(Protocol):
    """Where accounts are looked up by when something in them falls due."""

    async def due(self, chain: str, *, by: datetime, first: int) -> Sequence[str]:
        """Return the ids of up to `first` accounts in which something fell due by `by`, the longest due first."""

    async def next_due(self, chain: str, after: datetime) -> datetime | None:
        """Return the earliest moment after `after` at which something in an account of `chain` falls due."""


@dataclass(frozen=True, slots=True)
class Settling:
    """The job. What is settled is not due any more: so it can be cut short anywhere and done again, by any replica."""

    accounts: DueAccounts
    ledger: Ledger
    make_id: MakeId
    chains: Chains
    clocks: ChainClocks

    async def settle_all(self) -> int:
        """Settle what is due, chain by chain; return how many accounts."""
        return sum([await self.run(chain, await self.clocks.now(chain)) for chain in await self.chains.chains()])

    async def next_due(self, chain: str, after: datetime) -> datetime | None:
        """Return the earliest moment after `after` at which something falls due."""
        return await self.accounts.next_due(chain, after)

    async def run(self, chain: str, now: datetime) -> int:
        """Settle what is due in one chain by `now`; return how many accounts."""
        settled = 0
        while accounts := await self.accounts.due(chain, by=now, first=AT_ONCE * BESIDE):
            parts = [accounts[start : start + AT_ONCE] for start in range(0, len(accounts), AT_ONCE)]
            await asyncio.gather(*(self._settle(chain, part, now) for part in parts))
            settled += len(accounts)
        return settled

    async def _settle(self, chain: str, accounts: Sequence[str], now: datetime) -> None:
        commands = [
            Settle(author=Author(chain, self.make_id("ent", now), now, BY_ITSELF), account=account, at=now)
            for account in accounts
        ]
        for answer in await self.ledger.submit_all(commands):
            if isinstance(answer, Problem):
                raise answer
            assert isinstance(answer, Settled)  # noqa: S101 - narrows the type: what `Settle` is answered with
