"""Consents: record, show, take back by a link, and tell how to reach those who agree."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.kit.principal import Caller, Principal, for_chain
from services.members.domain.chains import Chain
from services.members.domain.consents import (
    REACHED_BY,
    Consent,
    ConsentSource,
    ContactChannel,
    InvalidConsentError,
    Purpose,
    Topic,
    changed,
    check_consent,
    check_token,
    lapsed,
    latest,
    token_words,
    unsubscribe_token,
)
from services.members.domain.facts import ConsentChanged
from services.members.domain.members import Member, NoMemberError
from services.members.domain.profiles import Address
from services.members.domain.visibility import Field, Role
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.changes import Change, ChangeDesk, carry_out
from services.members.usecases.limits import check_count
from services.members.usecases.looks import Look, Looks
from services.members.usecases.members import MemberFinder
from services.members.usecases.units import CommandKey, Unit

MOST_RECORDED = 500

_SOURCES = {Caller.MEMBER: ConsentSource.APP, Caller.TILL: ConsentSource.TILL, Caller.STAFF: ConsentSource.STAFF}
"""What is meant by a caller that does not say how it knows."""

_OWN_SOURCES = {
    Caller.MEMBER: frozenset({ConsentSource.APP, ConsentSource.LINK}),
    Caller.TILL: frozenset({ConsentSource.TILL}),
}
"""What alone these may say: that somebody complained, or agreed on paper, is the chain's to state."""


class Consents(Protocol):
    """Where consents are looked up."""

    async def latest(self, chain: str, members: Collection[str], *, topic: Topic | None = None) -> Sequence[Consent]:
        """Return the latest that was said under each of these ids, of each topic or of one."""

    async def page(self, chain: str, members: Sequence[str], *, before: str, first: int) -> Sequence[Consent]:
        """Return up to `first` consents under these ids, the last recorded first, before the one with the id."""


@dataclass(frozen=True, slots=True)
class WantedConsent:
    """A consent as it came. None: not said; `at` is now then, and `source` the caller's own."""

    member: str
    channel: ContactChannel | None
    purpose: Purpose | None
    granted: bool
    at: datetime | None
    text_version: str
    source: ConsentSource | None


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """A page of records, the last one first, and the id after which the next one begins; empty on the last."""

    consents: Sequence[Consent]
    next_after: str


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach a member that agrees; `asked` is the id that it was asked for by."""

    asked: str
    member: str
    values: tuple[str, ...]
    address: Address
    language: str


async def record_consents(wanted: Sequence[WantedConsent], *, change: Change, desk: ChangeDesk) -> bool:
    """Record what members said, all or none, and tell what changes by it. Returns whether it had been done before."""
    check_count(wanted, field="consents", most=MOST_RECORDED)
    said = [
        _consent(one, change=change, id_=desk.make_id("con", change.now), field=f"consents.{number}")
        for number, one in enumerate(wanted)
    ]

    async def body(unit: Unit, _chain: Chain, command: CommandKey) -> bool:
        if await unit.answered(command) is not None:
            return True
        await unit.members([one.member for one in said])  # all at once; each is found at hand then
        survivors = [await _speaker(unit, one.member, change.caller) for one in said]
        await record_within(unit, [(member, one) for member, one in zip(survivors, said, strict=True)])
        await unit.answer(command, b"", summary=f"{len(said)} consents were recorded with it")
        return False

    return await carry_out(change, ("consents", *wanted), body, desk=desk)


async def record_within(unit: Unit, said: Sequence[tuple[Member, Consent]]) -> None:
    """Record in a unit of work that does more besides. A member is kept, so that no merge or erasure comes between."""
    members = {member.id: member for member, _ in said}
    before = await held_by(unit, list(members.values()))
    added = [replace(one, member=member.id) for member, one in said]
    await unit.consents.add(added)
    by_member = _by_member(added)
    for member in members.values():
        unit.keep(member)
        after = latest([*before[member.id].values(), *by_member[member.id]])
        _tell(unit, member.id, changed(before[member.id], after))


async def held_by(unit: Unit, members: Sequence[Member]) -> Mapping[str, Mapping[Topic, Consent]]:
    """Return what each of the members agrees to or has taken back, whichever of its ids it was said under."""
    by_id = _by_member(await unit.consents.latest([id_ for member in members for id_ in member.ids]))
    return {member.id: latest(_said_by(member, by_id)) for member in members}


async def tell_regrouped(unit: Unit, before: Member, after: Member, *, now: datetime) -> None:
    """Tell what another set of ids, after a merge or its undoing, makes of what a member agrees to."""
    said = await unit.consents.latest({*before.ids, *after.ids})
    was = latest(one for one in said if one.member in before.ids)
    holds = latest(one for one in said if one.member in after.ids)
    _tell(unit, after.id, changed(was, holds))
    for channel, purpose in lapsed(was, holds):
        unit.tell(ConsentChanged(after.id, channel, purpose, granted=False, at=now))


async def get_consents(
    member_ids: Sequence[str], *, caller: Principal, members: MemberFinder, consents: Consents
) -> list[tuple[str, list[Consent]]]:
    """Return by the id that was asked for what holds now; without those whom the caller may not see."""
    check_count(member_ids, field="memberIds")
    found = await _visible(member_ids, caller=caller, members=members)
    said = await consents.latest(caller.chain, {id_ for member in found.values() for id_ in member.ids})
    by_id = _by_member(said)
    return [
        (asked, [one for _, one in sorted(latest(_said_by(found[asked], by_id)).items())])
        for asked in dict.fromkeys(member_ids)
        if asked in found
    ]


async def list_consents(
    ids: Sequence[str], *, caller: Principal, before: str, first: int, consents: Consents
) -> ConsentPage:
    """Return a page of all that a member said, by all of its ids."""
    found = await consents.page(caller.chain, ids, before=before, first=first + 1)
    return ConsentPage(found[:first], found[first - 1].id if len(found) > first else "")


async def get_contacts(
    member_ids: Sequence[str],
    topic: Topic,
    *,
    caller: Principal,
    look_id: str,
    now: datetime,
    members: MemberFinder,
    consents: Consents,
    looks: Looks,
) -> list[Contact]:
    """Return how to reach those of the members that agree at this moment, and record that it was told.

    Consents are read last: an answer holds nobody who has taken the consent back, or was erased, before it was given.
    """
    check_count(member_ids, field="memberIds")
    found = await members.find(caller.chain, member_ids) if member_ids else {}
    by_id = _by_member(
        await consents.latest(caller.chain, {id_ for one in found.values() for id_ in one.ids}, topic=topic)
    )
    contacts = []
    for asked, member in found.items():
        holds = latest(_said_by(member, by_id)).get(topic)
        if holds is not None and holds.granted and (contact := _contact(asked, member, topic[0])) is not None:
            contacts.append(contact)
    if contacts:
        field = Field.ADDRESS if topic[0] is ContactChannel.POST else Field.IDENTITIES
        shown = tuple(dict.fromkeys(one.member for one in contacts))
        by = f"{caller.kind}:{caller.id}"
        await looks.note(caller.chain, Look(look_id, now, by, Role.SERVICE, shown, (field.value,)))
    return contacts


async def make_unsubscribe_token(
    member_id: str, topic: Topic, *, caller: Principal, chains: ChainFinder, members: MemberFinder
) -> str:
    """Return the token of a link by which the member takes back this consent."""
    chain = await callers_chain(caller, chains=chains)
    if (member := (await members.find(chain.id, [member_id])).get(member_id)) is None or member.erased_at:
        raise NoMemberError(field="memberId", member=member_id)
    return unsubscribe_token(chain.id, member.id, topic, key=chain.identity_key)


async def unsubscribe(token: str, *, change: Change, desk: ChangeDesk) -> Topic:
    """Take back what the token names; again, or of somebody who is erased: nothing is left to do."""
    chain_id, member_id, topic = token_words(token)
    chain = await callers_chain(for_chain(change.caller, chain_id), chains=desk.chains)
    check_token(token, key=chain.identity_key)
    said = Consent(
        id=desk.make_id("con", change.now),
        member=member_id,
        channel=topic[0],
        purpose=topic[1],
        granted=False,
        at=change.now,
        text_version="",
        source=ConsentSource.LINK,
        recorded_by="link",
        recorded_at=change.now,
    )

    async def body(unit: Unit) -> None:
        member = await unit.survivor(member_id)
        holds = (await held_by(unit, [member]))[member.id].get(topic)
        if not member.erased_at and (holds is None or holds.granted):
            await record_within(unit, [(member, said)])

    await desk.units.run(chain, body, now=change.now, traceparent=change.traceparent)
    return topic


async def _speaker(unit: Unit, member_id: str, caller: Principal) -> Member:
    member = await unit.survivor(member_id)
    if member.erased_at or (caller.kind is Caller.MEMBER and caller.id not in member.ids):
        raise NoMemberError(field="memberId", member=member_id)
    return member


def _consent(wanted: WantedConsent, *, change: Change, id_: str, field: str) -> Consent:
    kind = change.caller.kind
    source = wanted.source or _SOURCES.get(kind)
    if wanted.channel is None or wanted.purpose is None:
        raise InvalidConsentError(field=field, why="say over which channel and for what purpose")
    if source is None:
        raise InvalidConsentError(field=f"{field}.source", why="say how it is known")
    if source not in _OWN_SOURCES.get(kind, ConsentSource):
        raise InvalidConsentError(field=f"{field}.source", why=f"a {kind} cannot know it so")
    said = Consent(
        id=id_,
        member=wanted.member,
        channel=wanted.channel,
        purpose=wanted.purpose,
        granted=wanted.granted,
        at=wanted.at or change.now,
        text_version=wanted.text_version,
        source=source,
        recorded_by=change.by,
        recorded_at=change.now,
    )
    check_consent(said, now=change.now, field=field)
    # A till's clock that runs ahead must not outlive a withdrawal of the next minute.
    return replace(said, at=min(said.at, change.now))


async def _visible(ids: Sequence[str], *, caller: Principal, members: MemberFinder) -> Mapping[str, Member]:
    if caller.kind is not Caller.MEMBER:
        return await members.find(caller.chain, ids) if ids else {}
    found = await members.find(caller.chain, list(dict.fromkeys((caller.id, *ids))))
    own = found.get(caller.id)
    return {id_: one for id_, one in found.items() if own is not None and one.id == own.id}


def _by_member(said: Sequence[Consent]) -> Mapping[str, list[Consent]]:
    by_id: dict[str, list[Consent]] = {}
    for one in said:
        by_id.setdefault(one.member, []).append(one)
    return by_id


def _said_by(member: Member, by_id: Mapping[str, list[Consent]]) -> list[Consent]:
    return [one for id_ in member.ids for one in by_id.get(id_, ())]


def _contact(asked: str, member: Member, channel: ContactChannel) -> Contact | None:
    profile = member.profile
    if channel is ContactChannel.POST:
        reachable = bool(profile.address.lines)
        return Contact(asked, member.id, (), profile.address, profile.language) if reachable else None
    values = tuple(one.value for one in profile.identities if one.kind is REACHED_BY[channel])
    return Contact(asked, member.id, values, Address(), profile.language) if values else None


def _tell(unit: Unit, member: str, holding: Sequence[Consent]) -> None:
    for one in holding:
        unit.tell(ConsentChanged(member, one.channel, one.purpose, one.granted, one.at))
