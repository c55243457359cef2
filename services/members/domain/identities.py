"""Identities: what a guest is known by, brought to one writing so that two writings of a phone are one."""

import hmac
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from services.kit.errors import Kind, Problem

MAX_VALUE_LENGTH = 254
"""Characters of any identity as it comes: what RFC 5321 leaves for an e-mail address."""

MAX_EXTERNAL_LENGTH = 128

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_PAYER = re.compile(r"[0-9a-f]{64}")
_PHONE_PUNCTUATION = re.compile(r"\(0\)|[\s().\-/]")  # "(0)" is the trunk digit in "+44 (0)20 …"
_BARE_MOBILES = {"86": re.compile(r"1[3-9][0-9]{9}")}
"""National mobile numbers that cannot be mistaken for anything else, by calling code."""


class IdentityKind(StrEnum):
    """What kind of thing the guest is known by."""

    PHONE = "phone"
    EMAIL = "email"
    EXTERNAL = "external"
    PAYER = "payer"


class InvalidIdentityError(Problem):
    """The identity is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_IDENTITY"


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity in its one writing: a phone as E.164, an e-mail in lower case, the chain's own id trimmed,
    a payment account as the hash that points makes of it."""

    kind: IdentityKind
    value: str


def identity(kind: IdentityKind, text: str, *, calling_code: str, field: str) -> Identity:
    """Return `text` as an identity.

    `calling_code` is the chain's country for phones written without one, empty where none is known.
    """
    if len(text) > MAX_VALUE_LENGTH:
        raise InvalidIdentityError(field=field, why=f"it has more than {MAX_VALUE_LENGTH} characters")
    match kind:
        case IdentityKind.PHONE:
            return Identity(kind, _phone(text, calling_code=calling_code, field=field))
        case IdentityKind.EMAIL:
            return Identity(kind, _email(text, field=field))
        case IdentityKind.EXTERNAL:
            return Identity(kind, _external(text, field=field))
        case IdentityKind.PAYER:
            return Identity(kind, _payer(text, field=field))


def _phone(text: str, *, calling_code: str, field: str) -> str:
    number = _PHONE_PUNCTUATION.sub("", _visible(text))
    if number.startswith("00"):
        number = "+" + number.removeprefix("00")
    bare = _BARE_MOBILES.get(calling_code)
    if bare is not None and bare.fullmatch(number):
        number = f"+{calling_code}{number}"
    if not _E164.fullmatch(number):
        raise InvalidIdentityError(field=field, why="write a phone number with its country, like +86 138 0013 8000")
    return number


def _email(text: str, *, field: str) -> str:
    address = _visible(text).strip().lower()
    if not _EMAIL.fullmatch(address) or not address.isprintable():
        raise InvalidIdentityError(field=field, why="write an e-mail address like li@example.com")
    return address


def _external(text: str, *, field: str) -> str:
    value = text.strip()
    if not 1 <= len(value) <= MAX_EXTERNAL_LENGTH or not value.isprintable():
        raise InvalidIdentityError(field=field, why=f"an external id has 1 to {MAX_EXTERNAL_LENGTH} visible characters")
    return value


def _payer(text: str, *, field: str) -> str:
    if not _PAYER.fullmatch(text):
        raise InvalidIdentityError(field=field, why="a payer is a keyed hash of 64 lower-case hex characters")
    return text


def _visible(text: str) -> str:
    """Return `text` with full-width signs made plain, without the marks that copying from a screen brings along."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")


def identity_hash(identity: Identity, *, key: bytes) -> bytes:
    """Return what stands for the identity everywhere but in the profile: HMAC-SHA256 under the chain's own key.

    A plain hash of a phone number is undone in minutes, by trying them all.
    """
    return hmac.digest(key, f"identity\0{identity.kind}\0{identity.value}".encode(), "sha256")


def masked(identity: Identity) -> Identity:
    """Return the identity as a till may show it: of a phone the last four digits, of others nothing."""
    shown = identity.value[-4:] if identity.kind is IdentityKind.PHONE else ""
    return Identity(identity.kind, f"***{shown}")
