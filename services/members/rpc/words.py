"""Values of the domain as protos, and back."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from protos.common.v1 import access_pb2
from protos.common.v1.money_pb2 import Money
from protos.members.v1 import chains_pb2, members_pb2
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.domain.api_keys import KeyKind
from services.members.domain.chains import Chain
from services.members.domain.identities import Identity, IdentityKind
from services.members.domain.members import Channel, Member
from services.members.domain.visits import Visits
from services.members.usecases.enrollment import WantedMember
from services.members.usecases.members import WrittenIdentity
from services.members.usecases.payers import WantedPayer

IDENTITY_KINDS = {
    members_pb2.IDENTITY_KIND_PHONE: IdentityKind.PHONE,
    members_pb2.IDENTITY_KIND_EMAIL: IdentityKind.EMAIL,
    members_pb2.IDENTITY_KIND_EXTERNAL: IdentityKind.EXTERNAL,
    members_pb2.IDENTITY_KIND_PAYER: IdentityKind.PAYER,
}
CHANNELS = {members_pb2.Channel.Value(f"CHANNEL_{channel.name}"): channel for channel in Channel}
KEY_KINDS = {access_pb2.CallerKind.Value(f"CALLER_KIND_{kind.name}"): kind for kind in KeyKind}

_IDENTITY_KIND_OF = {kind: number for number, kind in IDENTITY_KINDS.items()}
_CHANNEL_OF = {channel: number for number, channel in CHANNELS.items()}
KEY_KIND_OF = {kind: number for number, kind in KEY_KINDS.items()}

NEVER = datetime.max.replace(tzinfo=UTC)


def chain_proto(chain: Chain) -> chains_pb2.Chain:
    """Return the chain without its secret."""
    return chains_pb2.Chain(
        id=chain.id, name=chain.name, currency=chain.currency, time_zone=chain.time_zone, sandbox=chain.sandbox
    )


def written_identity(identity: members_pb2.Identity) -> WrittenIdentity:
    """Return the identity as the caller wrote it."""
    return WrittenIdentity(IDENTITY_KINDS.get(identity.kind), identity.value)


def wanted_member(request: members_pb2.EnrollMemberRequest) -> WantedMember:
    """Return the enrollment as the caller wants it."""
    member = request.member
    return WantedMember(
        key=request.key,
        name=member.profile.name,
        identities=tuple(written_identity(identity) for identity in member.profile.identities),
        enrolled_at=_moment(member.enrolled_at) if member.HasField("enrolled_at") else None,
        channel=CHANNELS.get(member.channel),
        store=member.store_id,
    )


def wanted_payer(payer: members_pb2.Payer) -> WantedPayer:
    """Return the payer as the caller tells of it."""
    return WantedPayer(
        hash=payer.hash,
        payment_kind=payer.payment_kind,
        store=payer.store_id,
        paid_at=_moment(payer.paid_at) if payer.HasField("paid_at") else None,
    )


def member_proto(member: Member) -> members_pb2.Member:
    """Return the member."""
    profile = members_pb2.Profile(
        name=member.profile.name, identities=[_identity_proto(one) for one in member.profile.identities]
    )
    return members_pb2.Member(
        id=member.id,
        profile=profile,
        enrolled_at=to_timestamp(member.enrolled_at),
        channel=_CHANNEL_OF[member.channel],
        store_id=member.store,
        visits=_visits_proto(member.visits),
        provisional=member.provisional,
    )


def _identity_proto(identity: Identity) -> members_pb2.Identity:
    return members_pb2.Identity(kind=_IDENTITY_KIND_OF[identity.kind], value=identity.value)


def _visits_proto(visits: Visits) -> members_pb2.Visits:
    return members_pb2.Visits(
        count=visits.count,
        last=None if visits.last is None else to_timestamp(visits.last),
        last_gap_days=visits.last_gap_days,
        usual_gap_days=visits.usual_gap_days,
        spend=[Money(amount_minor=amount, currency=code) for code, amount in sorted(visits.spend_minor.items())],
    )


def _moment(stamp: Timestamp) -> datetime:
    """Return the moment; one beyond the calendar lies in a future that no use case takes."""
    try:
        return from_timestamp(stamp)
    except OverflowError:
        return NEVER
