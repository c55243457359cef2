"""Referrals: hand out codes, say who brought a member, and tell of the first purchase of who was brought."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Protocol

from services.kit.principal import Caller, Principal
from services.members.domain.chains import Chain
from services.members.domain.facts import ReferralCompleted
from services.members.domain.members import Member, NoMemberError
from services.members.domain.portraits import FirstPurchase
from services.members.domain.referrals import (
    CODE_BYTES,
    MOST_ABOVE,
    Brought,
    Referral,
    ReferralRingError,
    ReferralState,
    SelfReferralError,
    UnknownReferralCodeError,
    above,
    check_newcomer,
    closed,
    code_from,
    written_code,
)
from services.members.usecases.cards import RandomBytes
from services.members.usecases.chains import callers_chain
from services.members.usecases.changes import Change, ChangeDesk, carry_out
from services.members.usecases.limits import check_count
from services.members.usecases.units import CommandKey, Unit


@dataclass(frozen=True, slots=True)
class MemberReferrals:
    """All ids of a member, its own code (empty: none was made yet), and how many it has brought."""

    ids: tuple[str, ...]
    code: str
    brought: Brought


@dataclass(frozen=True, slots=True)
class SetReferral:
    """Who was brought, by the id that it has by now."""

    member: str
    referral: str
    repeated_call: bool = False


class ReferralBook(Protocol):
    """Where referrals are looked up."""

    async def overview(self, chain: str, members: Collection[str]) -> Mapping[str, MemberReferrals]:
        """Return each member's code and how many it has brought, by the id that was asked for."""


class Completing(Protocol):
    """Where first purchases complete referrals, within one transaction."""

    async def brought(self, chain: str, members: Collection[str]) -> Collection[str]:
        """Return those of `members`, each by the id that it has now, who were brought and have not bought yet."""

    async def run(
        self, chain: str, body: Callable[[Unit], Awaitable[None]], *, now: datetime, traceparent: str
    ) -> None:
        """Do `body` in the transaction."""


async def create_code(
    member_id: str, *, caller: Principal, now: datetime, desk: ChangeDesk, random_bytes: RandomBytes
) -> str:
    """Return the member's referral code, made at first asking. Safe to ask again."""
    chain = await callers_chain(caller, chains=desk.chains)

    async def body(unit: Unit) -> str:
        member = await own_member(unit, member_id, caller)
        codes = await unit.referrals.codes(member.ids)
        if found := next((codes[id_] for id_ in member.ids if id_ in codes), ""):
            return found
        code = code_from(random_bytes(CODE_BYTES))  # one that is taken becomes another with the next try
        await unit.referrals.add_code(member.id, code)
        unit.keep(member)  # so that no erasure comes in between
        return code

    return await desk.units.run(chain, body, now=now)


async def set_referrer(member_id: str, said: str, *, change: Change, desk: ChangeDesk) -> SetReferral:
    """Note who brought the member, by that one's code. Only for who has bought nothing and was brought by nobody."""
    referral_id = desk.make_id("rfl", change.now)
    wanted = _named(member_id, change.caller)

    async def body(unit: Unit, _chain: Chain, command: CommandKey) -> SetReferral:
        if (first := await unit.answered(command)) is not None:
            brought, _, referral = first.decode().partition(" ")
            return SetReferral(brought, referral, repeated_call=True)
        member = await own_member(unit, wanted, change.caller)
        check_newcomer(member, await unit.referrals.of(member.ids))
        referrer = await _referrer(unit, written_code(said))
        await _keep_out_rings(unit, member, referrer)
        await unit.referrals.add(Referral(referral_id, member.id, referrer.id, change.now))
        unit.keep(replace(member, source=replace(member.source, referrer=referrer.id), version=member.version + 1))
        await unit.answer(command, f"{member.id} {referral_id}".encode(), summary=f"{referrer.id} brought {member.id}")
        return SetReferral(member.id, referral_id)

    return await carry_out(change, ("set referrer", wanted, said), body, desk=desk)


async def own_member(unit: Unit, member_id: str, caller: Principal) -> Member:
    """Return the member as it is by now; a guest's own only, which it need not name. Raises NoMemberError."""
    wanted = _named(member_id, caller)
    member = await unit.survivor(wanted)
    if member.erased_at or (caller.kind is Caller.MEMBER and caller.id not in member.ids):
        raise NoMemberError(field="memberId", member=wanted)
    return member


def _named(member_id: str, caller: Principal) -> str:
    return member_id or (caller.id if caller.kind is Caller.MEMBER else "")


async def _referrer(unit: Unit, code: str) -> Member:
    owner = await unit.referrals.owner(code)
    if not owner or (referrer := await unit.survivor(owner)).erased_at:
        raise UnknownReferralCodeError(field="referralCode")
    return referrer


async def _keep_out_rings(unit: Unit, member: Member, referrer: Member) -> None:
    """Refuse what would close a ring. Whoever is looked at on the way is kept.

    So of two changes that together would close one, the later to commit finds somebody changed whom it has looked at,
    and looks again.
    """
    if referrer.id == member.id:
        raise SelfReferralError(field="referralCode")
    found, is_whole = await _all_above(unit, referrer)
    # Who has brought nobody is above nobody, so however many are above the referrer, there can be no ring.
    if member.id in found or (not is_whole and await unit.referrals.has_brought(member.ids)):
        raise ReferralRingError(field="referralCode")
    for one in found.values():
        unit.keep(one)


async def _all_above(unit: Unit, start: Member) -> tuple[Mapping[str, Member], bool]:
    """Return `start` and those who brought it, directly or by way of others, by id, and whether these are all."""
    found, layer = {start.id: start}, [start]
    while layer:
        ids = [id_ for one in layer for id_ in one.ids]
        layer = []
        for id_ in sorted(above(await unit.referrals.of(ids))):
            if len(found) > MOST_ABOVE:
                return found, False
            one = await unit.survivor(id_)
            if one.id not in found:
                found[one.id] = one
                layer.append(one)
    return found, True


async def complete_all(
    first: Sequence[FirstPurchase],
    *,
    work: Completing,
    nows: Mapping[str, datetime],
    traces: Mapping[tuple[str, str], str],
) -> None:
    """Complete the referrals of those who have bought for the first time. Most were brought by nobody.

    `nows` is what time it is in each chain, `traces` in which trace each purchase, by chain and id, was heard of.
    """
    for chain, several in groupby(sorted(first, key=lambda one: (one.chain, one.member)), key=lambda one: one.chain):
        bought = {one.member: one for one in several}
        for member in sorted(await work.brought(chain, bought)):
            purchase = bought[member]

            async def body(unit: Unit, purchase: FirstPurchase = purchase) -> None:
                await complete_within(unit, await unit.survivor(purchase.member), purchase.at)

            await work.run(chain, body, now=nows[chain], traceparent=traces[chain, purchase.ref])


async def complete_merged(unit: Unit, member: Member) -> None:
    """Complete the referral of two that have become one, when the one of them was brought and then bought as the other.

    That is what happens when somebody joins by a code, pays, and says later that the payer is the same person.
    """
    waiting = [one for one in await unit.referrals.of(member.ids) if one.state is ReferralState.OPEN]
    if not waiting:
        return
    bought_at = await unit.referrals.first_purchase(member.ids)
    if bought_at is not None and bought_at >= min(one.at for one in waiting):
        await complete_within(unit, member, bought_at)


async def complete_within(unit: Unit, member: Member, bought_at: datetime) -> None:
    """Close the member's referrals on its first purchase, and tell of the one that counts."""
    referrals = await unit.referrals.of(member.ids)
    done = closed(referrals, bought_at, person=member.id, referrers=await _referrers(unit, member, referrals))
    await unit.referrals.close(done.changed)
    if done.counts is not None and done.counts.completed_at is not None:
        referrer = await unit.survivor(done.counts.referrer)
        unit.tell(ReferralCompleted(member.id, done.counts.id, referrer.id, done.counts.completed_at))


async def _referrers(unit: Unit, member: Member, referrals: Sequence[Referral]) -> Mapping[str, str]:
    """Return who they are by now who brought the member: but not whom a merge has put in a ring with it."""
    found: dict[str, str] = {}
    for id_ in sorted(above(referrals)):
        referrer = await unit.survivor(id_)
        if referrer.erased_at is None and member.id not in (await _all_above(unit, referrer))[0]:
            found[id_] = referrer.id
    return found


async def get_referrals(ids: Sequence[str], *, caller: Principal, book: ReferralBook) -> Mapping[str, MemberReferrals]:
    """Return the referrals of members by the ids that were asked for; of a guest the own only."""
    check_count(ids, field="memberIds")
    found = await book.overview(caller.chain, list(dict.fromkeys(ids))) if ids else {}
    return {asked: one for asked, one in found.items() if caller.kind is not Caller.MEMBER or caller.id in one.ids}
