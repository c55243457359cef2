from itertools import pairwise
from math import asin, cos, inf, radians, sin, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.insight.catchments import (
    Catchment,
    Overlap,
    catchment,
    common_ground,
    overlaps,
    white_spots,
)
from services.members.domain.insight.cells import EARTH_KM, Grid, Point, chord_of, km_of, on_sphere

GRID = Grid(1.0)
CENTRE = Point(31.23, 121.47)
DEGREE_KM = 111.195

points = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))


def haversine(one: Point, other: Point) -> float:
    north, east = radians(other.latitude - one.latitude), radians(other.longitude - one.longitude)
    chord = sin(north / 2) ** 2 + cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(east / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(min(1, chord)))


def away(north_km: float, east_km: float = 0.0) -> Point:
    east = east_km / DEGREE_KM / cos(radians(CENTRE.latitude))
    return Point(CENTRE.latitude + north_km / DEGREE_KM, CENTRE.longitude + east)


def near(north_km: float, east_km: float = 0.0) -> str:
    return GRID.cell(away(north_km, east_km))


@given(points, st.floats(0.2, 50))
def test_a_cells_middle_is_in_it_and_near_its_points(at: Point, cell_km: float) -> None:
    grid = Grid(cell_km)
    middle = grid.centre(grid.cell(at))
    assert grid.cell(middle) == grid.cell(at)
    # But where a row next to a pole has few columns, within about a cell's diagonal.
    assert haversine(at, middle) <= (0.75 if abs(at.latitude) < 85 else 3) * cell_km


def test_cells_are_about_as_large_everywhere() -> None:
    for latitude in (0.0, 31.2, 60.0, -45.0):
        middle = GRID.centre(GRID.cell(Point(latitude, 10.0)))
        row, column = GRID.cell(middle).split(":")
        beside = GRID.centre(f"{row}:{int(column) + 1}")
        above = GRID.centre(GRID.cell(Point(middle.latitude + 1 / DEGREE_KM, middle.longitude)))
        assert haversine(middle, beside) == pytest.approx(1, rel=0.01)
        assert (above.latitude - middle.latitude) * DEGREE_KM == pytest.approx(1, rel=0.01)


@given(points, points)
def test_distances_are_those_on_the_sphere(one: Point, other: Point) -> None:
    chord = np.linalg.norm(on_sphere([one]) - on_sphere([other]), axis=1)
    assert km_of(chord)[0] == pytest.approx(haversine(one, other), abs=0.01)


def test_km_and_chords_are_each_others_inverse() -> None:
    assert [km_of(np.array([chord_of(km)]))[0] for km in (0.0, 1.5, 9_000.0)] == pytest.approx([0, 1.5, 9_000])


def test_from_how_far_they_come() -> None:
    cells = {near(0): 5, near(3): 3, near(0, 10): 1, near(-30): 1}
    distances = sorted(haversine(CENTRE, GRID.centre(cell)) for cell in cells)
    found = catchment(CENTRE, cells, grid=GRID)
    assert found.members == 10
    assert found.radii_km == pytest.approx((distances[0], distances[1], distances[2]))
    assert found.mean_km == pytest.approx(sum(np.array(distances) * [5, 3, 1, 1]) / 10)
    assert catchment(CENTRE, cells, grid=GRID, shares=(1.0,)).radii_km == pytest.approx((distances[3],))


def test_of_few_nobody_is_told_where_they_live() -> None:
    assert catchment(CENTRE, {near(3): 4}, grid=GRID) == Catchment(4, None, None)
    assert catchment(CENTRE, {}, grid=GRID) == Catchment(0, None, None)


def test_overlaps() -> None:
    members = {"a": 100, "b": 50, "c": 10}
    shared = {("b", "a"): 30, ("c", "b"): 10, ("a", "c"): 0}
    cells = {"a": {"1:1": 4, "1:2": 2}, "b": {"1:2": 3, "1:3": 1}}
    assert overlaps(members, shared, cells=cells) == (
        Overlap("a", "b", 30, 0.25, 0.3, 0.6, 2 / 8),
        Overlap("b", "c", 10, 0.2, 0.2, 1.0, 0.0),
    )
    assert common_ground({}, {}) is None


def test_white_spots_are_where_most_have_no_store_near() -> None:
    # A town 20 km to the north in three cells, a village 40 km to the east, and some who have a store near.
    homes = {near(20): 40, near(21): 30, near(22): 35, near(0, 40): 50, near(1): 900, near(60): 4}
    found = white_spots(homes, {"s1": CENTRE, "s2": away(-200)}, grid=GRID, beyond_km=10, reach_km=1.5)
    assert [(one.cell, one.members, one.nearest) for one in found] == [(near(21), 105, "s1"), (near(0, 40), 50, "s1")]
    assert found[0].at == GRID.centre(near(21))
    assert found[0].nearest_km == pytest.approx(haversine(CENTRE, found[0].at))
    assert white_spots(homes, {"s1": CENTRE}, grid=GRID, beyond_km=10, reach_km=1.5, first=1) == found[:1]


def test_who_is_reached_by_one_spot_counts_for_no_other() -> None:
    row = [near(20, east) for east in range(6)]
    homes = dict(zip(row, (10, 10, 30, 10, 10, 9), strict=True))
    found = white_spots(homes, {}, grid=GRID, beyond_km=10, reach_km=1.3)
    assert sum(one.members for one in found) == 79
    assert [(one.cell, one.members) for one in found] == [
        (row[1], 50),
        (row[4], 29),
    ]  # not (row[2], 50), which is as good
    assert all(earlier.members >= later.members for earlier, later in pairwise(found))
    assert {(one.nearest, one.nearest_km) for one in found} == {(None, inf)}


@given(st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(5, 50), min_size=1))
def test_each_spot_reaches_most_of_who_is_left(places: dict[tuple[int, int], int]) -> None:
    homes = {near(north, east): members for (north, east), members in places.items()}
    left, wanted = dict(homes), []
    while True:
        gains = {
            cell: sum(left[one] for one in homes if haversine(GRID.centre(cell), GRID.centre(one)) <= 1.7)
            for cell in sorted(homes)
        }
        best = max(gains, key=lambda cell: gains[cell])  # the first of equal ones
        if not gains[best]:
            break
        wanted.append((best, gains[best]))
        left.update({one: 0 for one in homes if haversine(GRID.centre(best), GRID.centre(one)) <= 1.7})
    found = white_spots(homes, {}, grid=GRID, beyond_km=10, reach_km=1.7, first=30)
    assert [(one.cell, one.members) for one in found] == wanted


def test_where_all_have_a_store_near_there_is_no_spot() -> None:
    assert white_spots({near(1): 99}, {"s1": CENTRE}, grid=GRID, beyond_km=10, reach_km=2) == ()
    assert white_spots({near(1): 4}, {}, grid=GRID, beyond_km=10, reach_km=2) == ()
    assert white_spots({}, {"s1": CENTRE}, grid=GRID, beyond_km=10, reach_km=2) == ()
