"""What feedback hears from points and members: translate, call a use case for each kind of news."""

from collections.abc import Callable, Sequence
from typing import Protocol

from services.feedback.events import enrolled_member, erased_member, joined_members, visit
from services.feedback.usecases import invitations
from services.feedback.usecases.invitations import invite, keep_members
from services.feedback.usecases.merges import Erasures, Merges, erase_member, join_members
from services.kit.chain_clocks import ChainClocks
from services.kit.ids import MakeId
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event


class HearingUnit(invitations.Unit, Merges, Erasures, Protocol):
    """What all of it needs of one transaction."""


class NewsHandler:
    """Handles a batch of events of points.account and members.member."""

    def __init__(self, unit: Callable[[Session], HearingUnit], *, make_id: MakeId, clocks: ChainClocks) -> None:
        self._unit, self._make_id, self._clocks = unit, make_id, clocks

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        unit = self._unit(session)
        await keep_members([(event.chain, member) for event in events if (member := enrolled_member(event))], unit=unit)
        await join_members([joined for event in events if (joined := joined_members(event))], merges=unit)
        for event in events:
            if erased := erased_member(event):
                await erase_member(event.chain, erased[0], at=erased[1], erasures=unit)
        visits = [seen for event in events if (seen := visit(event))]
        nows = await self._clocks.each(seen.chain for seen in visits)
        await invite(visits, unit=unit, make_id=self._make_id, nows=nows)
