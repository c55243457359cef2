"""The clock: read at the edges only (`main`, `rpc`, `consumers`, `jobs`), an argument everywhere else."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns now: aware, UTC, whole milliseconds."""


def system_clock() -> datetime:
    """Return the machine's time, cut to the millisecond that the database keeps."""
    return _cut(datetime.now(UTC))


def to_millisecond(moment: datetime) -> datetime:
    """Return `moment` in UTC without what is finer than a millisecond."""
    return _cut(moment.astimezone(UTC))


def _cut(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
