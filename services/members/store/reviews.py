"""Reviews and the rules that raise them, in MongoDB. Notes are sealed under their members' data keys."""

from collections.abc import Collection, Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.review_rules import (
    USUAL,
    ReviewRule,
    ReviewRules,
    ReviewRulesChangedError,
    Severity,
    SignalKind,
)
from services.members.domain.reviews import NoReviewError, Review, ReviewState
from services.members.domain.signals import Receipt
from services.members.store.profiles import place
from services.members.store.vault import Vault
from services.members.usecases.reviews import Judge, Wanted

REVIEWS = Keyed("reviews", ("chain", "member"))
REVIEW_RULES = Keyed("review_rules", ("chain",))

KEPT_S = 2 * 366 * 24 * 3_600
"""How long a review is kept after it was judged; an open one stays."""

NO_ID = {"_id": False}


class MongoReviewRules:
    """Rules of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, chain: str) -> ReviewRules:
        """Return the chain's rules, the usual ones where it has not said."""
        return (await rules_in(self._database, [chain]))[chain]

    async def save(self, rules: ReviewRules, *, chain: str) -> ReviewRules:
        """Keep the rules with their next version, unless they are as they were."""

        async def once(session: Session) -> ReviewRules:
            before = (await rules_in(self._database, [chain], session=session))[chain]
            if before.version and before.rules == rules.rules:
                return before
            if rules.version != before.version:
                raise ReviewRulesChangedError(field="version", version=before.version, wanted=rules.version)
            after = ReviewRules(rules.rules, before.version + 1)
            content = {"rules": [_rule_document(one) for one in after.rules], "version": after.version}
            collection = self._database.collection(REVIEW_RULES)
            if before.version == 0:
                await insert_new(collection, [{"chain": chain, **content}], session=session)
            else:
                update = UpdateOne({"chain": chain, "version": before.version}, {"$set": content})
                await write_guarded(collection, [update], session=session)
            return after

        return await self._database.in_transaction(once)


async def rules_in(
    database: Database, chains: Collection[str], *, session: Session | None = None
) -> Mapping[str, ReviewRules]:
    """Return each chain's rules, the usual ones where it has not said."""
    found = database.collection(REVIEW_RULES).find({"chain": {"$in": sorted(chains)}}, NO_ID, session=session)
    said = {one["chain"]: _rules_of(one) for one in await found.to_list(len(chains))}
    return {chain: said.get(chain, USUAL) for chain in chains}


class MongoReviews:
    """Reviews of one service's database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault
        self._reviews = database.collection(REVIEWS)

    async def page(self, chain: str, wanted: Wanted, *, before: str, first: int) -> Sequence[Review]:
        """Return up to `first` reviews, the last raised first, from before the one with the id `before`."""
        condition: Document = {"chain": chain}
        if wanted.members:
            condition["member"] = {"$in": list(wanted.members)}
        if wanted.state is not None:
            condition["state"] = wanted.state.value
        if wanted.stores:
            condition["stores"] = {"$in": sorted(wanted.stores)}
        if before:
            condition["review"] = {"$lt": before}  # ids are in the order of time
        found = await self._reviews.find(condition, NO_ID).sort("review", DESCENDING).limit(first).to_list(first)
        noted = sorted({one["member"] for one in found if one["note"]})
        keys = await self._vault.keys(chain, noted) if noted else {}
        return [self._with_note(one, keys.get(one["member"])) for one in found]

    async def judge(self, chain: str, review_id: str, judge: Judge) -> Review:
        """Keep the review as `judge` makes it, and return it."""

        async def once(session: Session) -> Review:
            found = await self._reviews.find_one({"chain": chain, "review": review_id}, NO_ID, session=session)
            keys = await self._vault.keys(chain, [found["member"]], session=session) if found else {}
            if found is None or found["member"] not in keys:
                raise NoReviewError(field="reviewId", review=review_id)
            key = keys[found["member"]]
            before = self._with_note(found, key)
            after = judge(before)
            if after != before:
                where = {"chain": chain, "member": after.member, "review": after.id, "version": before.version}
                content = {
                    "state": after.state.value,
                    "resolved_at": after.resolved_at,
                    "resolved_by": after.resolved_by,
                    "note": self._vault.seal(key, after.note.encode(), place=_place(chain, after.member, after.id))
                    if after.note
                    else b"",
                    "version": after.version,
                }
                await write_guarded(self._reviews, [UpdateOne(where, {"$set": content})], session=session)
            return after

        return await self._database.in_transaction(once)

    def _with_note(self, document: Document, key: bytes | None) -> Review:
        if key is None or not document["note"]:
            return review_of(document)
        where = _place(document["chain"], document["member"], document["review"])
        return review_of(document, self._vault.unseal(key, document["note"], place=where).decode())


def review_of(document: Document, note: str = "") -> Review:
    """Return the review of a document and its opened note."""
    return Review(
        id=document["review"],
        member=document["member"],
        rule=document["rule"],
        kind=SignalKind(document["kind"]),
        severity=Severity(document["severity"]),
        raised_at=document["raised_at"],
        first_at=document["first_at"],
        last_at=document["last_at"],
        evidence=tuple(
            Receipt(one["at"], one["purchase"], one["store"], one["staff"], remote=one["remote"])
            for one in document["evidence"]
        ),
        staff=document["staff"],
        more=document["more"],
        state=ReviewState(document["state"]),
        resolved_at=document["resolved_at"],
        resolved_by=document["resolved_by"],
        note=note,
        version=document["version"],
    )


def new_document(chain: str, review: Review) -> Document:
    """Return the document of a review that is raised."""
    return {
        "chain": chain,
        "member": review.member,
        "review": review.id,
        "rule": review.rule,
        "kind": review.kind.value,
        "severity": review.severity.value,
        "raised_at": review.raised_at,
        "staff": review.staff,
        "state": review.state.value,
        "resolved_at": review.resolved_at,
        "resolved_by": review.resolved_by,
        "note": b"",
        **evidence_content(review),
    }


def evidence_content(review: Review) -> Document:
    """Return what of a review's document more evidence changes."""
    return {
        "first_at": review.first_at,
        "last_at": review.last_at,
        "evidence": [
            {"at": one.at, "purchase": one.purchase, "store": one.store, "staff": one.staff, "remote": one.remote}
            for one in review.evidence
        ],
        "stores": sorted(review.stores),
        "more": review.more,
        "version": review.version,
    }


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    by_time = ("review", DESCENDING)
    indexes = [
        IndexModel([("chain", ASCENDING), ("member", ASCENDING), by_time], name="by_member", unique=True),
        IndexModel([("chain", ASCENDING), by_time], name="by_review"),
        IndexModel([("chain", ASCENDING), ("state", ASCENDING), by_time], name="by_state"),
        IndexModel([("chain", ASCENDING), ("stores", ASCENDING), by_time], name="by_store"),
        IndexModel([("resolved_at", ASCENDING)], name="expiry", expireAfterSeconds=KEPT_S),
    ]
    await create_indexes(database, REVIEWS, indexes)
    by_chain = IndexModel([("chain", ASCENDING)], name="by_chain", unique=True)
    await create_indexes(database, REVIEW_RULES, [by_chain])


def _place(chain: str, member: str, review: str) -> tuple[str, str, str]:
    return place(chain, member, f"review {review}")


def _rule_document(rule: ReviewRule) -> Document:
    return {
        "code": rule.code,
        "kind": rule.kind.value,
        "severity": rule.severity.value,
        "window_minutes": rule.window_minutes,
        "most": rule.most,
        "speed_kmh": rule.speed_kmh,
        "min_distance_m": rule.min_distance_m,
        "on": rule.on,
    }


def _rules_of(document: Document) -> ReviewRules:
    rules = tuple(
        ReviewRule(
            code=one["code"],
            kind=SignalKind(one["kind"]),
            severity=Severity(one["severity"]),
            window_minutes=one["window_minutes"],
            most=one["most"],
            speed_kmh=one["speed_kmh"],
            min_distance_m=one["min_distance_m"],
            on=one["on"],
        )
        for one in document["rules"]
    )
    return ReviewRules(rules, document["version"])
