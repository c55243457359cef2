"""Training: the chain's courses, which roles need them, and who has passed which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, MAX_NAME_LENGTH, is_code, is_name

MAX_COURSES = 200
"""Courses of one chain."""

CREDIT_MONTHS = 12
"""For how long after an enrollment a guest's visits are credited, where a chain has not said."""

MAX_CREDIT_MONTHS = 24
"""The longest: each counted day of a guest is kept until then."""


class Role(StrEnum):
    """What somebody does for the chain."""

    CASHIER = "cashier"
    STORE_MANAGER = "store_manager"
    SERVICE_AGENT = "service_agent"
    MARKETER = "marketer"
    ANALYST = "analyst"
    ADMIN = "admin"


class InvalidTrainingError(Problem):
    """The training is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_TRAINING"


class NotTrainedError(Problem):
    """The role {role} needs courses that {staff} has not passed or that have run out: {courses}. Record them first."""

    kind = Kind.REFUSED
    code = "NOT_TRAINED"


@dataclass(frozen=True, slots=True)
class Course:
    """A course of the chain."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A course that somebody passed, good from that day on and until the other, inclusive (None: for ever)."""

    on: date
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class StaffSettings:
    """What a chain has decided about its staff. A role that is not in `required` needs no course."""

    courses: tuple[Course, ...] = ()
    required: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    credit_months: int = CREDIT_MONTHS
    version: int = 0


def check_settings(settings: StaffSettings) -> None:
    """Refuse, with the field at fault, what no chain can decide."""
    if len(settings.courses) > MAX_COURSES:
        raise InvalidTrainingError(field="courses", why=f"a chain has at most {MAX_COURSES} courses")
    seen: set[str] = set()
    for number, course in enumerate(settings.courses):
        if not is_code(course.code) or course.code in seen:
            why = f"a code has 1 to {MAX_CODE_LENGTH} visible characters and stands once"
            raise InvalidTrainingError(field=f"courses.{number}.code", why=why)
        if not is_name(course.name):
            why = f"a name has 1 to {MAX_NAME_LENGTH} visible characters"
            raise InvalidTrainingError(field=f"courses.{number}.name", why=why)
        seen.add(course.code)
    for role, codes in settings.required.items():
        if unknown := sorted(set(codes) - seen):
            raise InvalidTrainingError(field=f"required.{role.name}", why=f"there is no course {unknown[0]}")
    if not 1 <= settings.credit_months <= MAX_CREDIT_MONTHS:
        raise InvalidTrainingError(field="creditMonths", why=f"it is 1 to {MAX_CREDIT_MONTHS} months")


def lacking(role: Role, training: Mapping[str, Passed], *, settings: StaffSettings, today: date) -> list[str]:
    """Return the codes of courses that the role needs and that are not passed or have run out, in their order."""
    return [code for code in settings.required.get(role, ()) if not _good(training.get(code), today)]


def check_roles(
    roles: Sequence[Role], training: Mapping[str, Passed], *, staff: str, settings: StaffSettings, today: date, at: str
) -> None:
    """Refuse the first of `roles` whose courses are missing; `staff` and `at` say whose it is and where it stands."""
    for role in sorted(roles):
        if missing := lacking(role, training, settings=settings, today=today):
            raise NotTrainedError(field=at, role=role.name, staff=staff, courses=", ".join(missing))


def with_passed(training: Mapping[str, Passed], course: str, passed: Passed) -> Mapping[str, Passed]:
    """Return the records with one more: the latest of a course holds, whenever it is told."""
    known = training.get(course)
    return training if known is not None and known.on > passed.on else {**training, course: passed}


def _good(passed: Passed | None, today: date) -> bool:
    return passed is not None and passed.on <= today and (passed.valid_until is None or today <= passed.valid_until)
