"""A member: who it is, and how it came."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.identities import Identity, IdentityKind, masked
from services.members.domain.visits import Visits

MAX_IDENTITIES = 20
MAX_NAME_LENGTH = 200

CLOCK_SLACK = timedelta(minutes=5)
"""How far a till's clock may run ahead of ours."""


class Channel(StrEnum):
    """How a member came."""

    APP = "app"
    WEB = "web"
    WECHAT = "wechat"
    POS = "pos"
    TABLE_QR = "table_qr"
    PARTNER = "partner"
    STAFF = "staff"
    IMPORT = "import"
    PAYMENT = "payment"


class InvalidMemberError(Problem):
    """The member is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_MEMBER"


class NoMemberError(Problem):
    """There is no member {member} in this chain."""

    kind = Kind.NOT_FOUND
    code = "MEMBER_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Profile:
    """The person behind a member. `name` may be empty."""

    name: str
    identities: tuple[Identity, ...]


@dataclass(frozen=True, slots=True)
class FirstPayment:
    """What made a payer a member. `kind` is what was paid with, like "wechat"."""

    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A member. `store` is where it was enrolled, empty when not in a store.

    A provisional one became a member by its `first_payment`, and has proved nothing yet.
    """

    id: str
    profile: Profile
    enrolled_at: datetime
    channel: Channel
    store: str
    visits: Visits = field(default_factory=Visits)
    provisional: bool = False
    first_payment: FirstPayment | None = None


def check_member(member: Member, *, now: datetime) -> None:
    """Refuse, with the field at fault, what no new member can be."""
    profile = member.profile
    if len(profile.name) > MAX_NAME_LENGTH or not profile.name.isprintable():
        raise InvalidMemberError(field="profile.name", why=f"a name has at most {MAX_NAME_LENGTH} visible characters")
    for number, identity in enumerate(profile.identities):
        if identity in profile.identities[:number]:
            raise InvalidMemberError(field=f"profile.identities.{number}", why="it has this identity twice")
    if member.enrolled_at > now + CLOCK_SLACK:
        raise InvalidMemberError(field="enrolledAt", why="the day it joined lies in the future")


def without_payers(member: Member) -> Member:
    """Return the member without its payment accounts, which even as hashes are nobody's to see."""
    identities = tuple(one for one in member.profile.identities if one.kind is not IdentityKind.PAYER)
    return replace(member, profile=replace(member.profile, identities=identities))


def with_masked_identities(member: Member) -> Member:
    """Return the member as those see it who serve guests but do not look after their data."""
    identities = tuple(masked(identity) for identity in member.profile.identities)
    return replace(member, profile=replace(member.profile, identities=identities))
