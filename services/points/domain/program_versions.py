"""Versions and drafts of a program: what is told of them besides their terms, and when a version may take effect."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.kit.errors import Kind, Problem
from services.points.domain.program_checks import InvalidProgramError
from services.points.domain.programs import EVER_SINCE, Program, Programs

LEAD = timedelta(seconds=60)
"""A version takes effect so long after it was published: three times as long as a replica may remember the old ones."""

FURTHEST = timedelta(days=366)
"""So far ahead a version can be planned."""


class NoDraftError(Problem):
    """There is no draft {name}."""

    kind = Kind.NOT_FOUND
    code = "DRAFT_NOT_FOUND"


class NoVersionError(Problem):
    """The program has no version {version}."""

    kind = Kind.NOT_FOUND
    code = "VERSION_NOT_FOUND"


class DraftChangedError(Problem):
    """The draft {name} is at revision {revision}, not at {expected}: look at it again."""

    kind = Kind.CONFLICT
    code = "DRAFT_CHANGED"


class TooManyDraftsError(Problem):
    """A chain can have {most} drafts: publish or delete one first."""

    kind = Kind.REFUSED
    code = "TOO_MANY_DRAFTS"


class TooManyVersionsError(Problem):
    """A program can have {most} versions, and this one has them."""

    kind = Kind.REFUSED
    code = "TOO_MANY_VERSIONS"


@dataclass(frozen=True, slots=True)
class DraftHead:
    """What is told of a draft besides its terms; `revision` grows by one with every change."""

    name: str
    revision: int
    saved_at: datetime
    saved_by: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A program that may become the next version."""

    head: DraftHead
    program: Program


@dataclass(frozen=True, slots=True)
class VersionHead:
    """What is told of a version besides its terms."""

    version: int
    effective_from: datetime
    published_at: datetime | None = None  # None: it is what every chain starts with
    published_by: str = ""
    draft: str = ""  # the name of the draft that it was


STARTING = VersionHead(1, EVER_SINCE)


def takes_effect(wished: datetime | None, programs: Programs, now: datetime, *, lead: timedelta = LEAD) -> datetime:
    """Return when a version that is published now takes effect, `lead` from now or later.

    Raises `InvalidProgramError`.
    """
    first = now + lead
    latest = programs.latest
    moment = max(first, latest.effective_from + timedelta(milliseconds=1)) if wished is None else wished
    if moment < first:
        raise _refused(f"it takes effect no earlier than {first.isoformat(timespec='milliseconds')}")
    if moment > now + FURTHEST:
        raise _refused(f"it takes effect within {FURTHEST.days} days")
    if moment <= latest.effective_from:
        since = latest.effective_from.isoformat(timespec="milliseconds")
        raise _refused(f"version {latest.version} takes effect at {since}, and the next one after it")
    return moment


def _refused(why: str) -> InvalidProgramError:
    return InvalidProgramError(field="effectiveFrom", why=why)


def moves_dues(before: Program, after: Program) -> bool:
    """Tell whether something falls due at other moments by `after`, in accounts that nobody touches meanwhile."""
    return (before.remind_days, before.tiers.lasts, before.tiers.window) != (
        after.remind_days,
        after.tiers.lasts,
        after.tiers.window,
    )
