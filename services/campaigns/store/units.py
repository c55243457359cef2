"""One transaction over offers, coupons, command keys and the outbox."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING, DESCENDING, UpdateOne

from services.campaigns.domain import ONCE_WITHIN, Coupon, TierOffer, TierReached, reason_of
from services.campaigns.events import told
from services.campaigns.store.collections import COUPONS, ERASURES, TIER_OFFERS
from services.campaigns.store.documents import (
    Document,
    coupon_document,
    coupon_of,
    cursor_document,
    offer_document,
    offer_of,
)
from services.campaigns.store.merges import MongoMerges
from services.campaigns.usecases.coupons import Issued, Level, RedeemCoupon, SaveTierOffer
from services.campaigns.usecases.merges import Joined
from services.kit.mongo import command_keys
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import EventCursor
from services.kit.outbox.outbox import Outbox


class MongoUnit:
    """One transaction."""

    def __init__(self, database: Database, outbox: Outbox, session: Session) -> None:
        self._database, self._outbox, self._session = database, outbox, session
        self._cursors: dict[tuple[str, str], EventCursor] = {}
        self._merges = MongoMerges(database, session)

    async def offer_saved_before(self, chain: str, command: SaveTierOffer) -> TierOffer | None:
        """Return the first answer to the key; raise `KeyReusedError` when the key came with other content."""
        if (offer := await self._kept(chain, command)) is None:
            return None
        found = await self._database.collection(TIER_OFFERS).find_one(
            {"chain": chain, "level": command.level, "offer": offer}, session=self._session
        )
        return offer_of(found) if found else None

    async def newest_offers(self, levels: Collection[Level]) -> Mapping[Level, TierOffer]:
        """Return the offer that holds for each level that has one; perhaps of more levels than asked."""
        pipeline: list[Document] = [
            {
                "$match": {
                    "chain": {"$in": sorted({chain for chain, _ in levels})},
                    "level": {"$in": sorted({level for _, level in levels})},
                }
            },
            {"$sort": {"chain": ASCENDING, "level": ASCENDING, "version": DESCENDING}},
            {"$group": {"_id": {"chain": "$chain", "level": "$level"}, "newest": {"$first": "$$ROOT"}}},
        ]
        found = await self._database.aggregate(TIER_OFFERS, pipeline, session=self._session)
        return {(one["_id"]["chain"], one["_id"]["level"]): offer_of(one["newest"]) for one in found}

    async def add_offer(self, chain: str, command: SaveTierOffer, offer: TierOffer, *, now: datetime) -> None:
        """Write the offer and the answer to the key."""
        document = offer_document(chain, offer, now=now)
        await insert_new(self._database.collection(TIER_OFFERS), [document], session=self._session)
        summary = f"offer {offer.title!r} for level {offer.level}"
        await self._keep(chain, command, answer=offer.id, summary=summary, now=now)

    async def redeemed_before(self, chain: str, command: RedeemCoupon) -> Coupon | None:
        """Return the first answer to the key; raise `KeyReusedError` when the key came with other content."""
        if (coupon := await self._kept(chain, command)) is None:
            return None
        # A used coupon never changes again, so that it is still what was answered.
        return await self.coupon(chain, coupon=coupon, member=command.member)

    async def coupon(self, chain: str, *, coupon: str, member: str) -> Coupon | None:
        """Return the coupon, whoever has it; `member` is who should."""
        coupons = self._database.collection(COUPONS)
        wanted = {"chain": chain, "coupon": coupon}
        found = await coupons.find_one({**wanted, "member": member}, session=self._session)
        if found is None:
            found = await coupons.find_one(wanted, session=self._session)
        if found is None:
            return None
        read, self._cursors[chain, coupon] = coupon_of(found)
        return read

    async def family(self, chain: str, member: str) -> frozenset[str]:
        """Return the ids that are one with the member, its own among them."""
        return (await self._merges.families([(chain, member)]))[chain, member]

    async def save(self, joined: Sequence[Joined]) -> None:
        """Keep who went into whom, in their order."""
        await self._merges.save(joined)

    async def erase(self, chain: str, member: str, *, at: datetime) -> None:
        """Keep that the member was forgotten: campaigns has no words of or about members."""
        which = {"chain": chain, "member": member}
        kept = {"$setOnInsert": {"erased_at": at}}
        await self._database.collection(ERASURES).update_one(which, kept, upsert=True, session=self._session)

    async def save_use(self, chain: str, command: RedeemCoupon, coupon: Coupon, *, now: datetime) -> None:
        """Write the coupon's use, its event and the answer to the key."""
        if coupon.use is None:
            raise ValueError(coupon.id)
        cursor = self._cursors[chain, coupon.id].next(now)
        use = {"at": coupon.use.at, "store": coupon.use.store}
        unused = {"chain": chain, "member": coupon.member, "coupon": coupon.id, "use": None}
        write = UpdateOne(unused, {"$set": {"use": use, "events": cursor_document(cursor)}})
        await write_guarded(self._database.collection(COUPONS), [write], session=self._session)
        await self._outbox.write([told(chain, coupon, cursor, traceparent=command.traceparent)], self._session)
        summary = f"coupon {coupon.id} of {coupon.member} in store {coupon.use.store}"
        await self._keep(chain, command, answer=coupon.id, summary=summary, now=now)

    async def granted(self, reached: Sequence[TierReached]) -> Collection[TierReached]:
        """Return those of `reached` that have brought a coupon already."""
        wanted = {
            "chain": {"$in": sorted({one.chain for one in reached})},
            "member": {"$in": sorted({one.member for one in reached})},
            "grant": {"$in": sorted({one.grant for one in reached})},
        }
        only = {"_id": False, "chain": True, "member": True, "grant": True}
        found = await self._database.collection(COUPONS).find(wanted, only, session=self._session).to_list(None)
        used = {(one["chain"], one["member"], one["grant"]) for one in found}
        return {one for one in reached if (one.chain, one.member, one.grant) in used}

    async def given_to_relatives(
        self, reached: Sequence[TierReached], nows: Mapping[str, datetime]
    ) -> Mapping[TierReached, frozenset[str] | None]:
        """Return the ids that are one with each merged member; None: another of them has a coupon for that level."""
        families = await self._merges.families({(one.chain, one.member) for one in reached})
        merged = {one: family for one in reached if len(family := families[one.chain, one.member]) > 1}
        if not merged:
            return {}
        wanted = {
            "chain": {"$in": sorted({one.chain for one in merged})},
            "member": {"$in": sorted({member for family in merged.values() for member in family})},
            "reason": {"$in": sorted({reason_of(one.level) for one in merged})},
        }
        only = {"_id": False, "chain": True, "member": True, "reason": True, "issued_at": True}
        found = await self._database.collection(COUPONS).find(wanted, only, session=self._session).to_list(None)
        recent = {
            (one["chain"], one["member"], one["reason"])
            for one in found
            if one["issued_at"] > nows[one["chain"]] - ONCE_WITHIN
        }
        return {
            one: None
            if any((one.chain, other, reason_of(one.level)) in recent for other in family - {one.member})
            else family
            for one, family in merged.items()
        }

    async def add_coupons(self, issued: Sequence[Issued]) -> None:
        """Write the coupons and their events."""
        each = [(one.reached, one.coupon, EventCursor().next(one.coupon.issued_at)) for one in issued]
        documents = [coupon_document(reached.chain, coupon, cursor) for reached, coupon, cursor in each]
        await insert_new(self._database.collection(COUPONS), documents, session=self._session)
        events = [
            told(reached.chain, coupon, cursor, traceparent=reached.traceparent) for reached, coupon, cursor in each
        ]
        await self._outbox.write(events, self._session)

    async def _kept(self, chain: str, command: SaveTierOffer | RedeemCoupon) -> str | None:
        """Return the id that the key's first command was answered with."""
        found = await command_keys.kept(self._database, chain, [command.key], session=self._session)
        first = found.get(command.key)
        return first.answer_to(command.fingerprint()).decode() if first else None

    async def _keep(
        self, chain: str, command: SaveTierOffer | RedeemCoupon, *, answer: str, summary: str, now: datetime
    ) -> None:
        row = command_keys.row(
            chain=chain,
            key=command.key,
            fingerprint=command.fingerprint(),
            answer=answer.encode(),
            summary=summary,
            now=now,
        )
        await command_keys.keep(self._database, [row], session=self._session)
