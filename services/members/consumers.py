"""What members hears from points, campaigns, feedback and itself: translate, call one use case."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError

from services.kit.chain_clocks import ChainClocks
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.kit.rabbit.messages import PoisonError
from services.members.events import credited_of, happening_of
from services.members.usecases.credits import Credits, EnrolledByStaff, Visited, credit_all
from services.members.usecases.portraits import Portraits, take_in
from services.members.usecases.referrals import Completing, complete_all

T = TypeVar("T")


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
        told = _told(events, happening_of)
        if first := await take_in([one for _, one in told], portraits=self._portraits(session)):
            nows = await self._clocks.each(one.chain for one in first)
            traces = {one.ref: event.traceparent for event, one in told}
            await complete_all(first, work=self._completing(session), nows=nows, traces=traces)


class CreditHandler:
    """Handles a batch of events of members.member and points.account: whom staff brought, and who came again."""

    def __init__(self, credits_: Callable[[Session], Credits]) -> None:
        self._credits = credits_

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Credit what `events` tell within the transaction of `session`."""
        told: list[tuple[Event, EnrolledByStaff | Visited]] = _told(events, credited_of)
        await credit_all([one for _, one in told], credits_=self._credits(session))


class Handlers:
    """Handles a batch of all that members hears: each handler in its turn, in one transaction."""

    def __init__(self, *handlers: Callable[[Sequence[Event], Session], Awaitable[None]]) -> None:
        self._handlers = handlers

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        for handle in self._handlers:
            await handle(events, session)


def _told(events: Sequence[Event], meaning: Callable[[Event], T | None]) -> list[tuple[Event, T]]:
    """Return those of `events` that mean something here, and what."""
    told: list[tuple[Event, T]] = []
    for event in events:
        try:
            one = meaning(event)
        except DecodeError as error:
            raise PoisonError(why=f"its body is not a {event.type}") from error
        if one is not None:
            told.append((event, one))
    return told
