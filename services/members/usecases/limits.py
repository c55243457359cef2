"""How much one call may ask for."""

from collections.abc import Sized

from services.kit.errors import Kind, Problem

MAX_IN_CALL = 1_000
"""Items in one call: a few hundred kilobytes, worked off well within a call's deadline."""


class TooManyError(Problem):
    """{count} are too many for one call: send at most {most}."""

    kind = Kind.INVALID
    code = "TOO_MANY"


def check_count(asked: Sized, *, field: str, most: int = MAX_IN_CALL) -> None:
    """Refuse a call that asks for more than `most` items."""
    if len(asked) > most:
        raise TooManyError(field=field, count=len(asked), most=most)
