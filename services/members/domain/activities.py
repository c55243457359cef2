"""Activities: what guests do elsewhere than at a till, as other systems tell it, each known by that system's own id."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.kit.errors import Kind, Problem
from services.members.domain.members import CLOCK_SLACK, NoMemberError

MAX_EXTERNAL_ID_LENGTH = 200
MAX_TEXT_LENGTH = 2_000
MAX_PARTY = 10_000
MAX_AMOUNT_MINOR = 10**15
MAX_REVISION = 2**63 - 1
FURTHEST = timedelta(days=2 * 366)
"""How far ahead anybody plans."""

MAX_PLANNED_DAYS = 31

_SOURCE = re.compile(r"[a-z0-9_.-]{1,64}")
_CHANNEL = re.compile(r"[a-z0-9_.-]{0,32}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class ActivityKind(StrEnum):
    """What kind of activity it is. Each is a kind of happening, too."""

    BOOKING = "booking"
    PRE_ORDER = "pre_order"
    CHECK_IN = "check_in"
    EVENT = "event"
    VISIT = "visit"  # without a purchase
    SOCIAL = "social"


class ActivityStatus(StrEnum):
    """What has become of it."""

    PLANNED = "planned"
    HAPPENED = "happened"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


class Outcome(StrEnum):
    """What a version that was told has done."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"


ANYWHERE = frozenset({ActivityKind.EVENT, ActivityKind.SOCIAL})
"""What need not be in a store."""

COUNTED = frozenset({ActivityKind.BOOKING, ActivityKind.PRE_ORDER, ActivityKind.EVENT})
"""What brings guests or orders to a store at a time that is known before."""

COMING = frozenset({ActivityStatus.PLANNED, ActivityStatus.HAPPENED})
"""What was not called off. Who has arrived counts on: the hour's guests are whoever was planned for it."""


class InvalidActivityError(Problem):
    """The activity is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_ACTIVITY"


class ActivityDiffersError(Problem):
    """This version of the activity was told before with other content. Send a later `changedAt` or `revision`."""

    kind = Kind.CONFLICT
    code = "ACTIVITY_DIFFERS"


@dataclass(frozen=True, slots=True)
class Details:
    """What is told of an activity besides what it is. Moments in UTC, in whole milliseconds."""

    planned_for: datetime | None = None
    occurred_at: datetime | None = None
    store: str = ""
    party_size: int = 0  # guests; 0: not said
    item_count: int = 0  # pieces ordered ahead; 0: not said
    amount_minor: int = 0
    currency: str = ""  # empty: no amount
    channel: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Activity:
    """A version of an activity. `source` and `external_id` name it for ever; `id`, `member` and `version` are ours.

    `version` grows by one each time it is written; the source's own order is `order`.
    """

    source: str
    external_id: str
    kind: ActivityKind
    status: ActivityStatus
    details: Details
    changed_at: datetime
    revision: int = 0  # 0: the source has none
    id: str = ""
    member: str = ""
    version: int = 0

    @property
    def key(self) -> str:
        """What it is known by in its chain: no source has a space in it."""
        return f"{self.source} {self.external_id}"

    @property
    def order(self) -> tuple[int, datetime]:
        """Which of two versions is the later one."""
        return self.revision, self.changed_at

    @property
    def at(self) -> datetime:
        """When it took place, or is going to."""
        found = self.details.occurred_at or self.details.planned_for
        assert found is not None  # noqa: S101 - check_activity refuses what has neither
        return found


@dataclass(frozen=True, slots=True)
class Told:
    """An activity as it was told, and all ids of whose it is, its own first; none: nobody was found.

    `named` is the member's id that was said, if one was: there must be such a member, even if the activity is known.
    """

    activity: Activity
    ids: tuple[str, ...]
    named: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An activity as it is now, and what it was told for."""

    activity: Activity
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Folded:
    """An answer for each that was told, in this order, and what is to be written, each once."""

    answers: tuple[Recorded | Problem, ...]
    changed: tuple[Activity, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """What is planned from a moment on, in a part of an hour: how many activities, of how many guests and pieces."""

    at: datetime
    activities: int
    guests: int
    items: int


@dataclass(frozen=True, slots=True)
class PlannedHour:
    """What is planned in an hour of a store's clock; two hours of one name, in autumn, are one."""

    day: date
    hour: int
    activities: int
    guests: int
    items: int


def check_activity(one: Activity, *, now: datetime) -> None:
    """Refuse, with the field at fault, what no activity can be."""
    length = len(one.external_id)
    if not _SOURCE.fullmatch(one.source):
        raise InvalidActivityError(field="source", why="a source has 1 to 64 of a-z, 0-9, _, - and .")
    if not 1 <= length <= MAX_EXTERNAL_ID_LENGTH or not one.external_id.isprintable():
        why = f"its id has 1 to {MAX_EXTERNAL_ID_LENGTH} visible characters"
        raise InvalidActivityError(field="externalId", why=why)
    if one.changed_at > now + CLOCK_SLACK:
        raise InvalidActivityError(field="changedAt", why="it was changed in the future")
    if not 0 <= one.revision <= MAX_REVISION:
        raise InvalidActivityError(field="revision", why="a revision is 0 or more")
    _check_times(one, now)
    _check_details(one.details)
    if not one.details.store and one.kind not in ANYWHERE:
        raise InvalidActivityError(field="storeId", why=f"say in which store the {one.kind.replace('_', '-')} is")


def _check_times(one: Activity, now: datetime) -> None:
    planned_for, occurred_at = one.details.planned_for, one.details.occurred_at
    if planned_for is None and (occurred_at is None or one.status is ActivityStatus.PLANNED):
        raise InvalidActivityError(field="plannedFor", why="say for when it is planned, or when it took place")
    if planned_for is not None and planned_for > now + FURTHEST:
        raise InvalidActivityError(field="plannedFor", why="it lies more than two years ahead")
    if occurred_at is not None and occurred_at > now + CLOCK_SLACK:
        raise InvalidActivityError(field="occurredAt", why="it lies in the future")


def _check_details(one: Details) -> None:
    for field, count in (("partySize", one.party_size), ("itemCount", one.item_count)):
        if not 0 <= count <= MAX_PARTY:
            raise InvalidActivityError(field=field, why=f"it is 0 to {MAX_PARTY}")
    if not 0 <= one.amount_minor <= MAX_AMOUNT_MINOR:
        raise InvalidActivityError(field="amount", why=f"an amount is 0 to {MAX_AMOUNT_MINOR}")
    if (one.amount_minor or one.currency) and not _CURRENCY.fullmatch(one.currency):
        raise InvalidActivityError(field="amount.currency", why="its currency must be an ISO 4217 code like CNY")
    if not _CHANNEL.fullmatch(one.channel):
        raise InvalidActivityError(field="channel", why="a channel has up to 32 of a-z, 0-9, _, - and .")
    if len(one.text) > MAX_TEXT_LENGTH:
        raise InvalidActivityError(field="text", why=f"its text has at most {MAX_TEXT_LENGTH} characters")


def fold(
    told: Sequence[Told],
    known: Mapping[str, Activity],
    *,
    new_id: Callable[[], str],
    check_change: Callable[[Activity], None],
    living: Collection[str],
) -> Folded:
    """Fold what was told, in its order, over what is known by key; who is refused is refused alone.

    `check_change` raises what forbids to change an activity that is known; `living` are the ids of those who have not
    been erased, without whom nothing is written.
    """
    now = dict(known)
    answers: list[Recorded | Problem] = []
    for one in told:
        try:
            done = _folded(one, now.get(one.activity.key), new_id=new_id, check_change=check_change)
            if done.activity.member not in living:
                raise _nobody(one)
        except Problem as problem:
            answers.append(problem)
            continue
        now[one.activity.key] = done.activity
        answers.append(done)
    # However many versions of one came at once, it is written once.
    written = [
        replace(one, version=known[key].version + 1 if key in known else 1)
        for key, one in now.items()
        if one != known.get(key)
    ]
    return Folded(tuple(answers), tuple(written))


def _folded(
    one: Told, before: Activity | None, *, new_id: Callable[[], str], check_change: Callable[[Activity], None]
) -> Recorded:
    wanted = one.activity
    if not one.ids and (one.named or before is None):
        raise _nobody(one)
    if before is None:
        return Recorded(replace(wanted, id=new_id(), member=one.ids[0]), Outcome.ADDED)
    check_change(before)
    if wanted.order < before.order:
        return Recorded(before, Outcome.OUTDATED)
    # It stays under the id that it lies under as long as that is the same person.
    stays = not one.ids or before.member in one.ids
    after = replace(wanted, id=before.id, member=before.member if stays else one.ids[0], version=before.version)
    if wanted.order > before.order:
        return Recorded(after, Outcome.CHANGED)
    if replace(after, member=before.member) != before:  # who has an identity may change, whatever the source says
        raise ActivityDiffersError(field="changedAt")
    return Recorded(before, Outcome.UNCHANGED)


def _nobody(one: Told) -> NoMemberError:
    if one.named:
        return NoMemberError(field="memberId", member=one.named)
    return NoMemberError(field="identity", member="of that identity")


def planned_hours(planned: Iterable[Planned], *, time_zone: str, since: date, until: date) -> list[PlannedHour]:
    """Add up what is planned by the hours of a store's clock, of the days from `since` to `until`, both included."""
    zone = ZoneInfo(time_zone)
    hours: dict[tuple[date, int], PlannedHour] = {}
    for one in planned:
        local = one.at.astimezone(zone)
        place = local.date(), local.hour
        if since <= local.date() <= until:
            had = hours.get(place, PlannedHour(*place, 0, 0, 0))
            hours[place] = PlannedHour(
                *place, had.activities + one.activities, had.guests + one.guests, had.items + one.items
            )
    return [hours[place] for place in sorted(hours)]
