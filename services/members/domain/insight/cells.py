"""Cells of the map: a grid in which members are counted instead of being pointed at.

Rows are of equal height in latitude, and each row is parted into so many columns that its cells are about as wide as
high: areas differ by a few per cent, but for the rows next to the poles. A cell is known by "row:column" of its grid.
"""

from dataclasses import dataclass
from math import cos, floor, pi, radians

import numpy as np

from services.members.domain.insight.purchase_rows import Floats

EARTH_KM = 6_371.0088
"""The mean radius (IUGG)."""

DEGREE_KM = 2 * pi * EARTH_KM / 360


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees (WGS 84): latitude -90 to 90, longitude -180 to 180."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid whose cells are about `cell_km` wide and high."""

    cell_km: float = 1.0

    def cell(self, at: Point) -> str:
        """Return the cell that a point lies in."""
        rows = self._rows()
        row = min(rows - 1, floor((at.latitude + 90) / 180 * rows))
        columns = self._columns(row)
        return f"{row}:{floor((at.longitude + 180) / 360 * columns) % columns}"

    def centre(self, cell: str) -> Point:
        """Return the middle of a cell."""
        row, column = (int(part) for part in cell.split(":"))
        return Point(self._latitude(row), (column + 0.5) / self._columns(row) * 360 - 180)

    def _rows(self) -> int:
        return max(1, round(180 * DEGREE_KM / self.cell_km))

    def _latitude(self, row: int) -> float:
        return (row + 0.5) / self._rows() * 180 - 90

    def _columns(self, row: int) -> int:
        return max(1, round(360 * DEGREE_KM * cos(radians(self._latitude(row))) / self.cell_km))


def on_sphere(points: list[Point]) -> Floats:
    """Return unit vectors (n, 3): what is near on the earth is near there, over poles and the date line too."""
    latitude = np.radians([one.latitude for one in points])
    longitude = np.radians([one.longitude for one in points])
    return np.column_stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )


def chord_of(km: float) -> float:
    """Return how far apart unit vectors are whose points lie so many km apart on the earth's surface."""
    return float(2 * np.sin(min(km / (2 * EARTH_KM), pi / 2)))


def km_of(chords: Floats) -> Floats:
    """Return the same the other way round."""
    return np.asarray(2 * EARTH_KM * np.arcsin(np.clip(chords / 2, 0, 1)))
