"""Same key, same answer: the key of every command that was carried out, kept in the transaction that did it."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import IndexModel

from services.kit.errors import KeyReusedError
from services.kit.mongo.collections import Document, Keyed, Session
from services.kit.mongo.database import Database, create_indexes
from services.kit.mongo.guards import insert_new

COMMAND_KEYS = Keyed("command_keys", ("chain", "key"))

KEPT_FOR = timedelta(days=90)
"""Longer than any caller goes on retrying. What must hold for ever (store + receipt number) has a key of its own."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A command that was carried out: the hash of what was asked, the answer as it was sent, a line for people."""

    fingerprint: bytes
    answer: bytes
    summary: str
    at: datetime

    def answer_to(self, fingerprint: bytes) -> bytes:
        """Return the first answer to the same command again; `KeyReusedError` for another command."""
        if fingerprint != self.fingerprint:
            raise KeyReusedError(field="key", summary=self.summary)
        return self.answer


def fingerprint_of(command: bytes) -> bytes:
    """Return the hash that tells two commands apart. `command` is their deterministic serialization, without ids,
    times and traces that differ from try to try."""
    return hashlib.sha256(command).digest()


def row(*, chain: str, key: str, fingerprint: bytes, answer: bytes, summary: str, now: datetime) -> Document:
    """Return the document to `keep` in the command's own transaction."""
    return {
        "chain": chain,
        "key": key,
        "fingerprint": fingerprint,
        "answer": answer,
        "summary": summary,
        "at": now,
    }


async def kept(
    database: Database, chain: str, keys: Iterable[str], *, session: Session | None = None
) -> dict[str, Kept]:
    """Return what is kept under those of `keys` that were used before."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    condition = {"chain": chain, "key": {"$in": wanted}}
    found = await database.collection(COMMAND_KEYS).find(condition, session=session).to_list(len(wanted))
    return {each["key"]: Kept(each["fingerprint"], each["answer"], each["summary"], each["at"]) for each in found}


async def keep(database: Database, rows: Sequence[Document], *, session: Session) -> None:
    """Insert rows made by `row`; `Conflict` when one of the keys was used since `kept` looked."""
    await insert_new(database.collection(COMMAND_KEYS), rows, session=session)


async def set_up(database: Database) -> None:
    """Create the collection and its indexes; safe to repeat."""
    by_key = IndexModel([("chain", 1), ("key", 1)], name="by_key", unique=True)
    expiry = IndexModel([("at", 1)], name="expiry", expireAfterSeconds=int(KEPT_FOR.total_seconds()))
    await create_indexes(database, COMMAND_KEYS, [by_key, expiry])
