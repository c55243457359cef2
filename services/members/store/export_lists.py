"""The lists that can be exported. Another one is one class like these: a `ListKind`, `rows` and `count`."""

from collections.abc import Collection, Sequence

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session
from services.members.domain.exports import Column, ListKind, Row, Rows
from services.members.store.collections import STORES
from services.members.store.consents import CONSENTS
from services.members.store.export_members import MemberList
from services.members.store.export_sources import ListSource, Scan, View, listed, moment, wanted_at
from services.members.store.households import HOMES
from services.members.store.looks import LOOKS
from services.members.store.staff_collections import STAFF, STAFF_CREDITS
from services.members.store.vault import Vault

__all__ = ["ListSource", "View", "sources"]


def sources(database: Database, vault: Vault) -> Sequence[ListSource]:
    """Return all lists."""
    return (
        MemberList(database, vault),
        ConsentList(database),
        HouseholdList(database),
        CreditList(database),
        LookList(database),
    )


def _kind(name: str, scope: str, columns: str, *filters: str, of_stores: bool = False) -> ListKind:
    return ListKind(name, scope, tuple(map(Column, columns.split())), frozenset(filters), of_stores)


class ConsentList:
    """All that members ever said, each under the id that it had then."""

    kind = _kind(
        "consents",
        "members:read",
        "member_id channel purpose granted at text_version source recorded_by recorded_at",
        "since",
        "until",
    )

    def __init__(self, database: Database) -> None:
        self._scan = Scan(database, CONSENTS, "member", "-consent")

    async def rows(self, view: View, after: str, *, first: int, session: Session) -> Rows:
        """Return the next consents, by member."""
        found, rest = await self._scan.page(view.chain, after, first=first, session=session)
        wanted = [one for one in found if wanted_at(view.filter, one["at"])]
        return Rows([self._row(one) for one in wanted], rest)

    async def count(self, view: View, *, most: int) -> int:
        """Return how many there are, whenever they were said."""
        return await self._scan.count(view.chain, most=most)

    def _row(self, one: Document) -> Row:
        said = (one["member"], one["channel"], one["purpose"], one["granted"], moment(one["at"]), one["text_version"])
        known = (one["source"], one["recorded_by"], moment(one["recorded_at"]))
        return Row((*said, *known), after=self._scan.place(one), member=one["member"])


class HouseholdList:
    """Who lives in which household, each under the id that it came with."""

    kind = _kind("households", "members:read", "member_id household joined_at", "since", "until")

    def __init__(self, database: Database) -> None:
        self._scan = Scan(database, HOMES, "member")

    async def rows(self, view: View, after: str, *, first: int, session: Session) -> Rows:
        """Return the next members who have a household."""
        found, rest = await self._scan.page(view.chain, after, first=first, session=session)
        return Rows(
            [
                Row((one["member"], one["code"], moment(one["at"])), after=self._scan.place(one), member=one["member"])
                for one in found
                if wanted_at(view.filter, one["at"])
            ],
            rest,
        )

    async def count(self, view: View, *, most: int) -> int:
        """Return how many members have one."""
        return await self._scan.count(view.chain, most=most)


class CreditList:
    """What staff are credited with, by store and month: a row for each place on a leaderboard."""

    kind = _kind(
        "staff_credits",
        "staff:read",
        "staff_code staff_name store_code month enrollments repeat_visits staff_id store_id",
        "store",
        "month",
        of_stores=True,
    )

    def __init__(self, database: Database) -> None:
        self._database = database
        self._scan = Scan(database, STAFF_CREDITS, "staff", "store", "month")

    async def rows(self, view: View, after: str, *, first: int, session: Session) -> Rows:
        """Return the next credits, by staff member, store and month."""
        among = _among(view)
        found, rest = await self._scan.page(view.chain, after, first=first, session=session, among=among)
        staff = await self._named(view.chain, STAFF, "staff", {one["staff"] for one in found}, session)
        stores = await self._named(view.chain, STORES, "store", {one["store"] for one in found}, session)
        rows = []
        for one in found:
            who, where = staff.get(one["staff"], {}), stores.get(one["store"], {})
            names = (who.get("code", ""), who.get("name", ""), where.get("code", ""), one["month"])
            counts = (one["enrollments"], one["repeat_visits"], one["staff"], one["store"])
            rows.append(Row((*names, *counts), after=self._scan.place(one)))
        return Rows(rows, rest)

    async def count(self, view: View, *, most: int) -> int:
        """Return how many there are."""
        return await self._scan.count(view.chain, most=most, among=_among(view))

    async def _named(
        self, chain: str, keyed: Keyed, field: str, ids: Collection[str], session: Session
    ) -> dict[str, Document]:
        condition = {"chain": chain, field: {"$in": sorted(ids)}}
        found = self._database.collection(keyed).find(condition, session=session) if ids else None
        return {} if found is None else {one[field]: one for one in await found.to_list(len(ids))}


def _among(view: View) -> Document:
    among: Document = {"month": view.filter.month} if view.filter.month else {}
    if stores := {view.filter.store} - {""} or view.stores:
        among["store"] = {"$in": sorted(stores)}
    return among


class LookList:
    """Who looked at personal data, as what and when, and at how many members."""

    kind = _kind("looks", "members:audit", "at by role members fields look_id", "since", "until")

    def __init__(self, database: Database) -> None:
        self._scan = Scan(database, LOOKS, "look")

    async def rows(self, view: View, after: str, *, first: int, session: Session) -> Rows:
        """Return the next looks, in the order of time."""
        found, rest = await self._scan.page(view.chain, after, first=first, session=session)
        rows = []
        for one in found:
            if wanted_at(view.filter, one["at"]):
                what = (len(one["members"]), listed(one["fields"]), one["look"])
                cells = (moment(one["at"]), one["by"], one["role"], *what)
                rows.append(Row(cells, after=self._scan.place(one)))
        return Rows(rows, rest)

    async def count(self, view: View, *, most: int) -> int:
        """Return how many there are."""
        return await self._scan.count(view.chain, most=most)
