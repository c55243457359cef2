"""Members in the graph: what this service knows of the entity that all four extend."""

from collections.abc import Awaitable
from enum import Enum
from typing import Self

import strawberry

from protos.members.v1 import members_pb2 as pb
from protos.members.v1.members_pb2_grpc import MembersStub
from services.kit.graph import Caller, GraphContext, Info, Instant, Money, SafeInt, allow, field, instant, loader
from services.members.graph.chains import EVERYBODY, Store, stores

READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="members:read")


@strawberry.enum(description="What a guest is known by.")
class IdentityKind(Enum):
    """Kinds of identity, named as in the proto."""

    PHONE = strawberry.enum_value("PHONE", description="A phone number.")
    EMAIL = strawberry.enum_value("EMAIL", description="An e-mail address.")
    EXTERNAL = strawberry.enum_value("EXTERNAL", description="The chain's own id of the member.")


@strawberry.enum(description="How a member came.")
class Channel(Enum):
    """Channels, named as in the proto."""

    APP = strawberry.enum_value("APP", description="The chain's app.")
    WEB = strawberry.enum_value("WEB", description="The chain's site.")
    WECHAT = strawberry.enum_value("WECHAT", description="A WeChat mini program.")
    POS = strawberry.enum_value("POS", description="A till.")
    TABLE_QR = strawberry.enum_value("TABLE_QR", description="A code on the table.")
    PARTNER = strawberry.enum_value("PARTNER", description="Another brand.")
    STAFF = strawberry.enum_value("STAFF", description="Somebody who works for the chain.")
    IMPORT = strawberry.enum_value("IMPORT", description="From another system.")
    PAYMENT = strawberry.enum_value("PAYMENT", description="By paying. No enrollment may name it: payments do.")


@strawberry.type(description="Something that a guest is known by.")
class Identity:
    """An identity."""

    kind: IdentityKind = strawberry.field(description="What it is.")
    value: str = strawberry.field(
        description="In its one writing: a phone as E.164, an e-mail in lower case. Tills and partners see the last "
        "four digits of a phone, and of others nothing."
    )


@strawberry.type(description="The person behind a member.")
class Profile:
    """A profile."""

    name: str = strawberry.field(description="As the member wants to be called; may be empty.")
    identities: list[Identity] = strawberry.field(description="What the member is known by, but for what it pays with.")


@strawberry.type(
    description="How often a member comes. A visit is a day, in the store's zone, with at least one purchase."
)
class Visits:
    """Visits."""

    count: SafeInt = strawberry.field(description="How many so far.")
    last: Instant | None = strawberry.field(description="The latest purchase; null before the first.")
    last_gap_days: int | None = strawberry.field(
        description="Days between the last two visits; null before the second."
    )
    usual_gap_days: float | None = strawberry.field(
        description="Median of the days between the latest visits (20 gaps at most); null before the second."
    )
    spend: list[Money] = strawberry.field(description="Everything paid so far, in each currency.")


@strawberry.federation.type(keys=["id"], description="A guest of the chain, wherever met.")
class Member:
    """What members knows of a member."""

    id: strawberry.ID = strawberry.field(description="`mem_…`.")
    profile: Profile = strawberry.field(description="The person behind it.")
    enrolled_at: Instant = strawberry.field(description="When the member joined.")
    channel: Channel = strawberry.field(description="How the member came.")
    provisional: bool = strawberry.field(description="Became a member by paying, and has proved nothing yet.")
    visits: Visits = strawberry.field(description="How often the member comes. Follows a purchase within a second.")
    store_id: strawberry.Private[str]

    @field(EVERYBODY, description="Where the member was enrolled; null when not in a store.")
    async def store(self, info: Info) -> Store | None:
        """Load the store, together with those of the other members of this level."""
        return await stores.load(info, self.store_id) if self.store_id else None

    @classmethod
    def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Awaitable[Self | None]":  # noqa: A002 - the key's name
        """Load the member that another part of the graph names."""
        return members.load(info, id)  # type: ignore[return-value]  # `cls` is always Member


@loader(most=1_000)
async def members(context: GraphContext, ids: list[str]) -> list[Member | None]:
    """Fetch members; None for those that the caller may not see."""
    service = context.channel("members")
    answer = await service.ask(service.stub(MembersStub).GetMembers, pb.GetMembersRequest(ids=ids))
    found = {one.id: member(one) for one in answer.members}
    return [found.get(id_) for id_ in ids]


def member(one: pb.Member) -> Member:
    """Make it of the proto."""
    identities = [
        Identity(kind=IdentityKind[_bare(pb.IdentityKind.Name(identity.kind))], value=identity.value)
        for identity in one.profile.identities
    ]
    return Member(
        id=strawberry.ID(one.id),
        profile=Profile(name=one.profile.name, identities=identities),
        enrolled_at=instant(one.enrolled_at),
        channel=Channel[pb.Channel.Name(one.channel).removeprefix("CHANNEL_")],
        provisional=one.provisional,
        visits=_visits(one.visits),
        store_id=one.store_id,
    )


def _visits(visits: pb.Visits) -> Visits:
    return Visits(
        count=visits.count,
        last=instant(visits.last) if visits.HasField("last") else None,
        last_gap_days=visits.last_gap_days if visits.HasField("last_gap_days") else None,
        usual_gap_days=visits.usual_gap_days if visits.HasField("usual_gap_days") else None,
        spend=[Money.of(money) for money in visits.spend],
    )


def _bare(name: str) -> str:
    return name.removeprefix("IDENTITY_KIND_")
