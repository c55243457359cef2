"""Likely duplicates: find them among members whose profile has changed, show them, and leave out who is not one.

What changes a profile marks the member in its own transaction; a job goes on from the marks in two steps, each a
transaction. The first keeps the hashes, the second looks for who shares them. So of two members that change at the
same time, whoever comes to the second step last sees the other's hashes, on any number of replicas.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from services.kit.principal import Principal
from services.members.domain.chains import Chain
from services.members.domain.likeness import (
    MAX_PAIRS,
    NoDuplicateError,
    Pair,
    PairState,
    is_comparable,
    likeness,
    pair_of,
    shared,
    telling,
)
from services.members.domain.members import Member
from services.members.usecases.chains import ChainFinder
from services.members.usecases.looks import Looks, note_look
from services.members.usecases.members import MemberFinder, get_members, role_of

AT_ONCE = 100
"""Members in one transaction of the job."""


class Step(StrEnum):
    """What is to be done about a member that has changed."""

    HASH = "hash"
    PAIR = "pair"


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a member is compared by. `marks` grows with every change of the member."""

    member: str
    hashes: tuple[bytes, ...]
    marks: int


@dataclass(frozen=True, slots=True)
class FoundPairs:
    """What is to be written of pairs: new or changed ones, those that are none any more, and whom they touch."""

    kept: Sequence[Pair]
    gone: Sequence[Pair]
    touched: Collection[Likeness]


class LikenessUnit(Protocol):
    """One transaction on the likenesses of one chain."""

    async def members(self, ids: Collection[str]) -> Mapping[str, Member]:
        """Return those of `ids` that exist, just as they are, merged and erased ones too."""

    async def waiting(self, members: Collection[str], step: Step) -> Sequence[Likeness]:
        """Return the likenesses of those of `members` that wait for this step."""

    async def hashed(self, likenesses: Sequence[Likeness]) -> None:
        """Keep the hashes, none at all of somebody who has none; what waits for the next step is marked so."""

    async def holders(self, hashes: Collection[bytes]) -> Mapping[bytes, Mapping[str, Likeness]]:
        """Return who has each of these hashes, by member; of one that is common, more than COMMON, not all."""

    async def pairs(self, members: Collection[str]) -> Sequence[Pair]:
        """Return all pairs of these members."""

    async def paired(self, done: Sequence[Likeness], found: FoundPairs) -> None:
        """Keep the pairs; those who are touched must not be erased or merged meanwhile. `done` wait no more."""


class LikenessUnits(Protocol):
    """Where units of work on likenesses are done."""

    async def run(self, chain: Chain, body: Callable[[LikenessUnit], Awaitable[None]], *, now: datetime) -> None:
        """Do `body` in one transaction, again from the start when somebody else was first."""

    async def waiting(self, step: Step, *, first: int) -> Mapping[str, Sequence[str]]:
        """Return up to `first` members that wait for a step, by chain."""


class Duplicates(Protocol):
    """Where pairs are looked up."""

    async def page(self, chain: str, *, after: str, first: int) -> Sequence[Pair]:
        """Return up to `first` open pairs behind the place `after`, the most alike first."""

    async def dismiss(self, chain: str, key: str, *, by: str, now: datetime) -> Pair:
        """Let the pair be none, for ever. Raises NoDuplicateError."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A pair, as much of its members as the caller may see, and its place in the list."""

    pair: Pair
    first: Member
    second: Member


@dataclass(frozen=True, slots=True)
class DuplicatePage:
    """A page, the most alike first, and the place after which the next one begins; empty on the last."""

    duplicates: Sequence[Duplicate]
    next_after: str


@dataclass(frozen=True, slots=True)
class DuplicateDesk:
    """What showing duplicates needs from outside."""

    duplicates: Duplicates
    members: MemberFinder
    looks: Looks


async def take_step(chain: Chain, members: Sequence[str], step: Step, *, now: datetime, units: LikenessUnits) -> None:
    """Do a step for members of one chain, in one transaction."""

    async def body(unit: LikenessUnit) -> None:
        await step_within(unit, chain, members, step, now=now)

    await units.run(chain, body, now=now)


async def step_within(unit: LikenessUnit, chain: Chain, members: Sequence[str], step: Step, *, now: datetime) -> None:
    """Do a step for those of `members` that wait for it."""
    waiting = await unit.waiting(members, step)
    if waiting and step is Step.HASH:
        await _hash(waiting, chain, unit)
    elif waiting:
        await _pair(waiting, unit, now)


async def find_duplicates(
    *, units: LikenessUnits, chains: ChainFinder, now: Callable[[str], Awaitable[datetime]]
) -> int:
    """Do what waits, a batch of each step, and return how many members that were."""
    done = 0
    for step in Step:
        for chain_id, members in (await units.waiting(step, first=AT_ONCE)).items():
            chain = await chains.find(chain_id)
            if chain is not None:
                await take_step(chain, members, step, now=await now(chain_id), units=units)
                done += len(members)
    return done


async def _hash(waiting: Sequence[Likeness], chain: Chain, unit: LikenessUnit) -> None:
    members = await unit.members([one.member for one in waiting])
    await unit.hashed(
        [Likeness(one.member, _hashes(members.get(one.member), chain.identity_key), one.marks) for one in waiting]
    )


def _hashes(member: Member | None, key: bytes) -> tuple[bytes, ...]:
    """Return none of who was merged: the one that it has gone to has all that it said."""
    return () if member is None or not is_comparable(member) else likeness(member.profile, key=key)


async def _pair(waiting: Sequence[Likeness], unit: LikenessUnit, now: datetime) -> None:
    whose = {one.member for one in waiting}
    holders = await unit.holders({hashed for one in waiting for hashed in one.hashes})
    wanted: dict[str, Pair] = {}
    touched: dict[str, Likeness] = {}
    for one in waiting:
        for other, pair in _likest(one, holders, now):
            wanted.setdefault(pair.key, pair)
            touched[other.member] = other
    ids = _ids(await unit.members(whose))
    known = await unit.pairs(ids.keys() | whose)
    before = {pair.key: pair for pair in known}
    kept = [pair for key, pair in wanted.items() if _is_news(pair, before.get(key))]
    named = {id_ for pair in kept for id_ in (pair.first, pair.second)}
    dismissed = _dismissed(known, ids | _ids(await unit.members(named)))
    kept = [
        replace(pair, state=PairState.DISMISSED) if frozenset((pair.first, pair.second)) in dismissed else pair
        for pair in kept
    ]
    gone = [
        pair
        for pair in known
        if pair.state is PairState.OPEN and pair.key not in wanted and whose & {pair.first, pair.second}
    ]
    others = [one for id_, one in touched.items() if id_ in named - whose]
    await unit.paired(waiting, FoundPairs(kept, gone, others))


def _ids(members: Mapping[str, Member]) -> dict[str, str]:
    """Return who has which former id by now."""
    return {id_: one.id for one in members.values() if not one.merged_into for id_ in one.ids}


def _is_news(pair: Pair, before: Pair | None) -> bool:
    return before is None or (before.state is PairState.OPEN and before.reasons != pair.reasons)


def _likest(
    one: Likeness, holders: Mapping[bytes, Mapping[str, Likeness]], now: datetime
) -> Iterable[tuple[Likeness, Pair]]:
    hashes = telling(one.hashes, holders)
    others = {id_: other for hashed in hashes for id_, other in holders.get(hashed, {}).items() if id_ != one.member}
    found = [
        (other, pair_of(one.member, id_, reasons, at=now))
        for id_, other in others.items()
        if (reasons := shared(hashes, other.hashes))
    ]
    return sorted(found, key=lambda each: (-each[1].score, each[1].key))[:MAX_PAIRS]


def _dismissed(known: Iterable[Pair], gone_to: Mapping[str, str]) -> set[frozenset[str]]:
    """Return the pairs that nobody wants to see again; what was said of a former id holds for who has it now."""
    said = [pair for pair in known if pair.state is PairState.DISMISSED]
    return {frozenset((gone_to.get(pair.first, pair.first), gone_to.get(pair.second, pair.second))) for pair in said}


async def list_duplicates(
    *, after: str, first: int, look_id: str, now: datetime, caller: Principal, desk: DuplicateDesk
) -> DuplicatePage:
    """Return a page of pairs with as much of both as the caller may see, and record that they were shown.

    Who has been merged or erased at this very moment is left out.
    """
    found = await desk.duplicates.page(caller.chain, after=after, first=first + 1)
    shown = found[:first]
    ids = list(dict.fromkeys(id_ for pair in shown for id_ in (pair.first, pair.second)))
    members = {
        one.asked: one.member
        for one in (await get_members(ids, caller=caller, members=desk.members) if ids else [])
        if one.member.id == one.asked and not one.member.erased_at
    }
    duplicates = [
        Duplicate(pair, members[pair.first], members[pair.second])
        for pair in shown
        if pair.first in members and pair.second in members
    ]
    seen = {one.id: one for each in duplicates for one in (each.first, each.second)}
    await note_look(
        list(seen.values()), caller=caller, role=role_of(caller), look_id=look_id, now=now, looks=desk.looks
    )
    return DuplicatePage(duplicates, place_of(shown[-1]) if len(found) > first else "")


def place_of(pair: Pair) -> str:
    """Return the pair's place in the list."""
    return f"{pair.score} {pair.key}"


async def dismiss_duplicate(
    one: str, other: str, *, caller: Principal, by: str, now: datetime, desk: DuplicateDesk
) -> None:
    """Let two members be two: the pair does not come back. Again: nothing is left to do."""
    if one == other:
        raise NoDuplicateError(field="otherMemberId")
    await desk.duplicates.dismiss(caller.chain, pair_of(one, other, (), at=now).key, by=by, now=now)
