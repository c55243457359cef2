"""From what stands in a file to what the platform takes. Every function is exact: no amount ever is a float."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, localcontext

__all__ = ["UnfitError", "elapsed", "exact", "instant", "iso", "minor", "text", "times", "whole", "written"]

MOST_CHARACTERS = 1_000
"""Of any text: longer than every field of the platform, and short enough that a batch of them fits into a request."""

MOST_MINOR = 10**12
"""What the platform takes for one line; beyond, one bad cell would make it refuse the whole batch unread."""

MOST_WHOLE = 2**31 - 1
"""GraphQL's Int."""

MOST_DIGITS = 40
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class UnfitError(Exception):
    """A value cannot be converted; the message ends a sentence that began with the column's name."""


def text(value: object) -> str:
    """Return a text or number without the spaces around it; a number as it is written in the file."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise UnfitError("is not a text or number")
    found = str(value).strip()
    if len(found) > MOST_CHARACTERS:
        raise UnfitError(f"has more than {MOST_CHARACTERS} characters")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise UnfitError("has bytes that are not of the file's encoding; set `encoding` in the mapping") from None
    return found


def minor(value: object, *, digits: int) -> int:
    """Return an amount of money in minor units of `digits` decimal places.

    It is read from the exact decimal text (of JSON numbers too, which are never turned into floats) and rounded half
    up, away from zero: 0.125 is 13 cents, -0.125 is -13.
    """
    sign, figures, exponent = _decimal(value).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - narrows the type: only NaN and infinities have another
    amount = int("".join(map(str, figures)))
    shift = exponent + digits
    if shift >= 0:
        amount *= int(10**shift)
    else:
        unit: int = 10**-shift
        amount, rest = divmod(amount, unit)
        amount += 2 * rest >= unit
    if amount > MOST_MINOR:
        raise UnfitError(f"is more than {MOST_MINOR} in minor units")
    return -amount if sign else amount


def exact(value: object) -> Decimal:
    """Return a number as it is written."""
    return _decimal(value)


def times(price: Decimal, pieces: int, *, digits: int) -> int:
    """Return what so many pieces cost, rounded once, as `minor` does."""
    with localcontext(prec=2 * MOST_DIGITS):
        return minor(format(price * pieces, "f"), digits=digits)


def whole(value: object) -> int:
    """Return a whole number; "2.0" is one, "2.5" is not."""
    number = _decimal(value)
    if abs(number) > MOST_WHOLE or number != int(number):
        raise UnfitError(f"is not a whole number up to {MOST_WHOLE}")
    return int(number)


def iso(value: object, *, zone: tzinfo) -> int:
    """Return an ISO 8601 moment in milliseconds since 1970 (UTC), in `zone` when it has no offset of its own."""
    try:
        return _milliseconds(datetime.fromisoformat(text(value)), zone)
    except (ValueError, OverflowError):
        raise UnfitError(f'is not a moment like "2026-03-01T12:00:00" but {_shown(value)}; give its `format`') from None


def instant(value: object, *, pattern: str, zone: tzinfo) -> int:
    """Return a moment written as `pattern` (of strptime; midnight when it has no time) as `iso` does."""
    try:
        return _milliseconds(datetime.strptime(text(value), pattern), zone)  # noqa: DTZ007 - the zone comes with it
    except (ValueError, OverflowError):
        raise UnfitError(f'is not of the format "{pattern}" but {_shown(value)}') from None


def elapsed(value: object, *, since: datetime, unit: timedelta) -> int:
    """Return the moment that lies `value` units of elapsed time after `since`, as `iso` does."""
    step = Decimal(unit // _MILLISECOND)
    try:
        return _milliseconds(since.astimezone(UTC) + _MILLISECOND * int(_decimal(value) * step), UTC)
    except OverflowError:
        raise UnfitError("lies outside of the years 1 to 9999") from None


def written(milliseconds: int) -> str:
    """Return milliseconds since 1970 as the API takes a moment."""
    moment = _EPOCH + _MILLISECOND * milliseconds
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(moment: datetime, zone: tzinfo) -> int:
    # Of an hour that the end of summer time gives twice it is the first; of one that is left out, the hour after.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return (aware.astimezone(UTC) - _EPOCH) // _MILLISECOND


def _decimal(value: object) -> Decimal:
    found = text(value)
    if not _NUMBER.fullmatch(found):
        raise UnfitError(f"is not a number like 12.50 but {_shown(value)}")
    number = Decimal(found)
    exponent = number.as_tuple().exponent
    if len(found) > MOST_DIGITS or not isinstance(exponent, int) or abs(exponent) > MOST_DIGITS:
        raise UnfitError(f"is a number of more than {MOST_DIGITS} digits")
    return number


def _shown(value: object) -> str:
    return repr(text(value)[:40])
