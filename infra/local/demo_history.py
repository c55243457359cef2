"""Some months of the demo chain's guests, made up from a seed: the same seed and day give the same history.

Guests come in rhythms of their own, at lunch or for dinner, mostly to one store, and order what they like; some have
stopped coming, some have just begun.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from infra.local.demo_chain import COMPLAINTS, GIVEN_NAMES, MENU, PRAISE, STORES, SURNAMES, TIME_ZONE, Dish

SEED = 20_260_301
MEMBERS = 300
DAYS = 180
CONTENT_FROM = 7
"""The lowest score of a guest who has nothing to complain about."""
HERO = 0
"""The number of the member whom the printed query shows: a regular with a complaint."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a kind of guest comes: usual days between visits, and when the first and the last visit may be."""

    gap_days: float
    first_day: tuple[int, int]
    last_day: int
    share: int


RHYTHMS = (
    Rhythm(gap_days=7, first_day=(0, 40), last_day=DAYS, share=20),
    Rhythm(gap_days=15, first_day=(0, 80), last_day=DAYS, share=30),
    Rhythm(gap_days=31, first_day=(0, 110), last_day=DAYS, share=30),
    Rhythm(gap_days=12, first_day=(0, 30), last_day=100, share=10),  # they stopped coming
    Rhythm(gap_days=9, first_day=(145, DAYS - 1), last_day=DAYS, share=10),  # they have just begun
)


LUNCH = 12 * 60 + 25, 35
DINNER = 18 * 60 + 50, 45
"""Minute of the day around which guests pay, and its standard deviation."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A member of the demo chain."""

    number: int
    name: str
    phone: str
    store: str  # the usual one's code
    channel: str
    enrolled_at: datetime


Lines = tuple[tuple[Dish, int, int], ...]
"""Dish, quantity, discount in fen for the line."""


Visit = tuple[datetime, int, str, Lines]
"""When a guest paid, the guest's number, the store's code, and what was bought."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one guest bought at one time."""

    guest: int
    store: str
    number: str
    paid_at: datetime
    lines: Lines


@dataclass(frozen=True, slots=True)
class Answer:
    """What a guest said when asked."""

    guest: int
    store: str
    score: int
    comment: str


@dataclass(frozen=True, slots=True)
class History:
    """All of it; receipts in the order of time."""

    guests: tuple[Guest, ...]
    receipts: tuple[Receipt, ...]
    answers: tuple[Answer, ...]


def history(today: date, *, members: int = MEMBERS) -> History:
    """Return the `DAYS` days before `today`."""
    chance = random.Random(SEED)  # noqa: S311 - a story, not a secret
    begin = today - timedelta(days=DAYS)
    guests: list[Guest] = []
    visits: list[Visit] = []
    for number in range(members):
        rhythm = RHYTHMS[0] if number == HERO else chance.choices(RHYTHMS, [each.share for each in RHYTHMS])[0]
        home = chance.choice(list(STORES))
        favourites = _favourites(chance)
        times = list(_times(chance, rhythm, begin))
        for paid_at in times:
            store = home if _happens(chance, percent=85) else chance.choice(list(STORES))
            visits.append((paid_at, number, store, _lines(chance, favourites)))
        guests.append(_guest(chance, number, home, enrolled_at=times[0] - timedelta(minutes=chance.randint(2, 25))))
    visits.sort()
    return History(tuple(guests), tuple(_numbered(visits)), tuple(_answers(chance, guests)))


def _guest(chance: random.Random, number: int, home: str, *, enrolled_at: datetime) -> Guest:
    return Guest(
        number=number,
        name="林晓雯" if number == HERO else chance.choice(SURNAMES) + chance.choice(GIVEN_NAMES),
        phone=f"+86138000{number:05}",
        store=home,
        channel=chance.choices(("TABLE_QR", "POS", "WECHAT", "APP"), (4, 3, 2, 1))[0],
        enrolled_at=enrolled_at,
    )


def _times(chance: random.Random, rhythm: Rhythm, begin: date) -> Iterator[datetime]:
    """Yield when a guest pays: at least once, never twice a day."""
    day = float(chance.randint(*rhythm.first_day))
    while True:
        minute = chance.gauss(*LUNCH) if _happens(chance, percent=60) else chance.gauss(*DINNER)
        moment = datetime.combine(begin + timedelta(days=int(day)), time(), ZoneInfo(TIME_ZONE))
        yield (moment + timedelta(minutes=int(minute), seconds=chance.randint(0, 59))).astimezone(UTC)
        # Gamma: mostly near the usual gap, now and then a long one.
        day = int(day) + max(1.0, chance.gammavariate(6, rhythm.gap_days / 6))
        if day >= rhythm.last_day:
            return


def _happens(chance: random.Random, *, percent: int) -> bool:
    return chance.random() * 100 < percent


def _favourites(chance: random.Random) -> list[Dish]:
    """Return two bowls of noodles and three things beside them."""
    noodles = [dish for dish in MENU if dish.category == "noodles"]
    others = [dish for dish in MENU if dish.category != "noodles"]
    return [
        *chance.choices(noodles, [dish.liked for dish in noodles], k=2),
        *chance.choices(others, [dish.liked for dish in others], k=3),
    ]


def _lines(chance: random.Random, favourites: list[Dish]) -> Lines:
    people = chance.choices((1, 2, 3, 4), (60, 28, 8, 4))[0]
    first, second, *beside = favourites
    noodles = first if _happens(chance, percent=70) else second
    order = {noodles: people}
    for dish in beside:
        if _happens(chance, percent=40):
            order[dish] = order.get(dish, 0) + chance.randint(1, people)
    percent_off = 10 if _happens(chance, percent=8) else 0
    # Discounts are whole yuan.
    return tuple(
        (dish, quantity, dish.price_minor * quantity * percent_off // 10_000 * 100) for dish, quantity in order.items()
    )


def _numbered(visits: list[Visit]) -> Iterator[Receipt]:
    """Give receipts the numbers that a till prints: they count from 1 every day."""
    printed: dict[tuple[str, date], int] = {}
    for paid_at, guest, store, lines in visits:
        day = paid_at.astimezone(ZoneInfo(TIME_ZONE)).date()
        printed[store, day] = printed.get((store, day), 0) + 1
        yield Receipt(guest, store, f"{store}-{day:%y%m%d}-{printed[store, day]:04}", paid_at, lines)


def _answers(chance: random.Random, guests: list[Guest]) -> Iterator[Answer]:
    """Let one guest in five answer; most are content, and the hero is not."""
    for guest in guests:
        if guest.number == HERO:
            yield Answer(guest.number, guest.store, 3, COMPLAINTS[0])
        elif _happens(chance, percent=20):
            score = chance.choices((10, 9, 8, 7, 6, 4, 2), (30, 25, 18, 12, 7, 5, 3))[0]
            yield Answer(
                guest.number, guest.store, score, chance.choice(PRAISE if score >= CONTENT_FROM else COMPLAINTS)
            )
