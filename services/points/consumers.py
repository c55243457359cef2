"""What points hears, from members and from itself: translate, call one use case."""

from collections.abc import Callable, Sequence

from google.protobuf.message import DecodeError

from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.kit.rabbit.messages import PoisonError
from services.points.domain.sales import Sold
from services.points.events.told import (
    STREAM,
    completed_referral,
    enrolled_member,
    erased_member,
    saved_item,
    saved_store,
    sold,
    wished_merge,
)
from services.points.usecases.keep_copies import Copies, keep_copies
from services.points.usecases.merges import HeardMerges, erase_member
from services.points.usecases.record_sales import SalesNews, note_sales
from services.points.usecases.referrals import HeardReferrals


class MembersHandler:
    """Handles a batch of events of members.member, members.store and members.menu."""

    def __init__(
        self,
        copies: Callable[[Session], Copies],
        merges: Callable[[Session], HeardMerges],
        referrals: Callable[[Session], HeardReferrals],
    ) -> None:
        self._copies, self._merges, self._referrals = copies, merges, referrals

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        await keep_copies(
            enrolled=[(event.chain, member) for event in events if (member := enrolled_member(event))],
            stores=[(event.chain, store) for event in events if (store := saved_store(event))],
            items=[(event.chain, item) for event in events if (item := saved_item(event))],
            copies=self._copies(session),
        )
        merges = self._merges(session)
        if wishes := [wish for event in events if (wish := wished_merge(event))]:
            await merges.note(wishes)
        if completed := [one for event in events if (one := completed_referral(event))]:
            await self._referrals(session).note(completed)
        for event in events:
            if erased := erased_member(event):
                await erase_member(event.chain, erased, merges=merges)


class SalesHandler:
    """Handles a batch of events of points.account: the ledger's own, for reports."""

    def __init__(self, news: Callable[[Session], SalesNews]) -> None:
        self._news = news

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        found = [(event.chain, one) for event in events if (one := _sold(event)) is not None]
        if found:
            await note_sales(found, news=self._news(session))


class Handlers:
    """Handles a batch of all that points hears."""

    def __init__(self, *, members: MembersHandler, sales: SalesHandler) -> None:
        self._members, self._sales = members, sales

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        own = [event for event in events if event.stream == STREAM]
        others = [event for event in events if event.stream != STREAM]
        if others:
            await self._members(others, session)
        if own:
            await self._sales(own, session)


def _sold(event: Event) -> Sold | None:
    try:
        return sold(event)
    except DecodeError as error:
        raise PoisonError(why=f"its body is not a {event.type}") from error
