"""Time passes in order: every service at the same moment, everything due at its own, and nothing left under way."""

import argparse
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cli.main import main, parsed
from infra.cli.sandbox.moving import LEAD, LONGEST_STEP, AlreadyLaterError, Counts, NotQuietError, Sandbox, Standing
from infra.cli.sandbox.telling import Days
from tests.support.clock import START

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class World:
    """What the services did, in order, and the time that passes for whoever waits."""

    done: list[tuple[str, str, datetime]] = field(default_factory=list)
    waited_s: float = 0.0

    def now_s(self) -> float:
        self.waited_s += 1.0
        return self.waited_s


@dataclass
class Part:
    """One service in memory: dues at given moments; each tells an event, which others hear a few looks later."""

    name: str
    world: World
    dues: list[datetime] = field(default_factory=list)
    hears: dict[str, "Part"] = field(default_factory=dict)  # stream → who tells it
    slow: int = 0  # looks until an event is heard
    runs_needed: int = 1
    now: datetime = START
    stands: bool = False
    told: int = 0
    heard: int = 0
    looks: int = 0

    async def standing(self) -> Standing:
        later = [due for due in self.dues if due > self.now]
        return Standing(self.now, self.stands, min(later, default=None))

    async def move(self, to: datetime) -> None:
        assert to >= self.now
        self.now, self.stands = to, True
        self.world.done.append(("move", self.name, to))

    async def run_due(self) -> bool:
        self.runs_needed -= 1
        if self.runs_needed > 0:
            return False
        due = [one for one in self.dues if one <= self.now]
        self.dues = [one for one in self.dues if one > self.now]
        self.told += len(due)
        for moment in due:
            self.world.done.append(("due", self.name, moment))
        self.world.done.append(("run", self.name, self.now))
        return True

    async def counts(self) -> Counts:
        waiting = [source for source in self.hears.values() if source.told > self.heard]
        self.looks = self.looks + 1 if waiting else 0
        if waiting and self.looks > self.slow:
            self.heard += 1
            self.looks = 0
            self.world.done.append(("hear", self.name, self.now))
        return Counts({f"{self.name}.noun": self.told}, dict.fromkeys(self.hears, self.heard))


def sandbox(*parts: Part, give_up_s: float = 60.0) -> Sandbox:
    return Sandbox("sbx_1", parts, give_up_s, now_s=parts[0].world.now_s)


async def moved(box: Sandbox, to: datetime) -> list[datetime]:
    return [at async for at in box.move(await box.begin(), to)]


async def test_all_clocks_are_set_before_anything_that_is_due_is_done_and_what_follows_is_waited_for() -> None:
    world = World()
    points = Part("points", world, dues=[START + DAY])
    members = Part("members", world, hears={"points.noun": points}, slow=2)
    first, target = START + LEAD, START + 2 * DAY
    assert await moved(sandbox(members, points), target) == [first, START + DAY, target]
    assert world.done == [
        *(("move", "members", first), ("move", "points", first), ("run", "members", first), ("run", "points", first)),
        *(("move", "members", START + DAY), ("move", "points", START + DAY)),
        *(("run", "members", START + DAY), ("due", "points", START + DAY), ("run", "points", START + DAY)),
        ("hear", "members", START + DAY),
        *(("move", "members", target), ("move", "points", target)),
        *(("run", "members", target), ("run", "points", target)),
    ]


@given(
    st.lists(st.lists(st.integers(1, 200), max_size=6), min_size=1, max_size=4),
    st.integers(1, 250),
)
async def test_each_thing_is_done_at_its_moment_by_services_that_agree(hours: list[list[int]], until: int) -> None:
    world = World()
    parts = [Part(str(n), world, dues=[START + LEAD + each * HOUR for each in some]) for n, some in enumerate(hours)]
    target = START + LEAD + until * HOUR
    reached = await moved(sandbox(*parts), target)
    wanted = sorted({each for some in hours for each in some if each <= until})
    assert reached == [START + LEAD, *(START + LEAD + each * HOUR for each in wanted if each < until), target]
    at = START
    for what, _, moment in world.done:
        assert what != "due" or moment == at
        at = moment
    assert {part.now for part in parts} == {target}


async def test_what_was_cut_short_goes_on_at_the_furthest_clock() -> None:
    world = World()
    ahead = Part("points", world, dues=[START + DAY], now=START + DAY, stands=True)  # moved, but what is due not done
    behind = Part("members", world, now=START + HOUR, stands=True)
    assert await moved(sandbox(behind, ahead), START + DAY) == [START + DAY]
    assert ("due", "points", START + DAY) in world.done
    assert behind.now == START + DAY


async def test_a_clock_that_goes_on_meanwhile_is_set_ahead_of() -> None:
    world = World()
    first = Part("points", world, now=START, stands=True)
    assert await sandbox(first, Part("members", world, now=START + HOUR)).begin() == START + HOUR + LEAD


async def test_time_does_not_go_back() -> None:
    world = World()
    box = sandbox(Part("points", world, now=START, stands=True))
    with pytest.raises(AlreadyLaterError):
        await moved(box, START - HOUR)
    assert world.done == []


async def test_where_nothing_is_due_it_goes_a_month_at_a_time() -> None:
    world = World()
    box = sandbox(Part("points", world, now=START, stands=True))
    steps = [START, START + LONGEST_STEP, START + 2 * LONGEST_STEP, START + 70 * DAY]
    assert await moved(box, START + 70 * DAY) == steps


async def test_what_takes_longer_than_a_call_is_called_again_and_given_up_at_last() -> None:
    world = World()
    slow = Part("points", world, now=START, stands=True, runs_needed=3)
    assert await moved(sandbox(slow), START) == [START]
    assert slow.runs_needed == 0
    stuck = Part("points", World(), now=START, stands=True, runs_needed=1_000_000)
    with pytest.raises(NotQuietError, match="points is still at what is due"):
        await moved(sandbox(stuck, give_up_s=5), START)


async def test_what_does_not_arrive_is_named() -> None:
    world = World()
    points = Part("points", world, now=START, stands=True, told=3)
    members = Part("members", world, now=START, stands=True, hears={"points.noun": points}, slow=1_000_000, heard=1)
    with pytest.raises(NotQuietError) as stopped:
        await moved(sandbox(points, members, give_up_s=3), START + DAY)
    assert "within 3 s" in stopped.value.message
    assert "members has heard 1 of 3 events of points.noun" in stopped.value.message
    assert "--to 2026-03-02T04:00:00+00:00 goes on" in stopped.value.message
    assert members.now == START


@dataclass
class Scripted(Part):
    """A service whose counts are as they were written down, look after look."""

    script: list[Counts] = field(default_factory=list)

    async def counts(self) -> Counts:
        return self.script.pop(0)


async def test_what_was_heard_is_compared_with_what_is_told_later() -> None:
    """The first look of all found nothing told and nothing heard, and yet an event was told meanwhile."""
    world = World()
    told = [Counts({"points.noun": count}, {}) for count in (0, 1, 1, 1, 1)]
    heard = [Counts({}, {"points.noun": count}) for count in (0, 0, 1, 1, 1)]
    points = Scripted("points", world, now=START, stands=True, script=told)
    members = Scripted("members", world, now=START, stands=True, script=heard)
    assert await moved(sandbox(points, members), START) == [START]
    assert len(members.script) == 1  # heard at the third look, compared with what was told at the fourth


def given_words(*words: str) -> argparse.Namespace:
    return parsed(["sandbox", "move", *words])


def test_where_to_is_read() -> None:
    there = given_words("sbx_1", "--to", "2027-01-01T00:00:00+08:00")
    assert there.to == datetime(2027, 1, 1, tzinfo=timezone(8 * HOUR))
    lengths = [given_words("sbx_1", "--by", words).by for words in ("90m", "12h", "30d", "4w")]
    assert lengths == [90 * HOUR / 60, 12 * HOUR, 30 * DAY, 28 * DAY]


@pytest.mark.parametrize(
    "words",
    [
        ("--to", "2027-01-01T00:00:00"),
        ("--to", "tomorrow"),
        ("--by", "30"),
        ("--by", "-1d"),
        ("--by", "1d", "--to", "2027-01-01T00:00:00Z"),
        ("--by", "1d", "--give-up", "0"),
        ("--by", "1d", "--give-up", "nan"),
        (),
    ],
)
def test_what_makes_no_sense_is_refused(words: Iterable[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        given_words("sbx_1", *words)
    assert ended.value.code == 1
    assert "huitou sandbox move: " in capsys.readouterr().err


def test_a_real_chain_is_refused_before_anybody_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "move", "chn_1", "--by", "1d"]) == 1
    assert "chn_1 is not a sandbox" in capsys.readouterr().err


def test_each_day_of_the_chains_calendar_is_told_once() -> None:
    out = io.StringIO()
    days = Days(out, zone=ZoneInfo("Asia/Shanghai"), start=START, target=START + 4 * DAY)
    for at in (START, START + 11 * HOUR, START + 12 * HOUR, START + DAY, START + 4 * DAY):
        days.tell(at)
    days.end()
    assert out.getvalue() == "2026-03-01 (0 %)\n2026-03-02 (12 %)\n2026-03-05 (100 %)\n"
