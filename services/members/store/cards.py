"""Cards in MongoDB: secrets sealed under their members' data keys, and where codes were used, as long as it counts."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.cards import (
    USES_KEPT,
    Card,
    Checks,
    Outcome,
    Scan,
    Secret,
    Use,
    check_scans,
    number_in,
    steps_of,
)
from services.members.domain.members import NoMemberError
from services.members.store.profiles import place
from services.members.store.survivors import Survivor, hold, survivors
from services.members.store.vault import Vault
from services.members.usecases.cards import Whose

CARDS = Keyed("cards", ("chain", "member"))
CARD_NUMBERS = Keyed("card_numbers", ("chain", "number"))
"""Whose card a number is. One that was replaced stays with its member, so that it never becomes another's."""

CARD_USES = Keyed("card_uses", ("chain", "number"))

_NO_ID = {"_id": False}


class MongoCards:
    """Cards of one service's database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault
        self._cards, self._numbers = database.collection(CARDS), database.collection(CARD_NUMBERS)
        self._uses = database.collection(CARD_USES)

    async def hold(
        self, chain: str, member_id: str, decide: Callable[[Card | None, Survivor], Card], *, now: datetime
    ) -> Card:
        """Keep the member's card as `decide` makes it of the one that there is, and return it.

        Raises NoMemberError. `decide` is called again with each try, so that a number that is taken becomes another.
        """

        async def once(session: Session) -> Card:
            member = (await survivors(self._database, chain, [member_id], session=session)).get(member_id)
            key = {} if member is None else await self._vault.keys(chain, [member.id], session=session)
            if member is None or member.id not in key:
                raise NoMemberError(field="memberId", member=member_id)
            where = {"chain": chain, "member": member.id}
            found = await self._cards.find_one(where, _NO_ID, session=session)
            before = None if found is None else self._card(found, key[member.id])
            card = decide(before, member)
            if card != before:
                await hold(self._database, chain, [member.id], session=session)
                await self._write(where, before, card, key[member.id], now=now, session=session)
            return card

        return await self._database.in_transaction(once)

    async def check(self, chain: str, scans: Sequence[Scan], *, now: datetime) -> Sequence[Whose]:
        """Check codes, and keep where they were used and how many were wrong."""
        numbers = sorted({number for scan in scans if (number := number_in(scan.code))})

        async def once(session: Session) -> Sequence[Whose]:
            condition = {"chain": chain, "number": {"$in": numbers}}
            found = await self._numbers.find(condition, _NO_ID, session=session).to_list(len(numbers))
            holders = {one["number"]: one["member"] for one in found if one["replaced_at"] is None}
            cards = await self._of(chain, holders, session)
            steps = sorted({step for scan in scans for step in steps_of(scan)})
            checks = check_scans(scans, cards, await self._used(condition, steps, session), now=now)
            await self._note(chain, checks, holders, now=now, session=session)
            gone_to = await survivors(self._database, chain, set(holders.values()), session=session)
            return [
                Whose(gone_to[holders[one.number]].id, one.outcome)
                if one.outcome is Outcome.GOOD
                else Whose("", one.outcome)
                for one in checks.outcomes
            ]

        return await self._database.in_transaction(once)

    async def _of(self, chain: str, holders: Mapping[str, str], session: Session) -> dict[str, Card]:
        members = sorted(set(holders.values()))
        if not members:
            return {}
        condition = {"chain": chain, "member": {"$in": members}}
        found = await self._cards.find(condition, _NO_ID, session=session).to_list(len(members))
        keys = await self._vault.keys(chain, members, session=session)
        return {one["number"]: self._card(one, keys[one["member"]]) for one in found if one["member"] in keys}

    async def _used(self, condition: Document, steps: Sequence[int], session: Session) -> dict[Use, str]:
        found = self._uses.find({**condition, "step": {"$in": list(steps)}}, _NO_ID, session=session)
        return {(one["number"], one["step"]): one["store"] for one in await found.to_list()}

    async def _note(
        self, chain: str, checks: Checks, holders: Mapping[str, str], *, now: datetime, session: Session
    ) -> None:
        uses = [
            {"chain": chain, "number": number, "step": step, "store": store, "expires_at": now + USES_KEPT}
            for (number, step), store in checks.used.items()
        ]
        await insert_new(self._uses, uses, session=session)
        writes = [
            UpdateOne({"chain": chain, "member": holders[number]}, {"$set": _guarding(card)})
            for number, card in checks.changed.items()
        ]
        await write_guarded(self._cards, writes, session=session)

    async def _write(
        self, where: Document, before: Card | None, card: Card, key: bytes, *, now: datetime, session: Session
    ) -> None:
        if before is None or before.number != card.number:
            number = {"chain": where["chain"], "number": card.number, "member": where["member"], "replaced_at": None}
            await insert_new(self._numbers, [number], session=session)
        if before is not None and before.number != card.number:
            lost = {"chain": where["chain"], "number": before.number}
            await self._numbers.update_one(lost, {"$set": {"replaced_at": now}}, session=session)
        spot = place(where["chain"], where["member"], f"card {card.number}")
        secrets = [
            {"sealed": self._vault.seal(key, one.key, place=spot), "made_at": one.made_at, "until": one.until}
            for one in card.secrets
        ]
        content = {"number": card.number, "secrets": secrets, **_guarding(card)}
        if before is None:
            await insert_new(self._cards, [{**where, **content}], session=session)
        else:
            await write_guarded(self._cards, [UpdateOne(where, {"$set": content})], session=session)

    def _card(self, document: Document, key: bytes) -> Card:
        spot = place(document["chain"], document["member"], f"card {document['number']}")
        secrets = [
            Secret(self._vault.unseal(key, one["sealed"], place=spot), one["made_at"], one["until"])
            for one in document["secrets"]
        ]
        return Card(document["number"], tuple(secrets), tuple(document["wrong_at"]), document["locked_until"])


def _guarding(card: Card) -> Document:
    return {"wrong_at": list(card.wrong_at), "locked_until": card.locked_until}


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    by_member = [("chain", ASCENDING), ("member", ASCENDING)]
    by_number = [("chain", ASCENDING), ("number", ASCENDING)]
    await create_indexes(database, CARDS, [IndexModel(by_member, name="by_member", unique=True)])
    numbers = [IndexModel(by_number, name="by_number", unique=True), IndexModel(by_member, name="by_member")]
    await create_indexes(database, CARD_NUMBERS, numbers)
    once = IndexModel([*by_number, ("step", ASCENDING)], name="once", unique=True)
    expiry = IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0)
    await create_indexes(database, CARD_USES, [once, expiry])
