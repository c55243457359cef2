"""Tables of a mapping file, read strictly: what nobody asks for is an error that names it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from services.kit.errors import Kind, Problem

T = TypeVar("T")


class WrongMappingError(Problem):
    """{file}: {why}."""

    kind = Kind.INVALID
    code = "WRONG_MAPPING"


class Table:
    """A table of the file; `name` is its place, like "purchases.fields". Every method raises `WrongMappingError`."""

    def __init__(self, content: Mapping[str, Any], *, file: Path, name: str = "") -> None:
        self._content, self.file, self.name = content, file, name
        self._asked: list[str] = []

    def wrong(self, why: str) -> WrongMappingError:
        """Return the error to raise, which says where."""
        place = f"[{self.name}] " if self.name else ""
        return WrongMappingError(file=self.file, why=f"{place}{why}")

    def missing(self, key: str) -> WrongMappingError:
        """Return the error for a key that must be there; a misspelt one is among those that it names."""
        return self.wrong(f"`{key}` is missing; there are {', '.join(self._content) or 'no keys'}")

    def get(self, key: str, kind: type[T] | tuple[type[T], ...]) -> T | None:
        """Return the value, None where there is none."""
        self._asked.append(key)
        value = self._content.get(key)
        if value is None:
            return None
        # To Python a bool is an int, to whoever writes a mapping it is not.
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join(_NAMES.get(each, each.__name__) for each in kinds)
            raise self.wrong(f"`{key}` must be {names}")
        return value

    def need(self, key: str, kind: type[T]) -> T:
        """Return the value, which must be there."""
        if (value := self.get(key, kind)) is None:
            raise self.missing(key)
        return value

    def text(self, key: str, usual: str) -> str:
        """Return a text."""
        value = self.get(key, str)
        return usual if value is None else value

    def table(self, key: str) -> "Table | None":
        """Return the table within, None where there is none."""
        content = self.get(key, dict)
        return None if content is None else Table(content, file=self.file, name=".".join((*self._path(), key)))

    def keys(self) -> list[str]:
        """Return what is there, asked for or not."""
        return list(self._content)

    def done(self) -> None:
        """Refuse what was not asked for."""
        if unknown := [key for key in self._content if key not in self._asked]:
            raise self.wrong(f"there is no key `{unknown[0]}`; there are {', '.join(dict.fromkeys(self._asked))}")

    def _path(self) -> tuple[str, ...]:
        return (self.name,) if self.name else ()


_NAMES: dict[type, str] = {str: "a text", dict: "a table", int: "a whole number", bool: "true or false"}
