"""The brands and regions that a chain has saved, for what names them by their codes."""

from dataclasses import dataclass

from services.kit.errors import Kind, Problem
from services.members.domain.regions import NoRegionError


class NoBrandError(Problem):
    """There is no brand {brand} in this chain: save it first."""

    kind = Kind.NOT_FOUND
    code = "BRAND_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Named:
    """Codes. A chain that has saved no region at all uses whatever codes it likes, as all did once."""

    brands: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    def check_brand(self, brand: str, *, field: str) -> None:
        """Refuse the code of a brand that nobody saved; empty: none is named."""
        if brand and brand not in self.brands:
            raise NoBrandError(field=field, brand=brand)

    def check_region(self, region: str, *, field: str) -> None:
        """Refuse the code of a region that nobody saved, where any was."""
        if region and self.regions and region not in self.regions:
            raise NoRegionError(field=field, region=region)
