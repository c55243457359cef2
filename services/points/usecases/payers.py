"""Move what was booked on payers to the members that they are, once members can be asked again."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Problem
from services.kit.ids import MakeId
from services.kit.principal import Caller, Principal
from services.points.domain.commands import TakeOver
from services.points.domain.identities import payer_of
from services.points.domain.moving import MovedOnError
from services.points.domain.purchases import Purchase
from services.points.usecases.ledger import Call, Ledger, fingerprint, submit
from services.points.usecases.record_purchases import AWAY, Members, Payer

AT_ONCE = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WaitingPayer:
    """An account that is named by its payer, its version, and the receipts that were booked on it."""

    chain: str
    account: str
    version: int
    receipts: tuple[str, ...]  # their keys
    first: Purchase


class Payers(Protocol):
    """Accounts of payers that have not been moved."""

    async def waiting(self, *, first: int) -> Sequence[WaitingPayer]:
        """Return up to `first` of all chains, the oldest first."""

    async def moved(self, chain: str, accounts: Sequence[str]) -> None:
        """Forget those that have been moved."""


@dataclass(frozen=True, slots=True)
class Mover:
    """What moving needs from outside."""

    payers: Payers
    members: Members
    ledger: Ledger
    clocks: ChainClocks
    make_id: MakeId

    async def move(self) -> int:
        """Move all that can be moved and return how many; stops, to be called again, while members is away."""
        moved = 0
        while waiting := await self.payers.waiting(first=AT_ONCE):
            some = 0
            for chain in sorted({one.chain for one in waiting}):
                try:
                    some += await self._move_chain(chain, [one for one in waiting if one.chain == chain])
                except Problem as problem:
                    if problem.kind not in AWAY:
                        raise
                    _log.info("payers of %s cannot be moved yet: %s", chain, problem.message)
            moved += some
            if some < len(waiting):
                break
        return moved

    async def _move_chain(self, chain: str, waiting: Sequence[WaitingPayer]) -> int:
        known = await self.members.enroll_payers(chain, [_payer(one) for one in waiting])
        now = await self.clocks.now(chain)
        done: list[str] = []
        for one in waiting:
            if member := known.get(payer_of(one.account)):
                with suppress(MovedOnError):  # something was booked meanwhile: it is looked at again
                    await self._take_over(one, member, now)
                    done.append(one.account)
        await self.payers.moved(chain, done)
        return len(done)

    async def _take_over(self, waiting: WaitingPayer, member: str, now: datetime) -> None:
        call = Call(Principal(chain=waiting.chain, kind=Caller.SERVICE, id="points"), now, self.make_id)
        # A key for each state of the account: one that has moved on meanwhile is taken over by the next round.
        command = TakeOver(
            author=call.author(f"take-over/{waiting.account[:80]}/{waiting.version}"),
            account=waiting.account,
            fingerprint=fingerprint("take over", waiting.account, member),
            at=now,
            into=member,
            version=waiting.version,
            receipts=waiting.receipts,
        )
        await submit(self.ledger, command)


def _payer(waiting: WaitingPayer) -> Payer:
    first = waiting.first
    return Payer(payer_of(waiting.account), first.payment_kind, first.store, first.occurred_at)
