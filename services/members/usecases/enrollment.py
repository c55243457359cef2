"""Enroll members: check what was said, and hand it to the next commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.kit.errors import BUSINESS, Problem
from services.kit.ids import MakeId
from services.kit.principal import Caller, NotAllowedError, Principal
from services.members.domain.chains import Chain
from services.members.domain.codes import NoQrCodeError, QrCodeWorthlessError
from services.members.domain.enrollment import (
    Enroll,
    Enrolled,
    Folded,
    Known,
    check_command_key,
    content_hash,
    fold,
)
from services.members.domain.identities import Identity, IdentityKind, InvalidIdentityError, identity, identity_hash
from services.members.domain.members import Channel, Member, Source, check_member
from services.members.domain.profiles import MAX_IDENTITIES, InvalidMemberError, Profile
from services.members.domain.referrals import written_code
from services.members.domain.visibility import shown_to
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.codes import CodeDesk, Resolved, resolve_qr_codes
from services.members.usecases.limits import check_count
from services.members.usecases.members import WrittenIdentity, role_of


@dataclass(frozen=True, slots=True)
class WantedMember:
    """An enrollment as it came, its profile without the identities.

    `enrolled_at` None means now; `channel` is None when it was not said.
    """

    key: str
    profile: Profile
    identities: tuple[WrittenIdentity, ...]
    enrolled_at: datetime | None
    channel: Channel | None
    source: Source
    tags: tuple[str, ...] = ()
    referral_code: str = ""
    qr_code: str = ""


class Fold(Protocol):
    """Commands folded over what was loaded for them."""

    def __call__(self, commands: Sequence[Enroll], known: Known) -> Folded:
        """Return the answers, and what to write."""


class Roll(Protocol):
    """Where members and their identities are kept."""

    async def commit(self, commands: Sequence[Enroll], fold: Fold) -> Sequence[Enrolled | Problem]:
        """Load, fold and write `commands` in one transaction; again from the load when somebody else was first."""


class Batches(Protocol):
    """The group commit."""

    async def submit_all(self, commands: Sequence[Enroll]) -> Sequence[Enrolled | Problem]:
        """Enroll `commands` in their order; each has its own answer."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What enrolling needs from outside."""

    chains: ChainFinder
    batches: Batches
    codes: CodeDesk
    make_id: MakeId


async def commit(commands: Sequence[Enroll], *, roll: Roll) -> Sequence[Enrolled | Problem]:
    """Enroll a batch in one commit; each command gets its own answer. This is what the group commit calls."""
    return await roll.commit(commands, fold)


async def enroll_members(
    wanted: Sequence[WantedMember], *, caller: Principal, now: datetime, desk: Desk, traceparent: str = ""
) -> list[Enrolled | Problem]:
    """Enroll in the order of the input; each has its own answer, and a bad one fails alone."""
    check_count(wanted, field="members")
    chain = await callers_chain(caller, chains=desk.chains)
    places = await resolve_qr_codes({one.qr_code for one in wanted} - {""}, caller=caller, desk=desk.codes)
    prepared: list[Enroll | Problem] = []
    for one in wanted:
        try:
            place = _place(one, places)
            command = _command(
                one, place=place, chain=chain, caller=caller, member_id=desk.make_id("mem", now), now=now
            )
        except Problem as problem:
            prepared.append(problem)
            continue
        referral = desk.make_id("rfl", now) if command.referral_code else ""
        prepared.append(replace(command, traceparent=traceparent, referral=referral))
    commands = [command for command in prepared if isinstance(command, Enroll)]
    answers = iter(await _submit(commands, desk.batches) if commands else ())
    return [one if isinstance(one, Problem) else _shown(next(answers), caller) for one in prepared]


async def _submit(commands: Sequence[Enroll], batches: Batches) -> Sequence[Enrolled | Problem]:
    answers = await batches.submit_all(commands)
    for answer in answers:
        # An outage fails the whole call: what was done before it is answered again when the same keys come again.
        if isinstance(answer, Problem) and answer.kind not in BUSINESS:
            raise answer.with_traceback(None)
    return answers


def _place(wanted: WantedMember, places: Mapping[str, Resolved]) -> Resolved | None:
    """Return where the code hangs that the guest has read, None when there was none."""
    if not wanted.qr_code:
        return None
    if (place := places.get(wanted.qr_code)) is None:
        raise NoQrCodeError(field="source.qrCode")
    if wanted.source.store not in {"", place.store.id}:
        raise InvalidMemberError(field="storeId", why="the code hangs in another store")
    return place


def _command(
    wanted: WantedMember, *, place: Resolved | None, chain: Chain, caller: Principal, member_id: str, now: datetime
) -> Enroll:
    check_command_key(wanted.key)
    if wanted.channel is None:
        raise InvalidMemberError(field="channel", why="say over which channel it came")
    if wanted.channel is Channel.PAYMENT:
        raise InvalidMemberError(field="channel", why="only a payment makes a member over this channel")
    identities = written_identities(wanted.identities, chain)
    profile = replace(wanted.profile, name=wanted.profile.name.strip(), identities=identities)
    source = replace(
        wanted.source,
        store=_store(wanted.source.store if place is None else place.store.id, caller),
        link=wanted.source.link or wanted.qr_code,
    )
    code = _referral_code(wanted)
    member = Member(member_id, profile, wanted.enrolled_at or now, wanted.channel, source, tags=wanted.tags)
    check_member(member, now=now)
    return Enroll(
        chain=chain.id,
        key=wanted.key,
        # Without a code it is what it was before there were codes, so that keys of then still have their answers.
        asked_for=content_hash(*_said(wanted, member), *([code] if code else []), key=chain.identity_key),
        member=member,
        hashes=tuple(identity_hash(one, key=chain.identity_key) for one in profile.identities),
        at=now,
        referral_code=code,
        # Only for who is new: whoever was enrolled with it before it became worthless is told so again.
        obstacle=None if place is None or place.good else QrCodeWorthlessError(field="source.qrCode"),
    )


def _referral_code(wanted: WantedMember) -> str:
    if not wanted.referral_code:
        return ""
    if wanted.source.referrer:
        raise InvalidMemberError(field="source", why="say who recommended the chain by a code or by an id, not by both")
    return written_code(wanted.referral_code, field="source.referralCode")


def _said(wanted: WantedMember, member: Member) -> tuple[object, ...]:
    """Return all that makes the command what it is, without what was made for it."""
    identities = sorted((one.kind.value, one.value) for one in member.profile.identities)
    since = wanted.enrolled_at and wanted.enrolled_at.isoformat()
    attributes = sorted(member.profile.attributes.items())
    profile = replace(member.profile, identities=(), attributes={})
    return "enroll", profile, attributes, identities, since, member.channel.value, member.source, member.tags


def written_identities(written: Sequence[WrittenIdentity], chain: Chain) -> tuple[Identity, ...]:
    """Return identities in their one writing. Nobody may say a payer's: those come from payments."""
    if len(written) > MAX_IDENTITIES:
        raise InvalidMemberError(field="profile.identities", why=f"it may have at most {MAX_IDENTITIES} identities")
    found = []
    for number, one in enumerate(written):
        path = f"profile.identities.{number}"
        if one.kind is None:
            raise InvalidIdentityError(field=f"{path}.kind", why="say whether it is a phone, an e-mail or an id")
        if one.kind is IdentityKind.PAYER:
            raise InvalidIdentityError(field=f"{path}.kind", why="a payer becomes a member by paying, in no other way")
        found.append(identity(one.kind, one.value, calling_code=chain.calling_code, field=f"{path}.value"))
    return tuple(found)


def _store(wanted: str, caller: Principal) -> str:
    """Return the store to enroll in: a till's own when it names none."""
    if not wanted and caller.kind is Caller.TILL and len(caller.stores) == 1:
        return next(iter(caller.stores))
    if wanted and not caller.may_use_store(wanted):
        raise NotAllowedError(field="storeId", why="its key is for another store")
    return wanted


def _shown(answer: Enrolled | Problem, caller: Principal) -> Enrolled | Problem:
    if isinstance(answer, Problem):
        return answer
    return replace(answer, member=shown_to(role_of(caller), answer.member))
