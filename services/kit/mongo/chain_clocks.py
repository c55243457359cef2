"""The clocks of sandboxes in MongoDB, a document for each that was ever moved.

Nothing is remembered in the process: a sandbox may cost a query, and so all replicas agree from the moment on at which
a move is answered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pymongo.errors import DuplicateKeyError

from services.kit.chain_clocks import is_sandbox
from services.kit.clock import Clock, to_millisecond
from services.kit.errors import Kind, Problem
from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database

CLOCKS = Keyed("chain_clocks", ())
"""`_id`: the chain; `at`: where its clock stands. A few documents, read by their ids only."""

LONGEST_MOVE = timedelta(days=366)
"""In one step: whatever falls due meanwhile is done at its end, and that has to be bounded work."""


class NotASandboxError(Problem):
    """{chain} is not a sandbox: its clock is the world's. Open a chain with `sandbox`, whose id begins with sbx_."""

    kind = Kind.REFUSED
    code = "NOT_A_SANDBOX"


class ClockGoesBackError(Problem):
    """A chain's clock never goes back: it stands at {at}."""

    kind = Kind.REFUSED
    code = "CLOCK_GOES_BACK"


class MoveTooLongError(Problem):
    """A clock moves by {days} days at most in one step: it stands at {at}."""

    kind = Kind.INVALID
    code = "MOVE_TOO_LONG"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a chain's clock is, and whether it stands there; before the first move it goes with the system's."""

    now: datetime
    stands: bool


class MongoChainClocks:
    """The clocks that one service keeps; it knows those of the other services' not at all."""

    def __init__(self, database: Database, *, system: Clock) -> None:
        self._clocks = database.collection(CLOCKS)
        self._system = system

    async def now(self, chain: str) -> datetime:
        """Return what time it is for `chain`: without a question for any but a sandbox."""
        return (await self.standing(chain)).now

    async def each(self, chains: Iterable[str]) -> Mapping[str, datetime]:
        """Return what time it is for each of `chains`, with one question for the sandboxes among them."""
        moments = dict.fromkeys(chains, self._system())
        if asked := [chain for chain in moments if is_sandbox(chain)]:
            found = await self._clocks.find({"_id": {"$in": asked}}).to_list(len(asked))
            moments |= {row["_id"]: row["at"].astimezone(UTC) for row in found}
        return moments

    async def standing(self, chain: str) -> Standing:
        """Return where the clock of `chain` is."""
        found = await self._clocks.find_one({"_id": chain}) if is_sandbox(chain) else None
        return Standing(found["at"].astimezone(UTC), stands=True) if found else Standing(self._system(), stands=False)

    async def move(self, chain: str, to: datetime) -> datetime:
        """Let the clock of `chain` stand at `to`, cut to the millisecond, and return that; safe to repeat.

        Raises `NotASandboxError`, `ClockGoesBackError`, `MoveTooLongError`, and then nothing has changed.
        """
        if not is_sandbox(chain):
            raise NotASandboxError(chain=chain or "No chain")
        to = to_millisecond(to)
        before = await self.standing(chain)
        if to > before.now + LONGEST_MOVE:
            raise MoveTooLongError(field="moment", days=LONGEST_MOVE.days, at=before.now.isoformat())
        if to < before.now:
            raise ClockGoesBackError(field="moment", at=before.now.isoformat())
        try:
            # The filter finds a clock that is not ahead of `to`; one that has got ahead since collides by its id.
            await self._clocks.update_one({"_id": chain, "at": {"$lte": to}}, {"$set": {"at": to}}, upsert=True)
        except DuplicateKeyError as error:
            raise ClockGoesBackError(field="moment", at=(await self.now(chain)).isoformat()) from error
        return to
