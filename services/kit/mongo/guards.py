"""Writes that only take place when nobody else was faster; otherwise `Conflict`, so that the transaction is redone."""

from collections.abc import Sequence

from pymongo import ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from services.kit.mongo.collections import Collection, Document, Session
from services.kit.mongo.transactions import Conflict

DUPLICATE_KEY = 11000


async def insert_new(collection: Collection, documents: Sequence[Document], *, session: Session) -> None:
    """Insert documents whose keys were free when they were looked up; `Conflict` when one has been taken since."""
    if not documents:
        return
    try:
        await collection.insert_many(documents, session=session)
    except BulkWriteError as error:
        if any(failed["code"] == DUPLICATE_KEY for failed in (error.details or {}).get("writeErrors", [])):
            raise Conflict from error
        raise


async def write_guarded(
    collection: Collection, writes: Sequence[UpdateOne | ReplaceOne[Document]], *, session: Session
) -> None:
    """Do `writes` whose filters name the version that was read; `Conflict` when one no longer finds it."""
    if not writes:
        return
    done = await collection.bulk_write(list(writes), session=session)
    if done.matched_count + done.upserted_count != len(writes):
        raise Conflict
