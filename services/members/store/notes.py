"""Notes in MongoDB: a document each, sealed under the key of the id that the member had then."""

from collections.abc import Collection, Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new
from services.members.domain.members import NoMemberError
from services.members.domain.notes import Note
from services.members.domain.visibility import Role
from services.members.store.member_pages import latest_of_each
from services.members.store.profiles import place
from services.members.store.vault import Vault

NOTES = Keyed("member_notes", ("chain", "member"))


class MongoNotes:
    """Notes of one service's database, for reading."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    async def latest(
        self, chain: str, members: Collection[str], *, role: Role, before: str, first: int
    ) -> Mapping[str, Sequence[Note]]:
        """Return by id up to `first` notes for `role`, the latest first, before the one with the id `before`."""
        rows = await latest_of_each(
            self._database,
            NOTES,
            chain,
            members,
            by="note",
            before=before,
            first=first,
            condition={"roles": role.value},
        )
        keys = await self._vault.keys(chain, sorted(rows)) if rows else {}
        # Who was erased between the two reads has no key any more, and no notes.
        return {
            id_: [_note_of(self._vault, keys[id_], one) for one in some] for id_, some in rows.items() if id_ in keys
        }


class MongoNoteWork:
    """Notes within one unit of work."""

    def __init__(self, database: Database, vault: Vault, session: Session, *, chain: str) -> None:
        self._vault, self._session, self._chain = vault, session, chain
        self._notes = database.collection(NOTES)

    async def count(self, members: Collection[str]) -> int:
        """Return how many notes there are under these ids."""
        return await self._notes.count_documents(self._of(members), session=self._session)

    async def find(self, members: Collection[str], note: str) -> Note | None:
        """Return a note under one of these ids."""
        found = await self._notes.find_one({**self._of(members), "note": note}, session=self._session)
        if found is None:
            return None
        keys = await self._vault.keys(self._chain, [found["member"]], session=self._session)
        return _note_of(self._vault, keys[found["member"]], found) if found["member"] in keys else None

    async def add(self, note: Note) -> None:
        """Write a note. Whoever does this keeps the member, too, so that no erasure comes in between."""
        keys = await self._vault.keys(self._chain, [note.member], session=self._session)
        if note.member not in keys:
            raise NoMemberError(field="memberId", member=note.member)
        spot = place(self._chain, note.member, f"note {note.id}")
        document = {
            "chain": self._chain,
            "member": note.member,
            "note": note.id,
            "by": note.by,
            "at": note.at,
            "roles": sorted(role.value for role in note.roles),
            "text": self._vault.seal(keys[note.member], note.text.encode(), place=spot),
        }
        await insert_new(self._notes, [document], session=self._session)

    async def delete(self, note: Note) -> None:
        """Delete a note."""
        await self._notes.delete_one({**self._of([note.member]), "note": note.id}, session=self._session)

    def _of(self, members: Collection[str]) -> Document:
        [one, *more] = sorted(members)
        return {"chain": self._chain, "member": {"$in": [one, *more]} if more else one}


async def set_up(database: Database) -> None:
    """Create the collection and its index; safe to repeat."""
    by_note = [("chain", ASCENDING), ("member", ASCENDING), ("note", DESCENDING)]
    await create_indexes(database, NOTES, [IndexModel(by_note, name="by_note", unique=True)])


def _note_of(vault: Vault, key: bytes, document: Document) -> Note:
    spot = place(document["chain"], document["member"], f"note {document['note']}")
    return Note(
        id=document["note"],
        member=document["member"],
        text=vault.unseal(key, document["text"], place=spot).decode(),
        by=document["by"],
        at=document["at"],
        roles=frozenset(Role(role) for role in document["roles"]),
    )
