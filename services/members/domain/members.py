"""A member: who it is, how it came, and what became of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.profiles import InvalidMemberError, Profile, check_profile
from services.members.domain.visits import Visits

MAX_ABSORBED = 50
"""Members that may have become one: far more than one person leaves behind, few enough to ask for at once."""

MAX_SOURCE_LENGTH = 200
MAX_TAGS = 100
MAX_TAG_LENGTH = 64

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
    BOOKING = "booking"
    EVENT = "event"
    OPINION_LEADER = "opinion_leader"


class NoMemberError(Problem):
    """There is no member {member} in this chain."""

    kind = Kind.NOT_FOUND
    code = "MEMBER_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Source:
    """Who or what brought a member; each empty where it does not apply.

    `store` and `staff` are ids of the chain's, `campaign` and `link` what the app or site was opened with, `referrer`
    the member who recommended the chain, `partner` the partner's or opinion leader's code.
    """

    store: str = ""
    staff: str = ""
    campaign: str = ""
    referrer: str = ""
    partner: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class FirstPayment:
    """What made a payer a member. `kind` is what was paid with, like "wechat"."""

    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A member. A provisional one became a member by its `first_payment`, and has proved nothing yet.

    One that was merged into another is there for its id only, and for the day on which that is undone. One that was
    erased has neither profile nor identities, for ever.
    """

    id: str
    profile: Profile
    enrolled_at: datetime
    channel: Channel
    source: Source = field(default_factory=Source)
    visits: Visits = field(default_factory=Visits)
    provisional: bool = False
    first_payment: FirstPayment | None = None
    tags: tuple[str, ...] = ()
    open_attributes: frozenset[str] = frozenset()  # codes of those attributes that are not personal
    merged_into: str = ""  # the member who took this one over
    merge: str = ""  # by which merge
    absorbed: tuple[str, ...] = ()  # those whom this one took over, and those whom they had
    steps: int = 0  # how many merges, one after the other, lie at most between one of those and this one
    erased_at: datetime | None = None
    version: int = 1  # grows by one with every change to what is said here, visits apart

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids under which something may be known of this member, its own first."""
        return (self.id, *self.absorbed)


def check_tags(tags: tuple[str, ...]) -> None:
    """Refuse what no tags can be: many, twice the same, or one that people cannot read."""
    if len(tags) > MAX_TAGS or len(set(tags)) < len(tags):
        raise InvalidMemberError(field="tags", why=f"a member has at most {MAX_TAGS} tags, each once")
    for number, tag in enumerate(tags):
        if not 1 <= len(tag) <= MAX_TAG_LENGTH or not tag.isprintable() or tag != tag.strip():
            raise InvalidMemberError(field=f"tags.{number}", why=f"a tag has 1 to {MAX_TAG_LENGTH} visible characters")


def check_member(member: Member, *, now: datetime) -> None:
    """Refuse, with the field at fault, what no new member can be."""
    check_profile(member.profile, today=now.date())
    check_tags(member.tags)
    if member.enrolled_at > now + CLOCK_SLACK:
        raise InvalidMemberError(field="enrolledAt", why="the day it joined lies in the future")
    for name in ("campaign", "partner", "link"):
        text = getattr(member.source, name)
        if len(text) > MAX_SOURCE_LENGTH or not text.isprintable():
            raise InvalidMemberError(field=f"source.{name}", why=f"it has at most {MAX_SOURCE_LENGTH} characters")
