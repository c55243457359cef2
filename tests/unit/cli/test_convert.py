from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.cli.importing.convert import UnfitError, elapsed, instant, iso, minor, text, whole, written

AMOUNTS = st.decimals(min_value=-(10**8), max_value=10**8, allow_nan=False, allow_infinity=False)
NEW_YORK = ZoneInfo("America/New_York")


def is_short(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return len(str(amount)) <= 40 and isinstance(exponent, int) and abs(exponent) <= 40


@settings(deadline=None)
@given(AMOUNTS.filter(is_short), st.integers(0, 4))
@example(Decimal("0.125"), 2)
@example(Decimal("-0.125"), 2)
@example(Decimal("2.675"), 2)
@example(Decimal("1E+3"), 2)
def test_money_is_what_exact_decimals_give(amount: Decimal, digits: int) -> None:
    exact = Context(prec=100)
    wanted = int(
        amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP, context=exact).scaleb(digits, exact)
    )
    assert minor(amount, digits=digits) == wanted
    assert minor(f" {amount} ", digits=digits) == wanted


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12))
def test_cents_survive(cents: int) -> None:
    sign = "-" if cents < 0 else ""
    assert minor(f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02}", digits=2) == cents


@pytest.mark.parametrize(
    ("written_as", "reason"),
    [
        ("", "is not a number like 12.50 but ''"),
        ("12,50", "is not a number like 12.50 but '12,50'"),
        ("1_000", "is not a number like 12.50 but '1_000'"),
        ("NaN", "is not a number like 12.50 but 'NaN'"),
        ("\uff11", "is not a number like 12.50 but '\uff11'"),
        ("1e400", "is a number of more than 40 digits"),
        ("1e99999", "is not a number like 12.50 but '1e99999'"),
        ("0" * 41, "is a number of more than 40 digits"),
        ("10000000000.01", "is more than 1000000000000 in minor units"),
        (True, "is not a text or number"),
        ([1], "is not a text or number"),
        ("\udcff", "has bytes that are not of the file's encoding; set `encoding` in the mapping"),
        ("x" * 1001, "has more than 1000 characters"),
    ],
)
def test_what_is_no_amount(written_as: object, reason: str) -> None:
    with pytest.raises(UnfitError) as refusal:
        minor(written_as, digits=2)
    assert str(refusal.value) == reason


def test_whole_numbers() -> None:
    assert [whole("3"), whole(3), whole("3.0"), whole(Decimal("3E+1"))] == [3, 3, 3, 30]
    for wrong in ("2.5", "3000000000", "two"):
        with pytest.raises(UnfitError):
            whole(wrong)


def test_texts_are_trimmed_and_numbers_stay_as_they_are_written() -> None:
    assert [text(" a b "), text(1001), text(Decimal("1.10"))] == ["a b", "1001", "1.10"]


def test_moments() -> None:
    midnight = instant("20180726", pattern="%Y%m%d", zone=NEW_YORK)
    assert written(midnight) == "2018-07-26T04:00:00.000Z"
    assert written(iso("2018-07-26T00:00", zone=NEW_YORK)) == "2018-07-26T04:00:00.000Z"
    assert written(iso("2018-07-26T00:00:00.5+02:00", zone=NEW_YORK)) == "2018-07-25T22:00:00.500Z"
    assert written(instant("26.07.2018 +0800", pattern="%d.%m.%Y %z", zone=NEW_YORK)) == "2018-07-25T16:00:00.000Z"


def test_elapsed_time_does_not_jump_with_the_clocks() -> None:
    # In the night to 2018-11-04 New York's clocks went back by an hour.
    since = datetime(2018, 11, 3, tzinfo=NEW_YORK)
    assert written(elapsed(48, since=since, unit=timedelta(hours=1))) == "2018-11-05T04:00:00.000Z"
    assert written(elapsed("0.5", since=since, unit=timedelta(days=1))) == "2018-11-03T16:00:00.000Z"


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001
def test_a_moment_is_kept_to_the_millisecond(moment: datetime) -> None:
    kept = datetime.fromisoformat(written(iso(moment.isoformat(), zone=NEW_YORK)))
    assert timedelta(0) <= moment - kept < timedelta(milliseconds=1)


@pytest.mark.parametrize("wrong", ["yesterday", "", "2018-02-30", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_moment(wrong: str) -> None:
    with pytest.raises(UnfitError):
        iso(wrong, zone=NEW_YORK)
    with pytest.raises(UnfitError):
        instant(wrong, pattern="%d/%m/%Y", zone=NEW_YORK)
    with pytest.raises(UnfitError):
        elapsed("1e30", since=datetime(2018, 1, 1, tzinfo=UTC), unit=timedelta(hours=1))
