"""Further conditions of earning rules, in CEL (Common Expression Language) over the facts of a purchase and its member.

CEL: github.com/google/cel-spec, in the implementation that docs/decisions/0013 chose. Texts compare by code point,
whole numbers have 64 bits. To be had: `&& || ! ? :`, `== != < <= > >=`, `+ - * / %`, `in`, `[ ]`, the functions size,
int, double and string, the methods size, startsWith, endsWith and contains, and all, exists, exists_one and filter on
lists.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from cel_expr_python import cel

from services.points.domain.condition_words import InvalidConditionError, check_words, error_at

CACHE_SIZE = 1_000
"""Compiled conditions that are remembered, of all chains: the same text means the same everywhere."""

NOT_KNOWN = -1
"""Of days since something: it never was, or nobody knows when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFacts:
    """What a condition may ask about the purchase; its moment is local to the store's time zone."""

    paid_minor: int
    currency: str
    store: str
    region: str
    channel: str
    payment_kind: str
    partner: str
    party_size: int  # 0: not known
    items: tuple[str, ...]  # item codes
    categories: tuple[str, ...]
    quantity: int  # of all lines
    coupons: tuple[str, ...]
    hour: int  # 0 to 23
    weekday: int  # ISO 8601: 1 Monday to 7 Sunday
    day: str  # "MM-DD"
    date: str  # "YYYY-MM-DD"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFacts:
    """What a condition may ask about the member, as it was before the purchase."""

    tier: str = ""  # by which the purchase earns
    visits: int = 0
    spend_minor: int = 0
    points: int = 0  # available
    days_since_last: int = NOT_KNOWN  # visit
    days_since_joining: int = NOT_KNOWN


NO_FACTS = MemberFacts()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a condition is about."""

    purchase: PurchaseFacts
    member: MemberFacts


_TYPES: Final[Mapping[Any, cel.Type]] = {
    int: cel.Type.INT,
    str: cel.Type.STRING,
    tuple[str, ...]: cel.Type.List(cel.Type.STRING),
}
_KNOWN: Final = {
    f"{owner}.{one.name}": _TYPES[one.type]
    for owner, facts in (("purchase", PurchaseFacts), ("member", MemberFacts))
    for one in fields(facts)
}
_IS_LIST: Final = {name: type_ == _TYPES[tuple[str, ...]] for name, type_ in _KNOWN.items()}
_ENVIRONMENT: Final = cel.NewEnv(variables=_KNOWN)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was checked. Equal when its source is; may be used by many threads at once."""

    source: str
    _program: cel.Expression = field(repr=False, compare=False)
    _reads: tuple[tuple[str, Callable[[Facts], Any]], ...] = field(repr=False, compare=False)

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds.

        What cannot be evaluated does not hold: a division by zero, a number beyond 64 bits, an element behind a list's
        end, a text that is no number, more than 10,000 elements walked through. A sale is never refused for it.
        """
        try:
            outcome = self._program.eval(data={name: read(facts) for name, read in self._reads})
        except RuntimeError:  # the library's word for a budget that is spent
            return False
        return outcome.value() is True


@lru_cache(CACHE_SIZE)
def compile_condition(source: str) -> Condition:
    """Return the condition of `source`, checked: its syntax, names, functions, types, bounds, and that it is a bool.

    All of it is checked statically, but for lists of mixed literals (`[1, "a"]`), whose elements have a type only when
    evaluated. Raises `InvalidConditionError`; its columns count characters from 1.
    """
    names = check_words(source, _IS_LIST)
    try:
        program = _ENVIRONMENT.compile(source)
    except RuntimeError as error:
        raise _error(source, str(error)) from None
    if program.return_type() != cel.Type.BOOL:
        gives = program.return_type().name().lower()
        raise _error_at_start(source, f"it gives {gives}, not true or false; compare it, like `member.visits > 3`")
    return Condition(source, program, tuple((name, _reader(name)) for name in names))


def _reader(name: str) -> Callable[[Facts], Any]:
    read: Callable[[Facts], Any] = attrgetter(name)
    return (lambda facts: list(read(facts))) if _IS_LIST[name] else read


_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")

_RIGHT = {
    "startsWith": 'it takes one text, like `member.tier.startsWith("gold")`',
    "endsWith": 'it takes one text, like `member.tier.endsWith("gold")`',
    "contains": 'it takes one text, like `purchase.date.contains("-02-")`; for lists, write `"A" in purchase.items`',
    "size": "it takes a text or a list",
    "in": 'it takes one thing and a list of such, like `"A" in purchase.items`',
    "[]": "it takes a list and the number of an element, from 0",
    "?:": "it takes a condition and two things of one type",
    **dict.fromkeys(("&&", "||", "!"), "it takes conditions, which are true or false"),
    **dict.fromkeys(
        ("==", "!=", "<", "<=", ">", ">="), 'both sides must have one type: 5 is an int, 5.0 a double, "5" a string'
    ),
    **dict.fromkeys(("+", "-", "*", "/", "%"), "both sides must have one type: 5 is an int, 5.0 a double"),
}


def _error(source: str, told: str) -> InvalidConditionError:
    """Return what the compiler said in our words; its columns count characters from 1 too."""
    if (found := _PLACE.search(told)) is None:
        deep = "it is nested too deeply: at most 31 levels, and at most 31 of + - * / % in a row"
        return _error_at_start(source, deep if "recursion" in told else told.partition("\n")[0])
    line, column, said = int(found[1]), int(found[2]), found[3]
    return InvalidConditionError(field="condition", line=line, column=column, why=_why(said))


def _error_at_start(source: str, why: str) -> InvalidConditionError:
    return error_at(source, len(source) - len(source.lstrip()), why)


def _why(said: str) -> str:
    for pattern, told in _TOLD:
        if found := pattern.match(said):
            return told(found)
    return said.removeprefix("Syntax error: ").replace("<EOF>", "the end")


def _cannot_be_applied(found: re.Match[str]) -> str:
    name = found[1].strip("@").replace("_", "")
    right = f"; {_RIGHT[name]}" if name in _RIGHT else ""
    return f"`{name}` cannot be applied to {found[2].replace(', ', ' and ')}{right}"


def _does_not_fit(found: re.Match[str]) -> str:
    return "something is missing at the end" if found[1] == "<EOF>" else f"`{found[1]}` does not fit here"


_TOLD: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(r"found no matching overload for '(.+)' applied to '\((.*)\)'"), _cannot_be_applied),
    (re.compile(r"Syntax error: (?:mismatched|extraneous) input '(.*?)' expecting "), _does_not_fit),
    (re.compile(r"Syntax error: missing '(.+)' at "), lambda found: f"`{found[1]}` is missing"),
    (
        re.compile(r"Syntax error: token recognition error at: "),
        lambda _: "this cannot be read; in a text, write `\\\\` for `\\`",
    ),
    (
        re.compile(r"expression of type '(.+)' cannot be the range of a comprehension"),
        lambda found: f"this goes through a list, not through {found[1]}",
    ),
    (
        re.compile(r"expression of type '(.+)' cannot be the operand of a select operation"),
        lambda found: f"{found[1]} has nothing that could be named after a dot",
    ),
    (re.compile(r"undeclared reference to '(.+)' \(in "), lambda found: f"`{found[1]}` is not used like this"),
)
"""What the compiler says, and how it is told."""
