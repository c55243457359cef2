"""A program's terms between the graph and the proto, which mirror each other field by field."""

from dataclasses import fields
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from protos.points.v1 import programs_pb2 as pb
from services.kit.graph import Kind, Problem
from services.points.graph.balances import PointsCurrency, currency_of, word_of
from services.points.graph.program_terms import ProgramEffect, ProgramTerms, ProgramTermsInput


class OneEffectError(Problem):
    """A rule gives exactly one of {known}."""

    kind = Kind.INVALID
    code = "INVALID_PROGRAM"


def message_of(wish: ProgramTermsInput) -> pb.Program:
    """Return the terms that were sent. Raises `OneEffectError`."""
    message = pb.Program()
    _fill(message, wish, "program")
    return message


def terms_of(message: pb.Program) -> ProgramTerms:
    """Return the terms as they are shown."""
    shown: ProgramTerms = _shown(ProgramTerms, message)
    return shown


def _fill(message: Any, wish: Any, at: str) -> None:
    message.SetInParent()
    for one in fields(wish):
        value, path = getattr(wish, one.name), f"{at}.{_camel(one.name)}"
        if value is None:
            continue
        if one.name == "effect":
            _fill_effect(message, value, path)
        elif isinstance(value, list):
            sent = getattr(message, one.name)
            if one.name == "keeps":
                sent.SetInParent()
                sent = sent.needs
            _fill_all(sent, value, message.DESCRIPTOR.fields_by_name[one.name].enum_type, path)
        elif isinstance(value, PointsCurrency):
            message.currency = word_of(value)
        elif isinstance(value, str | int | Enum):
            setattr(message, one.name, _plain(value, message.DESCRIPTOR.fields_by_name[one.name].enum_type))
        else:
            _fill(getattr(message, one.name), value, path)


def _fill_all(sent: Any, values: list[Any], enum: Any, at: str) -> None:
    for number, value in enumerate(values):
        if isinstance(value, str | int | Enum):
            sent.append(_plain(value, enum))
        else:
            _fill(sent.add(), value, f"{at}.{number}")


def _fill_effect(rule: Any, effect: Any, at: str) -> None:
    given = [one.name for one in fields(effect) if getattr(effect, one.name) is not None]
    if len(given) != 1:
        raise OneEffectError(field=at, known=", ".join(_camel(one.name) for one in fields(effect)))
    _fill(getattr(rule, given[0]), getattr(effect, given[0]), f"{at}.{_camel(given[0])}")


def _plain(value: Any, enum: Any) -> Any:
    return enum.values_by_name[f"{_prefix(enum)}{value.name}"].number if enum is not None else value


def _prefix(enum: Any) -> str:
    return str(enum.values_by_number[0].name).removesuffix("UNSPECIFIED")


@lru_cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _shown(cls: Any, message: Any) -> Any:
    return cls(**{name: _part(hint, message, name) for name, hint in _hints(cls).items()})


def _part(hint: Any, message: Any, name: str) -> Any:
    if hint is ProgramEffect:
        chosen = message.WhichOneof("effect")
        return ProgramEffect(**{chosen: _part(_hints(ProgramEffect)[chosen], message, chosen)} if chosen else {})
    if hint is PointsCurrency:
        return currency_of(message.currency)
    descriptor, sent = message.DESCRIPTOR.fields_by_name[name], getattr(message, name)
    if NoneType in get_args(hint):
        if not (message.HasField(name) if descriptor.has_presence else sent):
            return None
        hint = get_args(hint)[0]
    if name == "keeps":
        sent = sent.needs
    if get_origin(hint) is list:
        kind = get_args(hint)[0]
        return [_one(kind, value, descriptor.enum_type) for value in sent]
    return _one(hint, sent, descriptor.enum_type)


def _one(kind: Any, sent: Any, enum: Any) -> Any:
    if enum is not None:
        return kind[enum.values_by_number[sent].name.removeprefix(_prefix(enum))]
    return sent if isinstance(sent, str | int) else _shown(kind, sent)


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(part.title() for part in more)
