"""Catchments: from how far the members of a store come, which stores share them, and where many live far from any.

Everything is counted by cell of a grid (members' homes, or where they order to), so distances are those of the cells'
middles, and no cell with fewer than `least` members is told: nobody can be found again in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from services.members.domain.insight.cells import Grid, Point, chord_of, km_of, on_sphere
from services.members.domain.insight.purchase_rows import Floats

LEAST_MEMBERS = 5
SHARES = (0.5, 0.8, 0.9)
MOST_SPOTS = 100

Cells = Mapping[str, int]
"""Members counted by the cell that they live in; a member in one cell."""


@dataclass(frozen=True, slots=True)
class Catchment:
    """Where a store's `members` come from. `radii_km`: the smallest within which each of the shares lives
    (50, 80 and 90 %). Both None with fewer than five members."""

    members: int
    mean_km: float | None
    radii_km: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two stores and the members whom both have. `jaccard`: of the members of either, who goes to both; `share_of_one`
    and `share_of_other`: of its own. `ground`: how much of the ground of either is the other's too (Ruzicka: the
    smaller counts by the larger, cell by cell); None where no cells are known."""

    one: str
    other: str
    shared: int
    jaccard: float
    share_of_one: float
    share_of_other: float
    ground: float | None


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for a store: `members` who live within reach of the middle of `cell` and have no store near, whom no spot
    before it reaches. `nearest` store; None and infinitely far where there is none."""

    cell: str
    at: Point
    members: int
    nearest: str | None
    nearest_km: float


def catchment(
    store: Point, cells: Cells, *, grid: Grid, shares: Sequence[float] = SHARES, least: int = LEAST_MEMBERS
) -> Catchment:
    """Return from how far those who live in `cells`, or come from there so often, come to the store, in km."""
    names, counts = _names(cells, least=1), _counted(cells, least=1)
    members = int(counts.sum())
    if members < least:
        return Catchment(members, None, None)
    away = km_of(np.linalg.norm(on_sphere([grid.centre(one) for one in names]) - on_sphere([store]), axis=1))
    order = np.argsort(away, kind="stable")
    reached = np.cumsum(counts[order])
    places = [min(int(np.searchsorted(reached, round(share * members, 6))), len(order) - 1) for share in shares]
    return Catchment(members, float((away * counts).sum() / members), tuple(float(away[order[one]]) for one in places))


def overlaps(
    members: Mapping[str, int], shared: Mapping[tuple[str, str], int], *, cells: Mapping[str, Cells]
) -> tuple[Overlap, ...]:
    """Return how far stores overlap, those with the highest Jaccard index first, then by name.

    `members` by store; `shared` by two stores, in either order but once; `cells` by store.
    """
    found = []
    for (first, second), both in shared.items():
        one, other = sorted((first, second))
        if both > 0:
            either = members[one] + members[other] - both
            ground = common_ground(cells.get(one, {}), cells.get(other, {}))
            found.append(Overlap(one, other, both, both / either, both / members[one], both / members[other], ground))
    return tuple(sorted(found, key=lambda each: (-each.jaccard, each.one, each.other)))


def common_ground(one: Cells, other: Cells) -> float | None:
    """Return the sum of the smaller counts by that of the larger, over all cells (weighted Jaccard)."""
    larger = sum(max(one.get(cell, 0), other.get(cell, 0)) for cell in {*one, *other})
    return sum(min(count, other.get(cell, 0)) for cell, count in one.items()) / larger if larger else None


def white_spots(
    homes: Cells,
    stores: Mapping[str, Point],
    *,
    grid: Grid,
    beyond_km: float,
    reach_km: float,
    first: int = 10,
    least: int = LEAST_MEMBERS,
) -> tuple[Spot, ...]:
    """Return up to `first` places from which most members without a store within `beyond_km` could be reached.

    The next place is always the one that reaches most of those not reached yet (of equal ones the cell that sorts
    first): a maximal covering (R. Church, C. ReVelle, Papers of the Regional Science Association 32 (1974), 101-118),
    where that is never below 63 % of the best choice (G. L. Nemhauser, L. A. Wolsey, M. L. Fisher, Mathematical
    Programming 14 (1978), 265-294).
    """
    names, counts = _names(homes, least), _counted(homes, least)
    centres = [grid.centre(one) for one in names]
    nearest, away = _nearest(centres, stores)
    far = np.flatnonzero(away > beyond_km)
    if not len(far):
        return ()
    left = counts[far].astype(np.float64)
    tree = KDTree(on_sphere([centres[place] for place in far]))
    reached = [np.array(some) for some in tree.query_ball_point(tree.data, chord_of(reach_km))]
    gains = np.array([left[some].sum() for some in reached])
    spots: list[Spot] = []
    while len(spots) < min(first, MOST_SPOTS) and gains.max() >= least:
        best = int(np.argmax(gains))
        place = int(far[best])
        spots.append(Spot(names[place], centres[place], round(gains[best]), nearest[place], float(away[place])))
        # Who is reached now counts for no other place any more.
        for cell in reached[best]:
            gains[reached[cell]] -= left[cell]
            left[cell] = 0.0
    return tuple(spots)


def _names(cells: Cells, least: int) -> list[str]:
    return sorted(cell for cell, members in cells.items() if members >= least)


def _counted(cells: Cells, least: int) -> Floats:
    return np.array([cells[cell] for cell in _names(cells, least)], dtype=np.float64)


def _nearest(points: list[Point], stores: Mapping[str, Point]) -> tuple[list[str | None], Floats]:
    """Return for each point the nearest store and how far it is, in km."""
    if not stores or not points:
        return [None] * len(points), np.full(len(points), np.inf)
    names = sorted(stores)
    found = KDTree(on_sphere([stores[name] for name in names])).query(on_sphere(points))
    return [names[place] for place in np.asarray(found[1]).tolist()], km_of(np.asarray(found[0]))
