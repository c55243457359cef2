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
MAX_ACCOUNT_LENGTH = 128

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_PAYER = re.compile(r"[0-9a-f]{64}")
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-.:/]{3,127}")
_CARD = re.compile(r"[0-9A-Z]{4,32}")
_PHONE_PUNCTUATION = re.compile(r"\(0\)|[\s().\-/]")  # "(0)" is the trunk digit in "+44 (0)20 …"
_BARE_MOBILES = {"86": re.compile(r"1[3-9][0-9]{9}")}
"""National mobile numbers that cannot be mistaken for anything else, by calling code."""


class IdentityKind(StrEnum):
    """What kind of thing the guest is known by."""

    PHONE = "phone"
    EMAIL = "email"
    EXTERNAL = "external"
    PAYER = "payer"
    WECHAT_OPENID = "wechat_openid"
    WECHAT_UNIONID = "wechat_unionid"
    ALIPAY = "alipay"
    CARD = "card"
    DEVICE = "device"


PROVING = frozenset(
    {
        IdentityKind.PHONE,
        IdentityKind.EMAIL,
        IdentityKind.WECHAT_OPENID,
        IdentityKind.WECHAT_UNIONID,
        IdentityKind.ALIPAY,
    }
)
"""What somebody can show to be theirs, so that who has become a member by paying is one for good."""


class InvalidIdentityError(Problem):
    """The identity is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_IDENTITY"


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity in its one writing: a phone as E.164, an e-mail in lower case, a card in capitals without spaces,
    the chain's own id trimmed, a payment account as the hash that points makes of it. WeChat's and Alipay's ids and a
    device's are taken as they come: an openid is the app's own, so several apps write "APPID/OPENID"."""

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
        case IdentityKind.CARD:
            return Identity(kind, _card(text, field=field))
        case IdentityKind.WECHAT_OPENID | IdentityKind.WECHAT_UNIONID | IdentityKind.ALIPAY | IdentityKind.DEVICE:
            return Identity(kind, _account(text, field=field))


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


def _card(text: str, *, field: str) -> str:
    number = _PHONE_PUNCTUATION.sub("", _visible(text)).upper()
    if not _CARD.fullmatch(number):
        raise InvalidIdentityError(field=field, why="a card's number has 4 to 32 letters and digits")
    return number


def _account(text: str, *, field: str) -> str:
    value = text.strip()
    if not _ACCOUNT.fullmatch(value):
        why = f"such an id has 4 to {MAX_ACCOUNT_LENGTH} letters, digits and signs of _-.:/"
        raise InvalidIdentityError(field=field, why=why)
    return value


def payer_hash(payment_kind: str, account: str, *, chain: str, key: bytes) -> str:
    """Return what points calls a payment account: HMAC-SHA256 (hex) under the platform's `key`.

    The same as points makes of the payer on a receipt, so that an app that knows whom it let pay can say so here.
    """
    return hmac.digest(key, f"{chain}\0payer:{payment_kind}\0{account}".encode(), "sha256").hex()


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
