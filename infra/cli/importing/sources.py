"""How the mapping says which file is read, and which of its rows count."""

import codecs
from typing import Literal, cast

from infra.cli.importing.rows import SourceFile
from infra.cli.importing.tables import Table


def fields_of(table: Table) -> Table:
    """Return the section's table of fields, or raise `WrongMappingError`."""
    fields = table.table("fields")
    if fields is None:
        raise table.missing("fields")
    return fields


def source_of(table: Table) -> SourceFile:
    """Return the section's file, or raise `WrongMappingError`."""
    form = table.need("format", str)
    if form not in {"csv", "jsonl", "xlsx"}:
        raise table.wrong(f'`format` is {form!r}; there are "csv", "jsonl" and "xlsx"')
    encoding, delimiter = table.text("encoding", "utf-8"), table.text("delimiter", ",")
    if len(delimiter) != 1:
        raise table.wrong("`delimiter` is one character")
    try:
        # A mark at the start of a UTF-8 file, as spreadsheets write it, is never a part of the first column's name.
        encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    except LookupError:
        raise table.wrong(f"there is no encoding {encoding!r}") from None
    return SourceFile(
        name=table.need("file", str),
        format=cast("Literal['csv', 'jsonl', 'xlsx']", form),
        encoding=encoding,
        delimiter=delimiter,
        keep=_keep(table.table("filter")),
        skip_without=_columns(table, "skip_without"),
    )


def _columns(table: Table, key: str) -> tuple[str, ...]:
    names = table.get(key, list) or []
    if not all(isinstance(name, str) for name in names):
        raise table.wrong(f"`{key}` is a list of columns")
    return tuple(names)


def _keep(table: Table | None) -> dict[str, frozenset[str]]:
    """Read the filter: column = value, or a list of values of which a row has one."""
    if table is None:
        return {}
    keep: dict[str, frozenset[str]] = {}
    for column in table.keys():  # noqa: SIM118 - a Table is no dict
        wanted = table.get(column, (str, int, list))
        values = wanted if isinstance(wanted, list) else [wanted]
        if not all(isinstance(value, str | int) for value in values):
            raise table.wrong(f"`{column}` is a value or a list of values")
        keep[column] = frozenset(str(value) for value in values)
    return keep
