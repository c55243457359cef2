"""Say what booking a purchase would give, by booking it in books that are thrown away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.kit.errors import Problem
from services.points.domain.batches import Answer, Recorded, fold
from services.points.domain.commands import AnyCommand
from services.points.domain.identities import payer_account
from services.points.usecases.ledger import Call, Journal
from services.points.usecases.record_purchases import Identity, Members, Payer, Receipt, Recorder, record_purchases


@dataclass(frozen=True, slots=True)
class _Dropped:
    """A ledger that keeps nothing: commands are folded through what there is, as a commit would."""

    journal: Journal

    def check_room(self, count: int) -> None:
        """There is room: nothing waits."""

    async def submit_all(self, commands: Sequence[AnyCommand]) -> Sequence[Answer | Problem]:
        """Carry out `commands`, and forget what came of them."""
        return await self.journal.preview(commands, fold)


@dataclass(frozen=True, slots=True)
class _NobodyEnrolled:
    """Members, of whom nobody is made."""

    members: Members

    async def resolve(self, chain: str, identities: frozenset[Identity]) -> Mapping[Identity, str]:
        """Return the members' ids of those identities that somebody has."""
        return await self.members.resolve(chain, identities)

    async def enroll_payers(self, _chain: str, payers: Sequence[Payer]) -> Mapping[str, str]:
        """Return an account of its own for each payer: what a guest would get who is met for the first time."""
        return {payer.hash: payer_account(payer.hash) for payer in payers}

    async def existing(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        """Return those of `ids` that are members."""
        return await self.members.existing(chain, ids)


async def simulate_purchase(receipt: Receipt, *, call: Call, recorder: Recorder, journal: Journal) -> Recorded:
    """Return what booking `receipt` now would answer, limits and caps included; raise the Problem that it would.

    A guest who is known by a payer's identity alone is taken for a new one, since nobody is enrolled.
    """
    dry = replace(recorder, ledger=_Dropped(journal), members=_NobodyEnrolled(recorder.members))
    [answer] = await record_purchases([receipt], call=call, recorder=dry)
    if isinstance(answer, Problem):
        raise answer
    return answer
