"""What campaigns hears from points and members: translate, call a use case for each kind of news."""

from collections.abc import Callable, Sequence
from typing import Protocol

from services.campaigns.events import erased_member, joined_members, tier_reached
from services.campaigns.usecases.coupons import Unit, issue_coupons
from services.campaigns.usecases.merges import Erasures, Merges, erase_member, join_members
from services.kit.chain_clocks import ChainClocks
from services.kit.ids import MakeId
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event


class HearingUnit(Unit, Merges, Erasures, Protocol):
    """What all of it needs of one transaction."""


class NewsHandler:
    """Handles a batch of events of points.account and members.member."""

    def __init__(self, unit: Callable[[Session], HearingUnit], *, make_id: MakeId, clocks: ChainClocks) -> None:
        self._unit, self._make_id, self._clocks = unit, make_id, clocks

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        unit = self._unit(session)
        await join_members([joined for event in events if (joined := joined_members(event))], merges=unit)
        for event in events:
            if erased := erased_member(event):
                await erase_member(event.chain, erased[0], at=erased[1], erasures=unit)
        reached = [one for event in events if (one := tier_reached(event))]
        await issue_coupons(
            reached,
            unit=unit,
            make_id=self._make_id,
            nows=await self._clocks.each(one.chain for one in reached),
        )
