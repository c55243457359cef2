"""What somebody wants of a thing that exists: a value, or that it stays as it is."""

from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar

T = TypeVar("T")


class Keep(Enum):
    """Not said."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP
"""Leave it as it is; in what is new, the usual value."""

Wanted: TypeAlias = T | Literal[Keep.KEEP]


def chosen(wanted: T | Literal[Keep.KEEP], before: T) -> T:
    """Return what is wanted, or what was."""
    return before if wanted is KEEP else wanted
