"""What members keeps of one person, for the person: the registry.

Who adds a collection that keeps anything of a person adds a section, or says in `NOT_TOLD` why there is none.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import date

import orjson

from services.kit.member_records import Record, Section
from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database
from services.kit.mongo.member_records import of_documents
from services.members.store.account_managers import CARE
from services.members.store.activities import ACTIVITIES
from services.members.store.cards import CARD_NUMBERS
from services.members.store.collections import MEMBERS, MERGES
from services.members.store.consents import CONSENTS
from services.members.store.documents import profile_bytes
from services.members.store.follow_ups import FOLLOW_UPS
from services.members.store.households import HOMES
from services.members.store.looks import LOOKS
from services.members.store.notes import NOTES
from services.members.store.profiles import PROFILE, place, profile_in
from services.members.store.referrals import MEMBER_REFERRAL_CODES, REFERRALS
from services.members.store.staff_collections import STAFF_BROUGHT
from services.members.store.timeline import TIMELINE
from services.members.store.vault import Vault

NOT_TOLD: Mapping[str, str] = {
    "cards": "secrets that codes are made of; the numbers are told by card_numbers",
    "referral_codes": "the same as member_referral_codes, the other way round",
    "likenesses": "hashes of the profile, which is told",
    "likely_duplicates": "who else a person might be is somebody else's data",
    "reviews": "whoever is suspected would learn by which rules; the chain answers for these itself",
}
"""Collections that an erasure empties and that are not told, with the reason."""


def sections(database: Database, vault: Vault) -> tuple[Section, ...]:
    """Return all sections."""
    return (
        _profile(database, vault),
        of_documents(database, CARD_NUMBERS, "card_numbers", order=("member", "number")),
        of_documents(database, CONSENTS, "consents", order=("-member", "consent")),
        of_documents(database, HOMES, "households"),
        of_documents(database, MEMBER_REFERRAL_CODES, "referral_codes"),
        # Who brought the person is somebody else.
        of_documents(database, REFERRALS, "referrals", hidden=("referrer",)),
        _with_texts(
            database,
            vault,
            ACTIVITIES,
            "activities",
            named=("activity", "activity"),
            order=[("member", -1), ("at", 1), ("activity", 1)],
            hidden=("key",),
        ),
        _with_texts(
            database,
            vault,
            NOTES,
            "notes",
            named=("note", "note"),
            order=[("member", -1), ("note", 1)],
            hidden=("roles",),
        ),
        _with_texts(
            database,
            vault,
            FOLLOW_UPS,
            "follow_ups",
            named=("follow-up", "follow_up"),
            order=[("member", -1), ("follow_up", 1)],
            hidden=(),
        ),
        of_documents(database, CARE, "care", hidden=("version",)),
        of_documents(database, TIMELINE, "timeline", order=("-member", "at", "ref")),
        # Others were shown together with this one, whose ids are nobody else's to know.
        of_documents(database, LOOKS, "looks", by="members", order=("look",), hidden=("members",)),
        of_documents(database, STAFF_BROUGHT, "enrolled_by_staff", hidden=("version",), told=_brought),
        of_documents(database, MERGES, "merges", by="absorbed", order=("absorbed", "merge"), hidden=(PROFILE,)),
    )


def _with_texts(
    database: Database,
    vault: Vault,
    keyed: Keyed,
    name: str,
    *,
    named: tuple[str, str],
    order: Sequence[tuple[str, int]],
    hidden: Collection[str],
) -> Section:
    """Return the section of documents whose `text` is sealed; `named` is what they are called and where their id is."""
    what, id_field = named

    async def read(chain: str, ids: Sequence[str], skip: int) -> AsyncIterator[Record]:
        keys = await vault.keys(chain, ids)
        condition = {"chain": chain, "member": {"$in": list(ids)}}
        async for one in database.collection(keyed).find(condition).sort(order).skip(skip):
            told = {field: value for field, value in one.items() if field not in {"_id", "chain", "version", *hidden}}
            where, key = place(chain, one["member"], f"{what} {one[id_field]}"), keys.get(one["member"])
            text = vault.unseal(key, one["text"], place=where).decode() if key and one["text"] else ""
            yield {**told, "text": text}

    return Section(name, read, (keyed.name,))


def _brought(document: Record) -> Record:
    days = [date.fromordinal(day) for day in document["days"]]
    return {**document, "day": date.fromordinal(document["day"]), "days": days}


def _profile(database: Database, vault: Vault) -> Section:
    """Return the members' own documents, opened: the profile with all identities in full."""

    async def read(chain: str, ids: Sequence[str], skip: int) -> AsyncIterator[Record]:
        found = database.collection(MEMBERS).find({"chain": chain, "member": {"$in": list(ids)}}).sort("member", 1)
        documents = await found.skip(skip).to_list(len(ids))
        keys = await vault.keys(chain, [one["member"] for one in documents]) if documents else {}
        for one in documents:
            where = place(chain, one["member"], PROFILE)
            profile = profile_in(vault, one, keys.get(one["member"]), where=where)
            hidden = {"_id", "chain", PROFILE, "events", "asked_by", "held", "steps", "version"}
            told = {name: value for name, value in one.items() if name not in hidden}
            yield {**told, "profile": orjson.loads(profile_bytes(profile))}

    return Section("members", read, (MEMBERS.name,))
