"""A program's terms as protos and back: the one codec of what is kept and of what is sent.

The messages mirror the domain's dataclasses field by field, so both are walked together; a test holds every program to
the round trip. Everything is written, also what is as by default: a default that changes later rewrites nothing.
"""

from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, get_args, get_origin, get_type_hints

from google.protobuf.message import Message

from protos.points.v1 import programs_pb2 as pb
from services.points.domain.program_places import Place
from services.points.domain.programs import EVER_SINCE, Program
from services.points.domain.rules import Effect, Factor, Fixed, PerPiece, PerVisit, Rate

EFFECTS: Final = {Rate: "rate", PerVisit: "per_visit", PerPiece: "per_piece", Factor: "factor", Fixed: "fixed"}
"""The fields of the oneof `effect`."""

HEAD = frozenset({"version", "effective_from"})
"""What of a version is no term."""


def program_message(program: Program) -> pb.Program:
    """Return the terms of a program."""
    message = pb.Program()
    _write(program, message)
    return message


def program_of(
    message: pb.Program, *, version: int = 0, effective_from: datetime = EVER_SINCE, at: str = ""
) -> Program:
    """Return the program of these terms, which may mean nothing yet: see `program_checks`.

    Raises `InvalidProgramError`, with its place below `at`, for what the dataclasses cannot hold.
    """
    return Program(version=version, effective_from=effective_from, **_read(Program, message, Place(at)))


def _write(value: Any, message: Message) -> None:
    by_name = message.DESCRIPTOR.fields_by_name
    for one in fields(value):
        part = getattr(value, one.name)
        if one.name in HEAD and isinstance(value, Program):
            continue
        if one.name == "effect":
            _write_message(part, getattr(message, EFFECTS[type(part)]))
        elif one.name == "keeps":
            _write_keeps(part, message)
        elif isinstance(part, tuple | frozenset):
            _write_all(part, getattr(message, one.name), by_name[one.name].enum_type)
        elif is_dataclass(part):
            _write_message(part, getattr(message, one.name))
        elif part is not None:
            setattr(message, one.name, _scalar(part, by_name[one.name].enum_type))


def _write_message(value: Any, message: Message) -> None:
    message.SetInParent()  # it is there also when all of it is as by default
    _write(value, message)


def _write_keeps(needs: Any, message: Any) -> None:
    if needs is not None:
        message.keeps.SetInParent()
        _write_all(needs, message.keeps.needs, None)


def _write_all(values: Any, repeated: Any, enum: Any) -> None:
    for value in sorted(values) if isinstance(values, frozenset) else values:
        if is_dataclass(value):
            _write(value, repeated.add())
        else:
            repeated.append(_scalar(value, enum))


def _scalar(value: Any, enum: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if enum is None:
        return value
    return enum.values_by_name[f"{_prefix(enum)}{value.name}"].number


def _prefix(enum: Any) -> str:
    return str(enum.values_by_number[0].name).removesuffix("UNSPECIFIED")


@lru_cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _read(cls: type, message: Any, at: Place) -> dict[str, Any]:
    """Return the arguments for `cls`; what is not set is left out where the dataclass has a default."""
    found: dict[str, Any] = {}
    for one in fields(cls):
        if one.name in HEAD and cls is Program:
            continue
        if one.name == "effect":
            found["effect"] = _effect(message, at / "effect")
            continue
        if not _is_set(message, one.name) and _has_default(one):
            continue
        found[one.name] = _value(_hints(cls)[one.name], message, one.name, at / _camel(one.name))
    return found


def _is_set(message: Any, name: str) -> bool:
    descriptor = message.DESCRIPTOR.fields_by_name[name]
    return message.HasField(name) if descriptor.has_presence else bool(getattr(message, name))


def _has_default(one: "Field[Any]") -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def _value(hint: Any, message: Any, name: str, at: Place) -> Any:
    sent, enum = getattr(message, name), message.DESCRIPTOR.fields_by_name[name].enum_type
    if name == "keeps":
        needed = get_args(get_args(hint)[0])[0]
        return tuple(_one(needed, need, None, at / number) for number, need in enumerate(sent.needs))
    container = get_origin(hint)
    if container in {tuple, frozenset}:
        kind = get_args(hint)[0]
        return container(_one(kind, part, enum, at / number) for number, part in enumerate(sent))
    return _one(hint, sent, enum, at)


def _one(kind: Any, sent: Any, enum: Any, at: Place) -> Any:
    if enum is not None:
        return _member(kind, sent, enum, at)
    if is_dataclass(kind):
        assert isinstance(kind, type)  # noqa: S101 - narrows the type: hints name classes
        return kind(**_read(kind, sent, at))
    if date in get_args(kind):
        return _day(sent, at)
    return sent


def _member(kind: type[StrEnum], number: int, enum: Any, at: Place) -> StrEnum:
    known = enum.values_by_number.get(number)
    name = known.name.removeprefix(_prefix(enum)) if known else ""
    if name not in kind.__members__:
        known_names = (value.name.removeprefix(_prefix(enum)) for value in enum.values if value.number)
        raise at.refuse(f"say which: one of {', '.join(known_names)}")
    return kind[name]


def _day(sent: str, at: Place) -> date:
    try:
        return date.fromisoformat(sent)
    except ValueError:
        raise at.refuse("a day is written like 2026-03-01") from None


def _effect(message: Any, at: Place) -> Effect:
    chosen = message.WhichOneof("effect")
    for kind, name in EFFECTS.items():
        if name == chosen:
            effect: Effect = kind(**_read(kind, getattr(message, name), at / _camel(name)))
            return effect
    raise at.refuse(f"say what the rule gives: one of {', '.join(_camel(name) for name in EFFECTS.values())}")


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(part.title() for part in more)
