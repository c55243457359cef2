"""What can go wrong, told once: a kind decides the gRPC status and how GraphQL shows it, a code is for programs,
and the class's docstring is the sentence that the caller reads."""

from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """The kinds of `protos/common/v1/problem.proto`, and what each means there."""

    INVALID = "invalid"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    REFUSED = "refused"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    FAULT = "fault"
    TIMED_OUT = "timed_out"


BUSINESS = frozenset({Kind.INVALID, Kind.NOT_FOUND, Kind.CONFLICT, Kind.REFUSED})
"""What the caller can mend: GraphQL answers these as data (`userErrors`), the rest as errors."""


class Problem(Exception):  # noqa: N818 - a refusal is not always an error, and every subclass names what it is
    """Something was not done."""

    kind: ClassVar[Kind] = Kind.FAULT
    code: ClassVar[str] = "FAULT"

    def __init__(self, *, field: str = "", retry_after_ms: int = 0, **facts: object) -> None:
        """Fill the docstring's placeholders with `facts`; `field` is the input's path in GraphQL spelling."""
        self.message = " ".join((type(self).__doc__ or "").split()).format(**facts)
        self.field = field
        self.retry_after_ms = retry_after_ms
        super().__init__(self.message)


class KeyReusedError(Problem):
    """This key was used before for something else: {summary}."""

    kind = Kind.CONFLICT
    code = "KEY_REUSED"
