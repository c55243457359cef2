"""Record refunds: check them and book them in the ledger's next commit."""

from collections.abc import Sequence

from services.kit.errors import BUSINESS, Problem
from services.points.domain.batches import Refunded
from services.points.domain.commands import BookRefund
from services.points.domain.refunds import Refund, check
from services.points.usecases.ledger import Call
from services.points.usecases.record_purchases import Recorder, TooManyError, known_store

MAX_REFUNDS = 500
"""Refunds in one call. They go into one commit together, so that those of one receipt stay in their order."""


async def record_refunds(refunds: Sequence[Refund], *, call: Call, recorder: Recorder) -> list[Refunded | Problem]:
    """Record `refunds` in their order; each has its own answer, and a bad one fails alone."""
    if len(refunds) > MAX_REFUNDS:
        raise TooManyError(field="refunds", count=len(refunds), what="refunds", most=MAX_REFUNDS)
    chain = call.caller.chain
    stores = await recorder.stores.stores(
        chain, frozenset(store for one in refunds for store in (one.store, one.receipt_store) if store)
    )
    prepared: list[BookRefund | Problem] = []
    for refund in refunds:
        try:
            known_store(refund.store, stores, call.caller)
            if refund.receipt_store:
                known_store(refund.receipt_store, stores, call.caller)
            check(refund, now=call.now)
        except Problem as problem:
            prepared.append(problem)
            continue
        prepared.append(
            BookRefund(
                author=call.author(refund.key),
                refund=refund,
                refund_id=call.make_id("ref", call.now),
                traceparent=call.traceparent,
            )
        )
    commands = [command for command in prepared if isinstance(command, BookRefund)]
    booked = iter(await recorder.ledger.submit_all(commands) if commands else ())
    return [one if isinstance(one, Problem) else _checked(next(booked)) for one in prepared]


def _checked(answer: object) -> Refunded | Problem:
    assert isinstance(answer, Refunded | Problem)  # noqa: S101 - narrows the type: what refunds are answered with
    if isinstance(answer, Problem) and answer.kind not in BUSINESS:
        raise answer
    return answer
