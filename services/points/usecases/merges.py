"""Carry out merges of members, and their undoing, in the ledger; forget what was said of a person.

The ledger commits its own batches, outside of a consumer's transaction. So what is heard is noted in that transaction,
and a job carries it out soon after, under a key of its own: once, however often it is tried. Until then each account is
as right as before.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Protocol

from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Kind, Problem
from services.kit.ids import MakeId
from services.kit.principal import Caller, Principal
from services.points.domain.accounts import NoAccountError
from services.points.domain.commands import Merge, Split
from services.points.usecases.ledger import Call, Ledger, fingerprint, submit

AT_ONCE = 200

PASSING = frozenset({Kind.UNAVAILABLE, Kind.OVERLOADED, Kind.TIMED_OUT})
"""What is tried again; whatever else stands against a merge needs somebody to look at it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """A merge of `member` into `into`, or the undoing of one (`into` is empty)."""

    chain: str
    member: str
    sequence: int  # of the member's events
    merge: str
    into: str = ""


@dataclass(frozen=True, slots=True)
class Erased:
    """Somebody is to be forgotten."""

    member: str
    at: datetime


class Wishes(Protocol):
    """Where merges wait, of all chains."""

    async def waiting(self, *, first: int) -> Sequence[Wish]:
        """Return up to `first`, each member's in their order."""

    async def done(self, wish: Wish) -> None:
        """Forget one that was carried out."""

    async def refused(self, wish: Wish, why: str) -> None:
        """Keep one that cannot be carried out from being tried again."""


class HeardMerges(Protocol):
    """Where merges and erasures are noted, within one transaction."""

    async def note(self, wishes: Sequence[Wish]) -> None:
        """Keep them until they are carried out."""

    async def erase(self, chain: str, erased: Erased) -> None:
        """Delete the free texts that are kept of a member, and keep that this was done."""


async def erase_member(chain: str, erased: Erased, *, merges: HeardMerges) -> None:
    """Forget what was said of a member; again after a restore, as often as one likes. The ledger itself has no text."""
    await merges.erase(chain, erased)


@dataclass(frozen=True, slots=True)
class Merger:
    """The job; any replica may cut it short and do it again."""

    wishes: Wishes
    ledger: Ledger
    clocks: ChainClocks
    make_id: MakeId

    async def carry_out(self) -> int:
        """Carry out all that waits and return how many; what cannot be done yet holds up its own member only."""
        done = 0
        while waiting := await self.wishes.waiting(first=AT_ONCE):
            some = 0
            for _, wishes in groupby(waiting, key=lambda one: (one.chain, one.member)):
                some += await self._of_member(list(wishes))
            done += some
            if some < len(waiting):
                break
        return done

    async def _of_member(self, wishes: Sequence[Wish]) -> int:
        for number, wish in enumerate(wishes):
            try:
                await self._submit(wish)
            except Problem as problem:
                if problem.kind in PASSING:
                    _log.info("%s of %s in %s waits: %s", wish.merge, wish.member, wish.chain, problem.message)
                    return number
                if not isinstance(problem, NoAccountError):  # who has no account has nothing to take back
                    _log.error("%s of %s in %s is refused: %s", wish.merge, wish.member, wish.chain, problem.message)
                    await self.wishes.refused(wish, problem.code)
                    continue
            await self.wishes.done(wish)
        return len(wishes)

    async def _submit(self, wish: Wish) -> None:
        now = await self.clocks.now(wish.chain)
        call = Call(Principal(chain=wish.chain, kind=Caller.SERVICE, id="points"), now, self.make_id)
        if wish.into:
            await submit(
                self.ledger,
                Merge(
                    author=call.author(f"merge/{wish.merge}"),
                    account=wish.member,
                    fingerprint=fingerprint("merge", wish.member, wish.into, wish.merge),
                    at=now,
                    into=wish.into,
                    merge=wish.merge,
                ),
            )
            return
        await submit(
            self.ledger,
            Split(
                author=call.author(f"split/{wish.merge}"),
                account=wish.member,
                fingerprint=fingerprint("split", wish.member, wish.merge),
                at=now,
                merge=wish.merge,
            ),
        )
