"""What members hears from points, campaigns and feedback: translate, call one use case."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from google.protobuf.message import DecodeError

from services.kit.chain_clocks import ChainClocks
from services.kit.ids import MakeId
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.kit.rabbit.messages import PoisonError
from services.members.domain.timeline import Happening, HappeningKind
from services.members.events import happening_of
from services.members.usecases.portraits import Portraits, TakenIn, take_in
from services.members.usecases.signals import Named, Signals, look_at


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks for signs of fraud in what has been taken in."""

    signals: Callable[[Session], Signals]
    clocks: ChainClocks
    make_id: MakeId

    async def __call__(self, taken: TakenIn, traces: Mapping[Named, str], session: Session) -> None:
        """Look, within the transaction of `session`; `traces` are traceparents by chain and purchase."""
        await look_at(
            taken,
            now=await self.clocks.each({chain for chain, _ in traces}),
            traces=traces,
            new_id=partial(self.make_id, "rev"),
            signals=self.signals(session),
        )


class PortraitHandler:
    """Handles a batch of events of points.account, campaigns.coupon and feedback.case."""

    def __init__(self, portraits: Callable[[Session], Portraits], watch: Watch | None = None) -> None:
        self._portraits, self._watch = portraits, watch

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Take `events` in within the transaction of `session`."""
        told = [(one, event.traceparent) for event in events if (one := _told(event)) is not None]
        taken = await take_in([one for one, _ in told], portraits=self._portraits(session))
        traces = {(one.chain, one.ref): trace for one, trace in told if one.kind is HappeningKind.PURCHASE}
        if self._watch is not None and traces:
            await self._watch(taken, traces, session)


def _told(event: Event) -> Happening | None:
    try:
        return happening_of(event)
    except DecodeError as error:
        raise PoisonError(why=f"its body is not a {event.type}") from error
