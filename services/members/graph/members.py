"""Members in the graph: what this service knows of the entity that all four extend."""

from collections.abc import Awaitable
from enum import Enum
from typing import Self

import strawberry

from protos.members.v1 import members_pb2 as pb
from protos.members.v1.members_pb2_grpc import MembersStub
from services.kit.graph import Caller, GraphContext, Info, Instant, Money, SafeInt, allow, field, instant, loader
from services.members.graph.account_managers import CareFields
from services.members.graph.activities import ActivityFields
from services.members.graph.attributes import AttributeFields
from services.members.graph.chains import EVERYBODY, Store, stores
from services.members.graph.consents import ConsentFields
from services.members.graph.follow_ups import FollowUpFields
from services.members.graph.households import HouseholdFields
from services.members.graph.notes import NoteFields
from services.members.graph.referrals import ReferralFields

READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="members:read")


@strawberry.enum(description="What a guest is known by.")
class IdentityKind(Enum):
    """Kinds of identity, named as in the proto."""

    PHONE = strawberry.enum_value("PHONE", description="A phone number.")
    EMAIL = strawberry.enum_value("EMAIL", description="An e-mail address.")
    EXTERNAL = strawberry.enum_value("EXTERNAL", description="The chain's own id of the member.")
    WECHAT_OPENID = strawberry.enum_value("WECHAT_OPENID", description="WeChat's id of a user in one app.")
    WECHAT_UNIONID = strawberry.enum_value("WECHAT_UNIONID", description="WeChat's id in all of a company's apps.")
    ALIPAY = strawberry.enum_value("ALIPAY", description="Alipay's id of a user.")
    CARD = strawberry.enum_value("CARD", description="The number of a member's card.")
    DEVICE = strawberry.enum_value("DEVICE", description="An installation of the chain's app.")


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
    BOOKING = strawberry.enum_value("BOOKING", description="A table was booked online.")
    EVENT = strawberry.enum_value("EVENT", description="An event.")
    OPINION_LEADER = strawberry.enum_value("OPINION_LEADER", description="Somebody whom many follow.")


@strawberry.type(description="Something that a guest is known by.")
class Identity:
    """An identity."""

    kind: IdentityKind = strawberry.field(description="What it is.")
    value: str = strawberry.field(
        description="In its one writing: a phone as E.164, an e-mail in lower case. Tills and partners see the last "
        "four digits of a phone, and of others nothing."
    )


@strawberry.enum(description="As the person says.")
class Gender(Enum):
    """Genders, named as in the proto."""

    FEMALE = strawberry.enum_value("FEMALE", description="Female.")
    MALE = strawberry.enum_value("MALE", description="Male.")
    OTHER = strawberry.enum_value("OTHER", description="Neither.")


@strawberry.enum(description="What a preference or a special need is about.")
class PreferenceKind(Enum):
    """Kinds of preferences, named as in the proto."""

    TASTE = strawberry.enum_value("TASTE", description="What the guest likes to eat and drink.")
    ALLERGY = strawberry.enum_value("ALLERGY", description="What the guest must not have.")
    DIET = strawberry.enum_value("DIET", description="What the guest does not eat.")
    SEAT = strawberry.enum_value("SEAT", description="Where the guest likes to sit.")
    ACCESS = strawberry.enum_value("ACCESS", description="What the guest needs to come and go.")
    OTHER = strawberry.enum_value("OTHER", description="Anything else.")


@strawberry.type(description="What the guest likes, needs, or must not have.")
class Preference:
    """A preference."""

    kind: PreferenceKind = strawberry.field(description="What it is about.")
    text: str = strawberry.field(description="In words that the staff reads.")


@strawberry.type(description="Where letters and deliveries go. Who may not see all of it sees city and country.")
class PostalAddress:
    """An address."""

    lines: str = strawberry.field(description="Street, house, floor.")
    city: str = strawberry.field(description="City.")
    postal_code: str = strawberry.field(description="Postal code.")
    country: str = strawberry.field(description="ISO 3166-1 alpha-2.")


@strawberry.type(
    description="The person behind a member, as far as the caller's role may see it; what it may not is empty."
)
class Profile:
    """A profile."""

    name: str = strawberry.field(
        description="As the member wants to be called; may be empty. Tills and cashiers see what they greet with."
    )
    identities: list[Identity] = strawberry.field(description="What the member is known by, but for what it pays with.")
    given_name: str = strawberry.field(description="May be empty.")
    family_name: str = strawberry.field(description="May be empty.")
    birthday: str | None = strawberry.field(
        description='"1990-05-17", or "05-17" where the year was not said or is not the caller\'s to see.'
    )
    gender: Gender | None = strawberry.field(description="Null: not said.")
    language: str | None = strawberry.field(description='BCP 47, like "zh-Hans-CN".')
    address: PostalAddress | None = strawberry.field(description="Null: not said.")
    preferences: list[Preference] = strawberry.field(description="Tastes, allergies, seats ….")


@strawberry.type(description="Who or what brought a member; each null where it does not apply.")
class Source:
    """A source."""

    store_id: strawberry.ID | None = strawberry.field(description="`sto_…`.")
    staff_id: strawberry.ID | None = strawberry.field(description="Who of the chain's staff.")
    campaign: str | None = strawberry.field(description="What the app or site was opened with.")
    referrer_id: strawberry.ID | None = strawberry.field(description="The member who recommended the chain.")
    partner: str | None = strawberry.field(description="A partner's or an opinion leader's code.")
    link: str | None = strawberry.field(description="The link that was followed.")


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
class Member(
    ConsentFields,
    AttributeFields,
    NoteFields,
    FollowUpFields,
    CareFields,
    HouseholdFields,
    ReferralFields,
    ActivityFields,
):
    """What members knows of a member."""

    id: strawberry.ID = strawberry.field(description="`mem_…`.")
    profile: Profile = strawberry.field(description="The person behind it.")
    enrolled_at: Instant = strawberry.field(description="When the member joined.")
    channel: Channel = strawberry.field(description="How the member came.")
    provisional: bool = strawberry.field(description="Became a member by paying, and has proved nothing yet.")
    visits: Visits = strawberry.field(description="How often the member comes. Follows a purchase within a second.")
    source: Source = strawberry.field(description="Who or what brought the member.")
    tags: list[str] = strawberry.field(description="The chain's own; not shown to guests.")
    former_ids: list[strawberry.ID] = strawberry.field(
        description="Other ids of the same person, merged into this one. They go on meaning this member."
    )
    erased_at: Instant | None = strawberry.field(description="Not null: the person was erased.")
    version: SafeInt = strawberry.field(description="Grows by one with every change, visits apart.")
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
    found = {asked: member(one) for asked, one in zip(answer.asked_ids, answer.members, strict=True)}
    return [found.get(id_) for id_ in ids]


def member(one: pb.Member) -> Member:
    """Make it of the proto."""
    return Member(
        id=strawberry.ID(one.id),
        profile=_profile(one.profile),
        enrolled_at=instant(one.enrolled_at),
        channel=Channel[pb.Channel.Name(one.channel).removeprefix("CHANNEL_")],
        provisional=one.provisional,
        visits=_visits(one.visits),
        source=_source(one.source),
        tags=list(one.tags),
        former_ids=[strawberry.ID(id_) for id_ in one.former_ids],
        erased_at=instant(one.erased_at) if one.HasField("erased_at") else None,
        version=one.version,
        store_id=one.store_id,
    )


def _profile(profile: pb.Profile) -> Profile:
    identities = [
        Identity(kind=IdentityKind[_bare(pb.IdentityKind.Name(identity.kind))], value=identity.value)
        for identity in profile.identities
    ]
    address = profile.address
    return Profile(
        name=profile.name,
        identities=identities,
        given_name=profile.given_name,
        family_name=profile.family_name,
        birthday=profile.birthday or None,
        gender=Gender[pb.Gender.Name(profile.gender).removeprefix("GENDER_")] if profile.gender else None,
        language=profile.language or None,
        address=PostalAddress(
            lines=address.lines, city=address.city, postal_code=address.postal_code, country=address.country
        )
        if profile.HasField("address")
        else None,
        preferences=[
            Preference(
                kind=PreferenceKind[pb.PreferenceKind.Name(each.kind).removeprefix("PREFERENCE_KIND_")],
                text=each.text,
            )
            for each in profile.preferences
        ],
    )


def _source(source: pb.Source) -> Source:
    return Source(
        store_id=strawberry.ID(source.store_id) if source.store_id else None,
        staff_id=strawberry.ID(source.staff_id) if source.staff_id else None,
        campaign=source.campaign or None,
        referrer_id=strawberry.ID(source.referrer_id) if source.referrer_id else None,
        partner=source.partner or None,
        link=source.link or None,
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
