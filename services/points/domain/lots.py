"""Lots: the parcels that points come in, each with its own expiry; what is spent is taken from the nearest expiry."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.points.domain.calendar import NO_SPAN, Span, day_of, ends

NEVER = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lot:
    """What one grant left: `free` can be spent (or is pending until `pending_until`), `held` is set aside by holds."""

    id: str
    currency: str
    free: int
    granted_at: datetime
    expires_at: datetime | None = None  # from this moment on it is no longer there
    pending_until: datetime | None = None  # None: available; NEVER: until an action is told
    policy_version: int = 0  # of the program that granted it
    source: str = ""  # what granted it: a purchase, an adjustment …
    held: int = 0
    lapsed: int = 0  # what of it expired unused
    idle: Span = NO_SPAN  # it lapses as well after so long without activity
    reminded_for: datetime | None = None  # the member was told that it lapses then

    @property
    def is_open(self) -> bool:
        """Tell whether anything is left of it."""
        return bool(self.free or self.held)

    def lapses_at(self, active_at: datetime | None, zone: str) -> datetime | None:
        """Return when what is free of it goes, if the member's last activity was at `active_at`; None: never."""
        if not self.idle or active_at is None:
            return self.expires_at
        idle_until = ends(self.idle.after(day_of(active_at, zone)), zone)
        return idle_until if self.expires_at is None else min(idle_until, self.expires_at)


@dataclass(frozen=True, slots=True)
class LotChange:
    """What a posting does to one lot."""

    lot: str
    free: int = 0
    held: int = 0


def lot_id(source: str, currency: str) -> str:
    """Return the id of the lot that `source` grants in `currency`; it keeps it when it moves to another account."""
    return f"{source}/{currency}"


def nearest_expiry(lot: Lot) -> tuple[datetime, datetime, str]:
    """Return the order in which lots are consumed."""
    return (lot.expires_at or NEVER, lot.granted_at, lot.id)


def take(lots: Iterable[Lot], amount: int) -> tuple[tuple[str, int], ...]:
    """Return from which of `lots` (in their order) how much is taken to make `amount`, or all there is."""
    parts: list[tuple[str, int]] = []
    for lot in lots:
        if amount == 0:
            break
        if part := min(lot.free, amount):
            parts.append((lot.id, part))
            amount -= part
    return tuple(parts)


def spendable(lots: Iterable[Lot], currency: str) -> list[Lot]:
    """Return those that can be spent, the nearest expiry first."""
    return sorted(
        (lot for lot in lots if lot.currency == currency and lot.free and lot.pending_until is None),
        key=nearest_expiry,
    )


def pending(lots: Iterable[Lot], currency: str) -> list[Lot]:
    """Return those that are not available yet, the nearest expiry first."""
    return sorted(
        (lot for lot in lots if lot.currency == currency and lot.free and lot.pending_until is not None),
        key=nearest_expiry,
    )
