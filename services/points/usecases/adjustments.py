"""What people do to accounts by hand, as they ask for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.kit.errors import Problem
from services.points.domain.accounts import NoAccountError
from services.points.domain.adjustments import Adjustment, InvalidAdjustmentError, NoAdjustmentError
from services.points.domain.books import Posted
from services.points.domain.commands import Adjust, Decide, Freeze, GrantLevel, Open, OpeningLot
from services.points.domain.journal import Note
from services.points.domain.purchases import CLOCK_SLACK
from services.points.usecases.ledger import (
    MAX_KEY_LENGTH,
    Call,
    InvalidKeyError,
    Ledger,
    check_currency,
    fingerprint,
    submit,
)
from services.points.usecases.record_purchases import Identity, Members, NobodyError, TooManyError

MAX_REASON_LENGTH = 500
MAX_AMOUNT = 10**12
MAX_OPENINGS = 500
MAX_LOTS = 200
SALT_BYTES = 32


class Adjustments(Protocol):
    """Where adjustments and the texts of their reasons are found."""

    async def adjustment(self, chain: str, id_: str) -> Adjustment | None:
        """Return one."""

    async def waiting(self, chain: str, *, after: str, first: int) -> Sequence[Adjustment]:
        """Return up to `first` that wait, the oldest first, those after the id `after`."""

    async def reasons(self, chain: str, adjustments: Sequence[Adjustment]) -> Mapping[str, str]:
        """Return the texts of their reasons by commitment; erased ones are missing."""


class RandomBytes(Protocol):
    """Where salts come from."""

    def __call__(self, count: int, /) -> bytes:
        """Return `count` random bytes."""


@dataclass(frozen=True, slots=True)
class AdjustmentDesk:
    """What work by hand needs from outside."""

    ledger: Ledger
    adjustments: Adjustments
    members: Members
    random_bytes: RandomBytes


@dataclass(frozen=True, slots=True)
class Opening:
    """A balance from another system, as it came."""

    key: str
    holder: str | Identity
    currency: str
    lots: tuple[OpeningLot, ...]


async def adjust(
    key: str, *, member: str, currency: str, amount: int, reason: str, call: Call, desk: AdjustmentDesk
) -> Posted:
    """Add or take points by hand; above the program's limit it waits for a second person."""
    check_currency(currency)
    if not -MAX_AMOUNT <= amount <= MAX_AMOUNT:
        raise InvalidAdjustmentError(field="amount", why=f"the amount must be within {MAX_AMOUNT}")
    command = Adjust(
        author=call.author(key),
        traceparent=call.traceparent,
        account=member,
        fingerprint=fingerprint("adjust", member, currency, amount, reason),
        at=call.now,
        adjustment=call.make_id("adj", call.now),
        currency=currency,
        amount=amount,
        reason=_note(reason, desk),
    )
    return await _submit_opening(command, desk)


async def decide(key: str, adjustment: str, *, approve: bool, call: Call, desk: AdjustmentDesk) -> Posted:
    """Approve or reject an adjustment that waits."""
    found = await desk.adjustments.adjustment(call.caller.chain, adjustment)
    if found is None:
        raise NoAdjustmentError(field="adjustmentId", adjustment=adjustment)
    command = Decide(
        author=call.author(key),
        traceparent=call.traceparent,
        account=found.account,
        fingerprint=fingerprint("decide", adjustment, approve),
        at=call.now,
        adjustment=adjustment,
        approve=approve,
    )
    return await submit(desk.ledger, command)


async def freeze(key: str, *, member: str, frozen: bool, reason: str, call: Call, desk: AdjustmentDesk) -> Posted:
    """Freeze or unfreeze an account."""
    command = Freeze(
        author=call.author(key),
        traceparent=call.traceparent,
        account=member,
        fingerprint=fingerprint("freeze", member, frozen, reason),
        at=call.now,
        frozen=frozen,
        reason=_note(reason, desk),
    )
    return await _submit_opening(command, desk)


async def grant_level(
    key: str, *, member: str, level: str, until: datetime | None, reason: str, call: Call, desk: AdjustmentDesk
) -> Posted:
    """Give a level by hand until its end, or with an empty one take back what was given."""
    command = GrantLevel(
        author=call.author(key),
        traceparent=call.traceparent,
        account=member,
        fingerprint=fingerprint("grant_level", member, level, until and until.timestamp(), reason),
        at=call.now,
        level=level,
        until=until,
        reason=_note(reason, desk),
    )
    return await _submit_opening(command, desk)


async def open_balances(openings: Sequence[Opening], *, call: Call, desk: AdjustmentDesk) -> list[Posted | Problem]:
    """Bring balances from another system, each with its own answer."""
    if len(openings) > MAX_OPENINGS:
        raise TooManyError(field="balances", count=len(openings), what="balances", most=MAX_OPENINGS)
    chain = call.caller.chain
    identities = frozenset(one.holder for one in openings if isinstance(one.holder, Identity))
    known = await desk.members.resolve(chain, identities) if identities else {}
    named = frozenset(one.holder for one in openings if isinstance(one.holder, str))
    existing = await desk.members.existing(chain, named) if named else frozenset()
    prepared: list[Open | Problem] = []
    for opening in openings:
        try:
            prepared.append(_open(opening, known, existing, call))
        except Problem as problem:
            prepared.append(problem)
    commands = [command for command in prepared if isinstance(command, Open)]
    done = iter(await desk.ledger.submit_all(commands) if commands else ())
    answers: list[Posted | Problem] = []
    for one in prepared:
        answer = one if isinstance(one, Problem) else next(done)
        assert isinstance(answer, Posted | Problem)  # noqa: S101 - narrows the type: what openings are answered with
        answers.append(answer)
    return answers


async def waiting_adjustments(
    *, after: str, first: int, call: Call, desk: AdjustmentDesk
) -> tuple[Sequence[Adjustment], Mapping[str, str]]:
    """Return a page of adjustments that wait, the oldest first, and the texts of their reasons by commitment."""
    found = await desk.adjustments.waiting(call.caller.chain, after=after, first=first)
    return found, await desk.adjustments.reasons(call.caller.chain, found)


async def _submit_opening(command: Adjust | Freeze | GrantLevel, desk: AdjustmentDesk) -> Posted:
    """Carry out a command; once more with leave to open the account, when only that is missing."""
    try:
        return await submit(desk.ledger, command)
    except NoAccountError:
        if command.account not in await desk.members.existing(command.chain, frozenset({command.account})):
            raise
    return await submit(desk.ledger, replace(command, opens_account=True))


def _open(opening: Opening, known: Mapping[Identity, str], existing: frozenset[str], call: Call) -> Open:
    check_currency(opening.currency)
    if not 1 <= len(opening.key) <= MAX_KEY_LENGTH:
        raise InvalidKeyError(field="key", most=MAX_KEY_LENGTH)
    if isinstance(opening.holder, Identity):
        member = known.get(opening.holder, "")
        if not member:
            raise NobodyError(field="identity", kind=opening.holder.kind)
    else:
        member = opening.holder
        if member not in existing:
            raise NoAccountError(field="memberId", member=member)
    _check_lots(opening, call.now)
    asked = [
        (lot.amount, lot.earned_at.timestamp(), lot.expires_at and lot.expires_at.timestamp()) for lot in opening.lots
    ]
    return Open(
        author=call.author(opening.key),
        traceparent=call.traceparent,
        account=member,
        fingerprint=fingerprint("open", member, opening.currency, asked),
        at=call.now,
        currency=opening.currency,
        lots=opening.lots,
        opens_account=True,
    )


def _check_lots(opening: Opening, now: datetime) -> None:
    if not 1 <= len(opening.lots) <= MAX_LOTS:
        raise InvalidAdjustmentError(field="lots", why=f"give 1 to {MAX_LOTS} lots")
    for number, lot in enumerate(opening.lots):
        path = f"lots.{number}"
        if not 1 <= lot.amount <= MAX_AMOUNT:
            raise InvalidAdjustmentError(field=f"{path}.amount", why=f"the amount must be 1 to {MAX_AMOUNT}")
        if lot.earned_at > now + CLOCK_SLACK:
            raise InvalidAdjustmentError(field=f"{path}.earnedAt", why="it lies in the future")
        if lot.expires_at is not None and lot.expires_at <= lot.earned_at:
            raise InvalidAdjustmentError(field=f"{path}.expiresAt", why="it must lie after the moment of earning")


def _note(reason: str, desk: AdjustmentDesk) -> Note:
    if not 1 <= len(reason) <= MAX_REASON_LENGTH:
        raise InvalidAdjustmentError(field="reason", why=f"the reason must have 1 to {MAX_REASON_LENGTH} characters")
    return Note(desk.random_bytes(SALT_BYTES), reason)
