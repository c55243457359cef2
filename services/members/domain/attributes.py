"""Attributes: what a chain wants to know of its members beyond the profile, by definitions of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from math import isfinite

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, MAX_NAME_LENGTH, is_code, is_name
from services.members.domain.profiles import MAX_TEXT_LENGTH, Attribute
from services.members.domain.visibility import ATTRIBUTE_ROLES, NOT_FOR_PERSONAL, Role

MAX_DEFINITIONS = 100
"""Of one chain, the retired ones too: all of them are read to check one value."""

MAX_CHOICES = 100
MAX_NUMBER = 1e15
"""Below what a double holds to the unit."""


class AttributeType(StrEnum):
    """What the values of an attribute are."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    CHOICE = "choice"
    CHOICES = "choices"


OF_CHOICES = frozenset({AttributeType.CHOICE, AttributeType.CHOICES})


class InvalidDefinitionError(Problem):
    """The attribute cannot be defined like that: {why}."""

    kind = Kind.INVALID
    code = "INVALID_DEFINITION"


class AttributeInUseError(Problem):
    """Members may have values of {attribute}: {why}. Define another attribute with a code of its own."""

    kind = Kind.REFUSED
    code = "ATTRIBUTE_IN_USE"


class TooManyAttributesError(Problem):
    """A chain has at most {most} attributes, retired ones included."""

    kind = Kind.REFUSED
    code = "TOO_MANY_IN_CHAIN"


class NoAttributeError(Problem):
    """There is no attribute {attribute} that this caller could set."""

    kind = Kind.NOT_FOUND
    code = "ATTRIBUTE_NOT_FOUND"


class InvalidAttributeError(Problem):
    """This cannot be a value of the attribute {attribute}: {why}."""

    kind = Kind.INVALID
    code = "INVALID_ATTRIBUTE"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values to choose from; `label` is what people read."""

    code: str
    label: str


@dataclass(frozen=True, slots=True)
class AttributeDefinition:
    """What the values of one attribute are, and who sees them. `version` is 0 until saved.

    `roles` empty: those whom the table of `visibility` shows attributes. `used`: some member may have a value.
    """

    code: str
    label: str
    type: AttributeType
    choices: tuple[Choice, ...] = ()
    personal: bool = True
    roles: frozenset[Role] = frozenset()
    retired: bool = False
    used: bool = False
    version: int = 0

    @property
    def readers(self) -> frozenset[Role]:
        """The roles that see its values."""
        return self.roles or ATTRIBUTE_ROLES


@dataclass(frozen=True, slots=True)
class SavedDefinitions:
    """All that were asked for, in the order of the input, and of them those that are new or changed."""

    all: tuple[AttributeDefinition, ...]
    changed: tuple[AttributeDefinition, ...]


def check_definitions(wanted: Sequence[AttributeDefinition]) -> None:
    """Refuse, with the field at fault, what no attribute can be, and a code that is given twice."""
    seen: set[str] = set()
    for number, one in enumerate(wanted):
        path = f"definitions.{number}"
        if not is_code(one.code):
            raise _invalid(f"{path}.code", f"a code has 1 to {MAX_CODE_LENGTH} visible characters")
        if one.code in seen:
            raise _invalid(f"{path}.code", "its code stands twice in this call")
        if not is_name(one.label):
            raise _invalid(f"{path}.label", f"a label has 1 to {MAX_NAME_LENGTH} visible characters")
        if one.personal and (never := sorted(one.roles & NOT_FOR_PERSONAL)):
            raise _invalid(f"{path}.roles", f"what is personal is not shown to {never[0]}")
        _check_choices(one, path)
        seen.add(one.code)


def save_definitions(
    wanted: Sequence[AttributeDefinition], known: Mapping[str, AttributeDefinition]
) -> SavedDefinitions:
    """Fold `wanted` over `known`, all that the chain has, by code. Values that members may have stay what they are."""
    saved = [_saved(one, known.get(one.code), f"definitions.{number}") for number, one in enumerate(wanted)]
    changed = tuple(one for one in saved if one != known.get(one.code))
    if len(known) + sum(one.version == 1 for one in changed) > MAX_DEFINITIONS:
        raise TooManyAttributesError(field="definitions", most=MAX_DEFINITIONS)
    return SavedDefinitions(tuple(saved), changed)


def checked_value(of: AttributeDefinition, said: AttributeType, value: Attribute, *, field: str) -> Attribute:
    """Return the value as it is kept, or refuse it with the field at fault; `said` is as what the caller wrote it."""
    if said is not of.type:
        raise InvalidAttributeError(field=field, attribute=of.code, why=f"it is a {of.type}, not a {said}")
    if why := _fault(of, value):
        raise InvalidAttributeError(field=field, attribute=of.code, why=why)
    if isinstance(value, tuple):  # in the order of the definition: the same choices are the same value
        return tuple(one.code for one in of.choices if one.code in value)
    return value


def _check_choices(one: AttributeDefinition, path: str) -> None:
    wanted = range(1, MAX_CHOICES + 1) if one.type in OF_CHOICES else range(1)
    if len(one.choices) not in wanted:
        raise _invalid(f"{path}.choices", f"a choice has 1 to {MAX_CHOICES} choices, and nothing else has any")
    codes = [choice.code for choice in one.choices]
    for number, choice in enumerate(one.choices):
        if not is_code(choice.code) or choice.code in codes[:number]:
            why = f"a choice's code has 1 to {MAX_CODE_LENGTH} visible characters, and stands once"
            raise _invalid(f"{path}.choices.{number}.code", why)
        if not is_name(choice.label):
            raise _invalid(f"{path}.choices.{number}.label", f"a label has 1 to {MAX_NAME_LENGTH} visible characters")


def _saved(wanted: AttributeDefinition, known: AttributeDefinition | None, path: str) -> AttributeDefinition:
    if known is None:
        return replace(wanted, used=False, version=1)
    same = replace(wanted, used=known.used, version=known.version)
    if same == known:
        return known
    if known.used:
        if same.type is not known.type:
            raise _in_use(f"{path}.type", known, "its type stays")
        if same.personal is not known.personal:
            raise _in_use(f"{path}.personal", known, "whether they are personal stays")
        if gone := sorted({one.code for one in known.choices} - {one.code for one in same.choices}):
            raise _in_use(f"{path}.choices", known, f"the choice {gone[0]} stays")
    return replace(same, version=known.version + 1)


def _fault(of: AttributeDefinition, value: Attribute) -> str:
    if of.type is AttributeType.BOOLEAN or (of.type is AttributeType.NUMBER and isinstance(value, float)):
        is_good = isinstance(value, bool) or (isfinite(value) and abs(value) <= MAX_NUMBER)  # type: ignore[arg-type]
        return "" if is_good else f"a number lies between -{MAX_NUMBER:.0f} and {MAX_NUMBER:.0f}"
    if of.type in OF_CHOICES:
        chosen = value if isinstance(value, tuple) else (value,)
        codes = {one.code for one in of.choices}
        unknown = [one for one in chosen if one not in codes]
        return f"there is no choice {unknown[0]}" if unknown else "" if chosen else "choose at least one"
    text = str(value)
    if of.type is AttributeType.DATE:
        return "" if _is_day(text) else "a date is like 1990-05-17"
    return "" if 1 <= len(text.strip()) <= len(text) <= MAX_TEXT_LENGTH else f"it has 1 to {MAX_TEXT_LENGTH} characters"


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _invalid(where: str, why: str) -> InvalidDefinitionError:
    return InvalidDefinitionError(field=where, why=why)


def _in_use(where: str, of: AttributeDefinition, why: str) -> AttributeInUseError:
    return AttributeInUseError(field=where, attribute=of.code, why=why)
