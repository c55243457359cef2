"""The whole command against a platform on paper."""

import pytest

from infra.cli.importing.command import ALL_IN, SOME_REJECTED, NoKeyError
from infra.cli.importing.loading import TwoFilesError
from infra.cli.importing.run import CurrencyError, NoStoreError
from tests.support.import_desk import GROUPED, MAPPING, Desk, sales, simple


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
    enrolled = {row["profile"]["identities"][0]["value"]: row for row in desk.platform.rows}
    assert enrolled["A"]["enrolledAt"] == "2017-12-31T16:00:00.000Z"
    assert "enrolledAt" not in enrolled["B"]
    assert enrolled["B"]["profile"]["identities"][1] == {"kind": "PHONE", "value": "+861"}
    assert [(job.done, job.closed) for job in desk.platform.jobs.values()] == [(3, True)]


WHOLE = """
time_zone = "Asia/Shanghai"
[store]
code = "web"
[members]
file = "members.csv"
format = "csv"
duplicates = "update"
level_reason = "was gold before"
[members.fields]
external_id = "card"
phone = "phone"
wechat_openid = "wx"
given_name = "given"
gender = "sex"
birthday = "born"
city = "city"
allergy = "not"
tags = "tags"
household = "home"
store = "shop"
campaign = "ad"
level = "level"
[members.consents.sms]
channel = "sms"
purpose = "marketing"
fields = { granted = "sms", at = "since", text_version = { constant = "3" } }
"""


def test_all_that_a_file_says_of_a_member_goes_in(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    header = "card,phone,wx,given,sex,born,city,not,tags,home,shop,ad,level,sms,since\n"
    rows = [
        "A,+861,o-1,Wei,女,1990-05-17,Shanghai,peanut,vip; early,H-1,web,spring,gold,yes,2020-01-01T08:00",
        "B,,,,,,,,,,,,,no,",
        "C,,,,?,,,,,,,,,,",
        "D,,,,,,,,,,moon,,,,",
        "E,,,,,,,,,,,,diamond,,",
        "F,,,,,,,,,,,,,perhaps,",
    ]
    desk.write({"mapping.toml": WHOLE, "members.csv": header + "\n".join(rows) + "\n"})
    assert desk.run() == SOME_REJECTED
    first, second, *_ = desk.platform.rows
    assert first == {
        "row": 2,
        "tellMember": True,
        "storeId": "sto_web",
        "profile": {
            "givenName": "Wei",
            "birthday": "1990-05-17",
            "gender": "FEMALE",
            "address": {"city": "Shanghai"},
            "preferences": [{"kind": "ALLERGY", "text": "peanut"}],
            "identities": [
                {"kind": "EXTERNAL", "value": "A"},
                {"kind": "PHONE", "value": "+861"},
                {"kind": "WECHAT_OPENID", "value": "o-1"},
            ],
        },
        "source": {"campaign": "spring"},
        "tags": ["vip", "early"],
        "household": "H-1",
        "consents": [
            {
                "channel": "SMS",
                "purpose": "MARKETING",
                "granted": True,
                "at": "2020-01-01T00:00:00.000Z",
                "textVersion": "3",
            }
        ],
    }
    assert second["consents"] == [
        {"channel": "SMS", "purpose": "MARKETING", "granted": False, "at": None, "textVersion": "3"}
    ]
    assert desk.rejected() == [
        ["members.csv", "4", "sex", "is none of female, f, 女, male, m, 男, other"],
        ["members.csv", "5", "shop", "the platform refuses it (UNREADABLE)"],
        ["members.csv", "6", "level", "There is no level diamond. (LEVEL_NOT_FOUND)"],
        [
            "members.csv",
            "7",
            "sms",
            "is neither yes (1, true, y, yes, 是) nor no (0, false, n, no, 否)",
        ],
    ]
    [gold] = desk.platform.levels.values()
    assert (gold["memberId"], gold["level"], gold["until"], gold["reason"]) == (
        desk.platform.members["A"],
        "gold",
        None,
        "was gold before",
    )
    desk.forget()
    assert desk.run() == SOME_REJECTED
    assert (len(desk.platform.levels), len(desk.platform.members)) == (1, 5)
    assert "0 enrolled, 3 there already" in capsys.readouterr().out


def test_somebody_elses_phone_is_a_refusal(desk: Desk) -> None:
    simple(desk)
    desk.platform.enroll("+861")
    assert desk.run() == SOME_REJECTED
    assert desk.rejected() == [
        ["members.csv", "3", "profile.identities.1", "the platform refuses it (IDENTITY_TAKEN)"],
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
        ["members.csv", "7", "card", "the platform refuses it (INVALID_IDENTITY)"],
        ["sales.jsonl", "1", "paid", "is not a number like 12.50 but 'x'"],
        ["sales.jsonl", "2", "paid", "It is less than 0. (INVALID_PURCHASE)"],
        ["sales.jsonl", "4", "who.card", "No member has this external. (MEMBER_NOT_FOUND)"],
        ["sales.jsonl", "5", "", "is not JSON"],
    ]
    assert [one["receiptNumber"] for one in desk.platform.order] == ["r-3"]
    said = capsys.readouterr().out
    assert "rows read      11, 1 repeated\nmembers        1 enrolled, 1 rejected by the platform\n" in said
    assert f"rejected       8 rows, each with its reason in {desk.folder / 'rejected.csv'}" in said


def test_a_dry_run_sends_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    simple(desk)
    assert desk.run(dry_run=True, key="") == ALL_IN
    assert desk.platform.requests == []
    said = capsys.readouterr().out
    assert "members        3 would be enrolled\npurchases      5 would be booked\ntime" in said
    assert not (desk.folder / "state").exists()


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
