"""Consents in MongoDB: a small document for all that was ever said, under the id that the member had then."""

from collections.abc import Collection, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new
from services.members.domain.consents import Consent, ConsentSource, ContactChannel, Purpose, Topic

CONSENTS = Keyed("consents", ("chain", "member"))

TOPICS = len(ContactChannel) * len(Purpose)
_NO_ID = {"_id": False}


class MongoConsents:
    """Consents of one service's database, for reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, chain: str, members: Collection[str], *, topic: Topic | None = None) -> Sequence[Consent]:
        """Return the latest that was said under each of these ids, of each topic or of one."""
        return await _latest(self._database, chain, members, topic=topic)

    async def page(self, chain: str, members: Sequence[str], *, before: str, first: int) -> Sequence[Consent]:
        """Return up to `first` consents under these ids, the last recorded first, before the one with the id."""
        condition: Document = {"chain": chain, "member": {"$in": list(members)}}
        if before:
            condition["consent"] = {"$lt": before}  # ids are in the order of time
        found = self._database.collection(CONSENTS).find(condition, _NO_ID).sort("consent", DESCENDING)
        return [_consent_of(one) for one in await found.limit(first).to_list(first)]


class MongoConsentWork:
    """Consents within one unit of work."""

    def __init__(self, database: Database, session: Session, *, chain: str) -> None:
        self._database, self._session, self._chain = database, session, chain

    async def latest(self, members: Collection[str]) -> Sequence[Consent]:
        """Return the latest that was said of each topic under each of these ids."""
        return await _latest(self._database, self._chain, members, session=self._session)

    async def add(self, said: Sequence[Consent]) -> None:
        """Write what was said."""
        documents = [_document(self._chain, one) for one in said]
        await insert_new(self._database.collection(CONSENTS), documents, session=self._session)


async def set_up(database: Database) -> None:
    """Create the collection and its indexes; safe to repeat."""
    of_member = [("chain", ASCENDING), ("member", ASCENDING)]
    by_record = IndexModel([*of_member, ("consent", DESCENDING)], name="by_record", unique=True)
    topic = [("channel", ASCENDING), ("purpose", ASCENDING), ("at", DESCENDING), ("granted", ASCENDING)]
    await create_indexes(database, CONSENTS, [by_record, IndexModel([*of_member, *topic], name="by_topic")])


async def _latest(
    database: Database,
    chain: str,
    members: Collection[str],
    *,
    topic: Topic | None = None,
    session: Session | None = None,
) -> list[Consent]:
    condition: Document = {"chain": chain, "member": {"$in": sorted(members)}}
    if topic is not None:
        condition |= {"channel": topic[0].value, "purpose": topic[1].value}
    # False sorts before true: of two at the same time, the one that takes back is first.
    order = {"member": 1, "channel": 1, "purpose": 1, "at": -1, "granted": 1}
    of_topic = {"member": "$member", "channel": "$channel", "purpose": "$purpose"}
    pipeline = [
        {"$match": condition},
        {"$sort": order},
        {"$group": {"_id": of_topic, "latest": {"$first": "$$ROOT"}}},
    ]
    most = len(members) * (TOPICS if topic is None else 1)
    found = await database.aggregate(CONSENTS, pipeline, session=session, limit=most)
    return [_consent_of(one["latest"]) for one in found]


def _document(chain: str, said: Consent) -> Document:
    return {
        "chain": chain,
        "member": said.member,
        "consent": said.id,
        "channel": said.channel.value,
        "purpose": said.purpose.value,
        "granted": said.granted,
        "at": said.at,
        "text_version": said.text_version,
        "source": said.source.value,
        "recorded_by": said.recorded_by,
        "recorded_at": said.recorded_at,
    }


def _consent_of(document: Document) -> Consent:
    return Consent(
        id=document["consent"],
        member=document["member"],
        channel=ContactChannel(document["channel"]),
        purpose=Purpose(document["purpose"]),
        granted=document["granted"],
        at=document["at"],
        text_version=document["text_version"],
        source=ConsentSource(document["source"]),
        recorded_by=document["recorded_by"],
        recorded_at=document["recorded_at"],
    )
