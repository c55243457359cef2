"""Ids: a typed prefix and a time-ordered unique part, `pur_01jd3k…`."""

from collections.abc import Callable
from datetime import datetime

from ulid import ULID

MakeId = Callable[[str, datetime], str]
"""`make_id(prefix, now)`: what rooms below the edge are given instead of making ids themselves."""


def make_id(prefix: str, now: datetime) -> str:
    """Return a new id, 27 characters plus the prefix; ids of later milliseconds sort after earlier ones.

    Source of the unique part: the ULID specification, in lower case (48 bits of time, 80 of randomness).
    """
    return f"{prefix}_{str(ULID.from_datetime(now)).lower()}"
