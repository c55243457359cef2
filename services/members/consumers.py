"""What members hears from points, campaigns, feedback and itself: translate, call one use case."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from google.protobuf.message import DecodeError

from services.kit.chain_clocks import ChainClocks
from services.kit.ids import MakeId
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.kit.rabbit.messages import PoisonError
from services.members.domain.portraits import first_purchases
from services.members.domain.timeline import HappeningKind
from services.members.events import credited_of, happening_of
from services.members.usecases.credits import Credits, EnrolledByStaff, Visited, credit_all
from services.members.usecases.portraits import Portraits, TakenIn, take_in
from services.members.usecases.referrals import Completing, complete_all
from services.members.usecases.signals import Named, Signals, look_at

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Completer:
    """Completes the referrals of those who have bought for the first time."""

    completing: Callable[[Session], Completing]
    clocks: ChainClocks

    async def __call__(self, taken: TakenIn, traces: Mapping[Named, str], session: Session) -> None:
        """Complete them within the transaction of `session`."""
        before = taken.before
        if first := first_purchases(taken.new, before.portraits, gone_to=before.gone_to):
            nows = await self.clocks.each(one.chain for one in first)
            await complete_all(first, work=self.completing(session), nows=nows, traces=traces)


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks for signs of fraud in what has been taken in."""

    signals: Callable[[Session], Signals]
    clocks: ChainClocks
    make_id: MakeId

    async def __call__(self, taken: TakenIn, traces: Mapping[Named, str], session: Session) -> None:
        """Look, within the transaction of `session`."""
        chains = {one.chain for one in taken.new if one.kind is HappeningKind.PURCHASE}
        if chains:
            await look_at(
                taken,
                now=await self.clocks.each(chains),
                traces=traces,
                new_id=partial(self.make_id, "rev"),
                signals=self.signals(session),
            )


Follower = Callable[[TakenIn, Mapping[Named, str], Session], Awaitable[None]]
"""Does something more about what was taken in, told with traceparents by chain and reference, in its transaction."""


class PortraitHandler:
    """Handles a batch of events of points.account, campaigns.coupon and feedback.case."""

    def __init__(self, portraits: Callable[[Session], Portraits], *followers: Follower) -> None:
        self._portraits, self._followers = portraits, followers

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Take `events` in within the transaction of `session`."""
        told = _told(events, happening_of)
        taken = await take_in([one for _, one in told], portraits=self._portraits(session))
        traces = {(one.chain, one.ref): event.traceparent for event, one in told}
        for follow in self._followers:
            await follow(taken, traces, session)


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
