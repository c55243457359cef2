"""Fields of the mapping: where a value comes from (a column, a constant, a template) and how it is converted."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Generic, Protocol, TypeVar

from infra.cli.importing.convert import UnfitError, elapsed, instant, iso, text
from infra.cli.importing.rows import Row
from infra.cli.importing.tables import Table, WrongMappingError

T = TypeVar("T")

ROW = "row"
"""In a template, the number of the row in its file."""

_PLACE = re.compile(r"\{([^{}]+)\}")
_UNITS = {name: timedelta(**{name: 1}) for name in ("milliseconds", "seconds", "minutes", "hours", "days")}


class BadCellError(Exception):
    """A value of a row cannot be used: which column, and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(column, reason)
        self.column, self.reason = column, reason


class Origin(Protocol):
    """Where a value comes from."""

    @property
    def label(self) -> str:
        """What a report calls it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it needs."""

    def value(self, row: Row) -> object:
        """Return the value in `row`; None or "" where there is none."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column, or a path into a JSON object: "value.amount"."""

    label: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.label,)

    def value(self, row: Row) -> object:
        """Return the cell."""
        found = row.cell(self.label)
        return found.strip() if isinstance(found, str) else found


@dataclass(frozen=True, slots=True)
class Constant:
    """The same for every row."""

    label: str
    constant: object
    columns: tuple[str, ...] = ()

    def value(self, _row: Row) -> object:
        """Return it."""
        return self.constant


@dataclass(frozen=True, slots=True)
class Template:
    """A text with columns or the row's number in it: "web-{row}"."""

    label: str
    columns: tuple[str, ...]

    def value(self, row: Row) -> object:
        """Return the text; nothing where one of its columns is empty."""
        pieces = _PLACE.split(self.label)
        for number in range(1, len(pieces), 2):
            found = row.number if pieces[number] == ROW else row.cell(pieces[number])
            if found is None or found == "":
                return None
            pieces[number] = str(found) if isinstance(found, int) else text(found)
        return "".join(pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Generic[T]):
    """A target field; one with a `default` may be empty in the file."""

    origin: Origin
    convert: Callable[[object], T]
    default: T | None
    required: bool
    always: T | None = None  # of a constant, converted once

    @property
    def is_absent(self) -> bool:
        """Whether the mapping does not speak of it."""
        return isinstance(self.origin, Constant) and self.origin.constant is None

    def of(self, row: Row) -> T:
        """Return the value, or raise `BadCellError`."""
        if self.always is not None:
            return self.always
        try:
            value = self.origin.value(row)
            if value is not None and value != "":
                return self.convert(value)
        except UnfitError as unfit:
            raise BadCellError(self.origin.label, str(unfit)) from None
        if self.required:
            raise BadCellError(self.origin.label, "is empty or not there")
        return self.default  # type: ignore[return-value]  # a field without default is required


class Fields:
    """The table of fields of a file. Its methods are asked once for each field that there can be."""

    def __init__(self, table: Table, *, zone: tzinfo) -> None:
        self._table, self._zone = table, zone
        self.columns: set[str] = set()
        self.labels: dict[str, str] = {}

    def required(self, name: str, convert: Callable[[object], T], *, usual: Origin | None = None) -> Field[T]:
        """Return a field that every row must have; `usual` is where it comes from when the mapping does not say."""
        origin = self._origin(name) or usual
        if origin is None:
            raise self._table.missing(name)
        return self._field(name, origin, convert, default=None, required=True)

    def optional(self, name: str, convert: Callable[[object], T], default: T) -> Field[T]:
        """Return a field that may be missing from the mapping, and empty in the file."""
        origin = self._origin(name) or Constant(name, None)
        return self._field(name, origin, convert, default=default, required=False)

    def moment(self, name: str) -> Callable[[object], int]:
        """Return how the field's moments are read: by `format`, as `unit` `since` a base date, else as ISO 8601."""
        table = self._spelled(name)
        if table is None:
            return partial(iso, zone=self._zone)
        pattern, unit, since = table.get("format", str), table.get("unit", str), table.get("since", datetime)
        if pattern and (unit or since):
            raise table.wrong("give either `format`, or `unit` and `since`")
        if pattern:
            return partial(instant, pattern=pattern, zone=self._zone)
        if unit is None and since is None:
            return partial(iso, zone=self._zone)
        if unit not in _UNITS or since is None:
            raise table.wrong(f"`unit` is one of {', '.join(_UNITS)}, and `since` a date with a time, without quotes")
        base = since if since.tzinfo else since.replace(tzinfo=self._zone)
        return partial(elapsed, since=base, unit=_UNITS[unit])

    def wrong(self, why: str) -> WrongMappingError:
        """Return the error to raise."""
        return self._table.wrong(why)

    def missing(self, name: str) -> WrongMappingError:
        """Return the error for a field that must be there."""
        return self._table.missing(name)

    def done(self) -> None:
        """Refuse fields that nobody asked for."""
        self._table.done()

    def _spelled(self, name: str) -> Table | None:
        return self._table.table(name) if isinstance(self._table.get(name, (str, dict)), dict) else None

    def _origin(self, name: str) -> Origin | None:
        given = self._table.get(name, (str, dict))
        if given is None:
            return None
        if isinstance(given, str):
            return Column(given)
        table = self._table.table(name)
        assert table is not None  # noqa: S101 - it was there a line ago
        column, template = table.get("column", str), table.get("template", str)
        constant = table.get("constant", (str, int))
        if [column, template, constant].count(None) != 2:  # noqa: PLR2004 - all but one of the three
            raise table.wrong("give one of `column`, `constant` and `template`")
        for key in ("format", "unit", "since"):
            if key in table.keys() and name not in MOMENTS:  # noqa: SIM118 - a Table is no dict
                raise table.wrong(f"`{key}` is for moments")
            table.get(key, object)
        table.done()
        if template is not None:
            return self._template(table, template)
        return Column(column) if column is not None else Constant(f"constant {constant!r}", constant)

    def _template(self, table: Table, template: str) -> Template:
        places = _PLACE.findall(template)
        if not places:
            raise table.wrong("a `template` has {row} or a {column} in it; else it is a `constant`")
        return Template(template, tuple(place for place in places if place != ROW))

    def _field(
        self, name: str, origin: Origin, convert: Callable[[object], T], *, default: T | None, required: bool
    ) -> Field[T]:
        self.columns.update(origin.columns)
        self.labels[name] = origin.label
        always = default
        if not isinstance(origin, Constant):
            always = None
        elif origin.constant is not None:
            try:
                always = convert(origin.constant)
            except UnfitError as unfit:
                raise self._table.wrong(f"`{name}`: the constant {unfit}") from None
        return Field(origin=origin, convert=convert, default=default, required=required, always=always)


MOMENTS = frozenset({"enrolled_at", "occurred_at", "earned_at", "expires_at", "level_until", "at"})
