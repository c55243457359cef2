"""Sales as lines of a CSV file that a spreadsheet can open without harm."""

from collections.abc import Sequence

from services.kit.csv_cells import csv_lines, text_cell
from services.points.domain.sales import FIELDS, Sums
from services.points.domain.sales_reports import Dimension, Row

COMPUTED = (
    *("net_minor", "gross_profit_minor", "average_ticket_minor"),
    *("returning_share_of_visits", "returning_share_of_sales"),
)
AT_ONCE = 500
"""Rows in one part of a stream."""


def sales_head(by: Sequence[Dimension]) -> str:
    """Return the first line."""
    return csv_lines([(*(dimension.value for dimension in by), *FIELDS, *COMPUTED)])


def sales_lines(rows: Sequence[Row]) -> str:
    """Return a line for each row; what is not known stays empty."""
    return csv_lines((*(text_cell(value) for value in row.group), *_cells(row.sums)) for row in rows)


def _cells(sums: Sums) -> tuple[object, ...]:
    computed = (getattr(sums, name) for name in COMPUTED)
    return (
        *(getattr(sums, name) for name in FIELDS),
        *("" if value is None else round(value, 4) if isinstance(value, float) else value for value in computed),
    )
