"""The journal in MongoDB: a batch is loaded, folded and written as one transaction with version guards."""

from collections.abc import Sequence

from services.kit.errors import Problem
from services.kit.mongo.database import Database, Session
from services.kit.mongo.transactions import Conflict
from services.kit.outbox.outbox import Outbox
from services.kit.telemetry import span
from services.points.domain.batches import Answer, Folded
from services.points.domain.commands import AnyCommand
from services.points.store.loading import Loaded
from services.points.store.writing import write
from services.points.usecases.ledger import Fold
from services.points.usecases.programs import ProgramSource

MOST_LINKS = 100
"""Of a batch's traces; OpenTelemetry keeps 128 on a span."""

MOST_ROUNDS = 40
"""How often a fold may find that it needs more of the accounts: once or twice, and for each merge some more."""


class MongoJournal:
    """Accounts, lots, holds, receipts, entries and the outbox of one service's database."""

    def __init__(self, database: Database, outbox: Outbox, programs: ProgramSource) -> None:
        self._database, self._outbox, self._programs = database, outbox, programs

    async def commit(self, commands: Sequence[AnyCommand], fold: Fold) -> Sequence[Answer | Problem]:
        """Load, fold and write `commands` in one transaction; again from the load when somebody else was first.

        Nothing is read inside the transaction: the version guards and the unique keys of accounts, entries and
        receipts refuse whatever was decided on an old state, on any number of replicas.
        """

        async def once(session: Session) -> Sequence[Answer | Problem]:
            loaded = Loaded(self._database, self._programs)
            await loaded.load_for(commands)
            folded = await self._fold_one_state(commands, fold, loaded)
            await write(self._database, self._outbox, folded.changes, loaded, session)
            return folded.answers

        # A batch serves many calls, each with its own trace: it is a trace of its own that links to theirs.
        with span("ledger commit", links=[command.traceparent for command in commands[:MOST_LINKS]]):
            return await self._database.in_transaction(once)

    async def preview(self, commands: Sequence[AnyCommand], fold: Fold) -> Sequence[Answer | Problem]:
        """Load and fold `commands`, and write nothing."""
        loaded = Loaded(self._database, self._programs)
        await loaded.load_for(commands)
        return (await self._fold(commands, fold, loaded)).answers

    async def _fold_one_state(self, commands: Sequence[AnyCommand], fold: Fold, loaded: Loaded) -> Folded:
        """Fold; Conflict where accounts moved on while they, their lots and holds were loaded one after the other.

        What is written is guarded by versions. What is refused is not, and where accounts were merged meanwhile, a hold
        may have been looked for where it was no more, and not yet.
        """
        try:
            folded = await self._fold(commands, fold, loaded)
        except Exception as error:
            if await loaded.is_outdated():
                raise Conflict from error
            raise
        refused = any(isinstance(answer, Problem) for answer in folded.answers)
        if refused and loaded.has_ties() and await loaded.is_outdated():
            raise Conflict
        return folded

    async def _fold(self, commands: Sequence[AnyCommand], fold: Fold, loaded: Loaded) -> Folded:
        folded = fold(commands, books=loaded.books)
        for _ in range(MOST_ROUNDS):
            if isinstance(folded, Folded):
                return folded
            await loaded.load(folded)
            folded = fold(commands, books=loaded.books)
        message = f"after {MOST_ROUNDS} rounds something is still missing: {folded}"
        raise RuntimeError(message)
