"""The vault: a data key for each member and a secret for each chain, wrapped, in a database of its own that is backed
up apart.

Whoever has a backup of the members' database without one of the vault has nothing of anybody. An erased member's data
key is gone from the vault, and the vault remembers whom it was, so that a restored backup can be made to forget again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.kit.mongo.collections import EVERYWHERE, Collection, Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new
from services.kit.sealing import (
    KEY_BYTES,
    NONCE_BYTES,
    DataKey,
    RandomBytes,
    WrappedKey,
    WrappingKeys,
    seal,
    unseal,
)
from services.members.usecases.erasure import Erasure

MEMBER_KEYS = Keyed("member_keys", ("chain", "member"))
CHAIN_KEYS = Keyed("chain_keys", ("chain",))
"""The secrets under which chains' identities are hashed: without them nobody is found by a number any more."""

ERASURES = Keyed("erasure_register", ("chain", "member"))

SUFFIX = "keys"
"""After the service's name: `huitou_members_keys`."""


class Vault:
    """The data keys of one service's members."""

    def __init__(self, database: Database, wrapping: WrappingKeys, *, random_bytes: RandomBytes) -> None:
        self.database = database.beside(SUFFIX)
        self._wrapping, self._random_bytes = wrapping, random_bytes
        self._keys, self._erasures = self.database.collection(MEMBER_KEYS), self.database.collection(ERASURES)
        self._chain_keys = self.database.collection(CHAIN_KEYS)

    async def keep_chain(self, chain: str, secret: bytes, *, now: datetime, session: Session | None = None) -> None:
        """Keep a chain's secret, unless it has one."""
        [wrapped] = await self._wrapping.wrap([DataKey(secret, _chains(chain))])
        content = {"by": wrapped.by, "wrapped": wrapped.value, "made_at": now}
        await self._chain_keys.update_one({"chain": chain}, {"$setOnInsert": content}, upsert=True, session=session)

    async def chain_secret(self, chain: str, *, session: Session | None = None) -> bytes | None:
        """Return the chain's secret, None when there is none."""
        found = await self._chain_keys.find_one({"chain": chain}, session=session)
        if found is None:
            return None
        [secret] = await self._wrapping.unwrap([(_wrapped(found), _chains(chain))])
        return secret

    async def make(self, members: Sequence[tuple[str, str]], *, now: datetime, session: Session) -> list[bytes]:
        """Make and keep a data key for each new (chain, member), and return them in this order.

        An export has one, too, under its own id: see `discard`.
        """
        fresh = [DataKey(self._random_bytes(KEY_BYTES), _whose(chain, member)) for chain, member in members]
        wrapped = await self._wrapping.wrap(fresh)
        documents = [
            {"chain": chain, "member": member, "by": one.by, "wrapped": one.value, "made_at": now}
            for (chain, member), one in zip(members, wrapped, strict=True)
        ]
        await insert_new(self._keys, documents, session=session)
        return [one.value for one in fresh]

    async def keys(self, chain: str, members: Sequence[str], *, session: Session | None = None) -> dict[str, bytes]:
        """Return the data keys of those who have one, in one query: who was erased has none any more."""
        if not members:
            return {}
        condition = {"chain": chain, "member": {"$in": list(members)}}
        found = await self._keys.find(condition, {"_id": False}, session=session).to_list(len(members))
        opened = await self._wrapping.unwrap([(_wrapped(one), _whose(chain, one["member"])) for one in found])
        return {one["member"]: key for one, key in zip(found, opened, strict=True)}

    def seal(self, key: bytes, plain: bytes, *, place: tuple[str, str, str]) -> bytes:
        """Return `plain` sealed for its place: chain, member, and what it is."""
        return seal(key, plain, context=_context(place), nonce=self._random_bytes(NONCE_BYTES))

    def unseal(self, key: bytes, sealed: bytes, *, place: tuple[str, str, str]) -> bytes:
        """Return what was sealed for this place, or raise SealBrokenError."""
        return unseal(key, sealed, context=_context(place))

    async def destroy(self, chain: str, members: Sequence[str], *, now: datetime, session: Session) -> None:
        """Destroy the members' keys for good, and remember that it was done; safe to repeat."""
        await self._keys.delete_many({"chain": chain, "member": {"$in": list(members)}}, session=session)
        for member in members:
            key = {"chain": chain, "member": member}
            await self._erasures.update_one(key, {"$setOnInsert": {"at": now}}, upsert=True, session=session)

    async def discard(self, chain: str, names: Sequence[str], *, session: Session) -> None:
        """Destroy the keys of what is no member, an export, for good."""
        await self._keys.delete_many({"chain": chain, "member": {"$in": list(names)}}, session=session)

    async def erasures(self, chain: str, *, after: Erasure | None, first: int) -> list[Erasure]:
        """Return up to `first` erasures of the chain, in the order of time and id, after the given one."""
        condition: Document = {"chain": chain}
        if after is not None:
            condition["$or"] = [{"at": {"$gt": after.at}}, {"at": after.at, "member": {"$gt": after.member}}]
        found = self._erasures.find(condition, {"_id": False}).sort([("at", 1), ("member", 1)])
        return [Erasure(one["member"], one["at"]) for one in await found.limit(first).to_list(first)]

    async def chains_with_erasures(self) -> list[str]:
        """Return the chains that have erased somebody, one look-up each."""
        chains: list[str] = []
        condition: Document = {}
        while one := await self._erasures.find_one(condition, sort=[("chain", 1)], comment=EVERYWHERE):
            chains.append(one["chain"])
            condition = {"chain": {"$gt": one["chain"]}}
        return chains

    async def rewrap(self, *, first: int) -> int:
        """Wrap up to `first` keys and secrets anew that an older key wraps, and return how many; safe to cut short."""
        chains = await self._rewrap(self._chain_keys, ("chain",), first)
        return chains + await self._rewrap(self._keys, ("chain", "member"), first - chains)

    async def _rewrap(self, collection: Collection, key: tuple[str, ...], first: int) -> int:
        current = await self._wrapping.current()
        condition = {"by": {"$ne": current}}
        found = await collection.find(condition, comment=EVERYWHERE).limit(first).to_list(first) if first else []
        if not found:
            return 0
        names = [{name: one[name] for name in key} for one in found]
        places = [_whose(**name) if "member" in name else _chains(**name) for name in names]
        opened = await self._wrapping.unwrap([(_wrapped(one), place) for one, place in zip(found, places, strict=True)])
        anew = await self._wrapping.wrap([DataKey(key, place) for key, place in zip(opened, places, strict=True)])
        # Guarded by who wrapped it: another replica may have been faster, and an erased member's key stays gone.
        writes = [
            UpdateOne({**name, "by": one["by"]}, {"$set": {"by": new.by, "wrapped": new.value}})
            for name, one, new in zip(names, found, anew, strict=True)
        ]
        await collection.bulk_write(writes, ordered=False)
        return len(found)

    async def set_up(self) -> None:
        """Create the collections and their indexes; safe to repeat."""
        by_member = [("chain", ASCENDING), ("member", ASCENDING)]
        by_wrapping = IndexModel([("by", ASCENDING)], name="by_wrapping")
        by_time = IndexModel([("chain", ASCENDING), ("at", ASCENDING), ("member", ASCENDING)], name="by_time")
        await create_indexes(
            self.database, MEMBER_KEYS, [IndexModel(by_member, name="by_member", unique=True), by_wrapping]
        )
        by_chain = IndexModel([("chain", ASCENDING)], name="by_chain", unique=True)
        await create_indexes(self.database, CHAIN_KEYS, [by_chain, by_wrapping])
        await create_indexes(self.database, ERASURES, [IndexModel(by_member, name="by_member", unique=True), by_time])


def _whose(chain: str, member: str) -> bytes:
    return f"{chain}\0{member}".encode()


def _chains(chain: str) -> bytes:
    return f"{chain}\0".encode()


def _context(place: tuple[str, str, str]) -> bytes:
    return "\0".join(place).encode()


def _wrapped(document: Mapping[str, object]) -> WrappedKey:
    by, value = document["by"], document["wrapped"]
    assert isinstance(by, str)  # noqa: S101 - narrows the type
    assert isinstance(value, bytes)  # noqa: S101 - narrows the type
    return WrappedKey(by, value)
