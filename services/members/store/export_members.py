"""The list of a chain's members as exports have it: each role's file has what that role sees of a member."""

import asyncio
from collections.abc import Callable, Mapping

from pymongo import ASCENDING

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.members.domain.export_files import Cell
from services.members.domain.exports import Column, Filter, ListKind, Row, Rows
from services.members.domain.identities import IdentityKind
from services.members.domain.members import Member
from services.members.domain.profiles import PreferenceKind
from services.members.domain.visibility import Field, shown_to
from services.members.store.collections import MEMBERS
from services.members.store.documents import member_of
from services.members.store.export_sources import NO_ID, View, listed, moment
from services.members.store.profiles import PROFILE, place, profile_in
from services.members.store.vault import Vault

SCANNED = 20_000
"""Members whose index entries one page passes at most, looking for those that are wanted."""

_NEEDS = frozenset({PreferenceKind.ALLERGY, PreferenceKind.DIET, PreferenceKind.ACCESS})


def _identities(*kinds: IdentityKind) -> Callable[[Member], Cell]:
    return lambda one: listed([each.value for each in one.profile.identities if each.kind in kinds])


def _others(one: Member) -> Cell:
    usual = {IdentityKind.PHONE, IdentityKind.EMAIL, IdentityKind.CARD}
    return listed([f"{each.kind}: {each.value}" for each in one.profile.identities if each.kind not in usual])


def _preferences(*, needs: bool) -> Callable[[Member], Cell]:
    return lambda one: listed(
        [f"{each.kind}: {each.text}" for each in one.profile.preferences if (each.kind in _NEEDS) is needs]
    )


def _spend(one: Member) -> Cell:
    return listed([f"{currency} {minor}" for currency, minor in sorted(one.visits.spend_minor.items())])


_COLUMNS: Mapping[Column, Callable[[Member], Cell]] = {
    Column("member_id"): lambda one: one.id,
    Column("name", Field.NAME): lambda one: one.profile.name,
    Column("given_name", Field.FULL_NAME): lambda one: one.profile.given_name,
    Column("family_name", Field.FULL_NAME): lambda one: one.profile.family_name,
    Column("phone", Field.IDENTITIES): _identities(IdentityKind.PHONE),
    Column("email", Field.IDENTITIES): _identities(IdentityKind.EMAIL),
    Column("card", Field.IDENTITIES): _identities(IdentityKind.CARD),
    Column("other_identities", Field.IDENTITIES): _others,
    Column("birthday", Field.BIRTHDAY): lambda one: one.profile.birthday,
    Column("gender", Field.GENDER): lambda one: one.profile.gender.value,
    Column("language", Field.LANGUAGE): lambda one: one.profile.language,
    Column("address", Field.ADDRESS, whole=True): lambda one: one.profile.address.lines,
    Column("postal_code", Field.ADDRESS, whole=True): lambda one: one.profile.address.postal_code,
    Column("city", Field.ADDRESS): lambda one: one.profile.address.city,
    Column("country", Field.ADDRESS): lambda one: one.profile.address.country,
    Column("needs", Field.NEEDS): _preferences(needs=True),
    Column("preferences", Field.PREFERENCES): _preferences(needs=False),
    Column("tags", Field.TAGS): lambda one: listed(one.tags),
    Column("enrolled_at"): lambda one: moment(one.enrolled_at),
    Column("channel"): lambda one: one.channel.value,
    Column("store_id"): lambda one: one.source.store,
    Column("campaign", Field.SOURCE): lambda one: one.source.campaign,
    Column("partner", Field.SOURCE): lambda one: one.source.partner,
    Column("provisional"): lambda one: one.provisional,
    Column("visits", Field.VISITS): lambda one: one.visits.count,
    Column("last_visit_at", Field.VISITS): lambda one: moment(one.visits.last),
    Column("spend_minor", Field.VISITS): _spend,
}


class MemberList:
    """Members, without those who were merged into another or erased."""

    kind = ListKind(
        "members",
        "members:read",
        tuple(_COLUMNS),
        filters=frozenset({"since", "until", "store", "tag"}),
    )

    def __init__(self, database: Database, vault: Vault) -> None:
        self._members, self._vault = database.collection(MEMBERS), vault

    async def rows(self, view: View, after: str, *, first: int, session: Session) -> Rows:
        """Return up to `first` members behind the id `after`, in the order of their ids."""
        behind = {"chain": view.chain, "member": {"$gt": after}}
        order = [("chain", ASCENDING), ("member", ASCENDING)]
        ids = self._members.find(behind, {"_id": False, "member": True}, session=session).sort(order)
        border = await ids.skip(SCANNED - 1).limit(1).to_list(1)
        condition = {"chain": view.chain, **_condition(view.filter), "member": {"$gt": after}}
        if border:
            condition["member"] = {"$gt": after, "$lte": border[0]["member"]}
        documents = await self._members.find(condition, NO_ID, session=session).sort(order).limit(first).to_list(first)
        ids_found = [one["member"] for one in documents]
        keys = await self._vault.keys(view.chain, ids_found, session=session) if documents else {}
        # In a thread: while a thousand members are opened, calls are to be answered.
        rows = await asyncio.to_thread(lambda: [self._row(one, keys, view) for one in documents])
        if len(rows) == first:
            return Rows(rows, rows[-1].after)
        return Rows(rows, border[0]["member"] if border else None)

    async def count(self, view: View, *, most: int) -> int:
        """Return how many members there are, at most `most`."""
        condition = {"chain": view.chain, **_condition(view.filter)}
        return await self._members.count_documents(condition, limit=most)

    def _row(self, document: Document, keys: Mapping[str, bytes], view: View) -> Row:
        id_ = document["member"]
        where = place(view.chain, id_, PROFILE)
        member = shown_to(view.role, member_of(document, profile_in(self._vault, document, keys.get(id_), where=where)))
        return Row(tuple(cell(member) for cell in _COLUMNS.values()), after=id_, member=id_)


def _condition(wanted: Filter) -> Document:
    condition: Document = {"merged_into": "", "erased_at": None}
    if wanted.since or wanted.until:
        bounds = {"$gte": wanted.since, "$lt": wanted.until}
        condition["enrolled_at"] = {name: at for name, at in bounds.items() if at is not None}
    if wanted.store:
        condition["source.store"] = wanted.store
    if wanted.tag:
        condition["tags"] = wanted.tag
    return condition
