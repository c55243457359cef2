"""Commands that were carried out, for use cases that are not one transaction."""

from datetime import datetime

from services.kit.mongo.command_keys import fingerprint_of, keep, kept, row
from services.kit.mongo.database import Database, Session


class MongoCommands:
    """The command keys of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def answer(self, chain: str, key: str, asked: str) -> str | None:
        """Return the first answer to the key; None: it is new. Raises KeyReusedError when something else was asked."""
        first = (await kept(self._database, chain, [key])).get(key)
        return None if first is None else first.answer_to(fingerprint_of(asked.encode())).decode()

    async def note(self, chain: str, key: str, asked: str, answer: str, *, now: datetime) -> None:
        """Keep the answer, unless somebody was faster."""
        fingerprint = fingerprint_of(asked.encode())
        summary = "a configuration was applied with it"
        used = row(chain=chain, key=key, fingerprint=fingerprint, answer=answer.encode(), summary=summary, now=now)

        async def once(session: Session) -> None:
            if key not in await kept(self._database, chain, [key], session=session):
                await keep(self._database, [dict(used)], session=session)

        await self._database.in_transaction(once)
