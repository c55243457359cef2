"""Exports: lists of a chain written to files, what of them a role may have, and who may fetch them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.export_files import Cell, Format, Place, Table
from services.members.domain.visibility import PERSONAL, SIGHT, Field, Role, Sight

MOST_KEPT = 10
"""Exports of a chain that are kept, the latest; one that is still being written is never dropped."""

MOST_OPEN = 5
"""Exports of a chain that wait or are written at once."""

KEPT_DAYS = 30

MOST_BYTES = 4_000_000_000
"""Of a file: what an archive without the 64-bit extension can hold."""

MOST_CHARACTERS = 1_000_000
"""Of a chunk: even as escapes of seven bytes each it fits into a document of 16 MB."""

MOST_FETCHES = 20
"""How many of the latest fetches are remembered."""

MOST_FAILURES = 5
"""Of one chunk, one after the other; after that the export is given up."""


class ExportState(StrEnum):
    """How far an export is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DESTROYED = "destroyed"  # somebody who is in it was erased
    DROPPED = "dropped"  # by later ones, or by its age; nobody sees it any more


OPEN = frozenset({ExportState.QUEUED, ExportState.RUNNING})


class InvalidExportError(Problem):
    """The export is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_EXPORT"


class NoExportError(Problem):
    """There is no export {export} in this chain."""

    kind = Kind.NOT_FOUND
    code = "EXPORT_NOT_FOUND"


class NotFetchableError(Problem):
    """This export cannot be fetched: it is {state}."""

    kind = Kind.REFUSED
    code = "EXPORT_NOT_FETCHABLE"


class TooManyExportsError(Problem):
    """{most} exports of this chain are being written. Wait until one is done, or cancel one."""

    kind = Kind.REFUSED
    code = "TOO_MANY_EXPORTS"


class FileTooLargeError(Problem):
    """The file would be larger than {most} bytes. Export a part of the list."""

    kind = Kind.REFUSED
    code = "FILE_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `field` decides who sees it; `whole`: only those who see all of the field, as a part says nothing."""

    name: str
    field: Field | None = None
    whole: bool = False

    def shown_to(self, role: Role) -> bool:
        """Tell whether the role finds anything in it."""
        if self.field is None:
            return True
        sight = SIGHT[self.field, role]
        return sight is Sight.ALL or (sight is Sight.PART and not self.whole)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; what is empty or None asks for nothing."""

    since: datetime | None = None  # inclusive
    until: datetime | None = None  # exclusive
    store: str = ""
    tag: str = ""
    month: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What is asked for."""
        return frozenset(name for name in ("since", "until", "store", "tag", "month") if getattr(self, name))


@dataclass(frozen=True, slots=True)
class ListKind:
    """A list that can be exported. `scope`: what a key needs beside members:export. `of_stores`: its rows belong to
    stores, so that a key for some stores may have those of its own."""

    name: str
    scope: str
    columns: tuple[Column, ...]
    filters: frozenset[str] = frozenset()
    of_stores: bool = False

    def chosen(self, names: Sequence[str], role: Role) -> tuple[str, ...]:
        """Return the columns of the file, all that the role sees unless some are named. Raises InvalidExportError."""
        seen = {column.name: column.shown_to(role) for column in self.columns}
        if not names:
            return tuple(name for name, shown in seen.items() if shown)
        for number, name in enumerate(names):
            at = f"columns.{number}"
            if name not in seen:
                raise InvalidExportError(field=at, why=f"there is no column {name}; there are {', '.join(seen)}")
            if not seen[name]:
                raise InvalidExportError(field=at, why=f"the role {role} does not see {name}")
            if name in names[:number]:
                raise InvalidExportError(field=at, why=f"{name} is named twice")
        return tuple(names)

    def check(self, wanted: Filter) -> None:
        """Refuse what this list cannot be asked by."""
        if unknown := sorted(wanted.names - self.filters):
            raise InvalidExportError(field=f"filter.{unknown[0]}", why=f"{self.name} cannot be asked by {unknown[0]}")
        if wanted.since and wanted.until and wanted.since >= wanted.until:
            raise InvalidExportError(field="filter.until", why="it ends before it begins")

    def personal(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return which personal fields these columns show, for the record of who looked."""
        shown = {column.field for column in self.columns if column.name in columns}
        return tuple(sorted(one.value for one in PERSONAL & shown))


@dataclass(frozen=True, slots=True)
class Row:
    """A row with a cell for each of its list's columns, and where the list goes on behind it.

    `member`: whose row it is; empty: nobody's that could be erased.
    """

    cells: tuple[Cell, ...]
    after: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a list, in the order of their members where they have any, and where it goes on; None: its end."""

    rows: Sequence[Row]
    after: str | None


@dataclass(frozen=True, slots=True)
class Fetch:
    """That somebody fetched the file."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Export:
    """An export. `role` and `stores` are those of whom it was made for."""

    id: str
    list: str
    format: Format
    filter: Filter
    columns: tuple[str, ...]
    by: str
    role: Role
    stores: frozenset[str]
    created_at: datetime
    expires_at: datetime  # by the platform's own time
    state: ExportState = ExportState.QUEUED
    finished_at: datetime | None = None
    rows: int = 0
    rows_estimated: int | None = None
    chunks: int = 0
    place: Place = field(default_factory=Place)
    after: str = ""
    failures: int = 0
    failure: str = ""  # the code of why it was given up
    fetches: tuple[Fetch, ...] = ()
    version: int = 1

    @property
    def table(self) -> Table:
        """How the file is written."""
        return Table(self.format, self.columns)

    @property
    def file_name(self) -> str:
        """What the file is called; nothing in it comes from a person."""
        return f"{self.list}-{self.created_at:%Y%m%d-%H%M}-{self.id[-6:].lower()}.{self.format.value}"


def may_have(export: Export, kind: ListKind, *, role: Role, scopes: frozenset[str], stores: frozenset[str]) -> bool:
    """Tell whether somebody may fetch the file: whose role sees each of its columns no less than its maker's did."""
    if kind.scope not in scopes or (stores and not (export.stores and export.stores <= stores)):
        return False
    fields = [column.field for column in kind.columns if column.name in export.columns and column.field is not None]
    return all(SIGHT[one, role].value >= SIGHT[one, export.role].value for one in fields)


def fitting(rows: Sequence[Row]) -> Sequence[Row]:
    """Return as many of the rows as one chunk holds, one at least."""
    total = 0
    for number, row in enumerate(rows):
        total += sum(len(cell) if isinstance(cell, str) else 20 for cell in row.cells)
        if total > MOST_CHARACTERS and number:
            return rows[:number]
    return rows
