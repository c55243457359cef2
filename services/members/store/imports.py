"""Imports in MongoDB: a document for each job, changed in the transactions that take its rows."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.outbox import Outbox
from services.members.domain.chains import Chain
from services.members.domain.households import Household
from services.members.domain.imports import Chunk, Counts, ImportJob, NoImportError, Policy, Refused, RowOutcome
from services.members.store import households
from services.members.store.collections import STORES
from services.members.store.survivors import hold
from services.members.store.units import MongoUnit
from services.members.store.vault import Vault
from services.members.usecases.imports import ImportUnit

T = TypeVar("T")

IMPORTS = Keyed("imports", ("chain", "job"))
REHEARSALS = Keyed("rehearsals", ("chain", "job"))
"""What dry runs would have given to whom: keyed hashes of identities, ids and codes."""

REHEARSED_S = 30 * 24 * 3600
"""A dry run that nobody closes is forgotten after a month."""

AT_ONCE = 5_000


class MongoImports:
    """Imports of one service's database."""

    def __init__(self, database: Database, vault: Vault, outbox: Outbox) -> None:
        self._database, self._vault, self._outbox = database, vault, outbox

    async def run(
        self, chain: Chain, body: Callable[[ImportUnit], Awaitable[T]], *, now: datetime, traceparent: str = ""
    ) -> T:
        """Do `body` in one transaction, again from the start when somebody else was first."""

        async def once(session: Session) -> T:
            unit = MongoImportUnit(self._database, self._vault, session, chain=chain.id, now=now)
            answer = await body(unit)
            await unit.write(self._outbox, traceparent=traceparent)
            return answer

        return await self._database.in_transaction(once)

    async def list_jobs(self, chain: str, *, before: str, first: int) -> Sequence[ImportJob]:
        """Return up to `first` imports, the latest first, older than the one with the id `before`; no refused rows."""
        condition: Document = {"chain": chain} | ({"job": {"$lt": before}} if before else {})
        shown = {"_id": False, "refused": False, "latest.refused": False, "latest.members": False}
        found = self._database.collection(IMPORTS).find(condition, shown).sort("job", DESCENDING).limit(first)
        return [_job({**one, "refused": []}) for one in await found.to_list(first)]


class MongoImportUnit(MongoUnit):
    """One transaction of an import."""

    async def job(self, job_id: str) -> ImportJob:
        """Return an import, or raise NoImportError."""
        condition = {"chain": self._chain, "job": job_id}
        found = await self._database.collection(IMPORTS).find_one(condition, session=self._session)
        if found is None:
            raise NoImportError(field="jobId", job=job_id)
        return _job(found)

    async def keep_job(self, job: ImportJob, *, was: ImportJob | None) -> None:
        """Write an import, a new one when it `was` none; `Conflict` when somebody else has changed it."""
        collection, document = self._database.collection(IMPORTS), _document(self._chain, job)
        if was is None:
            await insert_new(collection, [document], session=self._session)
            return
        guarded = {"chain": self._chain, "job": job.id, "rows": was.counts.rows, "closed_at": was.closed_at}
        await write_guarded(collection, [ReplaceOne(guarded, document)], session=self._session)

    async def rehearsed(self, job_id: str, names: Collection[bytes]) -> Mapping[bytes, str]:
        """Return to whom a dry run has given what."""
        condition = {"chain": self._chain, "job": job_id, "name": {"$in": sorted(names)}}
        found = self._database.collection(REHEARSALS).find(condition, {"_id": False}, session=self._session)
        return {one["name"]: one["to"] for one in await found.to_list(len(names))}

    async def rehearse(self, job_id: str, names: Mapping[bytes, str]) -> None:
        """Note what a dry run would have given to whom."""
        writes = [
            ReplaceOne(
                {"chain": self._chain, "job": job_id, "name": name},
                {"chain": self._chain, "job": job_id, "name": name, "to": to, "at": self._now},
                upsert=True,
            )
            for name, to in names.items()
        ]
        await write_guarded(self._database.collection(REHEARSALS), writes, session=self._session)

    async def end_rehearsal(self, job_id: str) -> None:
        """Forget what a dry run noted, as much as one transaction should; the rest expires by itself."""
        collection = self._database.collection(REHEARSALS)
        condition = {"chain": self._chain, "job": job_id}
        names = collection.find(condition, {"_id": False, "name": True}, session=self._session).limit(AT_ONCE)
        some = [one["name"] for one in await names.to_list(AT_ONCE)]
        if some:
            await collection.delete_many(condition | {"name": {"$in": some}}, session=self._session)

    async def households(self, codes: Collection[str]) -> Mapping[str, Household]:
        """Return the households with these codes."""
        return await households.with_codes(self._database, self._chain, codes, session=self._session)

    async def homes(self, members: Collection[str]) -> Mapping[str, str]:
        """Return the codes of the households that these ids are in, by id."""
        return await households.homes_of(self._database, self._chain, members, session=self._session)

    async def join(self, household: Household, members: Sequence[str]) -> None:
        """Add members to a household."""
        known = [id_ for id_ in members if id_ not in self._admitted]
        await hold(self._database, self._chain, known, session=self._session)
        await households.add(self._database, self._chain, household, members, now=self._now, session=self._session)

    async def leave(self, household: Household, members: Collection[str]) -> None:
        """Take members out of a household."""
        await households.remove(self._database, self._chain, household, members, session=self._session)

    async def known_stores(self, ids: Collection[str]) -> frozenset[str]:
        """Return those of the stores that exist."""
        if not ids:
            return frozenset()
        condition = {"chain": self._chain, "store": {"$in": sorted(ids)}}
        found = self._database.collection(STORES).find(condition, {"_id": False, "store": True}, session=self._session)
        return frozenset(one["store"] for one in await found.to_list(len(ids)))


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    by_job = [("chain", ASCENDING), ("job", ASCENDING)]
    await create_indexes(database, IMPORTS, [IndexModel(by_job, name="by_job", unique=True)])
    by_name = IndexModel([*by_job, ("name", ASCENDING)], name="by_name", unique=True)
    expiry = IndexModel([("at", ASCENDING)], name="expiry", expireAfterSeconds=REHEARSED_S)
    await create_indexes(database, REHEARSALS, [by_name, expiry])


def _document(chain: str, job: ImportJob) -> Document:
    latest = job.latest
    return {
        "chain": chain,
        "job": job.id,
        "kind": job.kind,
        "file_name": job.file_name,
        "rows_expected": job.rows_expected,
        "policy": job.policy.value,
        "dry_run": job.dry_run,
        "by": job.by,
        "created_at": job.created_at,
        "closed_at": job.closed_at,
        "rows": job.counts.rows,
        "counts": _counts_document(job.counts),
        "refused": _refused_documents(job.refused),
        "latest": None
        if latest is None
        else {
            "first": latest.first,
            "digest": latest.digest,
            "counts": _counts_document(latest.counts),
            "refused": _refused_documents(latest.refused),
            "members": [list(one) for one in latest.members],
        },
    }


def _job(document: Document) -> ImportJob:
    latest = document["latest"]
    return ImportJob(
        id=document["job"],
        kind=document["kind"],
        file_name=document["file_name"],
        rows_expected=document["rows_expected"],
        policy=Policy(document["policy"]),
        dry_run=document["dry_run"],
        by=document["by"],
        created_at=document["created_at"],
        closed_at=document["closed_at"],
        counts=Counts(**document["counts"]),
        refused=tuple(Refused(*one) for one in document["refused"]),
        latest=None
        if latest is None
        else Chunk(
            first=latest["first"],
            digest=latest["digest"],
            counts=Counts(**latest["counts"]),
            refused=tuple(Refused(*one) for one in latest.get("refused", ())),
            members=tuple((row, member, RowOutcome(came)) for row, member, came in latest.get("members", ())),
        ),
    )


def _counts_document(counts: Counts) -> Document:
    return {
        "enrolled": counts.enrolled,
        "updated": counts.updated,
        "skipped": counts.skipped,
        "refused": counts.refused,
        "merged": counts.merged,
    }


def _refused_documents(refused: Sequence[Refused]) -> list[list[object]]:
    return [[one.row, one.code, one.field] for one in refused]
