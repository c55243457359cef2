"""The words of a condition, looked at before CEL's own compiler: which names and functions it may use, and where.

The compiler checks syntax and types, but its columns for names point into their middle, it knows functions whose cost
nobody bounds, and it lets lists be walked within lists. This pass is what forbids that, and says so where it stands.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.kit.errors import Kind, Problem

MAX_LENGTH = 2_000
"""Characters of a condition."""

FUNCTIONS = frozenset({"size", "int", "double", "string"})
METHODS = frozenset({"size", "startsWith", "endsWith", "contains"})
MACROS = frozenset({"all", "exists", "exists_one", "filter"})
"""What walks through a list."""

CONSTANTS = frozenset({"true", "false", "null", "in"})

INSTEAD = {
    "and": "write `&&`",
    "or": "write `||`",
    "not": "write `!`",
    "True": "write `true`",
    "False": "write `false`",
    "matches": "a pattern's cost has no bound here; use startsWith, endsWith, contains or `in`",
    "=": "write `==`",
    "&": "write `&&`",
    "|": "write `||`",
    "{": "lists are written in `[` and `]`",
    "#": "a comment begins with `//`",
    '"': "the text that begins here has no closing quote",
    "'": "the text that begins here has no closing quote",
    **dict.fromkeys("\u201c\u201d\u2018\u2019", "put texts between straight quotes"),
}
"""What was probably meant by a word that has no meaning."""

WORDS = re.compile(
    r"""
    (?P<space> [ \t\r\n]+ | //[^\n]* )
  | (?P<text> (?!\"{3}|'{3}) (?: "(?:\\[^\n]|[^"\\\n])*" | '(?:\\[^\n]|[^'\\\n])*' ) )
  | (?P<name> [A-Za-z_][A-Za-z0-9_]* (?! [A-Za-z0-9_"'] ) )
  | (?P<number> 0[xX][0-9a-fA-F]+[uU]? | [0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[uU]? )
  | (?P<sign> && | \|\| | [=!<>]= | [-+*/%<>!?:.,()\[\]] )
    """,
    re.VERBOSE,
)
"""Of CEL's texts only the plain ones, so that what is a text here is one there: no r"…", b"…" or three quotes."""

UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class InvalidConditionError(Problem):
    """The condition is not right: line {line}, column {column}: {why}."""

    kind = Kind.INVALID
    code = "INVALID_CONDITION"


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it begins, counted from 0."""

    kind: str
    text: str
    at: int


def error_at(source: str, at: int, why: str) -> InvalidConditionError:
    """Return the error for the character `at` of `source`, counted from 0."""
    line = source.count("\n", 0, at) + 1
    return InvalidConditionError(field="condition", line=line, column=at - source.rfind("\n", 0, at), why=why)


def check_words(source: str, known: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the facts that `source` names, in the order of their first use.

    `known` are all facts ("purchase.items"), and whether each is a list. Raises `InvalidConditionError` for a word
    that has no meaning, for unknown names and functions, and for a list that is walked or named within a walk: so
    an evaluation takes steps in the order of the length of the source times that of the longest list.
    """
    if len(source) > MAX_LENGTH:
        raise error_at(source, MAX_LENGTH, f"it has {len(source)} characters, and at most {MAX_LENGTH} are allowed")
    if not (words := _words(source)):
        raise error_at(source, 0, "it is empty; write what must hold, like `member.visits > 3`")
    return _Reader(source, words, known).read()


def _words(source: str) -> list[Word]:
    if unreadable := UNREADABLE.search(source):
        raise error_at(source, unreadable.start(), "there is a character that nobody can read; delete it")
    words: list[Word] = []
    at = 0
    while at < len(source):
        if (found := WORDS.match(source, at)) is None:
            raise error_at(source, at, _no_meaning(source[at]))
        if found.lastgroup != "space":
            words.append(Word(found.lastgroup or "", found.group(), at))
        at = found.end()
    return words


def _no_meaning(text: str) -> str:
    said = f"; {INSTEAD[text]}" if text in INSTEAD else ""
    return f"`{text}` has no meaning here{said}"


@dataclass(slots=True)
class _Reader:
    """Goes through the words once, and knows of which macros it is within the brackets."""

    source: str
    words: list[Word]
    known: Mapping[str, bool]
    at: int = 0
    open: list[str | None] = field(
        default_factory=list
    )  # for each open bracket: the variable of its macro, if it is one
    named: dict[str, None] = field(default_factory=dict)

    def read(self) -> tuple[str, ...]:
        while self.at < len(self.words):
            word = self.words[self.at]
            if word.kind == "name":
                self._name(word)
            elif word.text in "([" and word.kind == "sign":
                self.open.append(None)
            elif word.text in ")]" and word.kind == "sign" and self.open:
                self.open.pop()
            elif word.text == "." and not self._after_value():
                raise error_at(self.source, word.at, _no_meaning("."))
            self.at += 1
        return tuple(self.named)

    def _name(self, word: Word) -> None:
        selects, called = self._text(-1) == ".", self._text(1) == "("
        if called and selects and word.text in MACROS:
            self._macro(word)
        elif called:
            allowed = METHODS if selects else FUNCTIONS
            if word.text not in allowed and word.text not in CONSTANTS:
                raise error_at(self.source, word.at, self._no_function(word.text, allowed, after_value=selects))
        elif not selects and word.text not in CONSTANTS and word.text not in self.open:
            self._fact(word)

    def _macro(self, word: Word) -> None:
        if any(self.open):
            raise error_at(self.source, word.at, f"`{word.text}` cannot stand within {self._walk()}")
        variable = self._text(2)
        if variable in {"purchase", "member"} | CONSTANTS:
            raise error_at(self.source, self.words[self.at + 2].at, f"`{variable}` is taken; take another name")
        self.open.append(variable if re.fullmatch(r"[A-Za-z_]\w*", variable, re.ASCII) else "?")
        self.at += 1  # past its bracket

    def _fact(self, word: Word) -> None:
        owner, attribute = word.text, self._text(2) if self._text(1) == "." else ""
        name = f"{owner}.{attribute}"
        if name not in self.known:
            raise error_at(self.source, word.at, self._unknown(owner, attribute))
        if self.known[name] and any(self.open):
            raise error_at(self.source, word.at, f"the list `{name}` cannot stand within {self._walk()}")
        self.named[name] = None
        self.at += 2

    def _walk(self) -> str:
        return "the brackets of all, exists, exists_one or filter; combine two of them with `&&` or `||`"

    def _no_function(self, name: str, allowed: frozenset[str], *, after_value: bool) -> str:
        if name in INSTEAD:
            return _no_meaning(name)
        known = sorted(allowed | MACROS if after_value else allowed)
        return f"there is no function `{name}` {'after a dot' if after_value else 'here'}; known are {', '.join(known)}"

    def _unknown(self, owner: str, attribute: str) -> str:
        of_owner = [name.partition(".")[2] for name in self.known if name.startswith(f"{owner}.")]
        if not of_owner:
            if owner in INSTEAD:
                return _no_meaning(owner)
            facts = "a fact begins with `purchase.` or `member.`"
            return f'there is no `{owner}`; a text stands in quotes ("{owner}"), {facts}'
        if not attribute:
            return f"`{owner}` needs a dot and one of {', '.join(of_owner)}"
        return f"there is no `{owner}.{attribute}`; known are {', '.join(of_owner)}"

    def _text(self, distance: int) -> str:
        at = self.at + distance
        return self.words[at].text if 0 <= at < len(self.words) else ""

    def _after_value(self) -> bool:
        before = self.words[self.at - 1] if self.at else None
        return before is not None and (before.kind != "sign" or before.text in {")", "]"})
