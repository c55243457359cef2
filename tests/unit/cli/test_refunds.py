"""Refunds among the purchases and in files of their own, against a platform on paper."""

import random
import resource
from collections import defaultdict
from typing import Any

import httpx
import pytest

from infra.cli.importing.command import ALL_IN, SOME_REJECTED
from infra.cli.importing.platform import UnreachableError
from tests.support.import_desk import Desk
from tests.support.paper_platform import PaperPlatform

MAPPING = """
time_zone = "UTC"
store.code = "web"
[purchases]
file = "sales.csv"
format = "csv"
group_by = "no"
[purchases.refunds]
numbers_begin_with = "C"
fields = { receipt = "of" }
[purchases.fields]
member = "card"
occurred_at = "at"
item_code = "item"
quantity = "n"
unit_price = "each"
"""
HEAD = "no,card,at,item,n,each,of\n"


def go(desk: Desk, rows: str, *, mapping: str = MAPPING, **options: object) -> int:
    desk.write({"mapping.toml": mapping, "sales.csv": HEAD + rows})
    for card in "ABC":
        desk.platform.enroll(card)
    return desk.run(**options)


def refunded(desk: Desk) -> list[tuple[str, str, list[tuple[int, int, int]]]]:
    """Number, receipt, and of each line its place, pieces and amount."""
    return [
        (
            number,
            wish["receiptNumber"],
            [(line["line"], line["quantity"], line["amountMinor"]) for line in wish["lines"]],
        )
        for (_, number), wish in desk.platform.refunded.items()
    ]


def test_a_cancellation_without_reference_takes_back_the_newest(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        "1,A,2020-01-01,tea,4,1.25,\n"
        "2,A,2020-01-02,soup,1,9.00,\n2,A,2020-01-02,tea,4,1.25,\n"
        "3,B,2020-01-03,tea,9,1.25,\n"
        "C4,A,2020-01-04,tea,-2,1.25,\n"
        "5,A,2020-01-05,tea,4,1.25,\n"
    )
    assert go(desk, rows) == ALL_IN
    assert refunded(desk) == [("C4", "2", [(2, 2, 250)])]
    asked = desk.platform.refunded["sto_web", "C4"]
    assert (asked["receiptStoreId"], asked["occurredAt"]) == ("sto_web", "2020-01-04T00:00:00.000Z")
    said = capsys.readouterr().out
    assert "purchases      4 booked\nrefunds        1 booked\nrefund rows    1, 1 matched\n" in said
    assert "granted for these purchases, 2 taken back\n" in said


def test_the_same_price_comes_before_the_newest(desk: Desk) -> None:
    rows = "1,A,2020-01-01,tea,4,1.25,\n2,A,2020-01-02,tea,4,2.00,\nC3,A,2020-01-03,tea,-3,1.25,\n"
    assert go(desk, rows + "C4,A,2020-01-04,tea,-1,1.50,\n") == ALL_IN
    assert refunded(desk) == [("C3", "1", [(1, 3, 375)]), ("C4", "2", [(1, 1, 150)])]


def test_several_receipts_make_several_refunds(desk: Desk) -> None:
    rows = (
        "1,A,2020-01-01,tea,4,1.00,\n2,A,2020-01-02,tea,4,1.00,\n2,A,2020-01-02,soup,1,5.00,\n"
        "C3,A,2020-01-03,tea,-6,1.00,\nC3,A,2020-01-03,soup,-1,5.00,\n"
    )
    assert go(desk, rows) == ALL_IN
    assert refunded(desk) == [("C3:1", "2", [(1, 4, 400), (2, 1, 500)]), ("C3:2", "1", [(1, 2, 200)])]


def test_lines_that_take_back_may_stand_in_a_receipt_that_sells(desk: Desk) -> None:
    rows = (
        "1,A,2020-01-01,tea,4,1.00,\n"
        "2,A,2020-01-02,tea,-1,1.00,\n2,A,2020-01-02,soup,2,5.00,\n2,A,2020-01-02,rice,1,5.00,\n"
        "2,A,2020-01-02,rice,-1,5.00,\n"
    )
    assert go(desk, rows) == ALL_IN
    assert [[line["itemCode"] for line in one["lines"]] for one in desk.platform.order] == [["tea"], ["soup", "rice"]]
    assert refunded(desk) == [("2:1", "1", [(1, 1, 100)]), ("2:2", "2", [(2, 1, 500)])]


def test_a_reference_decides(desk: Desk) -> None:
    rows = (
        "1,A,2020-01-01,tea,4,1.00,\n2,A,2020-01-02,tea,4,1.00,\n"
        "C3,B,2020-01-03,tea,-2,1.00,1\n"
        "C4,A,2020-01-04,tea,-3,1.00,1\n"
        "C5,A,2020-01-05,tea,-1,1.00,9\n"
        "C6,A,2020-01-06,soup,-1,1.00,1\n"
    )
    assert go(desk, rows) == SOME_REJECTED
    assert refunded(desk) == [("C3", "1", [(1, 2, 200)])]
    nothing = "is not among the purchases, or has nothing of it left"
    assert desk.rejected() == [
        ["sales.csv", "5", "item", too_much("tea", (3, 300), "receipt 1", (2, 200))],
        ["sales.csv", "6", "item", f"takes back 1 for 100 (minor units) of tea, but receipt 9 {nothing}"],
        ["sales.csv", "7", "item", f"takes back 1 for 100 (minor units) of soup, but receipt 1 {nothing}"],
    ]


def test_what_exceeds_or_matches_nothing_is_told_and_takes_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (
        "1,A,2020-01-02,tea,2,1.00,\n"
        "C2,A,2020-01-01,tea,-1,1.00,\n"  # before it was bought
        "C3,A,2020-01-03,tea,-3,1.00,\nC3,A,2020-01-03,tea,-2,1.00,\n"
        "C4,A,2020-01-04,tea,-1,1.00,\n"
        "C5,B,2020-01-04,tea,-1,1.00,\n"
        "6,C,2020-01-04,rice,2,1.00,\nC7,C,2020-01-05,rice,-1,2.50,\n"  # more money than it cost
    )
    assert go(desk, rows) == SOME_REJECTED
    assert refunded(desk) == [("C3", "1", [(1, 2, 200)])]
    assert [(row, reason) for _, row, _, reason in desk.rejected()] == [
        ("3", _not_bought("tea", 1, 100)),
        ("4", too_much("tea", (3, 300), BEFORE, (2, 200))),
        ("6", _not_bought("tea", 1, 100)),
        ("7", _not_bought("tea", 1, 100)),
        ("9", too_much("rice", (1, 250), BEFORE, (2, 200))),
    ]
    assert "refund rows    6, 1 matched, 5 not matched\n" in capsys.readouterr().out


BEFORE = "what this member bought before"


def too_much(item: str, wanted: tuple[int, int], of: str, left: tuple[int, int]) -> str:
    (pieces, amount), (pieces_left, paid) = wanted, left
    what = f"takes back {pieces:,} for {amount:,} (minor units) of {item}"
    return f"{what}; of {of}, {pieces_left:,} for {paid:,} (minor units) is left"


def _not_bought(item: str, pieces: int, amount: int) -> str:
    what = f"takes back {pieces} for {amount} (minor units) of {item}"
    return f"{what}, which this member did not buy before, or took back already"


def test_a_bad_row_keeps_the_whole_refund_out(desk: Desk) -> None:
    rows = "1,A,2020-01-01,tea,2,1.00,\nC2,A,2020-01-02,tea,-1,1.00,\nC2,A,2020-01-02,tea,many,1.00,\n"
    assert go(desk, rows + "C3,A,2020-01-02,tea,0,0,\n") == SOME_REJECTED
    assert refunded(desk) == []
    assert desk.rejected() == [
        ["sales.csv", "3", "no", "its refund C2 is not booked: row 4 was rejected"],
        ["sales.csv", "4", "n", "is not a number like 12.50 but 'many'"],
        ["sales.csv", "5", "n", "is 0, and so is the amount: nothing is taken back"],
    ]


def test_shares_are_rounded_and_never_more_than_was_paid(desk: Desk) -> None:
    rows = "1,A,2020-01-01,tea,10,0.125,\n" + "".join(
        f"C{number},A,2020-01-02,tea,-{pieces},0.125,\n" for number, pieces in ((2, 3), (3, 3), (4, 4))
    )
    assert go(desk, rows) == ALL_IN
    assert refunded(desk) == [("C2", "1", [(1, 3, 38)]), ("C3", "1", [(1, 3, 38)]), ("C4", "1", [(1, 4, 49)])]


def test_the_order_of_each_member_is_kept(desk: Desk) -> None:
    rows = (
        "1,A,2020-01-01T10:00,tea,2,1.00,\n2,B,2020-01-01T10:00,tea,2,1.00,\n"
        "C3,A,2020-01-01T11:00,tea,-1,1.00,\n4,A,2020-01-01T12:00,tea,1,1.00,\n5,B,2020-01-01T12:00,tea,1,1.00,\n"
        "C6,A,2020-01-01T13:00,tea,-1,1.00,\nC7,B,2020-01-01T13:00,tea,-1,1.00,\n"
    )
    assert go(desk, rows, batch=100) == ALL_IN
    for member, numbers in (("mem_0", ["1", "C3", "4", "C6"]), ("mem_1", ["2", "5", "C7"])):
        assert [number for who, _, number in desk.platform.journal if who == member] == numbers
    # Those of one kind went together as far as the order allows, whatever the lane.
    assert len(desk.platform.requests) <= 1 + 2 * 4


def test_a_refund_of_a_receipt_that_was_refused_waits_for_the_next_run(desk: Desk) -> None:
    rows = "1,Z,2020-01-01,tea,2,1.00,\nC2,Z,2020-01-02,tea,-1,1.00,\n"
    assert go(desk, rows) == SOME_REJECTED
    assert desk.rejected()[1:] == [["sales.csv", "3", "of", "its receipt 1 was not booked"]]
    desk.platform.enroll("Z")
    assert desk.run() == ALL_IN
    assert refunded(desk) == [("C2", "1", [(1, 1, 100)])]


OWN = """
time_zone = "UTC"
store.code = "web"
[purchases]
file = "sales.csv"
format = "csv"
group_by = "no"
fields = { member = "card", occurred_at = "at", item_code = "item", quantity = "n", unit_price = "each" }
[refunds]
file = "returns.csv"
format = "csv"
fields.refund_number = "return"
fields.receipt = "of"
fields.member = "card"
fields.occurred_at = "at"
fields.item_code = "item"
fields.quantity = "n"
fields.amount = "money"
"""


def test_refunds_in_a_file_of_their_own(desk: Desk) -> None:
    desk.write(
        {
            "returns.csv": "return,of,card,at,item,n,money\n"
            "R1,1,,2020-01-05,,,\n"  # the whole receipt
            "R2,2,,2020-01-05,tea,1,\n"  # the piece's share
            "R3,,A,2020-01-06,tea,0,0.40\n"  # money only
            "R4,2,,2020-01-07,,,9.99\n"
            "R5,2,,2020-01-07,,,1.60\n"
            "R6,,A,2020-01-08,,,\n"
        }
    )
    rows = "1,A,2020-01-01,tea,1,1.00,\n1,A,2020-01-01,soup,1,5.00,\n2,A,2020-01-02,tea,3,1.00,\n"
    assert go(desk, rows, mapping=OWN) == SOME_REJECTED
    assert refunded(desk) == [
        ("R1", "1", []),
        ("R2", "2", [(1, 1, 100)]),
        ("R3", "2", [(1, 0, 40)]),
        ("R5", "2", []),
    ]
    assert desk.rejected() == [
        ["returns.csv", "5", "of", "takes back everything; of receipt 2, 2 for 160 (minor units) is left"],
        ["returns.csv", "7", "of", "is empty, and so is the member or the item"],
    ]


def made_up(seed: int) -> str:
    """Rows of a small shop with many cancellations, not in the order of time."""
    chance = random.Random(seed)  # noqa: S311 - the same every time
    rows = []
    for number in range(120):
        card, day, item = chance.choice("ABC"), chance.randrange(28), chance.choice(["tea", "soup"])
        price = chance.choice(["1.00", "1.25", "0.333"])
        kind, sign = ("C", -1) if chance.random() < 0.4 else ("", 1)
        rows.append(f"{kind}{number},{card},2020-01-{day + 1:02},{item},{sign * chance.randint(1, 6)},{price},\n")
    return "".join(rows)


@pytest.mark.parametrize("seed", range(4))
def test_never_more_than_was_bought_and_the_second_run_books_nothing(desk: Desk, seed: int) -> None:
    assert go(desk, made_up(seed)) == SOME_REJECTED
    # The platform on paper refuses what exceeds a line; nothing of the kind came back.
    assert {reason.partition(" of ")[0][:10] for *_, reason in desk.rejected()} == {"takes back"}
    assert len(desk.platform.refunded) > 10
    before, rejected = (dict(desk.platform.refunded), list(desk.platform.journal)), desk.rejected()
    desk.forget()
    assert desk.run() == SOME_REJECTED
    assert (dict(desk.platform.refunded), list(desk.platform.journal)) == before
    assert desk.rejected() == rejected


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("broken", [2, 3, 5, 8])
def test_a_run_that_broke_off_is_completed_exactly_once(tmp_path_factory: Any, when: str, broken: int) -> None:
    whole = Desk(tmp_path_factory.mktemp("whole"), PaperPlatform())
    go(whole, made_up(9))

    def fault(number: int, now: str) -> Exception | None:
        return httpx.ConnectError("cut") if (number, now) == (broken, when) else None

    desk = Desk(tmp_path_factory.mktemp("cut"), PaperPlatform(fault=fault))
    with pytest.raises(UnreachableError):
        go(desk, made_up(9), lanes=1, batch=25)
    assert desk.run(lanes=1, batch=25) == SOME_REJECTED
    assert desk.platform.refunded == whole.platform.refunded
    assert _by_member(desk.platform) == _by_member(whole.platform)


def _by_member(platform: PaperPlatform) -> dict[str, list[str]]:
    found = defaultdict[str, list[str]](list)
    for member, _, number in platform.journal:
        found[member].append(number)
    return found


def test_memory_does_not_grow_with_the_file(desk: Desk) -> None:
    """A till's own account that buys and takes back one item all day: the matching looks at a bounded part."""
    rows = "".join(f"{n},A,2020-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},tea,1,1.00,\n" for n in range(9_000))
    back = "".join(f"C{n},A,2020-01-02T00:00:00,tea,-1,1.00,\n" for n in range(20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert go(desk, rows + back + "CC,A,2020-01-03,tea,-6000,1.00,\n", dry_run=True) == SOME_REJECTED
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000
    newest = f"{BEFORE} (the newest 5,000 lines)"
    assert [reason for *_, reason in desk.rejected()] == [too_much("tea", (6_000, 600_000), newest, (5_000, 500_000))]
