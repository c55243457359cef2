"""Imports that are run again: complete, broken off, with other files, into another chain."""

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.cli.importing.command import ALL_IN, SOME_REJECTED
from infra.cli.importing.mapping import load
from infra.cli.importing.platform import UnreachableError
from infra.cli.importing.states import ImportUnderWayError, StateFolder
from tests.support.import_desk import MAPPING, Desk, sales, simple
from tests.support.paper_platform import PaperPlatform


@pytest.mark.parametrize("forget", [False, True])
def test_a_second_run_books_nothing(desk: Desk, forget: bool, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: FBT001 - a parameter of the test
    simple(desk)
    desk.run()
    before = (dict(desk.platform.booked), dict(desk.platform.members), len(desk.platform.requests))
    capsys.readouterr()
    if forget:
        desk.forget()
    assert desk.run() == ALL_IN
    assert (desk.platform.booked, desk.platform.members) == before[:2]
    said = capsys.readouterr().out
    if forget:
        assert "members        0 enrolled, 3 there already\npurchases      0 booked, 5 there already\n" in said
    else:
        assert len(desk.platform.requests) == before[2] + 1  # only the chain was asked for
        assert said.endswith("; nothing was left to send\n")
    assert "508 granted" in said


def test_a_member_who_was_there_before_is_the_same_member(desk: Desk) -> None:
    simple(desk)
    desk.platform.enroll("A")
    assert desk.run() == ALL_IN
    assert sorted(desk.platform.members) == ["+861", "A", "B", "C"]
    assert len([one for one in desk.platform.order if one["member"] == desk.platform.members["A"]]) == 3


def test_what_the_platform_refused_is_tried_again_by_the_next_run(desk: Desk) -> None:
    simple(desk)
    desk.write({"members.csv": "card,phone,joined\nA,,\n"})
    assert desk.run() == SOME_REJECTED
    assert len(desk.rejected()) == 2
    desk.platform.enroll("B")
    desk.platform.enroll("C")
    assert desk.run() == ALL_IN
    assert len(desk.platform.order) == 5


def test_only_the_first_members(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    simple(desk)
    assert desk.run(members=2) == ALL_IN
    assert sorted(desk.platform.members) == ["+861", "A", "B"]
    assert "members        2 enrolled, 1 skipped\npurchases      4 booked, 1 skipped\n" in capsys.readouterr().out
    assert desk.run() == ALL_IN
    assert len(desk.platform.order) == 5


def test_a_changed_file_is_read_again(desk: Desk) -> None:
    simple(desk)
    desk.run()
    path = desk.folder / "sales.jsonl"
    path.write_text(path.read_text() + sales(("B", 9, "7")))
    assert desk.run() == ALL_IN
    assert len(desk.platform.order) == 6
    assert desk.platform.points == 515


def test_another_chain_starts_from_the_first_row(desk: Desk) -> None:
    simple(desk)
    desk.run()
    other = Desk(desk.folder, PaperPlatform(chain="chn_2"))
    assert other.run() == ALL_IN
    assert len(other.platform.order) == 5


def test_the_same_import_runs_once_at_a_time(desk: Desk) -> None:
    simple(desk)
    mapping = load(desk.folder / "mapping.toml")
    files = {name: desk.folder / name for name in mapping.files}
    with (
        StateFolder(desk.folder / "state").open(mapping, files, chain="chn_1"),
        pytest.raises(ImportUnderWayError),
    ):
        desk.run()
    assert desk.run() == ALL_IN


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.sampled_from("ABCDE"), st.integers(0, 3), st.integers(0, 90_000)), max_size=40),
    breaks=st.sets(st.tuples(st.integers(1, 40), st.sampled_from(["before", "after"])), max_size=6),
    lanes=st.integers(1, 3),
    forget=st.booleans(),
)
def test_a_run_that_broke_off_anywhere_is_completed_exactly_once(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, int, int]],
    breaks: set[tuple[int, str]],
    lanes: int,
    forget: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    def fault(number: int, when: str) -> Exception | None:
        return httpx.ConnectError("cut") if (number, when) in breaks else None

    desk = Desk(tmp_path_factory.mktemp("desk"), PaperPlatform(fault=fault))
    desk.write(
        {
            "mapping.toml": MAPPING,
            "members.csv": "card,phone,joined\nA,,\nB,,\nC,,\nD,,\nE,,\n",
            "sales.jsonl": sales(*((card, hour, f"{paid / 100:.2f}") for card, hour, paid in rows)),
        }
    )
    for _ in range(len(breaks) + 1):
        try:
            assert desk.run(lanes=lanes) == ALL_IN
            break
        except UnreachableError:
            if forget:
                desk.forget()
    else:
        pytest.fail("it did not come to an end")
    numbered = sorted(enumerate(rows, start=1), key=lambda pair: pair[1][1])  # stable: equal hours in file order
    for card in "ABCDE":
        wanted = [(f"r-{row}", paid) for row, (who, _, paid) in numbered if who == card]
        found = [one for one in desk.platform.order if one["member"] == desk.platform.members[card]]
        assert [(one["receiptNumber"], one["lines"][0]["grossMinor"]) for one in found] == wanted
    assert len(desk.platform.members) == 5
