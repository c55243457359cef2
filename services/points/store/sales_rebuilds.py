"""Countings of a chain's sales in MongoDB: the one that reports read, and one that is made anew from receipts."""

from dataclasses import replace
from datetime import datetime

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.transactions import Conflict
from services.points.domain.accounts import PAYER_PREFIX
from services.points.domain.sales import Additions, Sale
from services.points.domain.sold_receipts import sold_of
from services.points.store.collections import ACCOUNTS, GUEST_MONTHS, ITEM_SALES, RECEIPTS, SALES, SALES_GENERATIONS
from services.points.store.documents.receipts import receipt_of
from services.points.store.sales import MongoSalesBook
from services.points.usecases.rebuild_sales import Rebuild

AT_ONCE = 200
"""Receipts that one transaction counts: with 500 lines each, well within the seconds that it has."""

DROPPED_AT_ONCE = 1_000
DROPPED = ((SALES, "store"), (ITEM_SALES, "store"), (GUEST_MONTHS, "account"))
"""What countings consist of, and by what it is gone through."""


class MongoRebuilds:
    """Countings of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, chain: str, *, cut: datetime) -> Rebuild:
        """Return the one under way; where there is none, begin one with this cut."""

        async def once(session: Session) -> Rebuild:
            state = await self._state(chain, session)
            if "next" not in state and not state.get("dropping"):
                state["next"] = {"number": state["current"]["number"] + 1, "since": cut, "after": "", "receipts": 0}
                await self._keep(chain, state, session)
            return _rebuild_of(state)

        return await self._database.in_transaction(once)

    async def count(self, chain: str) -> Rebuild | None:
        """Count the next receipts in one transaction; None when there are no more, and reports read it from now on."""

        async def once(session: Session) -> Rebuild | None:
            state = await self._state(chain, session)
            if (counting := state.get("next")) is None:
                return None  # another one has finished it
            which = {"chain": chain, "key": {"$gt": counting["after"]}}
            found = self._database.collection(RECEIPTS).find(which, session=session).sort("key", ASCENDING)
            documents = await found.limit(AT_ONCE).to_list(AT_ONCE)
            if documents:
                await self._add(chain, counting, documents, session)
                counting["after"] = documents[-1]["key"]
                counting["receipts"] += len(documents)
            else:
                state["current"] = {"number": counting["number"], "since": counting["since"]}
                state["dropping"] = {"at": 0, "after": ""}
                state["counted"] = counting["receipts"]
                del state["next"]
            await self._keep(chain, state, session)
            return _rebuild_of(state) if documents else None

        return await self._database.in_transaction(once)

    async def drop(self, chain: str) -> bool:
        """Remove some of the older countings, which may have millions of documents; False when nothing is left."""
        state = await self._state(chain, None)
        if (dropping := state.get("dropping")) is None:
            return False
        states = self._database.collection(SALES_GENERATIONS)
        if dropping["at"] == len(DROPPED):
            await states.update_one({"chain": chain}, {"$unset": {"dropping": ""}})
            return False
        keyed, key = DROPPED[dropping["at"]]
        old = {"chain": chain, "generation": {"$lt": state["current"]["number"]}}
        page = self._database.collection(keyed).find(
            {**old, key: {"$gt": dropping["after"]}}, {"_id": False, key: True}
        )
        owners = sorted({one[key] for one in await page.sort(key, ASCENDING).limit(DROPPED_AT_ONCE).to_list(None)})
        if owners:
            await self._database.collection(keyed).delete_many({**old, key: {"$in": owners}})
            then = {"at": dropping["at"], "after": owners[-1]}
        else:
            then = {"at": dropping["at"] + 1, "after": ""}
        # Only from where it was read: of two that remove at once, one goes on.
        await states.update_one({"chain": chain, "dropping": dropping}, {"$set": {"dropping": then}})
        return True

    async def _add(self, chain: str, counting: Document, documents: list[Document], session: Session) -> None:
        sold = [one for document in documents for one in sold_of(receipt_of(document))]
        owners = await self._owners(chain, {one.member for one in sold if isinstance(one, Sale)}, session)
        additions = Additions()
        for one in sold:
            if one.booked_at >= counting["since"]:
                continue  # its event is added
            owner = owners.get(one.member) if isinstance(one, Sale) else None
            additions.add(replace(one, member=owner) if isinstance(one, Sale) and owner else one)
        await MongoSalesBook(self._database, session).add(chain, counting["number"], additions)

    async def _owners(self, chain: str, members: set[str], session: Session) -> dict[str, str]:
        """Return who took over the payers among these accounts."""
        payers = sorted(member for member in members if member.startswith(PAYER_PREFIX))
        if not payers:
            return {}
        which = {"chain": chain, "account": {"$in": payers}, "merged_into": {"$gt": ""}}
        found = self._database.collection(ACCOUNTS).find(which, {"account": True, "merged_into": True}, session=session)
        return {one["account"]: one["merged_into"] for one in await found.to_list(len(payers))}

    async def _state(self, chain: str, session: Session | None) -> Document:
        found = await self._database.collection(SALES_GENERATIONS).find_one(
            {"chain": chain}, {"_id": False}, session=session
        )
        return found or {"chain": chain, "current": {"number": 0}}

    async def _keep(self, chain: str, state: Document, session: Session) -> None:
        """Write it; whoever had read it before conflicts, and reads again."""
        states = self._database.collection(SALES_GENERATIONS)
        try:
            await states.replace_one({"chain": chain}, state, upsert=True, session=session)
        except DuplicateKeyError as error:
            raise Conflict from error


def _rebuild_of(state: Document) -> Rebuild:
    if (counting := state.get("next")) is not None:
        return Rebuild(counting["number"], counting["since"], receipts=counting["receipts"])
    current = state["current"]
    return Rebuild(current["number"], current["since"], receipts=state.get("counted", 0), is_read=True)
