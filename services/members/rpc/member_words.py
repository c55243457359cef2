"""Members and what is said of them as protos, and back."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from protos.common.v1.money_pb2 import Money
from protos.members.v1 import members_pb2 as pb
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.domain.identities import IdentityKind
from services.members.domain.members import Channel, Member, Source
from services.members.domain.profiles import Address, Gender, Preference, PreferenceKind, Profile
from services.members.domain.visits import Visits
from services.members.usecases.cards import WrittenScan
from services.members.usecases.enrollment import WantedMember
from services.members.usecases.members import WrittenIdentity
from services.members.usecases.payers import WantedPayer

IDENTITY_KINDS = {pb.IdentityKind.Value(f"IDENTITY_KIND_{kind.name}"): kind for kind in IdentityKind}
CHANNELS = {pb.Channel.Value(f"CHANNEL_{channel.name}"): channel for channel in Channel}
GENDERS = {pb.Gender.Value(f"GENDER_{gender.name}"): gender for gender in Gender if gender is not Gender.UNKNOWN} | {
    pb.GENDER_UNSPECIFIED: Gender.UNKNOWN
}
PREFERENCES = {pb.PreferenceKind.Value(f"PREFERENCE_KIND_{kind.name}"): kind for kind in PreferenceKind}

_IDENTITY_KIND_OF = {kind: number for number, kind in IDENTITY_KINDS.items()}
_CHANNEL_OF = {channel: number for number, channel in CHANNELS.items()}
_GENDER_OF = {gender: number for number, gender in GENDERS.items()}
_PREFERENCE_OF = {kind: number for number, kind in PREFERENCES.items()}

NEVER = datetime.max.replace(tzinfo=UTC)


def written_identity(identity: pb.Identity) -> WrittenIdentity:
    """Return the identity as the caller wrote it."""
    return WrittenIdentity(IDENTITY_KINDS.get(identity.kind), identity.value)


def written_or_scanned(identity: pb.Identity) -> WrittenIdentity | WrittenScan:
    """Return the identity as the caller wrote it, or what it scanned of a card."""
    if identity.kind != pb.IDENTITY_KIND_CARD_CODE:
        return written_identity(identity)
    return WrittenScan(identity.value, moment(identity.at) if identity.HasField("at") else None, identity.store_id)


def wanted_member(request: pb.EnrollMemberRequest) -> WantedMember:
    """Return the enrollment as the caller wants it."""
    member, source = request.member, request.member.source
    return WantedMember(
        key=request.key,
        profile=wanted_profile(member.profile),
        identities=tuple(written_identity(identity) for identity in member.profile.identities),
        enrolled_at=moment(member.enrolled_at) if member.HasField("enrolled_at") else None,
        channel=CHANNELS.get(member.channel),
        source=Source(
            store=member.store_id or source.store_id,
            staff=source.staff_id,
            campaign=source.campaign,
            referrer=source.referrer_id,
            partner=source.partner,
            link=source.link,
        ),
        tags=tuple(member.tags),
        referral_code=source.referral_code,
        qr_code=source.qr_code,
    )


def wanted_profile(profile: pb.Profile) -> Profile:
    """Return the profile as the caller says it, without identities. A kind that is not known is another one."""
    address = profile.address
    return Profile(
        name=profile.name,
        given_name=profile.given_name,
        family_name=profile.family_name,
        birthday=profile.birthday,
        gender=GENDERS.get(profile.gender, Gender.UNKNOWN),
        language=profile.language,
        address=Address(address.lines, address.city, address.postal_code, address.country),
        preferences=tuple(
            Preference(PREFERENCES.get(one.kind, PreferenceKind.OTHER), one.text) for one in profile.preferences
        ),
    )


def wanted_payer(payer: pb.Payer) -> WantedPayer:
    """Return the payer as the caller tells of it."""
    return WantedPayer(
        hash=payer.hash,
        payment_kind=payer.payment_kind,
        store=payer.store_id,
        paid_at=moment(payer.paid_at) if payer.HasField("paid_at") else None,
    )


def member_proto(member: Member) -> pb.Member:
    """Return the member."""
    source = member.source
    return pb.Member(
        id=member.id,
        profile=_profile_proto(member.profile),
        enrolled_at=to_timestamp(member.enrolled_at),
        channel=_CHANNEL_OF[member.channel],
        store_id=source.store,
        visits=_visits_proto(member.visits),
        provisional=member.provisional,
        source=pb.Source(
            store_id=source.store,
            staff_id=source.staff,
            campaign=source.campaign,
            referrer_id=source.referrer,
            partner=source.partner,
            link=source.link,
        ),
        tags=member.tags,
        former_ids=member.absorbed,
        erased_at=None if member.erased_at is None else to_timestamp(member.erased_at),
        version=member.version,
    )


def _profile_proto(profile: Profile) -> pb.Profile:
    address = profile.address
    return pb.Profile(
        name=profile.name,
        identities=[pb.Identity(kind=_IDENTITY_KIND_OF[one.kind], value=one.value) for one in profile.identities],
        given_name=profile.given_name,
        family_name=profile.family_name,
        birthday=profile.birthday,
        gender=_GENDER_OF[profile.gender],
        language=profile.language,
        address=None
        if address == Address()
        else pb.PostalAddress(
            lines=address.lines, city=address.city, postal_code=address.postal_code, country=address.country
        ),
        preferences=[pb.Preference(kind=_PREFERENCE_OF[one.kind], text=one.text) for one in profile.preferences],
    )


def _visits_proto(visits: Visits) -> pb.Visits:
    return pb.Visits(
        count=visits.count,
        last=None if visits.last is None else to_timestamp(visits.last),
        last_gap_days=visits.last_gap_days,
        usual_gap_days=visits.usual_gap_days,
        spend=[Money(amount_minor=amount, currency=code) for code, amount in sorted(visits.spend_minor.items())],
    )


def moment(stamp: Timestamp) -> datetime:
    """Return the moment; one beyond the calendar lies in a future that no use case takes."""
    try:
        return from_timestamp(stamp)
    except OverflowError:
        return NEVER
