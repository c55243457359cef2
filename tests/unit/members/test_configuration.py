import json
from typing import Any

import pytest

from services.kit.errors import Problem
from services.members.domain.brands import Brand
from services.members.domain.chains import Chain
from services.members.domain.configuration.comparing import Count, Difference, Line, counts, differences, result_of
from services.members.domain.configuration.kinds import Held, Part
from services.members.domain.configuration.reading import configuration_of
from services.members.domain.configuration.writing import document_of
from services.members.domain.hours import Hours, Span
from services.members.domain.menu import MenuItem
from services.members.domain.partners import Partner, PartnerState
from services.members.domain.places import Address, Position
from services.members.domain.regions import Region
from services.members.domain.stores import Store

CHAIN = Chain("chn_1", "Noodles", "CNY", "Asia/Shanghai", sandbox=False, identity_key=b"k" * 32)
STORE = Store(
    id="sto_1",
    code="b",
    name="Bund",
    time_zone="Asia/Shanghai",
    currency="CNY",
    version=3,
    region="s",
    brand="a",
    address=Address(("1 Bund",), "Shanghai", "200000", "CN"),
    position=Position(31.24, 121.49),
    hours=Hours(((Span(660, 120),), *((),) * 6)),
    closed=True,
)
HELD = Held(
    brands=(Brand("a", "Alpha", 1),),
    regions=(Region("e", "East", "", 1), Region("s", "Shanghai", "e", 1)),
    partners=(Partner("air", "Air", PartnerState.PAUSED, 1),),
    stores=(STORE,),
    items=(MenuItem("t", "Tea", "", 500, 2, "", 120, on_sale=False, in_stock=False, brand="a"),),
)
ALL = tuple(Part)


def compared(document: dict[str, Any], held: Held) -> tuple[list[Line], list[Count]]:
    wanted = configuration_of(json.dumps({"format": 1, "currency": "CNY", **document}))
    lines = differences(wanted, held, result_of(wanted, held, chain=CHAIN), parts=ALL)
    return lines, counts(wanted, lines, parts=ALL)


def test_what_was_written_is_what_is_read() -> None:
    document = document_of(HELD, currency="CNY")
    assert json.loads(document)["stores"] == [
        {
            "address": {"city": "Shanghai", "country": "CN", "lines": ["1 Bund"], "postalCode": "200000"},
            "brand": "a",
            "closed": True,
            "code": "b",
            "hours": {"holidays": {}, "weekly": [[["11:00", "02:00"]], [], [], [], [], [], []]},
            "name": "Bund",
            "position": {"latitude": 31.24, "longitude": 121.49},
            "region": "s",
            "timeZone": "Asia/Shanghai",
        }
    ]
    lines, counted = compared(json.loads(document), HELD)
    assert lines == []
    assert [(one.part, one.unchanged) for one in counted] == [
        (Part.BRANDS, 1),
        (Part.REGIONS, 2),
        (Part.PARTNERS, 1),
        (Part.STORES, 1),
        (Part.MENU, 1),
    ]
    empty = configuration_of(document)
    made = result_of(empty, Held(), chain=CHAIN)
    assert document_of(made, currency="CNY") == document


def test_what_would_change_is_told_field_by_field() -> None:
    store = {"code": "b", "name": "Bund", "brand": "a", "address": {"lines": ["1 Bund"], "city": "SH", "country": "CN"}}
    lines, counted = compared({"stores": [store, {"code": "p", "name": "Park"}], "menu": []}, HELD)
    changes = {line.field: (line.before, line.after) for line in lines if line.difference is Difference.CHANGED}
    assert changes == {
        "address.city": ('"Shanghai"', '"SH"'),
        "address.postalCode": ('"200000"', ""),
        "closed": ("true", ""),
        "hours": ('{"weekly":[[["11:00","02:00"]],[],[],[],[],[],[]],"holidays":{}}', ""),
        "position": ('{"latitude":31.24,"longitude":121.49}', ""),
        "region": ('"s"', ""),
    }
    assert [line for line in lines if line.difference is not Difference.CHANGED] == [
        Line(Part.STORES, "p", Difference.ADDED),
        Line(Part.MENU, "t", Difference.ONLY_IN_CHAIN),
    ]
    assert counted == [
        Count(Part.STORES, added=1, changed=1, unchanged=0, only_in_chain=0),
        Count(Part.MENU, added=0, changed=0, unchanged=0, only_in_chain=1),
    ]


@pytest.mark.parametrize(
    ("document", "code", "field"),
    [
        ({"format": 2}, "INVALID_CONFIGURATION", "format"),
        ({"currency": "EUR"}, "OTHER_CURRENCY", "currency"),
        ({"colour": "red"}, "INVALID_CONFIGURATION", "colour"),
        ({"brands": {}}, "INVALID_CONFIGURATION", "brands"),
        ({"brands": ["a"]}, "INVALID_CONFIGURATION", "brands.0"),
        ({"brands": [{"code": 1}]}, "INVALID_CONFIGURATION", "brands.0.code"),
        ({"brands": [{"code": "a", "name": ""}]}, "INVALID", "brands.0.name"),
        ({"regions": [{"code": "e", "name": "E", "parent": "s"}]}, "REGION_CYCLE", "regions.0.parent"),
        ({"partners": [{"code": "a", "name": "A", "state": "gone"}]}, "INVALID_CONFIGURATION", "partners.0.state"),
        ({"stores": [{"code": "b", "name": "B", "brnad": "a"}]}, "INVALID_CONFIGURATION", "stores.0.brnad"),
        ({"stores": [{"code": "b", "name": "B", "brand": "x"}]}, "BRAND_NOT_FOUND", "stores.0.brand"),
        ({"stores": [{"code": "p", "name": "P", "region": "x"}]}, "REGION_NOT_FOUND", "stores.0.region"),
        ({"stores": [{"code": "b", "name": "B", "closed": 1}]}, "INVALID_CONFIGURATION", "stores.0.closed"),
        ({"stores": [{"code": "b", "name": "B", "position": {}}]}, "INVALID_PLACE", "stores.0.position.latitude"),
        ({"stores": [{"code": "b", "name": "B", "hours": {}}]}, "INVALID_HOURS", "stores.0.hours.weekly"),
        (
            {"stores": [{"code": "b", "name": "B", "hours": {"weekly": [[["9", "10:00"]]]}}]},
            "INVALID_HOURS",
            "stores.0.hours.weekly.0.0",
        ),
        ({"menu": [{"code": "t", "name": "T"}]}, "INVALID_CONFIGURATION", "menu.0.priceMinor"),
        ({"menu": [{"code": "t", "name": "T", "priceMinor": True}]}, "INVALID_CONFIGURATION", "menu.0.priceMinor"),
        (
            {"menu": [{"code": "t", "name": "T", "priceMinor": 1, "costMinor": "1"}]},
            "INVALID_CONFIGURATION",
            "menu.0.costMinor",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(document: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(Problem) as refused:
        compared(document, HELD)
    assert (refused.value.code, refused.value.field) == (code, field)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(Problem) as refused:
        configuration_of("{")
    assert (refused.value.code, refused.value.field) == ("INVALID_CONFIGURATION", "")
