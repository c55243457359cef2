import csv
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO

import pytest

from services.kit.errors import Problem
from services.kit.mongo.database import Database
from services.kit.principal import Caller, Principal
from services.points.domain.accounts import Account, Balances
from services.points.domain.reconciling import BookedDay, DayTotals, Difference, ItemName, Reconciled, day_bounds
from services.points.domain.reports import Month, Sums
from services.points.store.receipt_reports import MongoReceipts
from services.points.store.reports import MongoHistory, MongoJournalSums
from services.points.usecases import receipt_reports, reports
from services.points.usecases.record_purchases import Store
from tests.contract.points.booked import CHAIN, PROGRAMS, Booker, booker_on, day

STAFF = Principal(CHAIN, Caller.STAFF, "sta_1")
ADA = Principal(CHAIN, Caller.MEMBER, "mem_ada")
MUCH_LATER = day(1_000)


@pytest.fixture
async def booker(database: Database) -> AsyncIterator[Booker]:
    async with booker_on(database) as booker:
        yield booker


async def by_booking(booker: Booker, at: datetime) -> Balances:
    account = await reports.balances_booked_by(
        "mem_ada", at=at, caller=ADA, now=MUCH_LATER, history=MongoHistory(booker.database), programs=PROGRAMS
    )
    return account.balance("points")


async def by_occurrence(booker: Booker, at: datetime) -> Balances:
    account = await reports.balances_occurred_by(
        "mem_ada", at=at, caller=ADA, now=MUCH_LATER, history=MongoHistory(booker.database), programs=PROGRAMS
    )
    return account.balance("points")


async def test_balances_at_a_past_moment(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)))  # 100 until day 365
    await booker.book(booker.hold("hld_1", 40, at=day(2), hours=24))
    await booker.book(booker.purchase("R2", at=day(1), paid_minor=20_000, booked_at=day(4)))  # late: 200 until day 366
    assert await by_booking(booker, day(-1)) == Balances()
    assert await by_booking(booker, day(1)) == Balances(available=100, lifetime=100)
    assert await by_booking(booker, day(2.5)) == Balances(available=60, held=40, lifetime=100)
    assert await by_booking(booker, day(3.5)) == Balances(available=100, lifetime=100)  # the hold ran out by itself
    assert await by_booking(booker, day(4)) == Balances(available=300, lifetime=300)
    assert await by_booking(booker, day(365)) == Balances(available=200, lifetime=300)
    assert await by_booking(booker, day(366)) == Balances(lifetime=300)
    assert await by_occurrence(booker, day(-1)) == Balances()
    assert await by_occurrence(booker, day(0)) == Balances(available=100, lifetime=100)
    assert await by_occurrence(booker, day(1)) == Balances(available=300, lifetime=300)
    assert await by_occurrence(booker, day(2.5)) == Balances(available=260, held=40, lifetime=300)
    assert await by_occurrence(booker, day(3)) == Balances(available=300, lifetime=300)
    assert await by_occurrence(booker, day(365)) == Balances(available=200, lifetime=300)
    assert await by_occurrence(booker, day(366)) == Balances(lifetime=300)


async def test_a_pinned_hold_has_not_run_out_in_the_past_either(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)))
    await booker.book(booker.hold("hld_1", 40, at=day(1), hours=24), booker.pin("hld_1", at=day(1)))
    await booker.book(booker.capture("hld_1", at=day(5)))
    assert await by_booking(booker, day(4)) == Balances(available=60, held=40, lifetime=100)
    assert await by_booking(booker, day(5)) == Balances(available=60, lifetime=100)


async def test_nobody_has_nothing_and_the_future_is_not_told(booker: Booker) -> None:
    told = partial(reports.balances_occurred_by, now=day(1), history=MongoHistory(booker.database), programs=PROGRAMS)
    nobody = await told("mem_x", at=day(0), caller=STAFF)
    assert nobody == Account("mem_x")
    with pytest.raises(Problem) as refused:
        await told("mem_ada", at=day(2), caller=ADA)
    assert refused.value.code == "IN_THE_FUTURE"
    with pytest.raises(Problem) as refused:
        await told("mem_bob", at=day(0), caller=ADA)
    assert refused.value.code == "DENIED"


async def test_a_statement_is_a_csv_file(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)))
    await booker.book(booker.adjust(-30, at=day(1)))
    await booker.book(booker.purchase("R2", at=day(2)))
    parts = reports.statement("mem_ada", since=day(0), until=day(2), caller=ADA, history=MongoHistory(booker.database))
    text = "".join([part async for part in parts])
    assert text.endswith("\r\n")
    head, first, second = csv.reader(StringIO(text))
    assert ",".join(head) == (
        "version,occurred_at,booked_at,kind,currency,amount,available,pending,held,debt,lifetime,reference,booked_by,entry"
    )
    assert first[:8] == ["1", *["2026-03-01T04:00:00.000Z"] * 2, "purchase", "points", "100", "100", "0"]
    assert second[3:] == [
        *("adjustment", "points", "-30", "70", "0", "0", "0", "100"),
        *("adj_ent_0002", "staff:sta_1", "ent_0002"),
    ]


async def months(booker: Booker, first: str, last: str, currency: str = "points") -> list[Month]:
    return await reports.months(first, last, currency, chain=CHAIN, sums=MongoJournalSums(booker.database))


async def book_three_months(booker: Booker) -> None:
    """March: R1 1000, R2 500 (half refunded), hold of 300 captured; April: R3 200, 1000 - 300 expire; +50, -20 by hand.

    Silver from R1 on: what is bought in a later call earns 120 %.
    """
    await booker.book(booker.purchase("R1", at=day(0), paid_minor=40_000, coffees=3))  # 400, 3 stamps
    await booker.book(booker.purchase("R2", at=day(1), paid_minor=10_000, member="mem_bob"))  # 100
    await booker.book(booker.hold("hld_1", 150, at=day(2)))
    await booker.book(booker.capture("hld_1", at=day(2)))  # 250 left
    await booker.book(booker.refund("F1", of="R2", at=day(3), amount_minor=4_000))  # 40 back
    await booker.book(booker.adjust(50, at=day(31)), booker.adjust(-20, at=day(31)))  # April: 280
    await booker.book(booker.open(70, at=day(31), expires_at=day(40), member="mem_cat"))
    await booker.book(booker.refund("F2", of="R1", at=day(62)))  # May: 400 - 280 there: 120 owed
    await booker.book(booker.purchase("R3", at=day(62), paid_minor=1_000))  # 10, all for the debt


MONTHS = [
    Month("2026-02", Sums(), 0),
    Month("2026-03", Sums(issued=460, redeemed=150, owed=310), 310),
    Month("2026-04", Sums(issued=70, adjusted=30, owed=100), 410),
    Month("2026-05", Sums(issued=-390, debt=110, owed=-280), 130),
]


async def test_months_are_right_however_far_the_job_is(booker: Booker) -> None:
    await book_three_months(booker)
    sums = MongoJournalSums(booker.database)
    kept = [0]
    for now in (day(0), day(5), day(33), day(34), day(70)):
        kept.append(kept[-1] + await reports.keep_days(CHAIN, now=now, sums=sums))
        assert await months(booker, "2026-02", "2026-05") == MONTHS
        assert await months(booker, "2026-04", "2026-04") == [MONTHS[2]]
        assert await months(booker, "2026-03", "2026-03", "stamps") == [Month("2026-03", Sums(issued=3, owed=3), 3)]
    assert kept == [0, 0, 5, 33, 34, 70]
    assert await reports.keep_days(CHAIN, now=day(70), sums=sums) == 0
    assert [line.outstanding for line in await months(booker, "2026-06", "2026-07")] == [130, 130]


@pytest.mark.parametrize(
    ("first", "last", "currency"),
    [
        ("2026-3", "2026-04", "points"),
        ("2026-03", "2026-13", "points"),
        ("2026-04", "2026-03", "points"),
        ("2020-01", "2023-01", "points"),
        ("", "2026-01", "points"),
        ("2026-01", "2026-01", "gold"),
    ],
)
async def test_what_are_no_months_is_refused(first: str, last: str, currency: str) -> None:
    with pytest.raises(Problem) as refused:
        await reports.months(first, last, currency, chain=CHAIN, sums=None)  # type: ignore[arg-type]  # not asked
    assert refused.value.code in {"INVALID_MONTHS", "INVALID_CURRENCY"}


async def test_liability_by_month_of_expiry(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)))  # 100 until 2027-03-01
    await booker.book(booker.purchase("R2", at=day(30), member="mem_bob"))  # 100 until 2027-03-31
    await booker.book(booker.open(70, at=day(1), expires_at=day(400), member="mem_cat"))  # 2027-04
    await booker.book(booker.open(9, at=day(1), expires_at=None, member="mem_cat"))
    await booker.book(booker.hold("hld_1", 30, at=day(1), hours=24))
    sums = MongoJournalSums(booker.database)
    found = await reports.liability("points", chain=CHAIN, now=day(31), sums=sums)
    assert found == reports.Liability((("2027-03", 200), ("2027-04", 70), ("", 9)), 279)
    # A year later R1's free 70 have gone, though nobody has booked it; the 30 that are held have not.
    found = await reports.liability("points", chain=CHAIN, now=day(365), sums=sums)
    assert found == reports.Liability((("2027-03", 130), ("2027-04", 70), ("", 9)), 209)
    found = await reports.liability("stamps", chain=CHAIN, now=day(31), sums=sums)
    assert found == reports.Liability((), 0)


class ShanghaiStores:
    async def stores(self, _chain: str, ids: frozenset[str]) -> dict[str, Store]:
        return {id_: Store(id_, 1, "Asia/Shanghai", "CNY") for id_ in ids}


async def test_a_store_reconciles_its_own_day(booker: Booker) -> None:
    """The day of 2026-03-02 in Shanghai begins at 16:00 UTC of the day before."""
    begin = datetime(2026, 3, 1, 16, tzinfo=UTC)
    end = begin + timedelta(days=1)
    await booker.book(
        booker.purchase("R1", at=begin - timedelta(milliseconds=1)),
        booker.purchase("R2", at=begin, paid_minor=500),
        booker.purchase("R3", at=begin, paid_minor=700),
        booker.purchase("R4", at=end - timedelta(milliseconds=1), paid_minor=900),
        booker.purchase("R5", at=end),
        booker.purchase("R6", at=begin, store="sto_2"),
    )
    await booker.book(booker.refund("F1", of="R2", at=begin, amount_minor=100))
    await booker.book(booker.refund("F2", of="R9", at=begin))

    async def compare(totals: DayTotals | None, items: dict[tuple[str, bool], int]) -> Reconciled:
        return await receipt_reports.reconcile_day(
            "sto_1",
            "2026-03-02",
            totals=totals,
            items=[(ItemName(*name), amount) for name, amount in items.items()],
            caller=STAFF,
            stores=ShanghaiStores(),
            receipts=MongoReceipts(booker.database),
        )

    ours = DayTotals(purchases=3, paid_minor=2_100, refunds=1, refunded_minor=100)
    assert await compare(ours, {}) == Reconciled(matches=True, totals=ours, differences=())
    assert (await compare(None, {})).matches is False
    found = await compare(
        DayTotals(3, 2_000, 2, 400),
        {("R2", False): 500, ("R3", False): 701, ("R7", False): 1, ("F1", True): 100, ("F2", True): 300},
    )
    assert found == Reconciled(
        matches=False,
        totals=ours,
        differences=(
            Difference(ItemName("F2", is_refund=True), 0, 300),  # received, and waits for its receipt
            Difference(ItemName("R3", is_refund=False), 700, 701),
            Difference(ItemName("R4", is_refund=False), 900, None),
            Difference(ItemName("R7", is_refund=False), None, 1),
        ),
    )


def test_a_day_may_have_23_hours() -> None:
    begin, end = day_bounds("2026-03-29", "Europe/Berlin")
    assert end - begin == timedelta(hours=23)
    for wrong in ("2026-3-29", "2026-02-30", "", "9999-12-31", "20260329"):
        with pytest.raises(Problem, match="a day is like"):
            day_bounds(wrong, "UTC")
    assert BookedDay({}).totals() == DayTotals()


async def test_refunds_that_wait_are_listed_the_oldest_first(booker: Booker) -> None:
    for number, at in (("F3", day(1)), ("F1", day(2)), ("F2", day(2)), ("F4", day(3))):
        await booker.book(booker.refund(number, of=f"R{number}", at=at))
    await booker.book(booker.purchase("RF4", at=day(3)))  # what it waited for
    receipts = MongoReceipts(booker.database)
    seen: list[str] = []
    after = None
    while True:
        page, after = await receipt_reports.waiting_refunds(
            received_before=None, after=after, first=1, caller=STAFF, receipts=receipts
        )
        seen += [one.refund.number for one in page]
        if after is None:
            break
    assert seen == ["F3", "F1", "F2"]
    for caller, before, count in (
        (STAFF, day(2), 1),
        (Principal(CHAIN, Caller.TILL, "key_1", stores=frozenset({"sto_2"})), None, 0),
        (Principal(CHAIN, Caller.TILL, "key_1", stores=frozenset({"sto_1"})), None, 3),
    ):
        page, _ = await receipt_reports.waiting_refunds(
            received_before=before, after=None, first=0, caller=caller, receipts=receipts
        )
        assert len(page) == count


async def test_receipts_are_for_those_who_may_see_them(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)), booker.purchase("R2", at=day(0), member="mem_bob"))
    await booker.book(booker.refund("F1", of="R1", at=day(1), amount_minor=100))
    names = [("sto_1", "R2"), ("sto_1", "R1"), ("sto_1", "R9"), ("sto_2", "R1")]
    other = Principal(CHAIN, Caller.TILL, "key_1", stores=frozenset({"sto_2"}))

    async def shown(caller: Principal) -> list[str]:
        found = await receipt_reports.get_receipts(names, caller=caller, receipts=MongoReceipts(booker.database))
        return [f"{one.booked.id} {len(one.refunds)}" if one.booked else "" for one in found]

    assert await shown(STAFF) == ["pur_R2 0", "pur_R1 1", "", ""]
    assert await shown(ADA) == ["", "pur_R1 1", "", ""]
    assert await shown(other) == ["", "", "", ""]
