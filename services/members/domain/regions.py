"""Regions: what a chain's stores lie in, each within at most one other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.kit.errors import Kind, Problem
from services.members.domain.coded import Saved, check_coded, save_coded

MAX_REGIONS = 2_000
"""Regions of one chain, cities and districts included."""


class NoRegionError(Problem):
    """There is no region {region} in this chain: save it first."""

    kind = Kind.NOT_FOUND
    code = "REGION_NOT_FOUND"


class RegionCycleError(Problem):
    """The region {region} would lie within itself."""

    kind = Kind.INVALID
    code = "REGION_CYCLE"


@dataclass(frozen=True, slots=True)
class Region:
    """A region as it is now. `parent` is the code of the region that it lies in, empty: none."""

    code: str
    name: str
    parent: str = ""
    version: int = 0

    def at(self, version: int) -> "Region":
        """Return it with that version."""
        return replace(self, version=version)


def check_regions(wanted: Sequence[Region]) -> None:
    """Refuse, with the field at fault, what no region can be, and a code that is given twice."""
    check_coded(wanted, things="regions")


def save_regions(wanted: Sequence[Region], known: Mapping[str, Region]) -> Saved[Region]:
    """Fold `wanted` over `known`, all regions of the chain. A parent may stand in the same call, before or after."""
    saved = save_coded(wanted, known=known, things="regions", most=MAX_REGIONS)
    parents = {one.code: one.parent for one in (*known.values(), *saved.all)}
    for number, region in enumerate(saved.all):
        path = f"regions.{number}.parent"
        if region.parent and region.parent not in parents:
            raise NoRegionError(field=path, region=region.parent)
        if region.code in _above(region.code, parents):
            raise RegionCycleError(field=path, region=region.code)
    return saved


def _above(code: str, parents: Mapping[str, str]) -> set[str]:
    """Return the codes of all regions that this one lies in, itself too where it does."""
    above: set[str] = set()
    while (code := parents.get(code, "")) and code not in above:
        above.add(code)
    return above
