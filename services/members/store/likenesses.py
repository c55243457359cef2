"""Likenesses and likely duplicates in MongoDB: keyed hashes and ids, nothing that anybody could read."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne

from services.kit.mongo.collections import EVERYWHERE, Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.likeness import COMMON, NoDuplicateError, Pair, PairState, Reason
from services.members.store.collections import MEMBERS
from services.members.usecases.duplicates import FoundPairs, Likeness, Step

LIKENESSES = Keyed("likenesses", ("chain", "member"))
DUPLICATES = Keyed("likely_duplicates", ("chain", "pair"))
"""`member` has both ids, so that a pair goes with whichever of the two is forgotten."""

MOST_HOLDERS = 5_000
"""Members that one question for a batch's hashes may bring; behind it each hash is asked for on its own."""

MOST_KNOWN = 20_000
"""Pairs of a batch's members: `MAX_PAIRS` for each, and as many that others have found with them."""

MARKED_AT_ONCE = 1_000

_NO_ID = {"_id": False}


async def mark_new(database: Database, members: Sequence[tuple[str, str]], *, session: Session) -> None:
    """Note new members, by chain and id, for the job; in the transaction that enrolls them."""
    documents = [
        {"chain": chain, "member": member, "hashes": [], "marks": 1, "step": Step.HASH.value}
        for chain, member in members
    ]
    await insert_new(database.collection(LIKENESSES), documents, session=session)


async def mark_changed(database: Database, chain: str, members: Mapping[str, bool], *, session: Session) -> None:
    """Note members that have changed, in the transaction that changes them; False for who is not to be found by
    anything any more. One of those has no pairs from now on, whatever the job is doing."""
    writes = []
    for member, is_telling in sorted(members.items()):
        change: Document = {"$set": {"step": Step.HASH.value}, "$inc": {"marks": 1}}
        if is_telling:
            change["$setOnInsert"] = {"hashes": []}
        else:
            change["$set"]["hashes"] = []
        writes.append(UpdateOne({"chain": chain, "member": member}, change, upsert=is_telling))
    if writes:
        await database.collection(LIKENESSES).bulk_write(writes, session=session)
    if gone := sorted(member for member, is_telling in members.items() if not is_telling):
        condition = {"chain": chain, "member": {"$in": gone}, "state": PairState.OPEN.value}
        await database.collection(DUPLICATES).delete_many(condition, session=session)


class MongoLikenessWork:
    """Likenesses and pairs of one chain, within one transaction."""

    def __init__(self, database: Database, session: Session, *, chain: str) -> None:
        self._session, self._chain = session, chain
        self._likenesses, self._pairs = database.collection(LIKENESSES), database.collection(DUPLICATES)

    async def waiting(self, members: Collection[str], step: Step) -> Sequence[Likeness]:
        """Return the likenesses of those of `members` that wait for this step."""
        condition = {"chain": self._chain, "member": {"$in": sorted(members)}, "step": step.value}
        found = self._likenesses.find(condition, _NO_ID, session=self._session)
        return [_likeness(one) for one in await found.to_list(len(members))]

    async def hashed(self, likenesses: Sequence[Likeness]) -> None:
        """Keep the hashes; what waits for the next step is marked so."""
        await self._write((one, {"$set": {"hashes": list(one.hashes), "step": Step.PAIR.value}}) for one in likenesses)

    async def holders(self, hashes: Collection[bytes]) -> Mapping[bytes, Mapping[str, Likeness]]:
        """Return who has each of these hashes, by member; of one that is common, more than COMMON, not all."""
        if not hashes:
            return {}
        found = await self._holding({"$in": sorted(hashes)}, MOST_HOLDERS)
        if len(found) == MOST_HOLDERS:
            found = [one for hashed in sorted(hashes) for one in await self._holding(hashed, COMMON + 1)]
        holders: dict[bytes, dict[str, Likeness]] = defaultdict(dict)
        for one in found:
            for hashed in set(hashes) & set(one.hashes):
                holders[hashed][one.member] = one
        return holders

    async def pairs(self, members: Collection[str]) -> Sequence[Pair]:
        """Return all pairs of these members."""
        condition = {"chain": self._chain, "member": {"$in": sorted(members)}}
        found = self._pairs.find(condition, _NO_ID, session=self._session)
        return [_pair(one) for one in await found.to_list(MOST_KNOWN)]

    async def paired(self, done: Sequence[Likeness], found: FoundPairs) -> None:
        """Keep the pairs. Whoever erases or merges one of them writes its likeness, too: one of both is done again."""
        await self._write((one, {"$unset": {"step": ""}}) for one in done)
        await self._write((one, {"$inc": {"touched": 1}}) for one in found.touched)
        writes = [
            UpdateOne(
                {"chain": self._chain, "pair": one.key},
                {
                    "$set": {
                        "member": [one.first, one.second],
                        "reasons": [reason.number for reason in one.reasons],
                        "score": one.score,
                        "state": one.state.value,
                    },
                    "$setOnInsert": {"found_at": one.found_at},
                },
                upsert=True,
            )
            for one in found.kept
        ]
        await write_guarded(self._pairs, writes, session=self._session)
        if found.gone:
            keys = sorted(one.key for one in found.gone)
            await self._pairs.delete_many({"chain": self._chain, "pair": {"$in": keys}}, session=self._session)

    async def _holding(self, hashed: object, most: int) -> list[Likeness]:
        condition = {"chain": self._chain, "hashes": hashed}
        found = self._likenesses.find(condition, _NO_ID, session=self._session).limit(most)
        return [_likeness(one) for one in await found.to_list(most)]

    async def _write(self, changes: Iterable[tuple[Likeness, Document]]) -> None:
        writes = [
            UpdateOne({"chain": self._chain, "member": one.member, "marks": one.marks}, change)
            for one, change in changes
        ]
        await write_guarded(self._likenesses, writes, session=self._session)


class MongoDuplicates:
    """Pairs of one service's database."""

    def __init__(self, database: Database) -> None:
        self._pairs = database.collection(DUPLICATES)

    async def page(self, chain: str, *, after: str, first: int) -> Sequence[Pair]:
        """Return up to `first` open pairs behind the place `after`, the most alike first."""
        condition: Document = {"chain": chain, "state": PairState.OPEN.value}
        if after:
            score, _, key = after.partition(" ")
            number = int(score) if score.isdecimal() else 0
            condition["$or"] = [{"score": {"$lt": number}}, {"score": number, "pair": {"$gt": key}}]
        found = self._pairs.find(condition, _NO_ID).sort([("score", DESCENDING), ("pair", ASCENDING)])
        return [_pair(one) for one in await found.limit(first).to_list(first)]

    async def dismiss(self, chain: str, key: str, *, by: str, now: datetime) -> Pair:
        """Let the pair be none, for ever."""
        where = {"chain": chain, "pair": key}
        said = {"state": PairState.DISMISSED.value, "dismissed_by": by, "dismissed_at": now}
        await self._pairs.update_one({**where, "state": PairState.OPEN.value}, {"$set": said})
        found = await self._pairs.find_one(where, _NO_ID)
        if found is None:
            raise NoDuplicateError(field="otherMemberId")
        return _pair(found)


async def waiting(database: Database, step: Step, *, first: int) -> Mapping[str, Sequence[str]]:
    """Return up to `first` members that wait for a step, by chain."""
    wanted = {"_id": False, "chain": True, "member": True}
    found = database.collection(LIKENESSES).find({"step": step.value}, wanted, comment=EVERYWHERE).limit(first)
    by_chain: dict[str, list[str]] = defaultdict(list)
    for one in await found.to_list(first):
        by_chain[one["chain"]].append(one["member"])
    return by_chain


async def mark_everybody(database: Database) -> None:
    """Note all who were enrolled before there were likenesses; safe to be cut short and repeated."""
    after = "", ""
    while some := await _members(database, after):
        writes = [
            UpdateOne(
                {"chain": one["chain"], "member": one["member"]},
                {"$setOnInsert": {"hashes": [], "marks": 1, "step": Step.HASH.value}},
                upsert=True,
            )
            for one in some
            if one["erased_at"] is None
        ]
        if writes:
            await database.collection(LIKENESSES).bulk_write(writes, ordered=False)
        after = some[-1]["chain"], some[-1]["member"]


async def set_up(database: Database) -> None:
    """Create the collections and their indexes, and note all members there are; safe to repeat."""
    chain = ("chain", ASCENDING)
    waits = {"step": {"$exists": True}}
    indexes = [
        IndexModel([chain, ("member", ASCENDING)], name="by_member", unique=True),
        IndexModel([chain, ("hashes", ASCENDING)], name="by_hash"),
        IndexModel([("step", ASCENDING)], name="by_step", partialFilterExpression=waits),
    ]
    await create_indexes(database, LIKENESSES, indexes)
    pairs = [
        IndexModel([chain, ("pair", ASCENDING)], name="by_pair", unique=True),
        IndexModel([chain, ("member", ASCENDING)], name="by_member"),
        IndexModel([chain, ("state", ASCENDING), ("score", DESCENDING), ("pair", ASCENDING)], name="by_score"),
    ]
    await create_indexes(database, DUPLICATES, pairs)
    await mark_everybody(database)


async def _members(database: Database, after: tuple[str, str]) -> list[Document]:
    chain, member = after
    condition = {"chain": {"$gte": chain}, "$or": [{"chain": {"$gt": chain}}, {"member": {"$gt": member}}]}
    wanted = {"_id": False, "chain": True, "member": True, "erased_at": True}
    found = database.collection(MEMBERS).find(condition, wanted, comment=EVERYWHERE)
    return await found.sort([("chain", 1), ("member", 1)]).limit(MARKED_AT_ONCE).to_list(MARKED_AT_ONCE)


def _likeness(document: Document) -> Likeness:
    return Likeness(document["member"], tuple(document["hashes"]), document["marks"])


_REASONS = {reason.number: reason for reason in Reason}


def _pair(document: Document) -> Pair:
    first, second = document["member"]
    return Pair(
        first,
        second,
        tuple(_REASONS[number] for number in document["reasons"] if number in _REASONS),
        document["found_at"],
        PairState(document["state"]),
    )
