"""Profiles: the person behind a member. All of it is personal, and sealed before it is kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from services.kit.errors import Kind, Problem
from services.members.domain.identities import Identity

MAX_IDENTITIES = 20
MAX_NAME_LENGTH = 200
MAX_TEXT_LENGTH = 500
MAX_PREFERENCES = 50

FIRST_BIRTH_YEAR = 1900

_MONTH_AND_DAY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_COUNTRY = re.compile(r"[A-Z]{2}")

Attribute = str | int | float | bool | tuple[str, ...]
"""The value of an attribute of the chain's own: a number, a text, a day as text, yes and no, or codes of choices."""


class Gender(StrEnum):
    """As the person says. Empty: nobody asked."""

    UNKNOWN = ""
    FEMALE = "female"
    MALE = "male"
    OTHER = "other"


class PreferenceKind(StrEnum):
    """What a preference or a special need is about."""

    TASTE = "taste"
    ALLERGY = "allergy"
    DIET = "diet"
    SEAT = "seat"
    ACCESS = "access"
    OTHER = "other"


class InvalidMemberError(Problem):
    """The member is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_MEMBER"


@dataclass(frozen=True, slots=True)
class Preference:
    """What the guest likes, needs, or must not have, in words that the staff reads."""

    kind: PreferenceKind
    text: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where letters and deliveries go. All of it may be empty; `country` is ISO 3166-1 alpha-2."""

    lines: str = ""
    city: str = ""
    postal_code: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """The person behind a member; everything may be empty.

    `name` is how the member wants to be called. `birthday` is "1990-05-17", or "05-17" of somebody who does not say
    the year. `language` is a BCP 47 tag. `attributes` are the chain's own, by their code.
    """

    name: str = ""
    identities: tuple[Identity, ...] = ()
    given_name: str = ""
    family_name: str = ""
    birthday: str = ""
    gender: Gender = Gender.UNKNOWN
    language: str = ""
    address: Address = field(default_factory=Address)
    preferences: tuple[Preference, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def short_name(self) -> str:
        """How a till greets: the given name, or what of the name is not the family's.

        A name written in one word, as Chinese ones are, is shown by its first sign only.
        """
        if self.given_name:
            return self.given_name
        first, _, rest = self.name.strip().partition(" ")
        if rest or first.isascii() or len(first) <= 1:
            return first
        return first[0] + "*" * (len(first) - 1)


def check_profile(profile: Profile, *, today: date) -> None:
    """Refuse, with the field at fault, what no person can be."""
    for name, text in (
        ("name", profile.name),
        ("givenName", profile.given_name),
        ("familyName", profile.family_name),
        ("address.city", profile.address.city),
        ("address.postalCode", profile.address.postal_code),
    ):
        if len(text) > MAX_NAME_LENGTH or not text.isprintable():
            raise _invalid(name, f"it has at most {MAX_NAME_LENGTH} visible characters")
    if len(profile.identities) > MAX_IDENTITIES:
        raise _invalid("identities", f"it may have at most {MAX_IDENTITIES} identities")
    for number, identity in enumerate(profile.identities):
        if identity in profile.identities[:number]:
            raise _invalid(f"identities.{number}", "it has this identity twice")
    if profile.birthday and not _is_birthday(profile.birthday, today=today):
        raise _invalid("birthday", 'a birthday is a day that has been, like "1990-05-17", or "05-17" without the year')
    if profile.language and not _LANGUAGE.fullmatch(profile.language):
        raise _invalid("language", "a language is a BCP 47 tag like zh-Hans-CN or en")
    if profile.address.country and not _COUNTRY.fullmatch(profile.address.country):
        raise _invalid("address.country", "a country has two capitals as in ISO 3166-1, like CN")
    if len(profile.address.lines) > MAX_TEXT_LENGTH:
        raise _invalid("address.lines", f"an address has at most {MAX_TEXT_LENGTH} characters")
    _check_preferences(profile.preferences)


def _check_preferences(preferences: tuple[Preference, ...]) -> None:
    if len(preferences) > MAX_PREFERENCES:
        raise _invalid("preferences", f"there may be at most {MAX_PREFERENCES}")
    for number, one in enumerate(preferences):
        if not 1 <= len(one.text.strip()) <= MAX_TEXT_LENGTH:
            raise _invalid(f"preferences.{number}.text", f"it has 1 to {MAX_TEXT_LENGTH} characters")


def _is_birthday(text: str, *, today: date) -> bool:
    if _MONTH_AND_DAY.fullmatch(text):
        text = f"2000-{text}"  # a leap year: whoever was born on 29 February was
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return day.isoformat() == text and day.year >= FIRST_BIRTH_YEAR and day <= today


def _invalid(where: str, why: str) -> InvalidMemberError:
    return InvalidMemberError(field=f"profile.{where}", why=why)
