"""First purchases complete referrals, within the transaction of the consumer that heard of the purchases."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from services.kit.mongo.database import Database, Session
from services.kit.outbox.outbox import Outbox
from services.members.store.referrals import OpenReferrals
from services.members.store.units import MongoUnit
from services.members.store.vault import Vault
from services.members.usecases.units import Unit


class MongoCompleting:
    """What a consumer's transaction needs to complete referrals."""

    def __init__(self, database: Database, vault: Vault, outbox: Outbox, session: Session) -> None:
        self._database, self._vault, self._outbox, self._session = database, vault, outbox, session

    async def brought(self, chain: str, members: Collection[str]) -> Collection[str]:
        """Return those of `members`, each by the id that it has now, who were brought and have not bought yet."""
        return await OpenReferrals(self._database, self._session).brought(chain, members)

    async def run(
        self, chain: str, body: Callable[[Unit], Awaitable[None]], *, now: datetime, traceparent: str
    ) -> None:
        """Do `body` in the transaction."""
        unit = MongoUnit(self._database, self._vault, self._session, chain=chain, now=now)
        await body(unit)
        await unit.write(self._outbox, traceparent=traceparent)
