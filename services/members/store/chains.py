"""Chains in MongoDB. Nothing of a chain ever changes but counters that are not part of `Chain`, so it is cached."""

from collections import OrderedDict
from datetime import datetime

from services.kit.mongo.collections import EVERYWHERE, Document, Session
from services.kit.mongo.command_keys import fingerprint_of, keep, kept, row
from services.kit.mongo.database import Database
from services.kit.mongo.guards import insert_new
from services.members.domain.chains import Chain
from services.members.store.collections import CHAINS
from services.members.store.vault import Vault

CACHE_SIZE = 10_000

PLATFORM = ""
"""The chain under which operators' command keys are kept: a chain that is not yet open cannot keep its own."""


class MongoChains:
    """Chains of one service's database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault
        self._known: OrderedDict[str, Chain] = OrderedDict()

    async def find(self, chain: str) -> Chain | None:
        """Return the chain, None when there is none of that id."""
        if (known := self._known.get(chain)) is None:
            known = await self._read(chain, None)
            if known is None:
                return None
            self._known[chain] = known
        self._known.move_to_end(chain)
        if len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)
        return known

    async def open(self, chain: Chain, *, key: str, now: datetime) -> Chain:
        """Keep `chain`, or return the one that the same command key opened before."""
        asked_for = fingerprint_of(repr((chain.name, chain.currency, chain.time_zone, chain.sandbox)).encode())

        async def once(session: Session) -> Chain:
            if (first := (await kept(self._database, PLATFORM, [key], session=session)).get(key)) is not None:
                opened = await self._read(first.answer_to(asked_for).decode(), session)
                return opened or chain  # a chain is never deleted: the second is for the type only
            await insert_new(self._database.collection(CHAINS), [_document(chain, now)], session=session)
            await self._vault.keep_chain(chain.id, chain.identity_key, now=now, session=session)
            summary = f"{chain.id} was opened with it, named {chain.name}"
            answer = chain.id.encode()
            used = row(chain=PLATFORM, key=key, fingerprint=asked_for, answer=answer, summary=summary, now=now)
            await keep(self._database, [used], session=session)
            return chain

        return await self._database.in_transaction(once)

    async def _read(self, chain: str, session: Session | None) -> Chain | None:
        found = await self._database.collection(CHAINS).find_one({"chain": chain}, session=session)
        secret = await self._vault.chain_secret(chain, session=session)
        return None if found is None or secret is None else _chain_of(found, secret)


async def hide_secrets(database: Database, vault: Vault) -> None:
    """Move the secrets that were kept with the chains into the vault; goes on where it was cut short."""
    chains = database.collection(CHAINS)
    shown = {"chain": True, "identity_key": True, "opened_at": True}
    found = chains.find({"identity_key": {"$exists": True}}, shown, comment=EVERYWHERE)
    for one in await found.to_list():
        await vault.keep_chain(one["chain"], one["identity_key"], now=one["opened_at"])
        await chains.update_one({"chain": one["chain"]}, {"$unset": {"identity_key": ""}})


def _document(chain: Chain, now: datetime) -> Document:
    return {
        "chain": chain.id,
        "name": chain.name,
        "currency": chain.currency,
        "time_zone": chain.time_zone,
        "sandbox": chain.sandbox,
        "opened_at": now,
        "stores": {"saves": 0, "count": 0},
        "menu": {"saves": 0, "count": 0},
    }


def _chain_of(document: Document, secret: bytes) -> Chain:
    return Chain(
        id=document["chain"],
        name=document["name"],
        currency=document["currency"],
        time_zone=document["time_zone"],
        sandbox=document["sandbox"],
        identity_key=secret,
    )
