"""API keys in MongoDB."""

from datetime import datetime

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new
from services.members.domain.api_keys import ApiKey, KeyKind
from services.members.store.collections import API_KEY_PLACES, API_KEYS


class MongoApiKeys:
    """API keys of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys = database.collection(API_KEYS)
        self._places = database.collection(API_KEY_PLACES)

    async def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        place = {"chain": key.chain, "key": key.id, "secret_sha256": key.secret_sha256}

        async def once(session: Session) -> None:
            # Copies: insert_many adds an _id, which a second attempt must not bring along.
            await insert_new(self._keys, [_document(key)], session=session)
            await insert_new(self._places, [dict(place)], session=session)

        await self._database.in_transaction(once)

    async def find(self, chain: str, key_id: str) -> ApiKey | None:
        """Return the chain's key of that id, revoked or not."""
        place = await self._places.find_one({"chain": chain, "key": key_id})
        return None if place is None else await self.by_secret(place["secret_sha256"])

    async def by_secret(self, secret_sha256: bytes) -> ApiKey | None:
        """Return the key with that secret, revoked or not, of whatever chain."""
        found = await self._keys.find_one({"secret_sha256": secret_sha256})
        return None if found is None else _key_of(found)

    async def revoke(self, key: ApiKey, *, now: datetime) -> datetime:
        """Mark the key revoked, and return since when it is: the first time holds."""
        still_good = {"secret_sha256": key.secret_sha256, "revoked_at": None}
        await self._keys.update_one(still_good, {"$set": {"revoked_at": now}})
        revoked = await self.by_secret(key.secret_sha256)
        return (revoked and revoked.revoked_at) or now


def _document(key: ApiKey) -> Document:
    return {
        "secret_sha256": key.secret_sha256,
        "key": key.id,
        "chain": key.chain,
        "kind": key.kind.value,
        "subject": key.subject,
        "scopes": sorted(key.scopes),
        "stores": sorted(key.stores),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "revoked_at": key.revoked_at,
        "role": key.role,
    }


def _key_of(document: Document) -> ApiKey:
    return ApiKey(
        id=document["key"],
        chain=document["chain"],
        kind=KeyKind(document["kind"]),
        subject=document["subject"],
        scopes=frozenset(document["scopes"]),
        stores=frozenset(document["stores"]),
        secret_sha256=document["secret_sha256"],
        created_at=document["created_at"],
        created_by=document["created_by"],
        revoked_at=document["revoked_at"],
        role=document.get("role", ""),  # keys from before roles have none
    )
