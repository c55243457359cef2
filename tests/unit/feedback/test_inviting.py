"""Whom a batch of visits invites: the same, however the visits are cut into batches."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.feedback.domain import Invitation, Visit
from services.feedback.usecases.invitations import Name, invite
from tests.support.clock import START

DAY = timedelta(days=1)


@dataclass
class Notebook:
    """Invitations in memory."""

    made: list[tuple[str, Invitation]] = field(default_factory=list)
    questions: int = 0

    async def families(self, members: Collection[Name]) -> Mapping[Name, frozenset[str]]:
        return {name: frozenset({name[1]}) for name in members}

    async def asked_about(self, members: Collection[Name], *, since: datetime) -> Mapping[Name, datetime]:
        self.questions += 1
        newest: dict[Name, datetime] = {}
        for chain, one in self.made:
            if (name := (chain, one.member)) in members and one.occurred_at > since:
                newest[name] = max(one.occurred_at, newest.get(name, one.occurred_at))
        return newest

    async def add_invitations(self, invitations: Sequence[tuple[str, Invitation]]) -> None:
        self.made += invitations

    async def keep_members(self, members: Collection[Name]) -> None:
        raise AssertionError(members)

    def invited(self) -> list[tuple[str, str, str]]:
        return [(chain, one.member, one.purchase) for chain, one in self.made]


def make_id(prefix: str, _now: datetime) -> str:
    return f"{prefix}_1"


def visit(days_ago: float, *, member: str = "mem_ada", chain: str = "chn_1", purchase: str = "pur_1") -> Visit:
    return Visit(chain, member, purchase, "sto_1", START - days_ago * DAY)


def everywhere(now: datetime) -> Mapping[str, datetime]:
    return {"chn_1": now, "chn_2": now}


async def invited(*batches: Sequence[Visit], now: datetime = START) -> list[tuple[str, str, str]]:
    notebook = Notebook()
    for batch in batches:
        await invite(batch, unit=notebook, make_id=make_id, nows=everywhere(now))
    return notebook.invited()


async def test_of_two_visits_in_one_batch_the_first_is_asked_about() -> None:
    assert await invited([visit(1, purchase="pur_1"), visit(0, purchase="pur_2")]) == [("chn_1", "mem_ada", "pur_1")]


async def test_the_same_member_id_in_two_chains_is_two_members() -> None:
    found = await invited([visit(0), visit(0, chain="chn_2")])
    assert found == [("chn_1", "mem_ada", "pur_1"), ("chn_2", "mem_ada", "pur_1")]


async def test_an_import_of_old_receipts_asks_the_database_nothing() -> None:
    notebook = Notebook()
    await invite([visit(day) for day in range(8, 3_000)], unit=notebook, make_id=make_id, nows=everywhere(START))
    assert (notebook.questions, notebook.made) == (0, [])


async def test_a_member_is_asked_again_a_month_after() -> None:
    notebook = Notebook()
    for day in range(0, 90, 10):
        now = START + day * DAY
        seen = Visit("chn_1", "mem_ada", f"pur_{day}", "sto_1", now)
        await invite([seen], unit=notebook, make_id=make_id, nows=everywhere(now))
    assert [purchase for _, _, purchase in notebook.invited()] == ["pur_0", "pur_30", "pur_60"]


Seen = tuple[str, float]


@given(
    seen=st.lists(st.tuples(st.sampled_from(["mem_ada", "mem_bob"]), st.floats(0, 10)), max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=3),
)
async def test_how_visits_are_cut_into_batches_makes_no_difference(seen: list[Seen], cuts: list[int]) -> None:
    visits = [visit(days, member=member, purchase=f"pur_{n}") for n, (member, days) in enumerate(seen)]
    edges = [0, *sorted(cuts), len(visits)]
    batches = [visits[start:end] for start, end in pairwise(edges)]
    assert await invited(*batches) == await invited(visits)


@given(
    seen=st.lists(st.tuples(st.sampled_from(["mem_ada", "mem_bob"]), st.floats(0, 10)), max_size=12),
    data=st.data(),
)
async def test_who_is_invited_does_not_depend_on_the_order_of_receipts(seen: list[Seen], data: st.DataObject) -> None:
    visits = [visit(days, member=member, purchase=f"pur_{n}") for n, (member, days) in enumerate(seen)]
    shuffled = data.draw(st.permutations(visits))
    # Which of the visits is asked about depends on what came first; that each member is asked once does not.
    members = sorted(member for _, member, _ in await invited(visits))
    assert sorted(member for _, member, _ in await invited(shuffled)) == members
    assert members == sorted({visit.member for visit in visits if visit.occurred_at >= START - 7 * DAY})
