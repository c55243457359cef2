"""Where in a program something stands, and how it is refused."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from services.kit.errors import Kind, Problem
from services.points.domain.calendar import Span

MAX_CODES = 500
"""In one set of codes."""

MAX_CODE_LENGTH = 64
MAX_WORD_LENGTH = 128
"""Of what a set names: items, categories, stores, partners, kinds of payment."""

MAX_AMOUNT = 10**12
"""Of points, minor units, or whatever else is counted: sums of it stay within 64 bits."""

_FROM, _TEN_YEARS_ON, _TEN_YEARS_OF_DAYS = date(2000, 1, 1), date(2010, 1, 1), 3_653


class InvalidProgramError(Problem):
    """The program is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_PROGRAM"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a program: its path in GraphQL spelling, "earning.rules.2.caps.0.limit"."""

    path: str = ""

    def __truediv__(self, part: str | int) -> "Place":
        return Place(f"{self.path}.{part}" if self.path else str(part))

    def refuse(self, why: str) -> InvalidProgramError:
        """Return the error for what stands here."""
        return InvalidProgramError(field=self.path, why=why)

    def within(self, value: int, least: int, most: int, *, unit: str = "") -> None:
        """Refuse a number that is not from `least` to `most`."""
        if not least <= value <= most:
            said = f" {unit}" if unit else ""
            raise self.refuse(f"this is {value}, and must be from {least} to {most}{said}")

    def at_most(self, things: Sequence[object], most: int, *, least: int = 0) -> None:
        """Refuse more than `most` things, or fewer than `least`."""
        if not least <= len(things) <= most:
            raise self.refuse(f"these are {len(things)}, and there can be {least} to {most}")

    def code(self, code: str) -> None:
        """Refuse what is no code: those of rules and levels name counters and parts of explanations."""
        if not 1 <= len(code) <= MAX_CODE_LENGTH:
            raise self.refuse(f"a code has 1 to {MAX_CODE_LENGTH} characters")
        if "/" in code or "*" in code:
            raise self.refuse("a code has no `/` and no `*`")

    def words(self, words: Collection[str]) -> None:
        """Refuse a set that is too large, and what names nothing."""
        if len(words) > MAX_CODES:
            raise self.refuse(f"these are {len(words)}, and there can be 0 to {MAX_CODES}")
        if not all(1 <= len(word) <= MAX_WORD_LENGTH for word in words):
            raise self.refuse(f"each has 1 to {MAX_WORD_LENGTH} characters")

    def span(self, span: Span) -> None:
        """Refuse what is negative or longer than ten years."""
        fits = 0 <= span.days <= _TEN_YEARS_OF_DAYS and span.months >= 0 and span.months * 28 <= _TEN_YEARS_OF_DAYS
        if not fits or span.after(_FROM) > _TEN_YEARS_ON:
            raise self.refuse("a span has no negative part and at most 10 years")
