"""A configuration as its canonical JSON: fields and codes in their order, and nothing that is empty."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from services.members.domain.brands import Brand
from services.members.domain.configuration.kinds import FORMAT, Held, Part
from services.members.domain.hours import Hours, Span, written
from services.members.domain.menu import MenuItem
from services.members.domain.partners import Partner
from services.members.domain.regions import Region
from services.members.domain.stores import Store

Described = Mapping[str, Any]
"""One thing as it stands in the document."""


def document_of(held: Held, *, currency: str) -> str:
    """Return the document."""
    parts = {part.value: [each[code] for code in sorted(each)] for part, each in described(held).items()}
    whole = {"format": FORMAT, "currency": currency, **parts}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE).decode()


def described(held: Held) -> dict[Part, dict[str, Described]]:
    """Return each thing as it stands in the document, by part and code."""
    return {
        Part.BRANDS: {one.code: _brand(one) for one in held.brands},
        Part.REGIONS: {one.code: _region(one) for one in held.regions},
        Part.PARTNERS: {one.code: _partner(one) for one in held.partners},
        Part.STORES: {one.code: _store(one) for one in held.stores},
        Part.MENU: {one.code: _item(one) for one in held.items},
    }


def _brand(brand: Brand) -> Described:
    return {"code": brand.code, "name": brand.name}


def _region(region: Region) -> Described:
    return _filled({"code": region.code, "name": region.name, "parent": region.parent})


def _partner(partner: Partner) -> Described:
    return {"code": partner.code, "name": partner.name, "state": partner.state.value}


def _store(store: Store) -> Described:
    address, position = store.address, store.position
    return _filled(
        {
            "code": store.code,
            "name": store.name,
            "timeZone": store.time_zone,
            "region": store.region,
            "brand": store.brand,
            "address": address
            and _filled(
                {
                    "lines": list(address.lines),
                    "city": address.city,
                    "postalCode": address.postal_code,
                    "country": address.country,
                }
            ),
            "position": position and {"latitude": position.latitude, "longitude": position.longitude},
            "hours": store.hours and _hours(store.hours),
            "closed": store.closed or None,
        }
    )


def _hours(hours: Hours) -> Described:
    return {
        "weekly": [_spans(spans) for spans in hours.weekly],
        "holidays": {day.isoformat(): _spans(spans) for day, spans in sorted(hours.holidays.items())},
    }


def _spans(spans: Sequence[Span]) -> list[list[str]]:
    return [[written(one.opens), written(one.closes)] for one in spans]


def _item(item: MenuItem) -> Described:
    return _filled(
        {
            "code": item.code,
            "name": item.name,
            "category": item.category,
            "priceMinor": item.price_minor,
            "costMinor": item.cost_minor,
            "onSale": None if item.on_sale else False,
            "brand": item.brand,
            "launchedOn": item.launched_on,
        }
    )


def _filled(fields: Described) -> Described:
    return {name: value for name, value in fields.items() if value is not None and value != ""}
