"""What members hears from points, campaigns and feedback: translate, call one use case."""

from collections.abc import Callable, Sequence

from google.protobuf.message import DecodeError

from services.kit.chain_clocks import ChainClocks
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.kit.rabbit.messages import PoisonError
from services.members.domain.timeline import Happening
from services.members.events import happening_of
from services.members.usecases.portraits import Portraits, take_in
from services.members.usecases.referrals import Completing, complete_all


class PortraitHandler:
    """Handles a batch of events of points.account, campaigns.coupon and feedback.case."""

    def __init__(
        self,
        portraits: Callable[[Session], Portraits],
        completing: Callable[[Session], Completing],
        clocks: ChainClocks,
    ) -> None:
        self._portraits, self._completing, self._clocks = portraits, completing, clocks

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Take `events` in within the transaction of `session`."""
        told = {event.id: one for event in events if (one := _told(event)) is not None}
        if first := await take_in(list(told.values()), portraits=self._portraits(session)):
            nows = await self._clocks.each(one.chain for one in first)
            traces = {told[event.id].ref: event.traceparent for event in events if event.id in told}
            await complete_all(first, work=self._completing(session), nows=nows, traces=traces)


def _told(event: Event) -> Happening | None:
    try:
        return happening_of(event)
    except DecodeError as error:
        raise PoisonError(why=f"its body is not a {event.type}") from error
