"""What is told of a purchase after it was booked: its order has been delivered."""

from services.points.domain.books import Posted
from services.points.domain.commands import Release
from services.points.domain.purchases import receipt_key
from services.points.usecases.ledger import Call, fingerprint, submit
from services.points.usecases.record_purchases import Recorder, known_store


async def release_points(key: str, *, store: str, receipt_number: str, call: Call, recorder: Recorder) -> Posted:
    """Make the pending points of a purchase available: what they waited for has happened."""
    stores = await recorder.stores.stores(call.caller.chain, frozenset({store}))
    known_store(store, stores, call.caller)
    command = Release(
        author=call.author(key),
        traceparent=call.traceparent,
        account="",
        fingerprint=fingerprint("release", store, receipt_number),
        at=call.now,
        purchase=receipt_key(store, receipt_number),
    )
    return await submit(recorder.ledger, command)
