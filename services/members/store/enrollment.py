"""The roll in MongoDB: a batch of enrollments is loaded, folded and written as one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from services.kit.errors import Problem
from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.command_keys import keep, kept, row
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new
from services.kit.outbox.events import EventCursor
from services.kit.outbox.outbox import Outbox
from services.members import events
from services.members.domain.enrollment import Enroll, Enrolled, Known, Used, use_of
from services.members.domain.likeness import is_comparable
from services.members.domain.portraits import Portrait
from services.members.domain.referrals import Referral
from services.members.store import likenesses
from services.members.store.collections import IDENTITIES, MEMBERS, STORES
from services.members.store.documents import member_content, portrait_document, profile_bytes
from services.members.store.profiles import PROFILE, place
from services.members.store.referrals import REFERRALS, owners, referral_document
from services.members.store.vault import Vault
from services.members.usecases.enrollment import Fold

InChain = Mapping[str, set[str]]
"""Names by chain."""


class MongoRoll:
    """Members, identities, command keys and the outbox of one service's database."""

    def __init__(self, database: Database, vault: Vault, outbox: Outbox) -> None:
        self._database, self._vault, self._outbox = database, vault, outbox

    async def commit(self, commands: Sequence[Enroll], fold: Fold) -> Sequence[Enrolled | Problem]:
        """Load, fold and write `commands` in one transaction; again from the load when somebody else was first.

        Nothing is read inside the transaction: the unique indexes on command keys and identities refuse whatever was
        decided on an old state, on any number of replicas.
        """

        async def once(session: Session) -> Sequence[Enrolled | Problem]:
            folded = fold(commands, await self._load(commands))
            if folded.enrolled:
                await self._write(folded.enrolled, session)
            return folded.answers

        return await self._database.in_transaction(once)

    async def _load(self, commands: Sequence[Enroll]) -> Known:
        keys: dict[str, set[str]] = defaultdict(set)
        hashes: dict[str, set[bytes]] = defaultdict(set)
        stores: dict[str, set[str]] = defaultdict(set)
        codes: dict[str, set[str]] = defaultdict(set)
        for command in commands:
            keys[command.chain].update({command.key} - {""})
            hashes[command.chain].update(command.hashes)
            stores[command.chain].update({command.member.source.store} - {""})
            codes[command.chain].update({command.referral_code} - {""})
        holders, existing, referrers = await asyncio.gather(
            self._find(IDENTITIES, "hash", hashes),
            self._find(STORES, "store", stores),
            owners(self._database, codes),
        )
        # Keys last: a key and the identities taken with it appear at once, so whoever is seen to have an identity
        # is seen to have used the key. The other way round, a repeated call could be told that it is taken.
        return Known(
            keys=await self._used(keys),
            holders={(one["chain"], one["hash"]): one["member"] for one in holders},
            stores={(one["chain"], one["store"]) for one in existing},
            referrers=referrers,
        )

    async def _used(self, keys: InChain) -> dict[tuple[str, str], Used]:
        found = await asyncio.gather(*(kept(self._database, chain, names) for chain, names in keys.items()))
        return {
            (chain, key): Used(one.fingerprint, one.answer, one.summary)
            for chain, uses in zip(keys, found, strict=True)
            for key, one in uses.items()
        }

    async def _find(
        self, keyed: Keyed, field: str, names: Mapping[str, Collection[str] | Collection[bytes]]
    ) -> list[Document]:
        found = await asyncio.gather(
            *(
                self._database.collection(keyed).find({"chain": chain, field: {"$in": list(some)}}).to_list(None)
                for chain, some in names.items()
                if some
            )
        )
        return [one for many in found for one in many]

    async def _write(self, enrolled: Sequence[Enroll], session: Session) -> None:
        cursors = [EventCursor().next(command.at) for command in enrolled]
        members, identities, keys = [], [], []
        data_keys = await self._vault.make(
            [(command.chain, command.member.id) for command in enrolled], now=enrolled[0].at, session=session
        )
        for command, cursor, data_key in zip(enrolled, cursors, data_keys, strict=True):
            members.append(self._document(command, cursor, data_key))
            identities += _identity_documents(command)
            keys += [_key_document(command)] if command.key else []
        # Identities first: they are what two replicas most often both want, so the loser has written least.
        await insert_new(self._database.collection(IDENTITIES), identities, session=session)
        await keep(self._database, keys, session=session)
        await insert_new(self._database.collection(MEMBERS), members, session=session)
        brought = [_referral(command) for command in enrolled if command.referral]
        await insert_new(self._database.collection(REFERRALS), brought, session=session)
        telling = [(command.chain, command.member.id) for command in enrolled if is_comparable(command.member)]
        await likenesses.mark_new(self._database, telling, session=session)
        told = [events.member_enrolled(command, cursor) for command, cursor in zip(enrolled, cursors, strict=True)]
        await self._outbox.write(told, session)

    def _document(self, command: Enroll, cursor: EventCursor, data_key: bytes) -> Document:
        chain, member = command.chain, command.member
        where = place(chain, member.id, PROFILE)
        return {
            "chain": chain,
            "member": member.id,
            **member_content(member),
            PROFILE: self._vault.seal(data_key, profile_bytes(member.profile), place=where),
            "portrait": portrait_document(Portrait(member.visits)),
            "events": {"sequence": cursor.sequence, "at": cursor.at},
        }


def _identity_documents(command: Enroll) -> list[Document]:
    return [
        {"chain": command.chain, "hash": hashed, "kind": identity.kind.value, "member": command.member.id}
        for hashed, identity in zip(command.hashes, command.member.profile.identities, strict=True)
    ]


def _referral(command: Enroll) -> Document:
    member = command.member
    return referral_document(
        command.chain, Referral(command.referral, member.id, member.source.referrer, at=command.at)
    )


def _key_document(command: Enroll) -> Document:
    use = use_of(command)
    return row(
        chain=command.chain,
        key=command.key,
        fingerprint=use.asked_for,
        answer=use.answer,
        summary=use.summary,
        now=command.at,
    )
