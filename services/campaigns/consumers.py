"""What campaigns hears from points: translate, call one use case."""

from collections.abc import Callable, Sequence

from services.campaigns.events import tier_reached
from services.campaigns.usecases import Unit, issue_coupons
from services.kit.chain_clocks import ChainClocks
from services.kit.ids import MakeId
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event


class PointsHandler:
    """Handles a batch of events of points.account."""

    def __init__(self, unit: Callable[[Session], Unit], *, make_id: MakeId, clocks: ChainClocks) -> None:
        self._unit, self._make_id, self._clocks = unit, make_id, clocks

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        reached = [one for event in events if (one := tier_reached(event))]
        await issue_coupons(
            reached,
            unit=self._unit(session),
            make_id=self._make_id,
            nows=await self._clocks.each(one.chain for one in reached),
        )
