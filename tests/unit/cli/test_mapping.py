from pathlib import Path

import pytest

from infra.cli.importing.mapping import load
from infra.cli.importing.records import line_of
from infra.cli.importing.rows import Row
from infra.cli.importing.tables import WrongMappingError

MAPPINGS = Path(__file__).parents[3] / "infra" / "cli" / "mappings"

GOOD = """
time_zone = "Asia/Shanghai"
store.code = "web"
[purchases]
file = "sales.csv"
format = "csv"
[purchases.fields]
member = "card"
receipt_number = { template = "old-{shop}-{row}" }
occurred_at = "at"
item_code = { constant = "unknown" }
gross = "paid"
"""


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "mapping.toml"
    path.write_text(content)
    return path


@pytest.mark.parametrize(("name", "files"), [("starbucks.toml", 2), ("example.toml", 4), ("online-retail.toml", 2)])
def test_the_examples_can_be_used(name: str, files: int) -> None:
    assert len(load(MAPPINGS / name).files) == files


def test_a_mapping_says_which_columns_it_needs(tmp_path: Path) -> None:
    purchases = load(written(tmp_path, GOOD.replace('format = "csv"', 'format = "csv"\nfilter = { kind = "sale" }')))
    assert purchases.purchases is not None
    assert purchases.purchases.columns == {"card", "shop", "at", "paid", "kind"}


def test_fields_come_from_columns_constants_and_templates(tmp_path: Path) -> None:
    fields = load(written(tmp_path, GOOD)).purchases
    assert fields is not None
    row = Row(7, {"card": " 1001 ", "shop": "n1", "at": "2019-08-03 12:05", "paid": "36.005"})
    assert fields.number.of(row) == "old-n1-7"
    assert fields.member.of(row) == "1001"
    assert line_of(row, fields).line == ("unknown", 1, 3601, 0)
    assert fields.occurred_at.of(row) == 1_564_805_100_000


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[purchases]", 'colour = "red"\n[purchases]', "there is no key `colour`; there are time_zone, store, members"),
        ('store.code = "web"', 'store = { code = "web", nme = "W" }', "[store] there is no key `nme`; there are code"),
        ('format = "csv"', 'format = "csv"\nflter = 1', "[purchases] there is no key `flter`; there are format, "),
        ("[purchases.fields]", '[purchases.fields]\nprice = "p"', "[purchases.fields] there is no key `price`; there"),
        (
            '{ constant = "unknown" }',
            '{ constant = "a", unt = "h" }',
            "[purchases.fields.item_code] there is no key `unt`",
        ),
        ('time_zone = "Asia/Shanghai"', "", "`time_zone` is missing"),
        ('"Asia/Shanghai"', '"Mars"', "`time_zone` is 'Mars', not an IANA name"),
        ('"Asia/Shanghai"', '"Asia"', "`time_zone` is 'Asia', not an IANA name"),
        ('"Asia/Shanghai"', "8", "`time_zone` must be a text"),
        ('format = "csv"', 'format = "xls"', "`format` is 'xls'"),
        ('format = "csv"', 'format = "csv"\nencoding = "utf-9"', "there is no encoding 'utf-9'"),
        ('format = "csv"', 'format = "csv"\ndelimiter = ";;"', "`delimiter` is one character"),
        ('format = "csv"', 'format = "csv"\nminor_digits = 9', "`minor_digits` is 9"),
        ('format = "csv"', 'format = "csv"\nminor_digits = true', "`minor_digits` must be a whole number"),
        ('format = "csv"', 'format = "csv"\nfilter = { kind = [1.5] }', "`kind` is a value or a list of values"),
        ('member = "card"\n', "", "[purchases.fields] `member` is missing; there are receipt_number"),
        ('{ constant = "unknown" }', '{ constant = "a", column = "b" }', "give one of `column`, `constant`"),
        ('{ constant = "unknown" }', "{ }", "give one of `column`, `constant`"),
        ('{ constant = "unknown" }', '{ column = "a", format = "%Y" }', "`format` is for moments"),
        ('{ constant = "unknown" }', '{ template = "a" }', "a `template` has {row} or a {column} in it"),
        ('gross = "paid"', 'gross = { constant = "much" }', "`gross`: the constant is not a number"),
        ('occurred_at = "at"', 'occurred_at = { column = "at", unit = "hours" }', "`unit` is one of milliseconds"),
        ('occurred_at = "at"', 'occurred_at = { column = "at", unit = "h", since = 2018-01-01T00:00:00 }', "`unit` is"),
        ('store.code = "web"', "", "say in which store purchases are booked"),
        ("[purchases]", "[purchases", "it is not TOML"),
        ('format = "csv"', 'format = "csv"\nskip_without = [1]', "`skip_without` is a list of columns"),
        ('gross = "paid"', "", "[purchases.fields] `gross` is missing"),
        ('gross = "paid"', 'gross = "paid"\nunit_price = "each"', "give either `gross` or `unit_price`"),
        (
            "[purchases.fields]",
            "refunds.prefix = 1\n[purchases.fields]",
            "[purchases.refunds] there is no key `prefix`",
        ),
        (
            "[purchases.fields]",
            "refunds = { fields = { receit = 1 } }\n[purchases.fields]",
            "[purchases.refunds.fields] there is no key `receit`; there are receipt, receipt_store",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(WrongMappingError) as refusal:
        load(written(tmp_path, GOOD.replace(old, new, 1)))
    assert words in refusal.value.message


REFUNDS = """
[refunds]
file = "returns.csv"
format = "csv"
[refunds.fields]
refund_number = "no"
occurred_at = "at"
receipt = "of"
"""
OPENINGS = """
[openings]
file = "balances.csv"
format = "csv"
[openings.fields]
member = "card"
amount = "points"
earned_at = { column = "since", format = "%d.%m.%Y" }
"""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('time_zone = "UTC"' + REFUNDS, "[refunds] needs [purchases]: it is matched with what was bought"),
        (GOOD + REFUNDS.replace('receipt = "of"', ""), "[refunds.fields] `receipt` is missing"),
        (GOOD + REFUNDS.replace('receipt = "of"', 'member = "card"'), "[refunds.fields] `receipt` is missing"),
        (GOOD + OPENINGS.replace('amount = "points"', ""), "[openings.fields] `amount` is missing"),
        (GOOD + OPENINGS.replace('member = "card"', ""), "[openings.fields] `member` is missing"),
        (
            GOOD + OPENINGS.replace("[openings]", '[openings]\nidentity = "fax"'),
            "`identity` is 'fax'; there are external",
        ),
        (GOOD + OPENINGS.replace("[openings]", "[openings]\nafter_purchases = 1"), "`after_purchases` must be true or"),
    ],
)
def test_what_is_wrong_with_the_other_sections(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(WrongMappingError) as refusal:
        load(written(tmp_path, content))
    assert words in refusal.value.message


def test_refunds_and_openings_have_files_of_their_own(tmp_path: Path) -> None:
    mapping = load(written(tmp_path, GOOD + REFUNDS + OPENINGS))
    assert mapping.files == ["balances.csv", "sales.csv", "returns.csv"]
    assert mapping.openings is not None
    assert (mapping.openings.after_purchases, mapping.openings.identity) == (False, "external")


def test_a_price_for_each_piece_is_rounded_once(tmp_path: Path) -> None:
    fields = load(written(tmp_path, GOOD.replace('gross = "paid"', 'unit_price = "paid"\nquantity = "n"'))).purchases
    assert fields is not None
    row = Row(7, {"card": "1", "shop": "n1", "at": "2019-08-03 12:05", "paid": "0.125", "n": "3"})
    assert line_of(row, fields).line == ("unknown", 3, 38, 0)


def test_a_mapping_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WrongMappingError, match="No such file"):
        load(tmp_path / "none.toml")
