"""What a chain saves by its own codes, each change a new version: brands, regions, partners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, MAX_NAME_LENGTH, is_code, is_name


class Coded(Protocol):
    """A brand, a region or a partner. `version` is 0 until it is saved."""

    @property
    def code(self) -> str:
        """The chain's own code."""

    @property
    def name(self) -> str:
        """As people call it."""

    @property
    def version(self) -> int:
        """Grows by one with every change, from 1."""

    def at(self, version: int) -> Self:
        """Return it with that version."""


T = TypeVar("T", bound=Coded)


class InvalidCodedError(Problem):
    """It cannot be like that: {why}."""

    kind = Kind.INVALID
    code = "INVALID"


class TooManyCodedError(Problem):
    """A chain has at most {most} {things}."""

    kind = Kind.REFUSED
    code = "TOO_MANY_IN_CHAIN"


@dataclass(frozen=True, slots=True)
class Saved(Generic[T]):
    """All that were asked for, in the order of the input, and of them those that are new or changed."""

    all: tuple[T, ...]
    changed: tuple[T, ...]


def check_coded(wanted: Sequence[Coded], *, things: str) -> None:
    """Refuse codes and names that none can have, and a code that is given twice; `things` is the input's field."""
    seen: set[str] = set()
    for number, one in enumerate(wanted):
        path = f"{things}.{number}"
        if not is_code(one.code):
            raise InvalidCodedError(field=f"{path}.code", why=f"a code has 1 to {MAX_CODE_LENGTH} visible characters")
        if one.code in seen:
            raise InvalidCodedError(field=f"{path}.code", why="its code stands twice in this call")
        if not is_name(one.name):
            raise InvalidCodedError(field=f"{path}.name", why=f"a name has 1 to {MAX_NAME_LENGTH} visible characters")
        seen.add(one.code)


def save_coded(wanted: Sequence[T], *, known: Mapping[str, T], things: str, most: int) -> Saved[T]:
    """Fold `wanted` over `known`, all that the chain has."""
    saved = [_saved(one, known.get(one.code)) for one in wanted]
    changed = tuple(one for one in saved if one != known.get(one.code))
    if len(known) + sum(one.version == 1 for one in changed) > most:
        raise TooManyCodedError(field=things, most=most, things=things)
    return Saved(tuple(saved), changed)


def _saved(wanted: T, known: T | None) -> T:
    if known is None:
        return wanted.at(1)
    same = wanted.at(known.version)
    return known if same == known else wanted.at(known.version + 1)
