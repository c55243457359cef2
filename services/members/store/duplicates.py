"""Units of work on likenesses in MongoDB."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime

from services.kit.mongo.database import Database, Session
from services.members.domain.chains import Chain
from services.members.domain.members import Member
from services.members.store.likenesses import MongoLikenessWork, waiting
from services.members.store.units import MongoUnit
from services.members.store.vault import Vault
from services.members.usecases.duplicates import LikenessUnit, Step


class MongoLikenessUnit(MongoLikenessWork):
    """One transaction on likenesses, with the members that they are of. It changes no member."""

    def __init__(self, database: Database, vault: Vault, session: Session, *, chain: str, now: datetime) -> None:
        super().__init__(database, session, chain=chain)
        self._unit = MongoUnit(database, vault, session, chain=chain, now=now)

    async def members(self, ids: Collection[str]) -> Mapping[str, Member]:
        """Return those of `ids` that exist, just as they are, merged and erased ones too."""
        return await self._unit.members(ids)


class MongoLikenessUnits:
    """Units of work on one service's database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    async def run(self, chain: Chain, body: Callable[[LikenessUnit], Awaitable[None]], *, now: datetime) -> None:
        """Do `body` in one transaction, again from the start when somebody else was first."""

        async def once(session: Session) -> None:
            await body(MongoLikenessUnit(self._database, self._vault, session, chain=chain.id, now=now))

        await self._database.in_transaction(once)

    async def waiting(self, step: Step, *, first: int) -> Mapping[str, Sequence[str]]:
        """Return up to `first` members that wait for a step, by chain."""
        return await waiting(self._database, step, first=first)
