"""A configuration read from its JSON. What is unknown is refused, with its place: a misspelt field is no empty one."""

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import orjson

from services.members.domain.brands import MAX_BRANDS, Brand, check_brands
from services.members.domain.configuration.kinds import FORMAT, Configuration, InvalidConfigurationError, Part
from services.members.domain.hours import Hours, Span, span
from services.members.domain.menu import MAX_ITEMS, WantedItem, check_items
from services.members.domain.partners import MAX_PARTNERS, Partner, PartnerState, check_partners
from services.members.domain.places import Address, Position
from services.members.domain.regions import MAX_REGIONS, Region, check_regions
from services.members.domain.stores import MAX_STORES, WantedStore, check_stores

T = TypeVar("T")

SPAN_ENDS = 2


class _Fields:
    """An object's fields, taken one by one; `end` refuses what is left."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise InvalidConfigurationError(field=path, why="here stands an object, with fields")
        self.path = path
        self._left: dict[str, Any] = dict(value)

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, kind: type[T], usual: T) -> T:
        """Return the field's value; `usual` where it is left out or null."""
        value = self._left.pop(name, None)
        if value is None:
            return usual
        # JSON tells no int from a float that is whole; Python takes a bool for an int.
        if kind is float and type(value) is int:
            return float(value)  # type: ignore[return-value]  # it is what T is
        if type(value) is not kind:
            raise InvalidConfigurationError(field=self.at(name), why=f"here stands {_NAMES[kind]}")
        return value

    def maybe(self, name: str, read: Callable[[Any, str], T]) -> T | None:
        """Return what `read` makes of the field's value and place; None where it is left out or null."""
        value = self._left.pop(name, None)
        return None if value is None else read(value, self.at(name))

    def end(self) -> None:
        if self._left:
            name = min(self._left)
            raise InvalidConfigurationError(field=self.at(name), why=f"{self.path or 'it'} has no field of this name")


_NAMES: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def configuration_of(document: str) -> Configuration:
    """Return what the document says, checked as far as it can be by itself."""
    try:
        value = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise InvalidConfigurationError(field="", why=f"it is no JSON: {error}") from error
    fields = _Fields(value, "")
    if (found := fields.take("format", int, 0)) != FORMAT:
        raise InvalidConfigurationError(field="format", why=f"this is format {FORMAT}, and the document's is {found}")
    read = Configuration(
        currency=fields.take("currency", str, ""),
        brands=fields.maybe(Part.BRANDS, _listed(_brand, MAX_BRANDS)),
        regions=fields.maybe(Part.REGIONS, _listed(_region, MAX_REGIONS)),
        partners=fields.maybe(Part.PARTNERS, _listed(_partner, MAX_PARTNERS)),
        stores=fields.maybe(Part.STORES, _listed(_store, MAX_STORES)),
        items=fields.maybe(Part.MENU, _listed(_item, MAX_ITEMS)),
    )
    fields.end()
    check_brands(read.brands or ())
    check_regions(read.regions or ())
    check_partners(read.partners or ())
    check_stores(read.stores or ())
    check_items(read.items or ())
    return read


def _listed(read: Callable[[_Fields], T], most: int) -> Callable[[Any, str], tuple[T, ...]]:
    def every(value: Any, path: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise InvalidConfigurationError(field=path, why="here stands a list")
        if len(value) > most:
            raise InvalidConfigurationError(field=path, why=f"a chain has at most {most} of them")
        return tuple(_one(read, each, f"{path}.{number}") for number, each in enumerate(value))

    return every


def _one(read: Callable[[_Fields], T], value: Any, path: str) -> T:
    fields = _Fields(value, path)
    made = read(fields)
    fields.end()
    return made


def _brand(fields: _Fields) -> Brand:
    return Brand(fields.take("code", str, ""), fields.take("name", str, ""))


def _region(fields: _Fields) -> Region:
    return Region(fields.take("code", str, ""), fields.take("name", str, ""), fields.take("parent", str, ""))


def _partner(fields: _Fields) -> Partner:
    state = fields.take("state", str, PartnerState.ACTIVE.value)
    if state not in {one.value for one in PartnerState}:
        raise InvalidConfigurationError(field=fields.at("state"), why="a partner is active or paused")
    return Partner(fields.take("code", str, ""), fields.take("name", str, ""), PartnerState(state))


def _store(fields: _Fields) -> WantedStore:
    return WantedStore(
        code=fields.take("code", str, ""),
        name=fields.take("name", str, ""),
        time_zone=fields.take("timeZone", str, ""),
        region=fields.take("region", str, ""),
        brand=fields.take("brand", str, ""),
        address=fields.maybe("address", lambda value, path: _one(_address, value, path)),
        position=fields.maybe("position", lambda value, path: _one(_position, value, path)),
        hours=fields.maybe("hours", lambda value, path: _one(_hours, value, path)),
        closed=fields.take("closed", bool, usual=False),
    )


def _address(fields: _Fields) -> Address:
    lines = fields.take("lines", list, [])
    if not all(isinstance(line, str) for line in lines):
        raise InvalidConfigurationError(field=fields.at("lines"), why="here stand texts")
    city, postal_code = fields.take("city", str, ""), fields.take("postalCode", str, "")
    return Address(tuple(lines), city, postal_code, fields.take("country", str, ""))


def _position(fields: _Fields) -> Position:
    nowhere = float("nan")  # which `check_position` refuses, with the field's name
    return Position(fields.take("latitude", float, nowhere), fields.take("longitude", float, nowhere))


def _hours(fields: _Fields) -> Hours:
    weekly = fields.take("weekly", list, [])
    holidays = {}
    for day, spans in fields.take("holidays", dict, {}).items():
        at = f"{fields.at('holidays')}.{day}"
        try:
            holidays[date.fromisoformat(day)] = _spans(spans, at)
        except ValueError as error:
            raise InvalidConfigurationError(field=at, why='a day is like "2026-03-01"') from error
    return Hours(tuple(_spans(day, f"{fields.at('weekly')}.{number}") for number, day in enumerate(weekly)), holidays)


def _spans(value: Any, path: str) -> tuple[Span, ...]:
    if not isinstance(value, list):
        raise InvalidConfigurationError(field=path, why='here stands a list of spans, like [["11:00", "22:30"]]')
    return tuple(_span(each, f"{path}.{number}") for number, each in enumerate(value))


def _span(value: Any, path: str) -> Span:
    if not isinstance(value, list) or len(value) != SPAN_ENDS or not all(isinstance(end, str) for end in value):
        raise InvalidConfigurationError(field=path, why='a span is like ["11:00", "22:30"]')
    return span(*value, path=path)


def _item(fields: _Fields) -> WantedItem:
    if (price := fields.take("priceMinor", int, -1)) < 0:
        raise InvalidConfigurationError(field=fields.at("priceMinor"), why="here stands a price, 0 or more")
    return WantedItem(
        code=fields.take("code", str, ""),
        name=fields.take("name", str, ""),
        category=fields.take("category", str, ""),
        price_minor=price,
        launched_on=fields.take("launchedOn", str, ""),
        cost_minor=fields.maybe("costMinor", _whole),
        on_sale=fields.take("onSale", bool, usual=True),
        brand=fields.take("brand", str, ""),
    )


def _whole(value: Any, path: str) -> int:
    if type(value) is not int:
        raise InvalidConfigurationError(field=path, why=f"here stands {_NAMES[int]}")
    return value
