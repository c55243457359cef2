"""The calls of rpc/audit.py and rpc/reports.py, as a servicer makes them."""

from collections.abc import AsyncIterator

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from protos.common.v1.page_pb2 import Page
from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1 import points_pb2
from services.kit.errors import Problem
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.kit.principal import Caller, Principal
from services.kit.rpc.calls import answering
from services.kit.timestamps import to_timestamp
from services.points.rpc import audit
from services.points.rpc.audit import AuditReports
from services.points.rpc.reports import LedgerReports, ReceiptReports
from services.points.store.collections import LOTS
from services.points.store.receipt_reports import MongoReceipts
from services.points.store.reports import MongoHistory, MongoJournalSums
from services.points.store.seals import MongoSeals
from services.points.store.verification import MongoLedgerReader
from services.points.usecases import verify_ledger
from services.points.usecases.record_purchases import Store
from tests.contract.points.booked import CHAIN, KEY, PROGRAMS, Booker, booker_on, day, seal_until

STAFF = Principal(CHAIN, Caller.STAFF, "sta_1")
OPERATOR = Principal("", Caller.OPERATOR, "ops")


@pytest.fixture
async def booker(database: Database) -> AsyncIterator[Booker]:
    async with booker_on(database) as booker:
        yield booker


def audit_of(booker: Booker) -> AuditReports:
    database = booker.database
    return AuditReports(MongoLedgerReader(database), MongoSeals(database), PROGRAMS, KEY)


def reports_of(booker: Booker) -> LedgerReports:
    database = booker.database
    clocks = MongoChainClocks(database, system=lambda: day(60))
    return LedgerReports(MongoHistory(database), MongoJournalSums(database), PROGRAMS, clocks)


class OneZone:
    async def stores(self, _chain: str, ids: frozenset[str]) -> dict[str, Store]:
        return {id_: Store(id_, 1, "UTC", "CNY") for id_ in ids}


async def verify(
    booker: Booker, request: pb.VerifyLedgerRequest, *, caller: Principal = STAFF, within_s: float = 60
) -> list[pb.VerifyLedgerProgress]:
    with answering(caller, within_s=within_s):
        return [step async for step in audit_of(booker).VerifyLedger(request)]


async def test_a_verification_that_runs_out_of_time_is_gone_on_with(
    booker: Booker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_ledger, "ACCOUNTS_AT_ONCE", 1)
    await booker.book(*(booker.purchase(f"R{n}", at=day(0), member=f"mem_{n}") for n in range(3)))
    await booker.database.collection(LOTS).update_one(
        {"chain": CHAIN, "account": "mem_1", "lot": "pur_R1/points"}, {"$set": {"free": 1}}
    )
    cursor, seen = "", list[pb.VerifyLedgerProgress]()
    while not seen or not seen[-1].done:
        steps = await verify(booker, pb.VerifyLedgerRequest(cursor=cursor), within_s=audit.LEAVE_S - 1)
        assert len(steps) == 1
        seen += steps
        cursor = steps[-1].cursor
    assert [(step.accounts, step.postings, step.accounts_in_all, step.done) for step in seen] == [
        (1, 1, 3, False),
        (2, 2, 3, False),
        (3, 3, 3, False),
        (3, 3, 3, True),
    ]
    [finding] = [finding for step in seen for finding in step.findings]
    assert (finding.invariant, finding.account, finding.version) == ("lots", "mem_1", 0)
    assert finding.message == "lot pur_R1/points has free 1 instead of 100"


async def test_whose_ledger_is_looked_at(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)))
    own = await verify(booker, pb.VerifyLedgerRequest(chain_id="chn_9"))
    named = await verify(booker, pb.VerifyLedgerRequest(chain_id=CHAIN), caller=OPERATOR)
    other = await verify(booker, pb.VerifyLedgerRequest(chain_id="chn_9"), caller=OPERATOR)
    assert [steps[-1].accounts for steps in (own, named, other)] == [1, 1, 0]
    with pytest.raises(Problem) as refused:
        await verify(booker, pb.VerifyLedgerRequest(), caller=OPERATOR)
    assert refused.value.code == "NO_CHAIN"


async def test_seals_are_listed_the_newest_first(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)))
    await booker.book(booker.purchase("R2", at=day(1), member="mem_bob"))
    await seal_until(booker.database, day(4))
    with answering(STAFF, within_s=60):
        first = await audit_of(booker).ListSeals(pb.ListSealsRequest(page=Page(first=3)))
        rest = await audit_of(booker).ListSeals(pb.ListSealsRequest(page=Page(first=3, after=first.end_cursor)))
        with pytest.raises(Problem, match="cursor"):
            await audit_of(booker).ListSeals(pb.ListSealsRequest(page=Page(after="x")))
    seals = [*first.seals, *rest.seals]
    assert [(one.day, one.accounts, one.postings) for one in seals] == [
        ("2026-03-04", 2, 2),
        ("2026-03-03", 2, 2),
        ("2026-03-02", 2, 2),
        ("2026-03-01", 1, 1),
    ]
    assert (first.end_cursor, rest.end_cursor, seals[0].key_id, len(seals[0].signature)) == (
        "2026-03-02",
        "",
        KEY.key_id,
        64,
    )
    assert seals[0].root == seals[2].root != seals[3].root


async def test_reports_as_they_are_sent(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0), coffees=2))
    calls = reports_of(booker)
    at = to_timestamp(day(0))
    with answering(STAFF, within_s=60):
        for by in (pb.MOMENT_UNSPECIFIED, pb.MOMENT_OCCURRED_AT, pb.MOMENT_BOOKED_AT):
            found = await calls.GetBalancesAt(pb.GetBalancesAtRequest(member_id="mem_ada", at=at, by=by))
            assert [(one.currency, one.available) for one in found.balances] == [("points", 100), ("stamps", 2)]
        request = pb.GetStatementRequest(member_id="mem_ada", until=Timestamp(seconds=at.seconds))
        assert [part.csv.count("\r\n") async for part in calls.GetStatement(request)] == [1]
        request = pb.GetStatementRequest(member_id="mem_ada")
        assert [part.csv.count("\r\n") async for part in calls.GetStatement(request)] == [1, 2]
        months = await calls.GetMonths(
            pb.GetMonthsRequest(from_month="2026-03", until_month="2026-03", currency="points")
        )
        assert months == pb.GetMonthsResponse(months=[pb.Month(month="2026-03", issued=100, outstanding=100)])
        owed = await calls.GetLiability(pb.GetLiabilityRequest(currency="points"))
        assert owed == pb.GetLiabilityResponse(months=[pb.LiabilityMonth(month="2027-03", amount=100)], outstanding=100)


async def test_receipts_as_they_are_sent(booker: Booker) -> None:
    await booker.book(booker.purchase("R1", at=day(0)), booker.purchase("R2", at=day(0), paid_minor=5))
    await booker.book(booker.refund("F1", of="R9", at=day(0)), booker.refund("F2", of="R8", at=day(0)))
    calls = ReceiptReports(MongoReceipts(booker.database), OneZone())
    with answering(STAFF, within_s=60):
        compared = await calls.ReconcileDay(
            points_pb2.ReconcileDayRequest(
                store_id="sto_1",
                day="2026-03-01",
                items=[points_pb2.DayItem(number=one, amount_minor=10_000) for one in ("R1", "R3")],
            )
        )
        assert compared.totals == points_pb2.DayTotals(purchases=2, paid_minor=10_005)
        assert {
            one.number: (one.HasField("booked_minor"), one.HasField("store_minor")) for one in compared.differences
        } == {
            "F1": (True, False),
            "F2": (True, False),
            "R2": (True, False),
            "R3": (False, True),
        }
        first = await calls.ListWaitingRefunds(points_pb2.ListWaitingRefundsRequest(page=Page(first=1)))
        rest = await calls.ListWaitingRefunds(
            points_pb2.ListWaitingRefundsRequest(page=Page(first=1, after=first.end_cursor))
        )
        assert [one.refund.refund_number for one in (*first.refunds, *rest.refunds)] == ["F1", "F2"]
        assert rest.end_cursor == ""
        for cursor in ("x", "x/y", "99999999999999999/F1"):
            with pytest.raises(Problem, match="cursor"):
                await calls.ListWaitingRefunds(points_pb2.ListWaitingRefundsRequest(page=Page(after=cursor)))
        names = [points_pb2.ReceiptName(store_id="sto_1", receipt_number=one) for one in ("R2", "R9", "R1")]
        found = await calls.GetReceipts(points_pb2.GetReceiptsRequest(receipts=names))
        assert [one.booked.id for one in found.receipts] == ["pur_R2", "", "pur_R1"]
