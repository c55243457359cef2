"""The whole command against a platform on paper."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.cli.importing.command import ALL_IN, SOME_REJECTED, NoKeyError, Options, run
from infra.cli.importing.loading import TwoFilesError
from infra.cli.importing.platform import UnreachableError
from infra.cli.importing.run import CurrencyError, NoStoreError
from infra.cli.importing.states import ImportUnderWayError, StateFolder
from tests.support.paper_platform import PaperPlatform

MAPPING = """
time_zone = "Asia/Shanghai"
[store]
code = "web"
[members]
file = "members.csv"
format = "csv"
fields = { external_id = "card", phone = "phone", enrolled_at = "joined" }
[purchases]
file = "sales.jsonl"
format = "jsonl"
filter = { kind = "sale" }
fields.member = "who.card"
fields.receipt_number = { template = "r-{row}" }
fields.occurred_at = { column = "hour", unit = "hours", since = 2019-01-01T00:00:00 }
fields.item_code = { constant = "unknown" }
fields.gross = "paid"
"""

GROUPED = """
time_zone = "Asia/Shanghai"
[purchases]
file = "lines.csv"
format = "csv"
group_by = "order"
fields = { store = "shop", member = "card", occurred_at = "at", item_code = "item", gross = "price" }
"""


class Quiet:
    """A progress that says nothing."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, title: str, *, total: int | None, unit: str = "") -> None: ...

    def advance(self, count: int) -> None: ...

    def note(self, words: str) -> None:
        self.notes.append(words)

    def finish(self) -> None: ...


@dataclass(frozen=True)
class Desk:
    """A folder with files, and a platform."""

    folder: Path
    platform: PaperPlatform

    def write(self, files: Mapping[str, str]) -> None:
        for name, content in files.items():
            (self.folder / name).write_text(content)

    def options(self) -> Options:
        return Options(
            source=self.folder,
            mapping=self.folder / "mapping.toml",
            url="http://127.0.0.1:1/graphql",
            key="htk_x",
            members=None,
            report=self.folder / "rejected.csv",
            state=self.folder / "state",
            batch=3,
            lanes=2,
            give_up_s=0,
            dry_run=False,
        )

    def run(self, **changes: object) -> int:
        return run(replace(self.options(), **changes), progress=Quiet(), transport=self.platform.transport)  # type: ignore[arg-type]  # names are checked by replace

    def rejected(self) -> list[list[str]]:
        with (self.folder / "rejected.csv").open(newline="") as file:
            return list(csv.reader(file))[1:]

    def enrollment_keys(self) -> list[str]:
        sent = [one["variables"]["input"]["members"] for one in self.platform.requests if "enroll" in one["query"]]
        return [wish["key"] for wishes in sent for wish in wishes]

    def forget(self) -> None:
        for path in (self.folder / "state").iterdir():
            path.unlink()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, PaperPlatform())


def sales(*rows: tuple[str, int, str], kind: str = "sale") -> str:
    return "".join(
        f'{{"kind": "{kind}", "who": {{"card": "{card}"}}, "hour": {hour}, "paid": {paid}}}\n'
        for card, hour, paid in rows
    )


def simple(desk: Desk) -> None:
    desk.write(
        {
            "mapping.toml": MAPPING,
            "members.csv": "card,phone,joined\nA,,2018-01-01\nB,+861,\nC,,2018-06-01T12:00:00Z\n",
            "sales.jsonl": sales(("A", 5, "499.995"), ("B", 1, "3"), kind="sale")
            + sales(("A", 0, "1"), kind="refund")
            + sales(("A", 6, "4.99"), ("A", 2, "0.01"), ("C", 0, "0.80")),
        }
    )


def test_everything_goes_in_once_and_in_its_order(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    simple(desk)
    assert desk.run() == ALL_IN
    booked = [(one["receiptNumber"], one["member"], one["occurredAt"]) for one in desk.platform.order]
    assert [one for one in booked if one[1] == desk.platform.members["A"]] == [
        ("r-5", "mem_0", "2018-12-31T18:00:00.000Z"),
        ("r-1", "mem_0", "2018-12-31T21:00:00.000Z"),
        ("r-4", "mem_0", "2018-12-31T22:00:00.000Z"),
    ]
    assert desk.platform.order[0]["lines"][0].keys() == {"itemCode", "quantity", "grossMinor", "discountMinor"}
    assert sorted(number for number, _, _ in booked) == ["r-1", "r-2", "r-4", "r-5", "r-6"]
    # 500.00 and 0.01 before: silver for 4.99, which earns 5 points.
    assert desk.platform.points == 0 + 500 + 5 + 3 + 0
    said = capsys.readouterr().out.splitlines()
    assert said[:5] == [
        "rows read      9, 1 left out by the filter",
        "members        3 enrolled",
        "purchases      5 booked",
        "points         508 granted for these purchases",
        "tiers reached  1 × silver",
    ]


def test_members_are_enrolled_as_they_joined(desk: Desk) -> None:
    simple(desk)
    desk.run()
    enrolled = {
        json.loads(content)["profile"]["identities"][0]["value"]: json.loads(content)
        for content, _ in desk.platform.keys.values()
    }
    assert enrolled["A"]["enrolledAt"] == "2017-12-31T16:00:00.000Z"
    assert enrolled["B"]["enrolledAt"] is None
    assert enrolled["B"]["profile"]["identities"][1] == {"kind": "PHONE", "value": "+861"}
    assert enrolled["C"]["channel"] == "IMPORT"


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
        assert (len(desk.enrollment_keys()), len(set(desk.enrollment_keys()))) == (6, 3)
        assert "members        0 enrolled, 3 there already\npurchases      0 booked, 5 there already\n" in said
    else:
        assert len(desk.platform.requests) == before[2] + 1  # only the chain was asked for
    assert "508 granted" in said


def test_a_member_who_was_there_before_is_the_same_member(desk: Desk) -> None:
    simple(desk)
    desk.platform.enroll("A")
    assert desk.run() == ALL_IN
    assert sorted(desk.platform.members) == ["+861", "A", "B", "C"]
    assert len([one for one in desk.platform.order if one["member"] == desk.platform.members["A"]]) == 3


def test_somebody_elses_phone_is_a_refusal(desk: Desk) -> None:
    simple(desk)
    desk.platform.enroll("+861")
    assert desk.run() == SOME_REJECTED
    assert desk.rejected() == [
        ["members.csv", "3", "profile.identities.1", "+861 is taken. (IDENTITY_TAKEN)"],
        ["sales.jsonl", "2", "who.card", "No member has this external. (MEMBER_NOT_FOUND)"],
    ]


def test_rows_that_cannot_go_in_are_told_with_their_place(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    simple(desk)
    desk.write(
        {
            "members.csv": "card,phone,joined\nA,,then\nB,,\nB,,\nB,+862,\n,,\nunwelcome,,\n",
            "sales.jsonl": sales(("B", 1, '"x"'), ("B", 1, "-1"), ("B", 2, "1"), ("Z", 3, "1")) + "{\n",
        }
    )
    assert desk.run() == SOME_REJECTED
    assert desk.rejected() == [
        ["members.csv", "2", "joined", "is not a moment like \"2026-03-01T12:00:00\" but 'then'; give its `format`"],
        ["members.csv", "5", "card", "stands in row 3 already, with other facts"],
        ["members.csv", "6", "card", "is empty or not there"],
        ["members.csv", "7", "card", "Not this one. (INVALID_IDENTITY)"],
        ["sales.jsonl", "1", "paid", "is not a number like 12.50 but 'x'"],
        ["sales.jsonl", "2", "paid", "It is less than 0. (INVALID_PURCHASE)"],
        ["sales.jsonl", "4", "who.card", "No member has this external. (MEMBER_NOT_FOUND)"],
        ["sales.jsonl", "5", "", "is not JSON"],
    ]
    assert [one["receiptNumber"] for one in desk.platform.order] == ["r-3"]
    said = capsys.readouterr().out
    assert "rows read      11, 1 repeated\nmembers        1 enrolled, 1 rejected by the platform\n" in said
    assert f"rejected       8 rows, each with its reason in {desk.folder / 'rejected.csv'}" in said


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


def test_a_dry_run_sends_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    simple(desk)
    assert desk.run(dry_run=True, key="") == ALL_IN
    assert desk.platform.requests == []
    said = capsys.readouterr().out
    assert "members        3 would be enrolled\npurchases      5 would be booked\ntime" in said
    assert not (desk.folder / "state").exists()


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


GROUPS = {
    "mapping.toml": GROUPED,
    "lines.csv": "shop,order,card,at,item,price\n"
    "web,1,A,2019-01-01T12:00,rice,2\n"
    "web,2,A,2019-01-01T11:00,tea,1\n"
    "web,1,A,2019-01-01T12:00,soup,3\n"
    "moon,1,A,2019-01-01T12:00,soup,3\n"
    "web,3,A,2019-01-01T12:00,soup,3\n"
    "web,3,A,2019-01-01T12:00,soup,much\n"
    "web,4,A,2019-01-01T12:00,soup,3\n"
    "web,4,B,2019-01-01T12:00,soup,3\n",
}


def test_lines_of_a_receipt_come_together(desk: Desk) -> None:
    desk.write(GROUPS)
    desk.platform.enroll("A")
    assert desk.run() == SOME_REJECTED
    assert [(one["receiptNumber"], [line["itemCode"] for line in one["lines"]]) for one in desk.platform.order] == [
        ("2", ["tea"]),
        ("1", ["rice", "soup"]),
    ]
    assert desk.rejected() == [
        ["lines.csv", "5", "shop", "there is no store with the code 'moon' in this chain"],
        ["lines.csv", "6", "order", "its receipt 3 is not booked: row 7 was rejected"],
        ["lines.csv", "7", "price", "is not a number like 12.50 but 'much'"],
        ["lines.csv", "8", "order", "its receipt 4 is not booked: rows 8 and 9 differ in card"],
        ["lines.csv", "9", "order", "its receipt 4 is not booked: rows 8 and 9 differ in card"],
    ]


def test_one_file_is_given_by_its_own_name(desk: Desk) -> None:
    desk.write(GROUPS)
    desk.platform.enroll("A")
    assert desk.run(source=(desk.folder / "lines.csv").rename(desk.folder / "march.csv")) == SOME_REJECTED
    assert len(desk.platform.order) == 2
    desk.write({"mapping.toml": MAPPING})
    with pytest.raises(TwoFilesError, match=r"members.csv and sales.jsonl"):
        desk.run(source=desk.folder / "march.csv")


def test_the_store_is_opened_where_the_mapping_says_so(desk: Desk) -> None:
    simple(desk)
    desk.platform.stores = {"n1": "sto_n1"}
    with pytest.raises(NoStoreError, match=r"no store with the code web; it has n1\. .* create = { name"):
        desk.run()
    create = 'code = "web"\ncreate = { name = "Web shop" }'
    desk.write({"mapping.toml": MAPPING.replace('code = "web"', create)})
    assert desk.run() == ALL_IN
    opened = next(one["variables"]["input"] for one in desk.platform.requests if "saveStores" in one["query"])
    assert opened == {"stores": [{"code": "web", "name": "Web shop", "timeZone": "Asia/Shanghai"}]}
    assert {one["storeId"] for one in desk.platform.order} == {"sto_web"}


def test_the_currency_must_be_the_stores(desk: Desk) -> None:
    simple(desk)
    desk.write({"mapping.toml": MAPPING.replace('file = "sales.jsonl"', 'file = "sales.jsonl"\ncurrency = "USD"')})
    with pytest.raises(CurrencyError, match="amounts are USD, but the store web sells in CNY"):
        desk.run()


def test_without_a_key_it_says_where_to_get_one(desk: Desk) -> None:
    simple(desk)
    with pytest.raises(NoKeyError, match="set HUITOU_KEY"):
        desk.run(key="")


def test_the_same_import_runs_once_at_a_time(desk: Desk) -> None:
    from infra.cli.importing.mapping import load  # noqa: PLC0415 - only here

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
