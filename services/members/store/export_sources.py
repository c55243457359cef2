"""What lists that are exported have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import orjson
from pymongo import ASCENDING, DESCENDING

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session
from services.members.domain.exports import Filter, ListKind, Rows
from services.members.domain.visibility import Role

NO_ID = {"_id": False}
_BEHIND = {ASCENDING: "$gt", DESCENDING: "$lt"}


@dataclass(frozen=True, slots=True)
class View:
    """Whose list is wanted, as whom it is looked at, and which of its rows."""

    chain: str
    role: Role
    filter: Filter
    stores: frozenset[str] = frozenset()


class ListSource(Protocol):
    """A list: its columns, and its rows page by page in an order that can be gone on in.

    Rows of members come in the order of the members' ids and say whose they are, so that an erasure finds the files
    that they are in. A page reads a bounded part of an index, however few of its rows are wanted.
    """

    kind: ListKind

    async def rows(self, view: View, after: str, *, first: int, session: Session) -> Rows:
        """Return up to `first` rows behind `after` (empty: from the start), read in the transaction."""

    async def count(self, view: View, *, most: int) -> int:
        """Return about how many rows there are, at most `most`."""


class Scan:
    """Goes through one collection of a chain in the order of one index, whose fields come after the chain; "-" before
    a field: the index has it from the last on."""

    def __init__(self, database: Database, keyed: Keyed, *order: str) -> None:
        self._database, self._keyed = database, keyed
        self._order = [(name.removeprefix("-"), DESCENDING if name[0] == "-" else ASCENDING) for name in order]

    async def page(
        self, chain: str, after: str, *, first: int, session: Session, among: Document | None = None
    ) -> tuple[list[Document], str | None]:
        """Return up to `first` documents behind `after`, and where it goes on; None: there are no more."""
        condition: Document = {"chain": chain, **(among or {})}
        if after:
            reached = list(zip(self._order, orjson.loads(after), strict=True))
            # Behind it in the first field, or level there and behind it in the next, and so on.
            condition["$or"] = [
                {name: value for (name, _), value in reached[:n]} | {name: {_BEHIND[direction]: value}}
                for n, ((name, direction), value) in enumerate(reached)
            ]
            (name, direction), value = reached[0]
            condition[name] = {f"{_BEHIND[direction]}e": value}  # so that the index is entered there
        found = self._database.collection(self._keyed).find(condition, NO_ID, session=session)
        some = await found.sort([("chain", ASCENDING), *self._order]).limit(first).to_list(first)
        return some, self.place(some[-1]) if len(some) == first else None

    def place(self, document: Document) -> str:
        """Return where the list goes on behind a document."""
        return orjson.dumps([document[name] for name, _ in self._order]).decode()

    async def count(self, chain: str, *, most: int, among: Document | None = None) -> int:
        """Return how many documents there are, at most `most`."""
        condition = {"chain": chain, **(among or {})}
        return await self._database.collection(self._keyed).count_documents(condition, limit=most)


def moment(at: datetime | None) -> str:
    """Return a moment as files have it: in UTC, to the second; empty for none."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def listed(texts: Sequence[str]) -> str:
    """Return some texts as one."""
    return "; ".join(texts)


def wanted_at(wanted: Filter, at: datetime) -> bool:
    """Tell whether a moment lies in what is asked for."""
    return (wanted.since is None or at >= wanted.since) and (wanted.until is None or at < wanted.until)
