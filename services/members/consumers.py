"""What members hears from points, campaigns, feedback and itself: translate, call one use case."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from google.protobuf.message import DecodeError

from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.kit.rabbit.messages import PoisonError
from services.members.events import credited_of, happening_of
from services.members.usecases.credits import Credits, credit_all
from services.members.usecases.portraits import Portraits, take_in

T = TypeVar("T")


class PortraitHandler:
    """Handles a batch of events of points.account, campaigns.coupon and feedback.case."""

    def __init__(self, portraits: Callable[[Session], Portraits]) -> None:
        self._portraits = portraits

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Take `events` in within the transaction of `session`."""
        await take_in(_told(events, happening_of), portraits=self._portraits(session))


class CreditHandler:
    """Handles a batch of events of members.member and points.account: whom staff brought, and who came again."""

    def __init__(self, credits_: Callable[[Session], Credits]) -> None:
        self._credits = credits_

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Credit what `events` tell within the transaction of `session`."""
        await credit_all(_told(events, credited_of), credits_=self._credits(session))


class Handlers:
    """Handles a batch of all that members hears: each handler in its turn, in one transaction."""

    def __init__(self, *handlers: Callable[[Sequence[Event], Session], Awaitable[None]]) -> None:
        self._handlers = handlers

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        for handle in self._handlers:
            await handle(events, session)


def _told(events: Sequence[Event], meaning: Callable[[Event], T | None]) -> list[T]:
    """Return what those of `events` tell that mean something here."""
    told = []
    for event in events:
        try:
            one = meaning(event)
        except DecodeError as error:
            raise PoisonError(why=f"its body is not a {event.type}") from error
        if one is not None:
            told.append(one)
    return told
