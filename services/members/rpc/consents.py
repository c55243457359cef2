"""What members agree to, as calls."""

from typing import Any, Protocol

from protos.members.v1 import care_pb2 as pb
from protos.members.v1 import members_pb2
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import to_timestamp
from services.members.domain.consents import (
    Consent,
    ConsentSource,
    ContactChannel,
    InvalidConsentError,
    Purpose,
    Topic,
    token_words,
)
from services.members.domain.profiles import Address
from services.members.rpc.asking import change_of
from services.members.rpc.member_words import moment
from services.members.rpc.pages import decoded, encoded, size
from services.members.usecases.changes import Change, ChangeDesk
from services.members.usecases.consents import (
    Consents,
    Contact,
    WantedConsent,
    get_consents,
    get_contacts,
    list_consents,
    make_unsubscribe_token,
    record_consents,
    unsubscribe,
)
from services.members.usecases.looks import Looks
from services.members.usecases.members import MemberFinder
from services.members.usecases.timelines import IdFinder, own_ids

CHANNELS = {pb.ContactChannel.Value(f"CONTACT_CHANNEL_{one.name}"): one for one in ContactChannel}
PURPOSES = {pb.Purpose.Value(f"PURPOSE_{one.name}"): one for one in Purpose}
SOURCES = {pb.ConsentSource.Value(f"CONSENT_SOURCE_{one.name}"): one for one in ConsentSource}

_CHANNEL_OF = {one: number for number, one in CHANNELS.items()}
_PURPOSE_OF = {one: number for number, one in PURPOSES.items()}
_SOURCE_OF = {one: number for number, one in SOURCES.items()}


class Members(MemberFinder, IdFinder, Protocol):
    """Where members are looked up."""


class ConsentCalls:
    """The part of the Care servicer that knows of consents."""

    changes: ChangeDesk
    clocks: ChainClocks
    members: Members
    looks: Looks
    consents: Consents

    async def RecordConsents(self, request: pb.RecordConsentsRequest, _context: Any) -> pb.RecordConsentsResponse:  # noqa: N802 - gRPC's name
        """Record what members said."""
        change = await change_of(request.key, self.clocks)
        repeated = await record_consents([_wanted(one) for one in request.consents], change=change, desk=self.changes)
        return pb.RecordConsentsResponse(repeated_call=repeated)

    async def GetConsents(self, request: pb.GetConsentsRequest, _context: Any) -> pb.GetConsentsResponse:  # noqa: N802 - gRPC's name
        """Show what holds."""
        found = await get_consents(request.member_ids, caller=caller(), members=self.members, consents=self.consents)
        return pb.GetConsentsResponse(
            members=[
                pb.MemberConsents(member_id=asked, consents=[_consent_proto(one) for one in holds])
                for asked, holds in found
            ]
        )

    async def ListConsents(self, request: pb.ListConsentsRequest, _context: Any) -> pb.ListConsentsResponse:  # noqa: N802 - gRPC's name
        """Show all that was said."""
        ids = await own_ids(request.member_id, caller=caller(), members=self.members)
        page = await list_consents(
            ids,
            caller=caller(),
            before=decoded(request.page.after),
            first=size(request.page),
            consents=self.consents,
        )
        return pb.ListConsentsResponse(
            consents=[_consent_proto(one) for one in page.consents], end_cursor=encoded(page.next_after)
        )

    async def GetContacts(self, request: pb.GetContactsRequest, _context: Any) -> pb.GetContactsResponse:  # noqa: N802 - gRPC's name
        """Tell how to reach those who agree."""
        who = caller()
        now = await self.clocks.now(who.chain)
        found = await get_contacts(
            request.member_ids,
            _topic(request.channel, request.purpose),
            caller=who,
            look_id=self.changes.make_id("look", now),
            now=now,
            members=self.members,
            consents=self.consents,
            looks=self.looks,
        )
        return pb.GetContactsResponse(contacts=[_contact_proto(one) for one in found])

    async def MakeUnsubscribeToken(  # noqa: N802 - gRPC's name
        self, request: pb.MakeUnsubscribeTokenRequest, _context: Any
    ) -> pb.MakeUnsubscribeTokenResponse:
        """Make a link's token."""
        token = await make_unsubscribe_token(
            request.member_id,
            _topic(request.channel, request.purpose),
            caller=caller(),
            chains=self.changes.chains,
            members=self.members,
        )
        return pb.MakeUnsubscribeTokenResponse(token=token)

    async def Unsubscribe(self, request: pb.UnsubscribeRequest, _context: Any) -> pb.UnsubscribeResponse:  # noqa: N802 - gRPC's name
        """Take back what a link names. Whose time it is, the token says."""
        chain, _, _ = token_words(request.token)
        change = Change("", caller(), await self.clocks.now(chain), current_traceparent())
        channel, purpose = await unsubscribe(request.token, change=change, desk=self.changes)
        return pb.UnsubscribeResponse(channel=_CHANNEL_OF[channel], purpose=_PURPOSE_OF[purpose])


def _topic(channel: pb.ContactChannel.ValueType, purpose: pb.Purpose.ValueType) -> Topic:
    if channel not in CHANNELS or purpose not in PURPOSES:
        raise InvalidConsentError(field="channel", why="say over which channel and for what purpose")
    return CHANNELS[channel], PURPOSES[purpose]


def _wanted(said: pb.SaidConsent) -> WantedConsent:
    one = said.consent
    return WantedConsent(
        member=said.member_id,
        channel=CHANNELS.get(one.channel),
        purpose=PURPOSES.get(one.purpose),
        granted=one.granted,
        at=moment(one.at) if one.HasField("at") else None,
        text_version=one.text_version,
        source=SOURCES.get(one.source),
    )


def _consent_proto(one: Consent) -> pb.Consent:
    return pb.Consent(
        channel=_CHANNEL_OF[one.channel],
        purpose=_PURPOSE_OF[one.purpose],
        granted=one.granted,
        at=to_timestamp(one.at),
        text_version=one.text_version,
        source=_SOURCE_OF[one.source],
        recorded_by=one.recorded_by,
        recorded_at=to_timestamp(one.recorded_at),
    )


def _contact_proto(one: Contact) -> pb.Contact:
    address = one.address
    return pb.Contact(
        asked_id=one.asked,
        member_id=one.member,
        values=one.values,
        address=None
        if address == Address()
        else members_pb2.PostalAddress(
            lines=address.lines, city=address.city, postal_code=address.postal_code, country=address.country
        ),
        language=one.language,
    )
