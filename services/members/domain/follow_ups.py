"""Follow-ups: what somebody of the staff is to do about a member, and until when."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, is_code
from services.members.domain.visibility import Role

MAX_FOLLOW_UPS = 1_000
"""Of one member, under all of its ids, closed ones included."""

MAX_TEXT_LENGTH = 2_000
LATEST_DUE = timedelta(days=5 * 366)

READERS = frozenset({Role.CASHIER, Role.STORE_MANAGER, Role.SERVICE_AGENT, Role.MARKETER, Role.ADMIN})
"""Who works with guests; analysts know nobody."""


class FollowUpState(StrEnum):
    """What became of it."""

    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


class InvalidFollowUpError(Problem):
    """The follow-up is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_FOLLOW_UP"


class NoFollowUpError(Problem):
    """There is no follow-up {follow_up} of this member."""

    kind = Kind.NOT_FOUND
    code = "FOLLOW_UP_NOT_FOUND"


class FollowUpClosedError(Problem):
    """The follow-up is {state}, and stays so. Make another one."""

    kind = Kind.REFUSED
    code = "FOLLOW_UP_CLOSED"


class FollowUpChangedError(Problem):
    """The follow-up is at version {version} by now, not {wanted}. Look at it again."""

    kind = Kind.CONFLICT
    code = "FOLLOW_UP_CHANGED"


class TooManyFollowUpsError(Problem):
    """A member has at most {most} follow-ups, closed ones included."""

    kind = Kind.REFUSED
    code = "TOO_MANY_FOLLOW_UPS"


class InactiveStaffError(Problem):
    """The staff member {staff} is not active, and is assigned nothing."""

    kind = Kind.REFUSED
    code = "STAFF_INACTIVE"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One task, under the id that the member had when it was made. `kind` is a code of the chain's own.

    `version` grows by one with every change; `changed_by` and `changed_at` are the latest one's.
    """

    id: str
    member: str
    kind: str
    due_at: datetime
    staff: str
    text: str
    created_by: str
    created_at: datetime
    changed_by: str
    changed_at: datetime
    state: FollowUpState = FollowUpState.OPEN
    version: int = 1

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether it should have been done by now."""
        return self.state is FollowUpState.OPEN and self.due_at < now


@dataclass(frozen=True, slots=True)
class WantedChange:
    """What is to be otherwise; None: stays. `version` is the one that was looked at."""

    version: int
    kind: str | None = None
    due_at: datetime | None = None
    staff: str | None = None
    text: str | None = None
    state: FollowUpState | None = None


def check_follow_up(one: FollowUp, *, now: datetime) -> None:
    """Refuse, with the field at fault, what no task can be. One may be noted late."""
    if not is_code(one.kind):
        raise InvalidFollowUpError(field="kind", why=f"its kind has 1 to {MAX_CODE_LENGTH} visible characters")
    if len(one.text) > MAX_TEXT_LENGTH:
        raise InvalidFollowUpError(field="text", why=f"it has at most {MAX_TEXT_LENGTH} characters")
    if not one.created_at - LATEST_DUE <= one.due_at <= now + LATEST_DUE:
        raise InvalidFollowUpError(field="dueAt", why=f"it is due within {LATEST_DUE.days} days")


def changed(one: FollowUp, wanted: WantedChange, *, by: str, now: datetime) -> FollowUp:
    """Return it as it is from now on; as it was when nothing is otherwise. A closed one stays as it is."""
    if wanted.version != one.version:
        raise FollowUpChangedError(field="version", version=one.version, wanted=wanted.version)
    if one.state is not FollowUpState.OPEN:
        raise FollowUpClosedError(field="state", state=one.state)
    after = replace(
        one,
        kind=one.kind if wanted.kind is None else wanted.kind,
        due_at=wanted.due_at or one.due_at,
        staff=wanted.staff or one.staff,
        text=one.text if wanted.text is None else wanted.text,
        state=wanted.state or one.state,
    )
    if after == one:
        return one
    after = replace(after, version=one.version + 1, changed_by=by, changed_at=now)
    check_follow_up(after, now=now)
    return after
