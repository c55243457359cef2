"""Consents: what a member agrees to, for each channel and purpose. What was said is kept; the latest of it holds."""

import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.identities import IdentityKind
from services.members.domain.members import CLOCK_SLACK

MAX_TEXT_VERSION_LENGTH = 64
MAC_BYTES = 32


class ContactChannel(StrEnum):
    """By what a member is reached."""

    SMS = "sms"
    EMAIL = "email"
    PUSH = "push"
    WECHAT = "wechat"
    PHONE = "phone"
    POST = "post"


REACHED_BY: Mapping[ContactChannel, IdentityKind] = {
    ContactChannel.SMS: IdentityKind.PHONE,
    ContactChannel.EMAIL: IdentityKind.EMAIL,
    ContactChannel.PUSH: IdentityKind.DEVICE,
    ContactChannel.WECHAT: IdentityKind.WECHAT_OPENID,
    ContactChannel.PHONE: IdentityKind.PHONE,
}
"""Letters go to the address."""


class Purpose(StrEnum):
    """For what a member is reached, or its data used."""

    MARKETING = "marketing"
    PROFILING = "profiling"
    SERVICE = "service"
    PARTNER_SHARING = "partner_sharing"


class ConsentSource(StrEnum):
    """How the chain came to know."""

    APP = "app"
    TILL = "till"
    STAFF = "staff"
    IMPORT = "import"
    LINK = "link"
    COMPLAINT = "complaint"


class InvalidConsentError(Problem):
    """The consent is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_CONSENT"


class UnsubscribeTokenError(Problem):
    """This link to unsubscribe is not whole. Open it from the message once more."""

    kind = Kind.INVALID
    code = "UNSUBSCRIBE_TOKEN"


Topic = tuple[ContactChannel, Purpose]
"""What somebody agrees to."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One thing that one member said, under the id that it had then. `id` grows with the time of recording."""

    id: str
    member: str
    channel: ContactChannel
    purpose: Purpose
    granted: bool
    at: datetime
    text_version: str
    source: ConsentSource
    recorded_by: str
    recorded_at: datetime

    @property
    def topic(self) -> Topic:
        """What it is about."""
        return self.channel, self.purpose


def check_consent(consent: Consent, *, now: datetime, field: str) -> None:
    """Refuse, with the field at fault, what nobody can have said."""
    if consent.at > now + CLOCK_SLACK:
        raise InvalidConsentError(field=f"{field}.at", why="it lies in the future")
    if len(consent.text_version) > MAX_TEXT_VERSION_LENGTH or not consent.text_version.isprintable():
        why = f"a version of a text has at most {MAX_TEXT_VERSION_LENGTH} visible characters"
        raise InvalidConsentError(field=f"{field}.textVersion", why=why)


def latest(said: Iterable[Consent]) -> dict[Topic, Consent]:
    """Return what holds of all that one person said: the latest, and at the same time whatever takes back."""
    holds: dict[Topic, Consent] = {}
    for one in said:
        known = holds.get(one.topic)
        if known is None or _rank(one) > _rank(known):
            holds[one.topic] = one
    return holds


def changed(before: Mapping[Topic, Consent], after: Mapping[Topic, Consent]) -> list[Consent]:
    """Return what holds `after` and did not `before`; where nothing is said any more, it counts as taken back.

    Never to have said anything and to have taken it back come to the same.
    """
    return [one for topic, one in sorted(after.items()) if one.granted != (topic in before and before[topic].granted)]


def lapsed(before: Mapping[Topic, Consent], after: Mapping[Topic, Consent]) -> list[Topic]:
    """Return what was granted `before` and of which nothing is known `after`."""
    return sorted(topic for topic, one in before.items() if one.granted and topic not in after)


def unsubscribe_token(chain: str, member: str, topic: Topic, *, key: bytes) -> str:
    """Return what lets whoever has it take back one consent: the words, and their HMAC-SHA256 under the chain's key."""
    said = "\0".join((chain, member, *topic)).encode()
    return urlsafe_b64encode(_mac(said, key) + said).decode().rstrip("=")


def token_words(token: str) -> tuple[str, str, Topic]:
    """Return chain, member and topic that a token claims; whether that is true, `check_token` tells."""
    try:
        said = _decoded(token)[MAC_BYTES:].decode()
        chain, member, channel, purpose = said.split("\0")
        return chain, member, (ContactChannel(channel), Purpose(purpose))
    except ValueError:
        raise UnsubscribeTokenError(field="token") from None


def check_token(token: str, *, key: bytes) -> None:
    """Refuse a token that was not made under this key."""
    opened = _decoded(token)
    if not hmac.compare_digest(opened[:MAC_BYTES], _mac(opened[MAC_BYTES:], key)):
        raise UnsubscribeTokenError(field="token")


def _rank(one: Consent) -> tuple[datetime, bool]:
    return one.at, not one.granted


def _mac(said: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"unsubscribe\0" + said, "sha256")


def _decoded(token: str) -> bytes:
    return b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
