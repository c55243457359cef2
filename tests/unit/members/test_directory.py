import pytest

from services.kit.errors import Problem
from services.members.domain.brands import MAX_BRANDS, Brand, check_brands, save_brands
from services.members.domain.coded import TooManyCodedError
from services.members.domain.codes import InvalidQrCodeError, Place, Spot, check_places, qr_code_of
from services.members.domain.menu import MenuItem, TooManyExceptionsError, WantedItem, save_items, with_stock
from services.members.domain.named import Named, NoBrandError
from services.members.domain.places import (
    Address,
    InvalidPlaceError,
    Position,
    check_address,
    check_position,
    distance_m,
)
from services.members.domain.regions import NoRegionError, Region, RegionCycleError, save_regions

TEA = MenuItem("t", "Tea", "", 500, 3)


def test_a_change_makes_a_version_and_the_same_again_makes_none() -> None:
    known = {"a": Brand("a", "Alpha", 4)}
    saved = save_brands([Brand("a", "Alpha"), Brand("b", "Beta")], known)
    assert (saved.all, saved.changed) == ((known["a"], Brand("b", "Beta", 1)), (Brand("b", "Beta", 1),))
    assert save_brands([Brand("a", "Aleph")], known).changed == (Brand("a", "Aleph", 5),)


def test_a_chain_has_so_many_brands_at_most() -> None:
    known = {str(number): Brand(str(number), "x", 1) for number in range(MAX_BRANDS)}
    save_brands([Brand("0", "new name")], known)
    with pytest.raises(TooManyCodedError):
        save_brands([Brand("new", "x")], known)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ([Brand(" a", "A")], "brands.0.code"),
        ([Brand("a", "A"), Brand("a", "B")], "brands.1.code"),
        ([Brand("a", "")], "brands.0.name"),
    ],
)
def test_what_is_no_brand_is_refused(wanted: list[Brand], field: str) -> None:
    with pytest.raises(Problem) as refused:
        check_brands(wanted)
    assert (refused.value.code, refused.value.field) == ("INVALID", field)


def test_a_region_may_lie_in_one_of_the_same_call() -> None:
    saved = save_regions([Region("pudong", "Pudong", "shanghai"), Region("shanghai", "Shanghai", "east")], EAST)
    assert [one.version for one in saved.changed] == [1, 1]


EAST = {"east": Region("east", "East", "", 1)}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ([Region("east", "East", "east")], "regions.0.parent"),
        ([Region("a", "A", "b"), Region("b", "B", "a")], "regions.0.parent"),
        ([Region("a", "A", "east"), Region("east", "East", "a")], "regions.0.parent"),
    ],
)
def test_no_region_lies_within_itself(wanted: list[Region], field: str) -> None:
    with pytest.raises(RegionCycleError) as refused:
        save_regions(wanted, EAST)
    assert refused.value.field == field


def test_a_region_lies_in_one_that_there_is() -> None:
    with pytest.raises(NoRegionError) as refused:
        save_regions([Region("a", "A", "west")], EAST)
    assert refused.value.field == "regions.0.parent"


def test_codes_of_regions_are_free_until_one_is_saved() -> None:
    Named().check_region("anything", field="f")
    named = Named(brands=frozenset({"a"}), regions=frozenset({"east"}))
    named.check_region("east", field="f")
    named.check_region("", field="f")
    named.check_brand("a", field="f")
    with pytest.raises(NoRegionError):
        named.check_region("anything", field="f")
    with pytest.raises(NoBrandError):
        Named().check_brand("a", field="f")


def test_how_far_two_places_are_apart() -> None:
    bund, people_square = Position(31.2400, 121.4900), Position(31.2304, 121.4737)
    assert round(distance_m(bund, people_square)) == 1_884
    assert distance_m(bund, bund) == 0
    assert round(distance_m(Position(0, 0), Position(0, 180))) == 20_037_392


@pytest.mark.parametrize(
    ("position", "field"),
    [
        (Position(90.1, 0), "p.latitude"),
        (Position(0, -180.1), "p.longitude"),
        (Position(float("nan"), 0), "p.latitude"),
    ],
)
def test_what_lies_nowhere(position: Position, field: str) -> None:
    with pytest.raises(InvalidPlaceError) as refused:
        check_position(position, path="p")
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (Address((), "Shanghai", "", "CN"), "a.lines"),
        (Address((" ",), "Shanghai", "", "CN"), "a.lines"),
        (Address(("1 Bund",), "", "", "CN"), "a.city"),
        (Address(("1 Bund",), "Shanghai", "\n", "CN"), "a.postalCode"),
        (Address(("1 Bund",), "Shanghai", "200000", "China"), "a.country"),
    ],
)
def test_what_is_no_address(address: Address, field: str) -> None:
    with pytest.raises(InvalidPlaceError) as refused:
        check_address(address, path="a")
    assert refused.value.field == field


def test_a_store_says_what_it_has_run_out_of() -> None:
    out = with_stock(TEA, store="sto_2", in_stock=False)
    assert (out.in_stock, out.stock_exceptions, out.version) == (True, ("sto_2",), 4)
    assert (out.in_stock_at("sto_1"), out.in_stock_at("sto_2")) == (True, False)
    assert with_stock(out, store="sto_2", in_stock=False) == out
    assert with_stock(out, store="sto_1", in_stock=False).stock_exceptions == ("sto_1", "sto_2")
    assert with_stock(out, store="sto_2", in_stock=True).stock_exceptions == ()
    nowhere = with_stock(out, store="", in_stock=False)
    assert (nowhere.in_stock, nowhere.stock_exceptions, nowhere.version) == (False, (), 5)
    assert with_stock(nowhere, store="sto_3", in_stock=True).in_stock_at("sto_3") is True


def test_so_many_stores_are_an_exception_at_most() -> None:
    item = MenuItem("t", "Tea", "", 500, 3, stock_exceptions=tuple(f"sto_{number:03}" for number in range(500)))
    with pytest.raises(TooManyExceptionsError):
        with_stock(item, store="sto_new", in_stock=False)


def test_what_is_not_said_of_an_item_stays() -> None:
    known = {"t": MenuItem("t", "Tea", "", 500, 3, "", 120, False, False, ("sto_1",), "a")}  # noqa: FBT003 - a row
    named = Named(brands=frozenset({"a"}))
    assert save_items([WantedItem("t", "Tea", "", 500)], known=known, count=1, named=named).changed == ()
    [gone] = save_items(
        [WantedItem("t", "Tea", "", 500, cost_minor=None, brand="")], known=known, count=1, named=named
    ).items
    assert (gone.cost_minor, gone.brand, gone.in_stock, gone.stock_exceptions) == (None, "", False, ("sto_1",))
    [back] = save_items([WantedItem("t", "Tea", "", 500, in_stock=True)], known=known, count=1, named=named).items
    assert (back.in_stock, back.stock_exceptions, back.version) == (True, (), 4)


def test_a_code_is_16_characters() -> None:
    assert qr_code_of(b"\xff" * 12) == "_" * 16


@pytest.mark.parametrize("place", [Place(Spot.TABLE), Place(Spot.DOOR, " x"), Place(Spot.POSTER, "x" * 65)])
def test_where_no_code_hangs(place: Place) -> None:
    check_places([Place(Spot.DOOR), Place(Spot.TABLE, "12")])
    with pytest.raises(InvalidQrCodeError) as refused:
        check_places([Place(Spot.DOOR), place])
    assert refused.value.field == "places.1.label"
