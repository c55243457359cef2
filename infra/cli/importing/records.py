"""Rows turned into what is staged: members, and lines of receipts."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from infra.cli.importing.convert import written
from infra.cli.importing.fields import BadCellError
from infra.cli.importing.mapping import MemberFields, PurchaseFields
from infra.cli.importing.rows import Row, SourceFile


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A member to enroll; `content` is what the API is told of it (JSON), without a command key."""

    row: int
    external_id: str
    content: bytes


Line = tuple[str, int, int, int]
"""Item code, quantity, gross and discount in minor units, for the whole line."""


@dataclass(frozen=True, slots=True)
class LineRecord:
    """A line of a receipt and the receipt's own facts; `at` in milliseconds since 1970."""

    row: int
    store: str
    receipt_number: str
    member: str
    at: int
    line: Line


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot go in. `row` counts within `file`; `column` is "" when it is not about one."""

    file: str
    row: int
    column: str
    reason: str


def is_kept(row: Row, source: SourceFile) -> bool:
    """Tell whether the row passes the filter."""
    return all(_shown(row.cell(column)) in values for column, values in source.keep.items())


def member_of(row: Row, fields: MemberFields) -> MemberRecord:
    """Make a member of a row, or raise `BadCellError`."""
    external_id = fields.external_id.of(row)
    # The external id comes first: an answer names identities by their place.
    identities = [{"kind": "EXTERNAL", "value": external_id}]
    for kind, field in (("PHONE", fields.phone), ("EMAIL", fields.email)):
        if value := field.of(row):
            identities.append({"kind": kind, "value": value})
    joined = fields.enrolled_at.of(row)
    content = {
        "profile": {"name": fields.name.of(row), "identities": identities},
        "channel": "IMPORT",
        "enrolledAt": None if joined is None else written(joined),
    }
    return MemberRecord(row.number, external_id, orjson.dumps(content))


def line_of(row: Row, fields: PurchaseFields) -> LineRecord:
    """Make a line of a row, or raise `BadCellError`."""
    line = (fields.item_code.of(row), fields.quantity.of(row), fields.gross.of(row), fields.discount.of(row))
    return LineRecord(
        row=row.number,
        store=fields.store.of(row),
        receipt_number=fields.receipt_number.of(row),
        member=fields.member.of(row),
        at=fields.occurred_at.of(row),
        line=line,
    )


def receipt_key(row: Row, fields: PurchaseFields) -> tuple[str, str] | None:
    """Return store and value of `group_by`, by which rows are lines of one receipt; None when that is unreadable."""
    try:
        return (fields.store.of(row), fields.group_by.of(row)) if fields.group_by else None
    except BadCellError:
        return None


def column_of(path: str, labels: Mapping[str, str]) -> str:
    """Return what the mapping calls the input field at `path` of an answer, like "lines.3.grossMinor"."""
    return labels.get(_FIELDS.get(path.rpartition(".")[2], ""), path)


def _shown(value: object) -> str:
    # JSON's true is written as in JSON and TOML, not as in Python.
    return str(value).lower() if isinstance(value, bool) else str(value)


_FIELDS = {
    "0": "external_id",
    "enrolledAt": "enrolled_at",
    "name": "name",
    "receiptNumber": "receipt_number",
    "occurredAt": "occurred_at",
    "memberId": "member",
    "identity": "member",
    "storeId": "store",
    "itemCode": "item_code",
    "quantity": "quantity",
    "grossMinor": "gross",
    "discountMinor": "discount",
}
"""The API's input fields and the mapping's."""
