"""The Cards servicer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protos.members.v1 import cards_pb2 as pb
from protos.members.v1 import cards_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from services.members.domain.cards import DIGITS, STEP, Card, Outcome
from services.members.rpc.member_words import moment
from services.members.usecases.cards import Cards, WrittenScan, get_card, replace_card, verify_codes

OUTCOMES = {outcome: pb.CardOutcome.Value(f"CARD_OUTCOME_{outcome.name}") for outcome in Outcome}


@dataclass(frozen=True, slots=True)
class CardsServicer(cards_pb2_grpc.CardsServicer):
    """protos/members/v1/cards.proto. `random_bytes` returns so many bytes that nobody can guess."""

    cards: Cards
    clocks: ChainClocks
    random_bytes: Callable[[int], bytes]

    async def GetCard(self, request: pb.GetCardRequest, _context: Any) -> pb.CardResponse:  # noqa: N802 - gRPC's name
        """Hand out a card."""
        who = caller()
        now = await self.clocks.now(who.chain)
        return _card(
            await get_card(request.member_id, caller=who, now=now, random_bytes=self.random_bytes, cards=self.cards)
        )

    async def ReplaceCard(self, request: pb.ReplaceCardRequest, _context: Any) -> pb.CardResponse:  # noqa: N802 - gRPC's name
        """Make another card."""
        who = caller()
        card = await replace_card(
            request.member_id,
            request.number,
            caller=who,
            now=await self.clocks.now(who.chain),
            random_bytes=self.random_bytes,
            cards=self.cards,
        )
        return _card(card)

    async def VerifyCardCodes(  # noqa: N802 - gRPC's name
        self, request: pb.VerifyCardCodesRequest, _context: Any
    ) -> pb.VerifyCardCodesResponse:
        """Tell whose codes these are."""
        who = caller()
        scans = [
            WrittenScan(one.code, moment(one.scanned_at) if one.HasField("scanned_at") else None, one.store_id)
            for one in request.scans
        ]
        found = await verify_codes(scans, caller=who, now=await self.clocks.now(who.chain), cards=self.cards)
        return pb.VerifyCardCodesResponse(
            scans=[pb.CheckedScan(member_id=one.member, outcome=OUTCOMES[one.outcome]) for one in found]
        )


def _card(card: Card) -> pb.CardResponse:
    return pb.CardResponse(
        number=card.number,
        secret=card.current.key,
        step_s=int(STEP.total_seconds()),
        digits=DIGITS,
        valid_until=to_timestamp(card.current.until),
    )
