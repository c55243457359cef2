"""What points hears from members: translate, call one use case."""

from collections.abc import Callable, Sequence

from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.points.events.told import enrolled_member, saved_item, saved_store
from services.points.usecases.keep_copies import Copies, keep_copies


class MembersHandler:
    """Handles a batch of events of members.member, members.store and members.menu."""

    def __init__(self, copies: Callable[[Session], Copies]) -> None:
        self._copies = copies

    async def __call__(self, events: Sequence[Event], session: Session) -> None:
        """Apply `events` within the transaction of `session`."""
        await keep_copies(
            enrolled=[(event.chain, member) for event in events if (member := enrolled_member(event))],
            stores=[(event.chain, store) for event in events if (store := saved_store(event))],
            items=[(event.chain, item) for event in events if (item := saved_item(event))],
            copies=self._copies(session),
        )
