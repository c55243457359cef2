"""Where a store is: its address, and its position on the globe."""

import re
from dataclasses import dataclass
from math import asin, cos, isfinite, radians, sin, sqrt

from services.kit.errors import Kind, Problem

EARTH_RADIUS_M = 6_378_100.0
"""The one that MongoDB's index measures with, so that what it finds within a distance is that near."""

MAX_LINES = 4
MAX_TEXT_LENGTH = 200

_COUNTRY = re.compile(r"[A-Z]{2}")


class InvalidPlaceError(Problem):
    """The place is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_PLACE"


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it is written on a letter. `country` is ISO 3166-1 alpha-2."""

    lines: tuple[str, ...]
    city: str
    postal_code: str
    country: str


@dataclass(frozen=True, slots=True)
class Position:
    """Degrees: north and east are positive."""

    latitude: float
    longitude: float


def check_address(address: Address, *, path: str) -> None:
    """Refuse, with the field at fault below `path`, what no address can be."""
    if not 1 <= len(address.lines) <= MAX_LINES or not all(_is_text(line) and line.strip() for line in address.lines):
        raise InvalidPlaceError(
            field=f"{path}.lines", why=f"an address has 1 to {MAX_LINES} lines of up to {MAX_TEXT_LENGTH} characters"
        )
    if not _is_text(address.city) or not address.city.strip():
        raise InvalidPlaceError(field=f"{path}.city", why=f"a city has 1 to {MAX_TEXT_LENGTH} visible characters")
    if not _is_text(address.postal_code):
        raise InvalidPlaceError(field=f"{path}.postalCode", why="a postal code has visible characters, or none")
    if not _COUNTRY.fullmatch(address.country):
        raise InvalidPlaceError(field=f"{path}.country", why="a country is an ISO 3166-1 code of two letters, like CN")


def check_position(position: Position, *, path: str = "") -> None:
    """Refuse, with the field at fault below `path`, what lies nowhere."""
    for name, degrees, most in (("latitude", position.latitude, 90), ("longitude", position.longitude, 180)):
        if not isfinite(degrees) or abs(degrees) > most:
            field = f"{path}.{name}" if path else name
            raise InvalidPlaceError(field=field, why=f"a {name} is -{most} to {most} degrees")


def distance_m(one: Position, other: Position) -> float:
    """Return the way from one to the other over a round earth, in metres."""
    north, south = radians(one.latitude), radians(other.latitude)
    across = sin((south - north) / 2) ** 2
    along = sin(radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(across + cos(north) * cos(south) * along)))


def _is_text(text: str) -> bool:
    return len(text) <= MAX_TEXT_LENGTH and (text.isprintable() or not text)
