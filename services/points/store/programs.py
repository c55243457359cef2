"""Programs in MongoDB: versions, drafts, and the zone in which a chain counts its days."""

import logging
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Protocol

from pymongo import ASCENDING, ReplaceOne

from protos.points.v1 import programs_pb2 as pb
from services.kit.chain_clocks import is_sandbox
from services.kit.clock import Clock
from services.kit.errors import Problem
from services.kit.mongo import command_keys
from services.kit.mongo.collections import Document
from services.kit.mongo.database import Conflict, ContendedError, Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.points.domain.program_versions import Draft, DraftHead, VersionHead, moves_dues
from services.points.domain.programs import DEFAULT_PROGRAM, Program, Programs
from services.points.events.programs import program_message, program_of
from services.points.store.collections import CHAINS, PROGRAM_DRAFTS, PROGRAM_REVIEWS, PROGRAMS
from services.points.store.documents.programs import answer_bytes, answer_of, draft_head_of, version_head_of
from services.points.usecases.ledger import MAX_KEY_LENGTH
from services.points.usecases.program_desk import MAX_VERSIONS, Answer, Decide, Looked, Publish, Save, Wish
from services.points.usecases.record_purchases import AWAY

CACHE_SIZE = 10_000
"""Chains whose versions are remembered."""

CACHE_LIFETIME = timedelta(seconds=20)
"""How long a replica may not know of a version: much less than it takes to take effect (docs/decisions/0016)."""

PUBLISHED_WITHIN = timedelta(seconds=20)
"""What was asked for longer ago is not published any more: its moment would come too soon after the commit."""

MAX_DRAFTS_READ = 100

NO_ZONE = "UTC"
"""In which days are counted while a chain's own zone is not known."""

_log = logging.getLogger(__name__)


class Zones(Protocol):
    """Whoever knows the chains."""

    async def zone(self, chain: str) -> str:
        """Return the IANA name of the zone in which the chain counts its days."""


class MongoPrograms:
    """Programs of one service's database."""

    def __init__(self, database: Database, *, zones: Zones, clock: Clock) -> None:
        self._database, self._zones, self._clock = database, zones, clock
        self._fresh: OrderedDict[str, tuple[datetime, Programs]] = OrderedDict()
        self._zone_of: OrderedDict[str, str] = OrderedDict()

    async def of(self, chains: Collection[str]) -> Mapping[str, Programs]:
        """Return the program of each of `chains`: the one that all chains start with, where there is no other."""
        now = self._clock()
        found: dict[str, Programs] = {}
        for chain in chains:
            kept = self._fresh.get(chain)
            if kept is not None and now < kept[0]:
                found[chain] = kept[1]
            else:
                found[chain], is_sure = await self._for_a_sale(chain)
                if is_sure:
                    self._remember(chain, found[chain], until=now + CACHE_LIFETIME)
        return found

    async def now(self, chain: str) -> Programs:
        """Return the versions as they are this moment."""
        zone = await self._zone(chain)
        return Programs(await self._versions(chain), zone)

    async def heads(self, chain: str) -> Sequence[VersionHead]:
        """Return what is told of the published versions, the oldest first."""
        found = self._database.collection(PROGRAMS).find({"chain": chain}, {"_id": False, "body": False})
        return [version_head_of(one) for one in await found.sort("version", ASCENDING).to_list(MAX_VERSIONS)]

    async def drafts(self, chain: str) -> Sequence[DraftHead]:
        """Return what is told of the drafts, by name."""
        found = self._database.collection(PROGRAM_DRAFTS).find({"chain": chain}, {"_id": False, "body": False})
        return [draft_head_of(one) for one in await found.sort("name", ASCENDING).to_list(MAX_DRAFTS_READ)]

    async def draft(self, chain: str, name: str, session: Session | None = None) -> Draft | None:
        """Return one draft."""
        which = {"chain": chain, "name": name}
        found = await self._database.collection(PROGRAM_DRAFTS).find_one(which, session=session)
        if found is None:
            return None
        return Draft(draft_head_of(found), program_of(pb.Program.FromString(found["body"])))

    async def carry_out(self, wish: Wish, decide: Decide) -> tuple[Answer, bool]:
        """Do what `decide` says of what there is, in one transaction; or return the first answer to the key."""
        key = _command_key(wish.key)
        zone = await self._zone(wish.chain)

        async def once(session: Session) -> tuple[Answer, bool]:
            kept = await command_keys.kept(self._database, wish.chain, [key], session=session)
            if key in kept:
                return answer_of(kept[key].answer_to(wish.fingerprint)), True
            drafts = await self._database.collection(PROGRAM_DRAFTS).count_documents(
                {"chain": wish.chain}, session=session
            )
            programs = Programs(await self._versions(wish.chain, session), zone)
            looked = Looked(programs, await self.draft(wish.chain, wish.draft, session), drafts)
            writer = _Writer(self._database, wish, looked, session)
            decision = decide(looked)
            if isinstance(decision, Save):
                answer: Answer = await writer.save(decision.draft)
            elif isinstance(decision, Publish):
                answer = await writer.publish(decision)
                if self._clock() - wish.now > PUBLISHED_WITHIN:
                    raise ContendedError(retry_after_ms=1_000)
            else:
                await writer.forget()
                answer = decision.head
            await writer.keep(key, answer)
            return answer, False

        done = await self._database.in_transaction(once)
        self._fresh.pop(wish.chain, None)
        return done

    async def _versions(self, chain: str, session: Session | None = None) -> tuple[Program, ...]:
        found = self._database.collection(PROGRAMS).find({"chain": chain}, session=session)
        documents = await found.sort("version", ASCENDING).to_list(MAX_VERSIONS)
        return (DEFAULT_PROGRAM, *(_program_of(one) for one in documents))

    async def _for_a_sale(self, chain: str) -> tuple[Programs, bool]:
        """Return the versions, and whether the zone is the chain's: a paid sale is never refused.

        Where members cannot be asked for it, days are those of UTC this once. Only in a chain that begins: whoever
        has published a version has asked before, so the days that its terms are counted in do not move.
        """
        zone, versions = await self._known_zone(chain), await self._versions(chain)
        if zone is not None:
            return Programs(versions, zone), True
        try:
            zone = await self._zones.zone(chain)
        except Problem as problem:
            if problem.kind not in AWAY or len(versions) > 1:
                raise
            _log.warning("the zone of %s cannot be asked for: %s", chain, problem.message)
            return Programs(versions, NO_ZONE), False
        await self._keep_zone(chain, zone)
        return Programs(versions, zone), True

    async def _zone(self, chain: str) -> str:
        """Return the chain's zone, which never changes: from memory, from the copy, or asked for at members."""
        if (known := await self._known_zone(chain)) is not None:
            return known
        zone = await self._zones.zone(chain)
        await self._keep_zone(chain, zone)
        return zone

    async def _known_zone(self, chain: str) -> str | None:
        if (known := self._zone_of.get(chain)) is not None:
            return known
        found = await self._database.collection(CHAINS).find_one({"chain": chain})
        if found is None:
            return None
        self._remember_zone(chain, found["zone"])
        return str(found["zone"])

    async def _keep_zone(self, chain: str, zone: str) -> None:
        chains = self._database.collection(CHAINS)
        await chains.update_one({"chain": chain}, {"$setOnInsert": {"zone": zone}}, upsert=True)
        self._remember_zone(chain, zone)

    def _remember_zone(self, chain: str, zone: str) -> None:
        self._zone_of[chain] = zone
        while len(self._zone_of) > CACHE_SIZE:
            self._zone_of.popitem(last=False)

    def _remember(self, chain: str, programs: Programs, *, until: datetime) -> None:
        if is_sandbox(chain):  # its versions take effect at once
            return
        self._fresh[chain] = (until, programs)
        self._fresh.move_to_end(chain)
        while len(self._fresh) > CACHE_SIZE:
            self._fresh.popitem(last=False)


class _Writer:
    """Writes what was decided, guarded by what was looked at."""

    def __init__(self, database: Database, wish: Wish, looked: Looked, session: Session) -> None:
        self._database, self._wish, self._looked, self._session = database, wish, looked, session

    async def save(self, draft: Draft) -> DraftHead:
        content: Document = {**self._draft, **asdict(draft.head), "body": _body(draft.program)}
        drafts = self._database.collection(PROGRAM_DRAFTS)
        if self._looked.draft is None:
            await insert_new(drafts, [content], session=self._session)
        else:
            await write_guarded(drafts, [ReplaceOne(self._guarded, content)], session=self._session)
        return draft.head

    async def publish(self, decision: Publish) -> VersionHead:
        version: Document = {"chain": self._wish.chain, **asdict(decision.head), "body": _body(decision.program)}
        await insert_new(self._database.collection(PROGRAMS), [version], session=self._session)
        await self.forget()
        if moves_dues(decision.before, decision.program):
            review: Document = {
                "chain": self._wish.chain,
                "version": decision.head.version,
                "effective_from": decision.head.effective_from,
                "after": "",
            }
            await insert_new(self._database.collection(PROGRAM_REVIEWS), [review], session=self._session)
        return decision.head

    async def forget(self) -> None:
        done = await self._database.collection(PROGRAM_DRAFTS).delete_one(self._guarded, session=self._session)
        if done.deleted_count != 1:
            raise Conflict

    async def keep(self, key: str, answer: Answer) -> None:
        row = command_keys.row(
            chain=self._wish.chain,
            key=key,
            fingerprint=self._wish.fingerprint,
            answer=answer_bytes(answer),
            summary=self._wish.summary,
            now=self._wish.now,
        )
        await command_keys.keep(self._database, [row], session=self._session)

    @property
    def _draft(self) -> Document:
        return {"chain": self._wish.chain, "name": self._wish.draft}

    @property
    def _guarded(self) -> Document:
        found = self._looked.draft
        return {**self._draft, "revision": found.head.revision if found else 0}


def _body(program: Program) -> bytes:
    return program_message(program).SerializeToString(deterministic=True)


def _program_of(document: Document) -> Program:
    message = pb.Program.FromString(document["body"])
    return program_of(message, version=document["version"], effective_from=document["effective_from"])


def _command_key(key: str) -> str:
    """Return under which key a command is kept: longer than any of the ledger's, so that none meets another."""
    return f"program/{'':<{MAX_KEY_LENGTH}}{key}"
