"""QR codes in MongoDB."""

from collections.abc import Collection, Sequence
from datetime import datetime

from services.kit.mongo.collections import Document
from services.kit.mongo.command_keys import fingerprint_of, keep, kept, row
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new
from services.members.domain.codes import Place, QrCode, Spot
from services.members.store.chain_collections import QR_CODES

BETWEEN = "\n"


class MongoQrCodes:
    """QR codes of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._codes = database.collection(QR_CODES)

    async def add(self, codes: Sequence[QrCode], *, chain: str, key: str, now: datetime) -> list[QrCode]:
        """Keep new codes, or return those that the same command key made before, in their order."""
        asked_for = fingerprint_of(repr([(one.store, one.place.spot.value, one.place.label) for one in codes]).encode())

        async def once(session: Session) -> list[QrCode]:
            if (first := (await kept(self._database, chain, [key], session=session)).get(key)) is not None:
                made = first.answer_to(asked_for).decode()
                return await self._first(chain, made.split(BETWEEN) if made else [], session)
            await insert_new(self._codes, [_document(chain, one) for one in codes], session=session)
            answer = BETWEEN.join(one.code for one in codes).encode()
            summary = f"{len(codes)} QR codes were made with it"
            used = row(chain=chain, key=key, fingerprint=asked_for, answer=answer, summary=summary, now=now)
            await keep(self._database, [used], session=session)
            return list(codes)

        return await self._database.in_transaction(once)

    async def find(self, chain: str, code: str) -> QrCode | None:
        """Return the code, revoked or not."""
        found = await self._codes.find_one({"chain": chain, "code": code})
        return None if found is None else _code_of(found)

    async def find_all(self, chain: str, codes: Collection[str]) -> list[QrCode]:
        """Return those of `codes` that exist, revoked or not."""
        condition = {"chain": chain, "code": {"$in": sorted(codes)}}
        return [_code_of(one) for one in await self._codes.find(condition).to_list(len(codes))]

    async def of_store(self, chain: str, store: str, *, after: str, most: int) -> list[QrCode]:
        """Return up to `most` codes of a store behind the code `after`, in the order of the codes."""
        condition = {"chain": chain, "store": store, "code": {"$gt": after}}
        return [_code_of(one) for one in await self._codes.find(condition).sort("code", 1).limit(most).to_list(most)]

    async def revoke(self, chain: str, code: str, *, now: datetime) -> None:
        """Mark the code revoked, unless it is."""
        await self._codes.update_one({"chain": chain, "code": code, "revoked_at": None}, {"$set": {"revoked_at": now}})

    async def _first(self, chain: str, codes: Sequence[str], session: Session) -> list[QrCode]:
        condition = {"chain": chain, "code": {"$in": list(codes)}}
        found = await self._codes.find(condition, session=session).to_list(len(codes)) if codes else []
        by_code = {one["code"]: _code_of(one) for one in found}
        return [by_code[code] for code in codes]


def _document(chain: str, code: QrCode) -> Document:
    return {
        "chain": chain,
        "code": code.code,
        "store": code.store,
        "spot": code.place.spot.value,
        "label": code.place.label,
        "created_at": code.created_at,
        "revoked_at": code.revoked_at,
    }


def _code_of(document: Document) -> QrCode:
    return QrCode(
        code=document["code"],
        store=document["store"],
        place=Place(Spot(document["spot"]), document["label"]),
        created_at=document["created_at"],
        revoked_at=document["revoked_at"],
    )
