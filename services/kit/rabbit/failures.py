"""What an exception from a handler means for the event."""

from enum import Enum, auto

from pymongo.errors import ConnectionFailure

from services.kit.errors import BUSINESS, Kind, Problem
from services.kit.mongo.database import ContendedError, DatabaseDownError
from services.kit.mongo.transactions import OutcomeUnknownError

DATABASE_TROUBLE = (ConnectionFailure, ContendedError, DatabaseDownError, OutcomeUnknownError)
"""Our own database is away or overrun: no event is at fault, and no other would fare better."""

OUTAGE = frozenset({Kind.UNAVAILABLE, Kind.OVERLOADED, Kind.TIMED_OUT})
"""Kinds of problem that pass by themselves: another service that is asked is away."""


class Verdict(Enum):
    """What becomes of the event."""

    POISON = auto()  # it can never succeed: a dead letter at once
    OUTAGE = auto()  # not its fault: tried again as long as it takes
    FAILED = auto()  # perhaps its fault: tried again until the delivery limit


def judge(error: BaseException) -> Verdict:
    """Return what `error` says about the event whose handler raised it."""
    if not isinstance(error, Problem):
        return Verdict.FAILED
    if error.kind in BUSINESS:
        return Verdict.POISON
    return Verdict.OUTAGE if error.kind in OUTAGE else Verdict.FAILED


def words(error: BaseException) -> str:
    """Return what an operator is told."""
    return error.message if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
