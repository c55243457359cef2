"""Whom to ask after a purchase, what an answer may say, and when it opens a case."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.kit.errors import Kind, Problem

MIN_KEY_LENGTH = 8
MAX_KEY_LENGTH = 128

QUIET = timedelta(days=30)
"""A member is not asked again for a purchase nearer than this to the last one asked about."""

LATEST = timedelta(days=7)
"""A receipt that comes later than this after the sale invites nobody: who remembers a meal for longer?"""

HIGHEST_SCORE = 10
DETRACTOR = 6
"""The highest score that opens a case; the standard bound of the recommendation question."""

CASE_DUE = timedelta(minutes=30)
MAX_COMMENT_LENGTH = 2_000


class InvalidKeyError(Problem):
    """A command key has 8 to 128 characters: make a new one for each wish, and send it again with each try."""

    kind = Kind.INVALID
    code = "INVALID_KEY"


class InvalidAnswerError(Problem):
    """The answer is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_ANSWER"


class NobodyError(Problem):
    """There is no member {member} in this chain."""

    kind = Kind.NOT_FOUND
    code = "MEMBER_NOT_FOUND"


class InvitationNotFoundError(Problem):
    """Member {member} has no invitation {invitation}. Leave it empty to speak unasked."""

    kind = Kind.NOT_FOUND
    code = "INVITATION_NOT_FOUND"


class InvitationAnsweredError(Problem):
    """Invitation {invitation} was answered before. Leave it empty to say something more."""

    kind = Kind.REFUSED
    code = "INVITATION_ANSWERED"


@dataclass(frozen=True, slots=True)
class Visit:
    """A purchase, as far as it matters here."""

    chain: str
    member: str
    purchase: str
    store: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """A wish to hear about one purchase."""

    id: str
    member: str
    purchase: str
    store: str
    occurred_at: datetime  # of the purchase
    invited_at: datetime
    answer: str = ""  # the answer's id; empty while it waits


@dataclass(frozen=True, slots=True)
class Answer:
    """What a member said."""

    id: str
    member: str
    invitation: str  # empty: unasked
    store: str  # empty: about none in particular
    score: int
    comment: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody has to come back to this member before `due_at`."""

    id: str
    member: str
    answer: str
    store: str
    score: int
    comment: str
    opened_at: datetime
    due_at: datetime


def check_command_key(key: str) -> None:
    """Refuse a key that is too short to be unique, or too long to keep."""
    if not MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidKeyError(field="key")


def may_invite(visit: Visit, *, asked_about: datetime | None, now: datetime) -> bool:
    """Tell whether to ask about `visit`; `asked_about` is when the newest purchase that was asked about took place.

    Receipts may come in any order. One from before `asked_about` is never asked about: it lies at most `LATEST` back,
    which is less than `QUIET`.
    """
    if visit.occurred_at < now - LATEST:
        return False
    return asked_about is None or visit.occurred_at - asked_about >= QUIET


def invite(visit: Visit, *, invitation_id: str, now: datetime) -> Invitation:
    """Return the invitation to speak about `visit`."""
    return Invitation(
        id=invitation_id,
        member=visit.member,
        purchase=visit.purchase,
        store=visit.store,
        occurred_at=visit.occurred_at,
        invited_at=now,
    )


def check_answer(*, score: int, comment: str) -> None:
    """Refuse, with the field at fault, what no answer can be."""
    if not 0 <= score <= HIGHEST_SCORE:
        raise InvalidAnswerError(field="score", why=f"the score must be 0 to {HIGHEST_SCORE}")
    if len(comment) > MAX_COMMENT_LENGTH:
        raise InvalidAnswerError(field="comment", why=f"the comment must have at most {MAX_COMMENT_LENGTH} characters")


def open_case(answer: Answer, *, case_id: str) -> Case | None:
    """Return the case that `answer` opens, None when it is good enough."""
    if answer.score > DETRACTOR:
        return None
    return Case(
        id=case_id,
        member=answer.member,
        answer=answer.id,
        store=answer.store,
        score=answer.score,
        comment=answer.comment,
        opened_at=answer.answered_at,
        due_at=answer.answered_at + CASE_DUE,
    )
