"""Whoever says at the same time who brought whom, no ring comes of it: on paper, with a database's snapshots."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from services.kit.errors import Problem
from services.kit.principal import Caller, Principal
from services.members.domain.chains import Chain
from services.members.domain.members import Channel, Member
from services.members.domain.profiles import Profile
from services.members.domain.referrals import ALPHABET, MOST_ABOVE, Referral, ReferralRingError, SelfReferralError
from services.members.usecases.changes import Change, ChangeDesk
from services.members.usecases.referrals import set_referrer
from services.members.usecases.units import CommandKey, Unit

T = TypeVar("T")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHAIN = Chain("chn_1", "Noodles", "CNY", "Asia/Shanghai", sandbox=False, identity_key=b"k" * 32)
STAFF = Principal(chain="chn_1", kind=Caller.STAFF, id="key_1")


def code_of(number: int) -> str:
    return "A" * 6 + ALPHABET[number // 32] + ALPHABET[number % 32]


@dataclass
class Paper:
    """What is committed: members, who brought them, and how often each was written."""

    members: dict[str, Member] = field(default_factory=dict)
    referrals: dict[str, Referral] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, people: int) -> "Paper":
        names = [f"mem_{number}" for number in range(people)]
        return cls({name: Member(name, Profile(), NOON, Channel.APP) for name in names})

    def copy(self) -> "Paper":
        return Paper(dict(self.members), dict(self.referrals), dict(self.writes))

    def brings(self, member: str, referrer: str) -> None:
        self.referrals[member] = Referral(f"rfl_{member}", member, referrer, NOON)

    def has_ring(self) -> bool:
        for start in self.referrals:
            member, steps = start, 0
            while member in self.referrals:
                member, steps = self.referrals[member].referrer, steps + 1
                if steps > len(self.referrals):
                    return True
        return False


class PaperUnit:
    """One transaction: it sees what was committed when it began, and what it writes itself."""

    def __init__(self, paper: Paper) -> None:
        self.seen, self.kept, self.added = paper.copy(), dict[str, Member](), list[Referral]()
        self.referrals = self

    async def answered(self, _command: CommandKey) -> bytes | None:
        return None

    async def answer(self, _command: CommandKey, _answer: bytes, *, summary: str) -> None:
        assert summary

    async def survivor(self, member_id: str) -> Member:
        return self.seen.members[member_id]

    def keep(self, member: Member) -> None:
        self.kept[member.id] = member

    async def owner(self, code: str) -> str:
        return f"mem_{ALPHABET.index(code[6]) * 32 + ALPHABET.index(code[7])}"

    async def of(self, members: Collection[str]) -> Sequence[Referral]:
        return [self.seen.referrals[id_] for id_ in sorted(members) if id_ in self.seen.referrals]

    async def has_brought(self, members: Collection[str]) -> bool:
        return any(one.referrer in members for one in self.seen.referrals.values())

    async def add(self, referral: Referral) -> None:
        self.added.append(referral)

    def commit(self, paper: Paper) -> bool:
        """Write, unless somebody else has written the same since; as MongoDB has it."""
        if any(paper.writes.get(id_) != self.seen.writes.get(id_) for id_ in self.kept):
            return False
        if any(one.member in paper.referrals for one in self.added):
            return False
        for id_, member in self.kept.items():
            paper.members[id_] = member
            paper.writes[id_] = paper.writes.get(id_, 0) + 1
        paper.referrals |= {one.member: one for one in self.added}
        return True


@dataclass
class PaperUnits:
    """A transaction waits before its first commit until it is its turn; what comes too late is done again."""

    paper: Paper
    turn: asyncio.Event

    async def run(
        self, _chain: Chain, body: Callable[[Unit], Awaitable[T]], *, now: datetime, traceparent: str = ""
    ) -> T:
        assert (now, traceparent) == (NOON, "")
        while True:
            unit = PaperUnit(self.paper)
            answer = await body(cast("Unit", unit))
            await self.turn.wait()
            if unit.commit(self.paper):
                return answer


class OneChain:
    async def find(self, chain_id: str) -> Chain | None:
        return CHAIN if chain_id == CHAIN.id else None


async def say(units: PaperUnits, member: int, referrer: int) -> str:
    desk = ChangeDesk(OneChain(), units, lambda prefix, _now: f"{prefix}_1", b"p" * 32)
    change = Change(f"referrer-{member}-{referrer}", STAFF, NOON)
    try:
        await set_referrer(f"mem_{member}", code_of(referrer), change=change, desk=desk)
    except Problem as problem:
        return problem.code
    return "set"


async def said_at_once(paper: Paper, wishes: Sequence[tuple[int, int]], order: Sequence[int]) -> list[str]:
    """Let all transactions read before the first one commits, and then commit in this order."""
    turns = [asyncio.Event() for _ in wishes]
    tasks = [asyncio.create_task(say(PaperUnits(paper, turn), *wish)) for turn, wish in zip(turns, wishes, strict=True)]
    for number in order:
        for _ in range(50):  # until all have read, and whoever had its turn is through
            await asyncio.sleep(0)
        turns[number].set()
    return [await task for task in tasks]


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_no_ring_comes_of_whatever_is_said_at_once(data: st.DataObject) -> None:
    people = data.draw(st.integers(2, 6))
    paper = Paper.of(people)
    line = data.draw(st.permutations(range(people)))
    for place, member in enumerate(line[:-1]):  # what was said before: each was brought by somebody further on, or not
        if further := data.draw(st.sampled_from([0, 1, 1, 2])):
            paper.brings(f"mem_{member}", f"mem_{line[min(place + further, people - 1)]}")
    new = [number for number in range(people) if f"mem_{number}" not in paper.referrals]
    for _ in range(data.draw(st.integers(1, 2))):
        wish = st.tuples(st.sampled_from(new), st.integers(0, people - 1))
        wishes = data.draw(st.lists(wish, min_size=1, max_size=4))
        order = data.draw(st.permutations(range(len(wishes))))
        asyncio.run(said_at_once(paper, wishes, order))
        assert not paper.has_ring()


def test_two_who_bring_each_other_at_once_are_not_both_believed() -> None:
    paper = Paper.of(2)
    assert asyncio.run(said_at_once(paper, [(0, 1), (1, 0)], [0, 1])) == ["set", ReferralRingError.code]


def test_a_ring_of_four_that_two_would_close_far_from_each_other_is_seen() -> None:
    paper = Paper.of(4)
    paper.brings("mem_1", "mem_2")
    paper.brings("mem_3", "mem_0")
    assert asyncio.run(said_at_once(paper, [(0, 1), (2, 3)], [0, 1])) == ["set", ReferralRingError.code]
    assert asyncio.run(said_at_once(paper, [(2, 2)], [0])) == [SelfReferralError.code]


def test_however_long_the_line_above_is_who_has_brought_nobody_may_join_it() -> None:
    paper = Paper.of(MOST_ABOVE + 10)
    for number in range(MOST_ABOVE + 5):
        paper.brings(f"mem_{number}", f"mem_{number + 1}")
    newcomer, top = MOST_ABOVE + 8, MOST_ABOVE + 5
    assert asyncio.run(said_at_once(paper, [(newcomer, 0)], [0])) == ["set"]
    # Who has brought somebody could be anywhere above: more than twenty are not looked through.
    assert asyncio.run(said_at_once(paper, [(top, 0)], [0])) == [ReferralRingError.code]
    assert not paper.has_ring()
