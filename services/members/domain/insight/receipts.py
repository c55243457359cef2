"""Receipts, as far as a visit history needs them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

HOURS = 24
WEEKDAYS = 7


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened by the store's clock: the day's ordinal (`date.toordinal`) and the hour, 0 to 23."""

    day: int
    hour: int

    @property
    def weekday(self) -> int:
        """Monday is 0."""
        return date.fromordinal(self.day).weekday()


@dataclass(frozen=True, slots=True)
class Receipt:
    """One purchase as it stands, less what of it was given back.

    `spend_minor` is what was paid and kept, in the chain's currency; a purchase in another one is a visit that spent 0.
    `profit_minor` is None where the cost is not known. `items`: quantities kept, by the chain's own code. Empty texts
    and a `party` of 0 are not known.
    """

    at: Moment
    spend_minor: int
    profit_minor: int | None = None
    store: str = ""
    channel: str = ""
    payment: str = ""
    party: int = 0
    on_offer: bool = False
    items: Mapping[str, int] = field(default_factory=dict)


def moment(at: datetime, *, zone: ZoneInfo, day_begins_hour: int = 0) -> Moment:
    """Return the store's day and hour. Where the night belongs to the day before, a day begins later than at 0."""
    local = at.astimezone(zone)
    business_day = local.replace(tzinfo=None) - timedelta(hours=day_begins_hour)
    return Moment(business_day.date().toordinal(), local.hour)
