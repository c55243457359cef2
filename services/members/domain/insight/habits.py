"""Habits: what a guest is like, read from its visit history."""

from dataclasses import dataclass

from services.members.domain.insight.history import Counting, History

SHOWN = 5
"""Favourites that are told of each kind."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Money in minor units. None: there is nothing to tell it from."""

    recency_days: int | None
    frequency: int
    spend_minor: int
    average_ticket_minor: float | None
    average_profit_minor: float | None
    profit_share: float | None
    mean_party: float | None
    on_offer_share: float | None
    on_offer_spend_share: float | None
    visits_without_purchase: int
    favourite_items: tuple[str, ...]
    favourite_hours: tuple[int, ...]
    favourite_weekdays: tuple[int, ...]
    favourite_stores: tuple[str, ...]
    favourite_channels: tuple[str, ...]
    favourite_payments: tuple[str, ...]


def habits_of(history: History, *, today: int, counting: Counting = Counting.DAYS) -> Habits:
    """Read them; `today` is the day's ordinal in the chain's zone.

    A ticket is a purchase, however visits are counted. Profit is averaged over the purchases whose cost is known, and
    `profit_share` is it by their spend.
    """
    sums, liked = history.sums, history.favourites
    return Habits(
        recency_days=history.recency_days(today),
        frequency=history.frequency(counting),
        spend_minor=sums.spend_minor,
        average_ticket_minor=_by(sums.spend_minor, sums.purchases),
        average_profit_minor=_by(sums.profit_minor, sums.costed_purchases),
        profit_share=_by(sums.profit_minor, sums.costed_spend_minor),
        mean_party=_by(sums.guests, sums.parties),
        on_offer_share=_by(sums.on_offer, sums.purchases),
        on_offer_spend_share=_by(sums.on_offer_minor, sums.spend_minor),
        visits_without_purchase=history.visits_without_purchase,
        favourite_items=_keys(liked.items.favourites(SHOWN)),
        favourite_hours=tuple(int(key) for key in _keys(liked.hours.favourites(SHOWN))),
        favourite_weekdays=tuple(int(key) for key in _keys(liked.weekdays.favourites(SHOWN))),
        favourite_stores=_keys(liked.stores.favourites(SHOWN)),
        favourite_channels=_keys(liked.channels.favourites(SHOWN)),
        favourite_payments=_keys(liked.payments.favourites(SHOWN)),
    )


def _by(amount: int, count: int) -> float | None:
    return amount / count if count > 0 else None


def _keys(favourites: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    return tuple(key for key, _ in favourites)
