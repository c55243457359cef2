"""Members' cards: a code that changes each minute, made by the member's app without a net, checked here once.

A code is "HT", the card's number, and 8 digits of TOTP (RFC 6238) with HMAC-SHA-256 over the minutes since 1970. A
copy of it (a photo, a screenshot) is good for about two minutes, and for nothing at any other store.
"""

import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

STEP = timedelta(minutes=1)
DIGITS = 8
SECRET_BYTES = 32
"""As long as the hash (RFC 4226, section 4, R6: at least 128 bits)."""

NUMBER_DIGITS = 12
PREFIX = "HT"

OFFLINE_FOR = timedelta(days=7)
"""How long an app may make codes with one secret before it must have asked again."""

RENEWED_AT = OFFLINE_FOR / 2
"""With less than this left, who asks gets a new secret, so that each answer is good for at least that long."""

OLDEST_SCAN = timedelta(hours=72)
"""For a till that was offline over a long weekend."""

CLOCK_SLACK = timedelta(minutes=5)
"""How far a till's clock may run ahead of ours."""

STEPS_ASIDE = (0, -1, 1)
"""RFC 6238, section 5.2: for clocks that differ, and for whoever holds up the phone at the turn of a minute."""

USES_KEPT = timedelta(hours=80)
"""Longer than any code can be scanned late."""

MOST_WRONG = 20
WRONG_WITHIN = timedelta(minutes=10)
LOCKED_FOR = timedelta(minutes=10)
"""A dozen of 10^8 codes may be good at a moment, so 21 guesses in 10 minutes find one in eight years on average."""

_CODE = re.compile(rf"{PREFIX}([0-9]{{{NUMBER_DIGITS}}})([0-9]{{{DIGITS}}})", re.IGNORECASE)


class Outcome(StrEnum):
    """What a scanned code turned out to be."""

    GOOD = "good"
    NO_CODE = "no_code"  # misread, or something else altogether
    NO_CARD = "no_card"  # never made, or replaced
    WRONG = "wrong"
    ELSEWHERE = "elsewhere"  # used at another store
    NOT_NOW = "not_now"  # scanned too long ago, or in the future
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Secret:
    """What codes are made with from `made_at` until `until`."""

    key: bytes = field(repr=False)
    made_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Card:
    """A member's card. `secrets` are those that codes may still come from, the newest first.

    `wrong_at` are the latest moments (`MOST_WRONG` + 1 at most) at which a wrong code was shown.
    """

    number: str
    secrets: tuple[Secret, ...]
    wrong_at: tuple[datetime, ...] = ()
    locked_until: datetime | None = None

    @property
    def current(self) -> Secret:
        """The secret to hand out."""
        return self.secrets[0]


@dataclass(frozen=True, slots=True)
class Scan:
    """A code as a till scanned it, when and where."""

    code: str
    at: datetime
    store: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a scan. `number` is the card's, empty unless the code is good."""

    outcome: Outcome
    number: str = ""


Use = tuple[str, int]
"""A card's number, and the step whose code was used."""


@dataclass(frozen=True, slots=True)
class Checks:
    """Each scan's outcome, in their order; the cards that changed by them, and where codes were used first."""

    outcomes: tuple[Checked, ...]
    changed: Mapping[str, Card]
    used: Mapping[Use, str]


def number_from(randomness: bytes) -> str:
    """Return a card's number made of 8 random bytes: 11 digits and Luhn's."""
    digits = f"{int.from_bytes(randomness) % 10 ** (NUMBER_DIGITS - 1):0{NUMBER_DIGITS - 1}}"
    return digits + luhn_digit(digits)


def luhn_digit(digits: str) -> str:
    """Return the check digit after `digits` (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, sign in enumerate(reversed(digits)):
        value = int(sign) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the sum of two digits
    return str(-total % 10)


def code_of(number: str, key: bytes, at: datetime) -> str:
    """Return what the app shows at this moment."""
    return f"{PREFIX}{number}{totp(key, step_of(at))}"


def step_of(at: datetime) -> int:
    """Return how many whole steps lie between 1970 and this moment."""
    return int(at.timestamp() // STEP.total_seconds())


def totp(key: bytes, step: int) -> str:
    """Return the digits of a step (RFC 6238, section 4.2; truncation as in RFC 4226, section 5.3)."""
    hashed = hmac.digest(key, step.to_bytes(8), "sha256")
    offset = hashed[-1] & 0x0F
    number = int.from_bytes(hashed[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def new_card(number: str, key: bytes, *, now: datetime) -> Card:
    """Return a card with its first secret."""
    return Card(number, (Secret(key, now, now + OFFLINE_FOR),))


def handed_out(card: Card, *, new_key: bytes, now: datetime) -> Card:
    """Return the card as it is handed out: with a new secret when the one it has ends soon.

    The earlier ones stay as long as a late till may send codes of them: an app that is offline goes on with its own.
    """
    if card.current.until - now > RENEWED_AT:
        return card
    kept = tuple(one for one in card.secrets if now - one.until <= OLDEST_SCAN + STEP)
    return replace(card, secrets=(Secret(new_key, now, now + OFFLINE_FOR), *kept))


def number_in(code: str) -> str:
    """Return the number of the card whose code this may be, empty when it is nobody's."""
    read = _read(code)
    return "" if read is None else read[0]


def check_scans(scans: Sequence[Scan], cards: Mapping[str, Card], used: Mapping[Use, str], *, now: datetime) -> Checks:
    """Fold `scans` in their order over the cards and over where their codes were used, each at the store or elsewhere.

    `used` names at least the steps of `steps_of`.
    """
    known, stores = dict(cards), dict(used)
    outcomes = []
    for scan in scans:
        number, digits = _read(scan.code) or ("", "")
        card = known.get(number)
        outcome = Outcome.NO_CARD if number else Outcome.NO_CODE
        if card is not None:
            outcome = _check(scan, digits, card, stores, now)
            if outcome is Outcome.WRONG:
                known[number] = _after_a_wrong_one(card, now)
        outcomes.append(Checked(outcome, number if outcome is Outcome.GOOD else ""))
    return Checks(
        tuple(outcomes),
        {number: card for number, card in known.items() if card != cards[number]},
        {use: store for use, store in stores.items() if use not in used},
    )


def steps_of(scan: Scan) -> Collection[int]:
    """Return the steps that the scan's code may be of."""
    return [step_of(scan.at) + aside for aside in STEPS_ASIDE]


def _check(scan: Scan, digits: str, card: Card, stores: dict[Use, str], now: datetime) -> Outcome:
    if card.locked_until is not None and now < card.locked_until:
        return Outcome.LOCKED
    if not now - OLDEST_SCAN <= scan.at <= now + CLOCK_SLACK:
        return Outcome.NOT_NOW
    step = _step_shown(scan, digits, card)
    if step is None:
        return Outcome.WRONG
    store = stores.setdefault((card.number, step), scan.store)
    return Outcome.GOOD if store == scan.store else Outcome.ELSEWHERE


def _step_shown(scan: Scan, digits: str, card: Card) -> int | None:
    for secret in card.secrets:
        if not secret.made_at - STEP <= scan.at <= secret.until + STEP:
            continue
        for step in steps_of(scan):
            if hmac.compare_digest(totp(secret.key, step), digits):
                return step
    return None


def _after_a_wrong_one(card: Card, now: datetime) -> Card:
    wrong = (*card.wrong_at, now)[-(MOST_WRONG + 1) :]
    if len(wrong) > MOST_WRONG and now - wrong[0] <= WRONG_WITHIN:
        return replace(card, wrong_at=(), locked_until=now + LOCKED_FOR)
    return replace(card, wrong_at=wrong)


def _read(code: str) -> tuple[str, str] | None:
    found = _CODE.fullmatch(code.strip())
    if found is None or luhn_digit(found[1][:-1]) != found[1][-1]:
        return None
    return found[1], found[2]
