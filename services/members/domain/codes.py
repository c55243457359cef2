"""QR codes on tables, counters, doors and posters: each says in which store it hangs, and where there."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, is_code

CODE_BYTES = 12
"""96 random bits: nobody finds another by guessing, and the picture stays coarse enough for a bad camera."""


class InvalidQrCodeError(Problem):
    """The code's place is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_QR_CODE"


class NoQrCodeError(Problem):
    """There is no such code in this chain."""

    kind = Kind.NOT_FOUND
    code = "QR_CODE_NOT_FOUND"


class QrCodeWorthlessError(Problem):
    """This code was revoked, or its store is closed for good. Go on without it."""

    kind = Kind.REFUSED
    code = "QR_CODE_WORTHLESS"


class Spot(StrEnum):
    """What a code hangs on."""

    TABLE = "table"
    COUNTER = "counter"
    DOOR = "door"
    POSTER = "poster"


@dataclass(frozen=True, slots=True)
class Place:
    """A place within a store. `label` tells it from others of the kind, like "12" for a table; may be empty."""

    spot: Spot
    label: str = ""


@dataclass(frozen=True, slots=True)
class QrCode:
    """A code as it is now."""

    code: str
    store: str
    place: Place
    created_at: datetime
    revoked_at: datetime | None = None


def qr_code_of(randomness: bytes) -> str:
    """Return the code made of `CODE_BYTES` random bytes: 16 URL-safe characters."""
    return urlsafe_b64encode(randomness).decode()


def check_places(places: Sequence[Place]) -> None:
    """Refuse, with the field at fault, what no place can be. A table has a label; two codes may hang on one place."""
    for number, place in enumerate(places):
        path = f"places.{number}.label"
        if place.label and not is_code(place.label):
            raise InvalidQrCodeError(field=path, why=f"a label has at most {MAX_CODE_LENGTH} visible characters")
        if place.spot is Spot.TABLE and not place.label:
            raise InvalidQrCodeError(field=path, why="say which table it is")
