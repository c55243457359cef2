"""What campaigns hears from points: translate, call one use case."""

from collections.abc import Callable, Sequence

from services.campaigns.events import tier_reached
from services.campaigns.usecases import Unit, issue_coupons
from services.kit.clock import Clock
from services.kit.ids import MakeId
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event


class PointsHandler:
    """Handles a batch of events of points.account."""

    def __init__(self, unit: Callable[[Session], Unit], *, make_id: MakeId, clock: Clock) -> None:
        self._unit, self._make_id, self._clock = unit, make_id, clock

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        await issue_coupons(
            [reached for event in events if (reached := tier_reached(event))],
            unit=self._unit(session),
            make_id=self._make_id,
            now=self._clock(),
        )
