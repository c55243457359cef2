"""Identities of a member: prove one, give one back, lose one, and change a phone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from services.kit.errors import Kind, Problem
from services.members.domain.chains import Chain
from services.members.domain.enrollment import IdentityTakenError
from services.members.domain.identities import (
    PROVING,
    Identity,
    IdentityKind,
    identity,
    identity_hash,
    payer_hash,
)
from services.members.domain.members import Member
from services.members.domain.profiles import check_profile
from services.members.usecases.changes import Change, ChangeDesk, carry_out
from services.members.usecases.enrollment import written_identities
from services.members.usecases.members import WrittenIdentity
from services.members.usecases.merges import merge_within
from services.members.usecases.units import CommandKey, Held, Unit


class IdentityLostError(Problem):
    """This {identity} was reported lost and counts for nobody. Give the member another one."""

    kind = Kind.REFUSED
    code = "IDENTITY_LOST"


class NotItsIdentityError(Problem):
    """The member does not have this {identity}."""

    kind = Kind.NOT_FOUND
    code = "IDENTITY_NOT_FOUND"


class Taken(Enum):
    """What to do when somebody else has the identity that a member proves."""

    REFUSE = "refuse"
    MERGE = "merge"  # both are the same person
    TO_ANOTHER = "to_another"  # the number was given to somebody else: it is the new one's from now on


@dataclass(frozen=True, slots=True)
class PaymentAccount:
    """What somebody pays with, as the payment company calls it: an openid, a token of a card."""

    payment_kind: str
    account: str


@dataclass(frozen=True, slots=True)
class Proved:
    """The member, which may be another one after a merge, and that merge."""

    member: str
    merge: str = ""
    repeated_call: bool = False


async def add_identity(
    member_id: str,
    said: WrittenIdentity | PaymentAccount,
    *,
    taken: Taken,
    change: Change,
    desk: ChangeDesk,
) -> Proved:
    """Give the member an identity that it has proved.

    When somebody else has it: a provisional member, on either side, is the same person, and both become one; two full
    members are told apart by `taken`. A provisional member that proves something is one for good.
    """
    merge_id = desk.make_id("mrg", change.now)

    async def body(unit: Unit, chain: Chain, command: CommandKey) -> Proved:
        if (first := await unit.answered(command)) is not None:
            member, _, merge = first.decode().partition(" ")
            return Proved(member, merge, repeated_call=True)
        new = _identity(said, chain, desk)
        done = await _add(unit, member_id, new, taken=taken, chain=chain, change=change, merge_id=merge_id)
        summary = f"{member_id} got an identity ({new.kind}) with it"
        await unit.answer(command, f"{done.member} {done.merge}".encode(), summary=summary)
        return done

    return await carry_out(change, ("add identity", member_id, said, taken.value), body, desk=desk)


async def remove_identity(member_id: str, said: WrittenIdentity, *, change: Change, desk: ChangeDesk) -> Proved:
    """Take an identity from the member; whoever proves it next has it."""

    async def body(unit: Unit, chain: Chain, command: CommandKey) -> Proved:
        if (first := await unit.answered(command)) is not None:
            return Proved(first.decode(), repeated_call=True)
        old, held, member = await _held(unit, member_id, said, chain)
        _take_from(unit, member, old)
        await unit.release([held.hash])
        await unit.answer(command, member.id.encode(), summary=f"an identity ({old.kind}) was taken from {member.id}")
        return Proved(member.id)

    return await carry_out(change, ("remove identity", member_id, said), body, desk=desk)


async def report_lost(member_id: str, said: WrittenIdentity, *, change: Change, desk: ChangeDesk) -> Proved:
    """Let a lost card, or whatever else it is, name nobody any more. It stays taken: who finds it cannot join by it."""

    async def body(unit: Unit, chain: Chain, command: CommandKey) -> Proved:
        if (first := await unit.answered(command)) is not None:
            return Proved(first.decode(), repeated_call=True)
        old, held, member = await _held(unit, member_id, said, chain)
        _take_from(unit, member, old)
        await unit.hand_over([replace(held, lost_at=change.now)])
        await unit.answer(command, member.id.encode(), summary=f"an identity ({old.kind}) of {member.id} was lost")
        return Proved(member.id)

    return await carry_out(change, ("lost identity", member_id, said), body, desk=desk)


async def replace_identity(
    member_id: str, old: WrittenIdentity, new: WrittenIdentity, *, change: Change, desk: ChangeDesk
) -> Proved:
    """Change one identity for another in one step: a new phone number. Refused when somebody else has the new one."""

    async def body(unit: Unit, chain: Chain, command: CommandKey) -> Proved:
        if (first := await unit.answered(command)) is not None:
            return Proved(first.decode(), repeated_call=True)
        was, held, member = await _held(unit, member_id, old, chain)
        _take_from(unit, member, was)
        await unit.release([held.hash])
        wanted = _identity(new, chain, desk)
        await _add(unit, member.id, wanted, taken=Taken.REFUSE, chain=chain, change=change, merge_id="")
        await unit.answer(command, member.id.encode(), summary=f"an identity ({was.kind}) of {member.id} was changed")
        return Proved(member.id)

    return await carry_out(change, ("replace identity", member_id, old, new), body, desk=desk)


async def _add(
    unit: Unit, member_id: str, new: Identity, *, taken: Taken, chain: Chain, change: Change, merge_id: str
) -> Proved:
    member = await unit.survivor(member_id)
    hashed = identity_hash(new, key=chain.identity_key)
    held = (await unit.held([hashed])).get(hashed)
    if held is None:
        _give(unit, member, new, change)
        await unit.take([Held(hashed, new.kind, member.id)])
        return Proved(member.id)
    if held.member == member.id and not held.lost_at:
        return Proved(member.id)
    if held.lost_at and taken is not Taken.TO_ANOTHER:
        raise IdentityLostError(field="identity", identity=new.kind)
    holder = await unit.survivor(held.member)
    if taken is Taken.TO_ANOTHER:
        _take_from(unit, holder, new)
        _give(unit, await unit.survivor(member.id), new, change)
        await unit.hand_over([Held(hashed, new.kind, member.id)])
        return Proved(member.id)
    if taken is Taken.REFUSE and not (merge_id and (member.provisional or holder.provisional)):
        raise IdentityTakenError(field="identity", identity=new.kind)
    merged = await merge_within(unit, member.id, holder.id, merge_id=merge_id, change=change)
    survivor = await unit.survivor(merged.survivor)
    if survivor.provisional and new.kind in PROVING:
        unit.keep(replace(survivor, provisional=False))
    return Proved(merged.survivor, merged.merge)


def _give(unit: Unit, member: Member, new: Identity, change: Change) -> None:
    profile = replace(member.profile, identities=(*member.profile.identities, new))
    check_profile(profile, today=change.now.date())
    provisional = member.provisional and new.kind not in PROVING
    unit.keep(replace(member, profile=profile, provisional=provisional, version=member.version + 1))


def _take_from(unit: Unit, member: Member, old: Identity) -> None:
    left = tuple(one for one in member.profile.identities if one != old)
    unit.keep(replace(member, profile=replace(member.profile, identities=left), version=member.version + 1))


async def _held(unit: Unit, member_id: str, said: WrittenIdentity, chain: Chain) -> tuple[Identity, Held, Member]:
    [old] = written_identities([said], chain)
    member = await unit.survivor(member_id)
    hashed = identity_hash(old, key=chain.identity_key)
    held = (await unit.held([hashed])).get(hashed)
    if held is None or held.member != member.id or held.lost_at:
        raise NotItsIdentityError(field="identity", identity=old.kind)
    return old, held, member


def _identity(said: WrittenIdentity | PaymentAccount, chain: Chain, desk: ChangeDesk) -> Identity:
    if isinstance(said, WrittenIdentity):
        return _one([said], chain)
    hashed = payer_hash(said.payment_kind, said.account, chain=chain.id, key=desk.payer_key)
    return identity(IdentityKind.PAYER, hashed, calling_code="", field="paymentAccount")


def _one(said: Sequence[WrittenIdentity], chain: Chain) -> Identity:
    [found] = written_identities(said, chain)
    return found
