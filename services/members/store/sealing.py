"""Sealing what was kept in clear before there was a vault."""

from pymongo import UpdateOne

from services.kit.mongo.collections import EVERYWHERE, Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import write_guarded
from services.members.domain.identities import Identity, IdentityKind
from services.members.domain.members import Channel, FirstPayment, Member, Source
from services.members.domain.profiles import Profile
from services.members.store.collections import MEMBERS
from services.members.store.documents import member_content, profile_bytes
from services.members.store.profiles import PROFILE, place
from services.members.store.vault import Vault

AT_ONCE = 500


async def seal_members(database: Database, vault: Vault) -> int:
    """Seal the profiles of those who were enrolled before, and return how many; goes on where it was cut short."""
    sealed = 0
    after = "", ""
    while some := await _unsealed(database, after):

        async def once(session: Session, some: list[Document] = some) -> None:
            names = [(one["chain"], one["member"]) for one in some]
            keys = await vault.make(names, now=some[0]["enrolled_at"], session=session)
            writes = [_write(one, vault, key) for one, key in zip(some, keys, strict=True)]
            await write_guarded(database.collection(MEMBERS), writes, session=session)

        await database.in_transaction(once)
        after = some[-1]["chain"], some[-1]["member"]
        sealed += len(some)
    return sealed


async def _unsealed(database: Database, after: tuple[str, str]) -> list[Document]:
    """Return the next members whose identities still stand in clear, in the order of chain and id."""
    chain, member = after
    condition: Document = {
        "chain": {"$gte": chain},
        "$or": [{"chain": {"$gt": chain}}, {"member": {"$gt": member}}],
        PROFILE: {"$exists": False},
    }
    found = database.collection(MEMBERS).find(condition, comment=EVERYWHERE).sort([("chain", 1), ("member", 1)])
    return await found.limit(AT_ONCE).to_list(AT_ONCE)


def _write(document: Document, vault: Vault, key: bytes) -> UpdateOne:
    member = _member_in_clear(document)
    where = place(document["chain"], member.id, PROFILE)
    content = member_content(member) | {PROFILE: vault.seal(key, profile_bytes(member.profile), place=where)}
    return UpdateOne(
        {"chain": document["chain"], "member": member.id, PROFILE: {"$exists": False}},
        {"$set": content, "$unset": {"name": "", "identities": "", "store": ""}},
    )


def _member_in_clear(document: Document) -> Member:
    payment = document.get("first_payment")
    identities = tuple(Identity(IdentityKind(one["kind"]), one["value"]) for one in document["identities"])
    return Member(
        id=document["member"],
        profile=Profile(document["name"], identities),
        enrolled_at=document["enrolled_at"],
        channel=Channel(document["channel"]),
        source=Source(store=document["store"]),
        provisional=document.get("provisional", False),
        first_payment=None if payment is None else FirstPayment(kind=payment["kind"], at=payment["at"]),
    )
