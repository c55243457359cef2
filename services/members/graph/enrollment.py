"""Enrolling members over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import members_pb2 as pb
from protos.members.v1.members_pb2_grpc import MembersStub
from services.kit.graph import INPUT, Caller, Info, Instant, UserError, allow, mutation, timestamp, user_error
from services.members.graph.members import Channel, Gender, IdentityKind, Member, PreferenceKind, member

ENROLLERS = allow(Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="members:write")


@strawberry.input(description="Something that the guest is known by.")
class IdentityInput:
    """An identity."""

    kind: IdentityKind = strawberry.field(description="What it is.")
    value: str = strawberry.field(description="In any usual writing; a phone with its country, like +86 138 0013 8000.")


SAID = ("name", "given_name", "family_name", "birthday", "gender", "language", "address", "preferences")


@strawberry.input(description="Where letters and deliveries go.")
class PostalAddressInput:
    """An address."""

    lines: str = strawberry.field(default="", description="Street, house, floor.")
    city: str = strawberry.field(default="", description="City.")
    postal_code: str = strawberry.field(default="", description="Postal code.")
    country: str = strawberry.field(default="", description="ISO 3166-1 alpha-2.")


@strawberry.input(description="What the guest likes, needs, or must not have.")
class PreferenceInput:
    """A preference."""

    kind: PreferenceKind = strawberry.field(description="What it is about.")
    text: str = strawberry.field(description="In words that the staff reads; 1 to 500 characters.")


@strawberry.input(description="What a person says of itself.")
class ProfileFields:
    """What enrolling and changing a profile have in common; null: not said."""

    name: str | None = strawberry.field(default=None, description="As the member wants to be called.")
    given_name: str | None = strawberry.field(default=None, description="Given name.")
    family_name: str | None = strawberry.field(default=None, description="Family name.")
    birthday: str | None = strawberry.field(
        default=None, description='"1990-05-17", or "05-17" of somebody who does not say the year.'
    )
    gender: Gender | None = strawberry.field(default=None, description="As the person says.")
    language: str | None = strawberry.field(default=None, description='BCP 47, like "zh-Hans-CN".')
    address: PostalAddressInput | None = strawberry.field(default=None, description="Where letters and deliveries go.")
    preferences: list[PreferenceInput] | None = strawberry.field(
        default=None, description="All tastes, allergies, seats …; up to 50."
    )


@strawberry.input(description="The person who joins.")
class ProfileInput(ProfileFields):
    """A profile."""

    identities: list[IdentityInput] = strawberry.field(
        default_factory=list, description="Up to 20; each belongs to one member of the chain at most."
    )


@strawberry.input(description="Who or what brought a member.")
class SourceInput:
    """A source."""

    staff_id: strawberry.ID | None = strawberry.field(default=None, description="Who of the chain's staff.")
    campaign: str | None = strawberry.field(default=None, description="What the app or site was opened with.")
    referrer_id: strawberry.ID | None = strawberry.field(default=None, description="Who recommended the chain.")
    referral_code: str | None = strawberry.field(
        default=None, description="The referral code of who recommended the chain; not together with `referrerId`."
    )
    partner: str | None = strawberry.field(default=None, description="A partner's or an opinion leader's code.")
    link: str | None = strawberry.field(default=None, description="The link that was followed.")
    qr_code: str | None = strawberry.field(
        default=None, description="The code that hangs in a store and was read: the member joined there."
    )


@strawberry.input(description="A new member.")
class EnrollMemberInput:
    """An enrollment."""

    key: str = strawberry.field(
        description="The command key, 8 to 128 characters: a new one for each wish, the same one for each try."
    )
    profile: ProfileInput = strawberry.field(description="Who joins.")
    channel: Channel = strawberry.field(description="How the member came.")
    enrolled_at: Instant | None = strawberry.field(
        default=None, description="When the member joined, for those who did long ago; null: now."
    )
    store_id: strawberry.ID | None = strawberry.field(default=None, description="Where; null: not in a store.")
    source: SourceInput | None = strawberry.field(default=None, description="Who or what brought the member.")
    tags: list[str] = strawberry.field(default_factory=list, description="The chain's own; up to 100.")


@strawberry.input(description="Many new members.")
class EnrollMembersInput:
    """Enrollments."""

    members: list[EnrollMemberInput] = strawberry.field(description="Up to 1,000.")


@strawberry.enum(description="Why a member was not enrolled.")
class EnrollMemberErrorCode(Enum):
    """Codes of `EnrollMemberError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    DENIED = strawberry.enum_value("DENIED", description="The key is for another store.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    INVALID_MEMBER = strawberry.enum_value("INVALID_MEMBER", description="No member can be like that.")
    INVALID_IDENTITY = strawberry.enum_value("INVALID_IDENTITY", description="No identity can be like that.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    IDENTITY_TAKEN = strawberry.enum_value("IDENTITY_TAKEN", description="Another member has this identity.")
    QR_CODE_NOT_FOUND = strawberry.enum_value("QR_CODE_NOT_FOUND", description="There is no such QR code.")
    QR_CODE_WORTHLESS = strawberry.enum_value(
        "QR_CODE_WORTHLESS", description="The QR code was revoked, or its store is closed for good."
    )
    STORE_NOT_FOUND = strawberry.enum_value("STORE_NOT_FOUND", description="There is no such store.")
    UNKNOWN_REFERRAL_CODE = strawberry.enum_value("UNKNOWN_REFERRAL_CODE", description="Nobody has this code.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why a member was not enrolled.")
class EnrollMemberError(UserError):
    """An item of `userErrors`."""

    code: EnrollMemberErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The member, or why it was not enrolled.")
class EnrollMemberPayload:
    """The answer to one enrollment."""

    user_errors: list[EnrollMemberError] = strawberry.field(description="Empty: it is a member.")
    member: Member | None = strawberry.field(default=None, description="As enrolled; null when it was not.")
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type(description="Each enrollment's own answer.")
class EnrollMembersPayload:
    """The answer to many."""

    user_errors: list[EnrollMemberError] = strawberry.field(description="What is wrong with the call as a whole.")
    results: list[EnrollMemberPayload] = strawberry.field(
        default_factory=list, description="In the order of the input; a bad enrollment fails alone."
    )


@strawberry.type
class EnrollmentMutation:
    """Enrolling. The key makes each safe to send again, so both go as calls that may be repeated."""

    @mutation(ENROLLERS, description="Makes somebody a member of the chain.")
    async def enroll_member(self, info: Info, wish: Annotated[EnrollMemberInput, INPUT]) -> EnrollMemberPayload:
        """Enroll one member."""
        members = info.context.channel("members")
        return _payload(await members.ask(members.stub(MembersStub).EnrollMember, _request_of(wish)))

    @mutation(ENROLLERS, description="Makes up to 1,000 people members, each with its own answer. Safe to send again.")
    async def enroll_members(self, info: Info, wish: Annotated[EnrollMembersInput, INPUT]) -> EnrollMembersPayload:
        """Enroll many members."""
        members = info.context.channel("members")
        request = pb.EnrollMembersRequest(enrollments=[_request_of(one) for one in wish.members])
        answer = await members.ask(members.stub(MembersStub).EnrollMembers, request, timeout_s=20.0)
        results = [
            EnrollMemberPayload(user_errors=[user_error(EnrollMemberError, one.problem, at=f"members.{number}")])
            if one.WhichOneof("result") == "problem"
            else _payload(one.enrolled)
            for number, one in enumerate(answer.results)
        ]
        return EnrollMembersPayload(user_errors=[], results=results)


def _request_of(wish: EnrollMemberInput) -> pb.EnrollMemberRequest:
    profile, _ = profile_proto(wish.profile)
    profile.identities.extend(
        pb.Identity(kind=pb.IdentityKind.Value(f"IDENTITY_KIND_{one.kind.name}"), value=one.value)
        for one in wish.profile.identities
    )
    source = wish.source or SourceInput()
    new = pb.NewMember(
        profile=profile,
        enrolled_at=None if wish.enrolled_at is None else timestamp(wish.enrolled_at),
        channel=pb.Channel.Value(f"CHANNEL_{wish.channel.name}"),
        store_id=wish.store_id or "",
        source=pb.Source(
            staff_id=source.staff_id or "",
            campaign=source.campaign or "",
            referrer_id=source.referrer_id or "",
            partner=source.partner or "",
            link=source.link or "",
            referral_code=source.referral_code or "",
            qr_code=source.qr_code or "",
        ),
        tags=wish.tags,
    )
    return pb.EnrollMemberRequest(key=wish.key, member=new)


def profile_proto(wish: ProfileFields) -> tuple[pb.Profile, list[str]]:
    """Return the profile as the service takes it, and the names of the fields that were said."""
    address, gender = wish.address, wish.gender
    profile = pb.Profile(
        name=wish.name or "",
        given_name=wish.given_name or "",
        family_name=wish.family_name or "",
        birthday=wish.birthday or "",
        gender=pb.GENDER_UNSPECIFIED if gender is None else pb.Gender.Value(f"GENDER_{gender.name}"),
        language=wish.language or "",
        address=None
        if address is None
        else pb.PostalAddress(
            lines=address.lines, city=address.city, postal_code=address.postal_code, country=address.country
        ),
        preferences=[
            pb.Preference(kind=pb.PreferenceKind.Value(f"PREFERENCE_KIND_{one.kind.name}"), text=one.text)
            for one in wish.preferences or ()
        ],
    )
    return profile, [name for name in SAID if getattr(wish, name) is not None]


def _payload(answer: pb.EnrollMemberResponse) -> EnrollMemberPayload:
    return EnrollMemberPayload(user_errors=[], member=member(answer.member), repeated_call=answer.repeated_call)
