"""Imports of members: what a job counts, and what a row means for a member who is known."""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.enrollment import IdentityTakenError
from services.members.domain.identities import PROVING, Identity
from services.members.domain.members import Member
from services.members.domain.profiles import Address, Profile

MEMBERS = "members"
"""The only kind of import so far."""

MOST_REFUSED_KEPT = 1_000
"""Refused rows that a job remembers: nobody mends more by hand, and a file with more is wrong as a whole."""

MAX_FILE_NAME = 200


class Policy(StrEnum):
    """What to do with a row when somebody has one of its identities already."""

    SKIP = "skip"
    UPDATE = "update"
    REFUSE = "refuse"
    MERGE = "merge"


class InvalidImportError(Problem):
    """The import is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_IMPORT"


class NoImportError(Problem):
    """There is no import {job} in this chain."""

    kind = Kind.NOT_FOUND
    code = "IMPORT_NOT_FOUND"


class ImportClosedError(Problem):
    """This import is closed. Open another one for more rows."""

    kind = Kind.REFUSED
    code = "IMPORT_CLOSED"


class WrongPlaceError(Problem):
    """The next row of this import has the place {next}, not {first}. Ask the import how far it is, and go on there."""

    kind = Kind.CONFLICT
    code = "WRONG_PLACE"


class RowsChangedError(Problem):
    """These rows were sent before with other content. Import a changed file as a new import."""

    kind = Kind.CONFLICT
    code = "ROWS_CHANGED"


class NoIdentityError(Problem):
    """The row has no identity to know the member by."""

    kind = Kind.INVALID
    code = "NO_IDENTITY"


class UnreadableError(Problem):
    """The client could not read the row."""

    kind = Kind.INVALID
    code = "UNREADABLE"


class SeveralMembersError(Problem):
    """The identities of the row belong to several members. With the policy `merge` they become one."""

    kind = Kind.CONFLICT
    code = "SEVERAL_MEMBERS"


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that did not go in: its number in the file, why, and the field at fault. Nothing of the person."""

    row: int
    code: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows came to what; `merged` are among the updated."""

    enrolled: int = 0
    updated: int = 0
    skipped: int = 0
    refused: int = 0
    merged: int = 0

    @property
    def rows(self) -> int:
        """All rows."""
        return self.enrolled + self.updated + self.skipped + self.refused

    def plus(self, other: "Counts") -> "Counts":
        """Return both together."""
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Counts)))


class RowOutcome(StrEnum):
    """What came of a row that went in."""

    ENROLLED = "enrolled"
    UPDATED = "updated"
    SKIPPED = "skipped"
    MERGED = "merged"

    @property
    def counts(self) -> Counts:
        """One row of this."""
        return _COUNTS[self]


_COUNTS = {
    RowOutcome.ENROLLED: Counts(enrolled=1),
    RowOutcome.UPDATED: Counts(updated=1),
    RowOutcome.SKIPPED: Counts(skipped=1),
    RowOutcome.MERGED: Counts(updated=1, merged=1),
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """The rows of one call: where they stand, a keyed hash of what they said, and what came of them.

    `members` are (row, member, outcome) of the rows that asked for it.
    """

    first: int
    digest: bytes
    counts: Counts = field(default_factory=Counts)
    refused: tuple[Refused, ...] = ()
    members: tuple[tuple[int, str, RowOutcome], ...] = ()


@dataclass(frozen=True, slots=True)
class ImportJob:
    """An import: what was asked for, and how far it is. `latest` are the rows of the latest call."""

    id: str
    kind: str
    file_name: str
    rows_expected: int
    policy: Policy
    dry_run: bool
    by: str
    created_at: datetime
    closed_at: datetime | None = None
    counts: Counts = field(default_factory=Counts)
    refused: tuple[Refused, ...] = ()
    latest: Chunk | None = None


def check_job(job: ImportJob) -> None:
    """Refuse what no import can be."""
    if job.kind != MEMBERS:
        raise InvalidImportError(field="kind", why=f"there is no kind {job.kind!r}; there is {MEMBERS}")
    if not 1 <= len(job.file_name) <= MAX_FILE_NAME or not job.file_name.isprintable():
        raise InvalidImportError(field="fileName", why=f"a file's name has 1 to {MAX_FILE_NAME} visible characters")
    if job.rows_expected < 0:
        raise InvalidImportError(field="rowsExpected", why="no file has fewer than 0 rows")


def digest_of(rows: Sequence[object], *, key: bytes) -> bytes:
    """Return what tells rows from others, keyed since they hold names and phones."""
    # repr quotes strings, so neighbours cannot run into each other.
    return hmac.digest(key, b"import\0" + repr(rows).encode(), "sha256")


def answered(job: ImportJob, first: int, digest: bytes) -> Chunk | None:
    """Return what came of these rows when they were sent before; None: they are the next ones.

    Raises WrongPlaceError, RowsChangedError, ImportClosedError.
    """
    latest = job.latest
    if latest is not None and latest.first == first:
        if not hmac.compare_digest(latest.digest, digest):
            raise RowsChangedError(field="rows")
        return latest
    if job.closed_at:
        raise ImportClosedError(field="jobId")
    if first != job.counts.rows:
        raise WrongPlaceError(field="first", next=job.counts.rows, first=first)
    return None


def with_chunk(job: ImportJob, chunk: Chunk) -> ImportJob:
    """Return the job after these rows."""
    room = MOST_REFUSED_KEPT - len(job.refused)
    return replace(
        job, counts=job.counts.plus(chunk.counts), refused=(*job.refused, *chunk.refused[:room]), latest=chunk
    )


def target_of(
    holders: Collection[str], policy: Policy, *, taken: tuple[int, Identity] | None, is_new: bool
) -> str | None:
    """Return the member whom a row means; None when it is nobody yet, "" when the row is to be left alone.

    `taken` is the first identity of the row that somebody has, and its place; `is_new`: it has an own id that nobody
    has. Of several members the policy `merge` takes the first one by id. Raises IdentityTakenError,
    SeveralMembersError.
    """
    if taken is None:
        return None
    place, identity = taken
    if policy is Policy.SKIP and not is_new:
        return ""
    if policy in {Policy.SKIP, Policy.REFUSE}:
        raise IdentityTakenError(field=f"profile.identities.{place}", identity=identity.kind)
    if len(holders) > 1 and policy is not Policy.MERGE:
        raise SeveralMembersError(field="profile.identities")
    return min(holders)


def updated(member: Member, said: Profile, *, tags: tuple[str, ...]) -> Member:
    """Return the member with what the row says: fields overwritten, and lists, tags and identities added to."""
    mine = member.profile
    new = {each.name: getattr(said, each.name) or getattr(mine, each.name) for each in fields(Profile)}
    new["address"] = said.address if said.address != Address() else mine.address
    for name in ("identities", "preferences"):
        new[name] = tuple(dict.fromkeys((*getattr(mine, name), *getattr(said, name))))
    new["attributes"] = {**mine.attributes, **said.attributes}
    changed = replace(
        member,
        profile=Profile(**new),
        tags=tuple(dict.fromkeys((*member.tags, *tags))),
        provisional=member.provisional and not any(one.kind in PROVING for one in said.identities),
    )
    return member if changed == member else replace(changed, version=member.version + 1)
