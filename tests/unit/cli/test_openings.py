"""Opening balances, against a platform on paper."""

import pytest

from infra.cli.importing.command import ALL_IN, SOME_REJECTED
from tests.support.import_desk import Desk

MAPPING = """
time_zone = "Asia/Shanghai"
store.code = "web"
[members]
file = "members.csv"
format = "csv"
fields = { external_id = "card" }
[openings]
file = "balances.csv"
format = "csv"
[openings.fields]
account = "account"
member = "card"
currency = "what"
amount = "amount"
earned_at = "earned"
expires_at = "until"
[purchases]
file = "sales.csv"
format = "csv"
fields = { receipt_number = "no", member = "card", occurred_at = "at", item_code = "item", gross = "paid" }
"""
HEAD = "account,card,what,amount,earned,until\n"


def go(desk: Desk, balances: str, *, mapping: str = MAPPING, **options: object) -> int:
    sales = "no,card,at,item,paid\n1,A,2020-01-01,tea,5.00\n2,B,2020-01-01,tea,5.00\n"
    members = "card\nA\nB\nC\n"
    files = {"mapping.toml": mapping, "members.csv": members, "balances.csv": HEAD + balances, "sales.csv": sales}
    desk.write(files)
    return desk.run(**options)


GOOD = (
    "4711,A,,300,2019-06-01,2020-05-31\n"
    "4711,A,,120,2019-01-01,\n"
    "4711,A,stamps,4,2019-06-01,\n"
    "4712,B,points,0,2019-06-01,\n"
    ",C,points,7,2019-06-01T12:00:00Z,\n"
)


def test_lots_of_an_account_are_one_balance(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(desk, GOOD) == ALL_IN
    assert {key: (one["member"], one["currency"]) for key, one in desk.platform.opened.items()} == {
        "opening/4711": ("mem_0", "POINTS"),
        "opening/4711/stamps": ("mem_0", "STAMPS"),
        "opening/C": ("mem_2", "POINTS"),
    }
    assert desk.platform.opened["opening/4711"]["lots"] == [
        {"amount": 120, "earnedAt": "2018-12-31T16:00:00.000Z", "expiresAt": None},
        {"amount": 300, "earnedAt": "2019-05-31T16:00:00.000Z", "expiresAt": "2020-05-30T16:00:00.000Z"},
    ]
    assert capsys.readouterr().out.startswith(
        "rows read      10, 1 with nothing to open\n"
        "members        3 enrolled\n"
        "openings       3 opened\n"
        "  points       427 in 3 lots\n"
        "  stamps       4 in 1 lots\n"
        "purchases      2 booked\n"
    )


def test_a_dry_run_tells_the_totals(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert go(desk, GOOD, dry_run=True) == ALL_IN
    assert "openings       3 would be opened\n  points       427 in 3 lots\n  stamps       4" in capsys.readouterr().out
    assert desk.platform.requests == []


@pytest.mark.parametrize(("after", "first"), [("", "opening"), ("after_purchases = true", "purchase")])
def test_they_come_before_the_purchases_unless_the_mapping_says_otherwise(desk: Desk, after: str, first: str) -> None:
    assert go(desk, GOOD, mapping=MAPPING.replace("[openings]", f"[openings]\n{after}")) == ALL_IN
    kinds = [kind for _, kind, _ in desk.platform.journal]
    assert kinds[0] == first
    assert sorted(kinds) == ["opening"] * 3 + ["purchase"] * 2
    assert kinds in (sorted(kinds), sorted(kinds, reverse=True))


@pytest.mark.parametrize("forget", [False, True])
def test_a_second_run_opens_nothing(desk: Desk, forget: bool, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: FBT001 - a parameter of the test
    assert go(desk, GOOD) == ALL_IN
    before = (dict(desk.platform.opened), list(desk.platform.journal))
    capsys.readouterr()
    if forget:
        desk.forget()
        # The other system wrote the same lots in another order.
        desk.write({"balances.csv": HEAD + "".join(reversed(GOOD.splitlines(keepends=True)))})
    assert desk.run() == ALL_IN
    assert (desk.platform.opened, desk.platform.journal) == before
    if forget:
        assert "openings       0 opened, 3 there already\n" in capsys.readouterr().out


def test_what_cannot_be_opened_is_told(desk: Desk) -> None:
    rows = (
        "1,A,,5,2019-01-01,\n1,B,,5,2019-01-01,\n"
        "2,A,,5,2019-01-01,\n2,A,,5,then,\n"
        "3,A,miles,5,2019-01-01,\n"
        "4,A,,-5,2019-01-01,\n"
        "5,,,5,2019-01-01,\n"
        "6,Z,,5,2019-01-01,\n"
        f"{'7' * 121},A,,5,2019-01-01,\n"
    )
    many = "".join(f"8,B,,1,2019-01-{1 + n % 28:02},\n" for n in range(201))
    assert go(desk, rows + many + "9,B,,2,2019-01-01,\n") == SOME_REJECTED
    assert list(desk.platform.opened) == ["opening/9"]
    too_many = "it has 201 lots and may have 200: join those that expire together"
    assert desk.rejected() == [
        ["balances.csv", "2", "card", "opening/1 is not opened: its rows name different members"],
        ["balances.csv", "4", "account", "opening/2 is not opened: row 5 was rejected"],
        ["balances.csv", "5", "earned", "is not a moment like \"2026-03-01T12:00:00\" but 'then'; give its `format`"],
        ["balances.csv", "6", "what", "is 'miles'; there are points, stamps"],
        ["balances.csv", "7", "amount", "is less than 0: what a member owes cannot be opened"],
        ["balances.csv", "8", "card", "is empty or not there"],
        ["balances.csv", "9", "card", "No member has this external. (MEMBER_NOT_FOUND)"],
        ["balances.csv", "10", "account", "is longer than 120 characters"],
        ["balances.csv", "11", "account", f"opening/8 is not opened: {too_many}"],
    ]


def test_members_may_be_named_by_their_id_or_phone(desk: Desk) -> None:
    desk.platform.enroll("+861")
    mapping = MAPPING.replace("[openings]", '[openings]\nidentity = "phone"')
    assert go(desk, "1,+861,,5,2019-01-01,\n", mapping=mapping) == ALL_IN
    asked = next(one["variables"]["input"] for one in desk.platform.requests if "openBalances" in one["query"])
    assert asked["balances"][0]["identity"] == {"kind": "PHONE", "value": "+861"}
    mapping = MAPPING.replace('member = "card"\ncurrency', 'member_id = "card"\ncurrency')
    assert go(desk, "2,mem_1,,5,2019-01-01,\n", mapping=mapping) == ALL_IN
    assert desk.platform.opened["opening/2"]["member"] == "mem_1"


def test_only_the_first_members(desk: Desk) -> None:
    assert go(desk, GOOD, members=1) == ALL_IN
    assert sorted(desk.platform.opened) == ["opening/4711", "opening/4711/stamps"]
    assert desk.run() == ALL_IN
    assert sorted(desk.platform.opened) == ["opening/4711", "opening/4711/stamps", "opening/C"]
