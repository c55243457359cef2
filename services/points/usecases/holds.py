"""Holds, as their callers ask for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from services.points.domain.books import Posted
from services.points.domain.commands import Authorise, Capture, Extend, HoldCommand, Pin, Reverse, Void
from services.points.domain.holds import Hold, HoldState, InvalidHoldError, NoHoldError
from services.points.usecases.ledger import Call, Ledger, check_currency, fingerprint, submit
from services.points.usecases.record_purchases import TooManyError

USUAL_LIFE = timedelta(minutes=15)
"""Of a hold whose caller does not say how long it needs it."""

MAX_HOLDS = 100
MAX_REFERENCE_LENGTH = 128


class Holds(Protocol):
    """Where holds are found."""

    async def holds(self, chain: str, ids: Sequence[str]) -> Mapping[str, Hold]:
        """Return those that exist, by id."""


@dataclass(frozen=True, slots=True)
class HoldDesk:
    """What holds need from outside."""

    holds: Holds
    ledger: Ledger


async def authorise(
    key: str,
    *,
    member: str,
    currency: str,
    amount: int,
    expires_at: datetime | None,
    reference: str,
    call: Call,
    desk: HoldDesk,
) -> Posted:
    """Set points aside."""
    check_currency(currency)
    if len(reference) > MAX_REFERENCE_LENGTH:
        raise InvalidHoldError(field="reference", why=f"the reference has at most {MAX_REFERENCE_LENGTH} characters")
    asked = (member, currency, amount, expires_at and expires_at.timestamp(), reference)
    command = Authorise(
        author=call.author(key),
        traceparent=call.traceparent,
        account=member,
        fingerprint=fingerprint("authorise", *asked),
        at=call.now,
        hold=call.make_id("hold", call.now),
        currency=currency,
        amount=amount,
        expires_at=expires_at or call.now + USUAL_LIFE,
        reference=reference,
    )
    return await submit(desk.ledger, command)


async def capture(key: str, hold: str, *, amount: int | None, keep_rest: bool, call: Call, desk: HoldDesk) -> Posted:
    """Consume a hold, whole or in part."""
    asked = fingerprint("capture", hold, amount, keep_rest)
    command = Capture(
        author=call.author(key),
        traceparent=call.traceparent,
        account=await _account(hold, call, desk),
        fingerprint=asked,
        at=call.now,
        hold=hold,
        amount=amount,
        keep_rest=keep_rest,
    )
    return await submit(desk.ledger, command)


async def void(key: str, hold: str, *, call: Call, desk: HoldDesk) -> Posted:
    """Give back what a hold sets aside."""
    return await _simple(Void, key, hold, call, desk)


async def reverse(key: str, hold: str, *, call: Call, desk: HoldDesk) -> Posted:
    """Give back what was captured."""
    return await _simple(Reverse, key, hold, call, desk)


async def pin(key: str, hold: str, *, call: Call, desk: HoldDesk) -> Posted:
    """Keep a hold from running out."""
    return await _simple(Pin, key, hold, call, desk)


async def extend(key: str, hold: str, *, expires_at: datetime, call: Call, desk: HoldDesk) -> Posted:
    """Let a hold run out later."""
    command = Extend(
        author=call.author(key),
        traceparent=call.traceparent,
        account=await _account(hold, call, desk),
        fingerprint=fingerprint("extend", hold, expires_at.timestamp()),
        at=call.now,
        hold=hold,
        expires_at=expires_at,
    )
    return await submit(desk.ledger, command)


async def get_holds(ids: Sequence[str], *, call: Call, desk: HoldDesk) -> list[Hold | None]:
    """Return holds in order, as they are now; None where there is none."""
    if len(ids) > MAX_HOLDS:
        raise TooManyError(field="holdIds", count=len(ids), what="holds", most=MAX_HOLDS)
    found = await desk.holds.holds(call.caller.chain, ids)
    return [_as_of(found.get(id_), call.now) for id_ in ids]


def _as_of(hold: Hold | None, now: datetime) -> Hold | None:
    if hold is None or hold.due_at is None or hold.due_at > now:
        return hold
    return replace(hold, parts=(), state=HoldState.EXPIRED)


async def _simple(kind: type[Void | Reverse | Pin], key: str, hold: str, call: Call, desk: HoldDesk) -> Posted:
    command: HoldCommand = kind(
        author=call.author(key),
        traceparent=call.traceparent,
        account=await _account(hold, call, desk),
        fingerprint=fingerprint(kind.__name__.lower(), hold),
        at=call.now,
        hold=hold,
    )
    return await submit(desk.ledger, command)


async def _account(hold: str, call: Call, desk: HoldDesk) -> str:
    found = (await desk.holds.holds(call.caller.chain, [hold])).get(hold)
    if found is None:
        raise NoHoldError(field="holdId", hold=hold)
    return found.account
