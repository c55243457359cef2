"""Reward both sides of a referral in the ledger.

As with merges, what is heard is noted in the consumer's transaction, and a job carries it out soon after, each side
under a key of its own: once, however often it is heard or tried.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Protocol

from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Problem
from services.kit.ids import MakeId
from services.kit.principal import Caller, Principal
from services.points.domain.batches import Answer
from services.points.domain.commands import Reward, Side
from services.points.domain.rewarding import NoRewardError
from services.points.usecases.ledger import Call, Ledger, fingerprint
from services.points.usecases.merges import PASSING

AT_ONCE = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Completed:
    """A referral was completed: both sides are to be rewarded. Members tells this once of a `referral`."""

    chain: str
    referral: str
    referrer: str
    referred: str
    at: datetime


class HeardReferrals(Protocol):
    """Where completed referrals are noted, within one transaction."""

    async def note(self, completed: Sequence[Completed]) -> None:
        """Keep them until both sides are rewarded."""


class Rewards(Protocol):
    """Where completed referrals wait, of all chains."""

    async def waiting(self, *, first: int) -> Sequence[Completed]:
        """Return up to `first`, each chain's together."""

    async def erased(self, chain: str, members: Collection[str]) -> Collection[str]:
        """Return those of `members` who were erased."""

    async def done(self, completed: Completed) -> None:
        """Forget one."""

    async def refused(self, completed: Completed, why: str) -> None:
        """Keep one that cannot be rewarded from being tried again."""


@dataclass(frozen=True, slots=True)
class Rewarder:
    """The job; any replica may cut it short and do it again."""

    rewards: Rewards
    ledger: Ledger
    clocks: ChainClocks
    make_id: MakeId

    async def carry_out(self) -> int:
        """Reward all that waits and return how many referrals; what cannot be done yet is tried again."""
        done = 0
        while waiting := await self.rewards.waiting(first=AT_ONCE):
            some = 0
            for chain, completed in groupby(waiting, key=lambda one: one.chain):
                some += await self._of_chain(chain, list(completed))
            done += some
            if some < len(waiting):
                break
        return done

    async def _of_chain(self, chain: str, completed: Sequence[Completed]) -> int:
        now = await self.clocks.now(chain)
        call = Call(Principal(chain=chain, kind=Caller.SERVICE, id="points"), now, self.make_id)
        people = {member for one in completed for member in (one.referrer, one.referred)}
        erased = await self.rewards.erased(chain, people)
        # Who was erased gets nothing, and the other side what it would have got.
        asked = [
            (one, _reward(one, side, call)) for one in completed for side in Side if _account(one, side) not in erased
        ]
        answers = await self.ledger.submit_all([command for _, command in asked]) if asked else ()
        told: dict[str, list[Answer | Problem]] = {one.referral: [] for one in completed}
        for (one, _), answer in zip(asked, answers, strict=True):
            told[one.referral].append(answer)
        return sum([await self._settle(one, told[one.referral]) for one in completed])

    async def _settle(self, one: Completed, answers: Sequence[Answer | Problem]) -> bool:
        problems = [answer for answer in answers if isinstance(answer, Problem)]
        for problem in problems:
            if problem.kind in PASSING:
                _log.info("the reward of %s in %s waits: %s", one.referral, one.chain, problem.message)
                return False
        for problem in problems:
            if isinstance(problem, NoRewardError):
                _log.info("%s in %s: %s", one.referral, one.chain, problem.message)
                continue
            _log.error("the reward of %s in %s is refused: %s", one.referral, one.chain, problem.message)
            await self.rewards.refused(one, problem.code)
            return True
        await self.rewards.done(one)
        return True


def _account(one: Completed, side: Side) -> str:
    return one.referrer if side is Side.REFERRER else one.referred


def _reward(one: Completed, side: Side, call: Call) -> Reward:
    return Reward(
        author=call.author(f"referral/{one.referral}/{side}"),
        account=_account(one, side),
        fingerprint=fingerprint("referral", one.referral, one.referrer, one.referred, side.value, one.at.isoformat()),
        at=one.at,
        opens_account=True,
        side=side,
        other=one.referred if side is Side.REFERRER else one.referrer,
        referral=one.referral,
    )
