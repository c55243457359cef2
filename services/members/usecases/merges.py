"""Merge two members that are one person, and undo it."""

from dataclasses import dataclass, replace

from services.members.domain.chains import Chain
from services.members.domain.identities import Identity, identity_hash
from services.members.domain.merging import CannotSplitError, merge, older_first, split
from services.members.usecases.changes import Change, ChangeDesk, carry_out
from services.members.usecases.consents import tell_regrouped
from services.members.usecases.referrals import complete_merged
from services.members.usecases.units import CommandKey, Held, Unit


@dataclass(frozen=True, slots=True)
class MergedMembers:
    """The member that stays, and the merge that can be undone; `merge` is empty when they were one before."""

    survivor: str
    merge: str
    repeated_call: bool = False


@dataclass(frozen=True, slots=True)
class SplitMembers:
    """Both members after a merge was undone."""

    survivor: str
    freed: str
    repeated_call: bool = False


async def merge_members(one: str, other: str, *, change: Change, desk: ChangeDesk) -> MergedMembers:
    """Make one of two members: the older stays, and both ids mean it from now on."""
    merge_id = desk.make_id("mrg", change.now)

    async def body(unit: Unit, _chain: Chain, command: CommandKey) -> MergedMembers:
        if (first := await unit.answered(command)) is not None:
            survivor, _, id_ = first.decode().partition(" ")
            return MergedMembers(survivor, id_, repeated_call=True)
        done = await merge_within(unit, one, other, merge_id=merge_id, change=change)
        summary = f"{one} and {other} became {done.survivor} with it"
        await unit.answer(command, f"{done.survivor} {done.merge}".encode(), summary=summary)
        return done

    return await carry_out(change, ("merge", *sorted((one, other))), body, desk=desk)


async def merge_within(unit: Unit, one: str, other: str, *, merge_id: str, change: Change) -> MergedMembers:
    """Merge two members in a unit of work that does more besides."""
    first, second = await unit.survivor(one), await unit.survivor(other)
    if first.id == second.id:
        return MergedMembers(first.id, "")
    survivor, absorbed = older_first(first, second)
    merged = merge(survivor, absorbed, id_=merge_id, by=change.by, at=change.now)
    unit.keep(merged.survivor)
    unit.keep(merged.absorbed)
    await unit.keep_merge(merged.merge)
    theirs = await unit.held_by([absorbed.id])
    await unit.hand_over([replace(held, member=survivor.id, merges=(*held.merges, merge_id)) for held in theirs])
    await unit.recount(merged.survivor)
    unit.tell(merged.fact)
    await tell_regrouped(unit, survivor, merged.survivor, now=change.now)
    await complete_merged(unit, merged.survivor)
    return MergedMembers(survivor.id, merge_id)


async def split_members(merge_id: str, *, change: Change, desk: ChangeDesk) -> SplitMembers:
    """Undo a merge: the member that was taken over is itself again, with the identities that it had brought."""

    async def body(unit: Unit, chain: Chain, command: CommandKey) -> SplitMembers:
        if (first := await unit.answered(command)) is not None:
            survivor, _, freed = first.decode().partition(" ")
            return SplitMembers(survivor, freed, repeated_call=True)
        done = await _split(unit, merge_id, chain=chain, change=change)
        summary = f"{done.freed} left {done.survivor} again with it"
        await unit.answer(command, f"{done.survivor} {done.freed}".encode(), summary=summary)
        return done

    return await carry_out(change, ("split", merge_id), body, desk=desk)


async def _split(unit: Unit, merge_id: str, *, chain: Chain, change: Change) -> SplitMembers:
    undone = await unit.merge(merge_id)
    if undone.undone_at:
        raise CannotSplitError(field="mergeId", why=f"it was undone at {undone.undone_at.isoformat()}")
    both = await unit.members([undone.survivor, undone.absorbed])
    survivor, absorbed = both[undone.survivor], both[undone.absorbed]
    theirs = [held for held in await unit.held_by([survivor.id]) if merge_id in held.merges]
    parted = split(
        survivor, absorbed, undone, came_along=_said(theirs, (*survivor.profile.identities,), chain), at=change.now
    )
    unit.keep(parted.survivor)
    unit.keep(parted.freed)
    await unit.keep_merge(parted.merge)
    await unit.hand_over(
        [replace(held, member=absorbed.id, merges=held.merges[: held.merges.index(merge_id)]) for held in theirs]
    )
    await unit.recount(parted.survivor)
    await unit.recount(parted.freed)
    unit.tell(parted.fact)
    await tell_regrouped(unit, survivor, parted.survivor, now=change.now)
    return SplitMembers(survivor.id, absorbed.id)


def _said(held: list[Held], identities: tuple[Identity, ...], chain: Chain) -> tuple[Identity, ...]:
    """Return those of `identities` that `held` are the hashes of."""
    hashes = {one.hash for one in held}
    return tuple(one for one in identities if identity_hash(one, key=chain.identity_key) in hashes)
