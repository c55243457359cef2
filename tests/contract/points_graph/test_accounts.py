"""Accounts, journals and the ledger's reports in the graph, over a service that answers from memory."""

from datetime import UTC, datetime
from typing import Any

import pytest

from protos.common.v1.money_pb2 import Money
from protos.common.v1.page_pb2 import Page
from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1 import points_pb2
from services.kit.errors import Kind
from services.kit.graph import timestamp
from services.points.domain import journal
from services.points.graph import journals
from services.points.graph.journals import EntryKind
from tests.support.points_desk import STAFF, PointsDesk, refusal

AT = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
POINTS = points_pb2.Balance(currency="points", available=50, pending=40, held=30, debt=20, lifetime=10)
STAMPS = points_pb2.Balance(currency="stamps", available=5, pending=4, held=3, debt=2, lifetime=1)
BALANCE = "currency available pending held debt lifetime"
SHOWN_STAMPS = {"currency": "STAMPS", "available": 5, "pending": 4, "held": 3, "debt": 2, "lifetime": 1}
ACCOUNT = points_pb2.Account(
    member_id="mem_1",
    available_points=50,
    lifetime_points=10,
    version=3,
    tier=points_pb2.Tier(
        level="silver",
        since=timestamp(AT),
        qualifying_spend=Money(amount_minor=1_000, currency="CNY"),
        next_level="gold",
        missing_minor=500,
    ),
    balances=[POINTS, STAMPS],
    frozen=True,
    next_expiries=[
        points_pb2.NextExpiry(currency="stamps", amount=3, expires_at=timestamp(AT)),
        points_pb2.NextExpiry(currency="points", amount=30, expires_at=timestamp(AT)),
    ],
)


def about(fields: str, variables: str = "") -> str:
    return f"""query {variables} {{ _entities(representations: [{{__typename: "Member", id: "mem_1"}}]) {{
      ... on Member {{ {fields} }} }} }}"""


async def shown(points: PointsDesk, fields: str, variables: str = "", **values: Any) -> dict[str, Any]:
    """Return what the member's fields are; the account is asked for on the way."""
    points.says(GetAccounts=points_pb2.GetAccountsResponse(accounts=[ACCOUNT]))
    [member] = (await points.ask(about(fields, variables), **values))["_entities"]
    assert points.desk.asked.pop(0) == ("GetAccounts", points_pb2.GetAccountsRequest(member_ids=["mem_1"]))
    found: dict[str, Any] = member
    return found


async def test_everything_of_an_account_is_shown(points: PointsDesk) -> None:
    fields = f"""points {{ balance lifetime pending held debt frozen balances {{ {BALANCE} }}
      nextExpiry {{ currency amount expiresAt }} stamps: nextExpiry(currency: STAMPS) {{ currency amount }} }}
      tier {{ level since qualifyingSpend {{ amountMinor currency }} nextLevel missingMinor }}"""
    assert await shown(points, fields) == {
        "points": {
            "balance": 50,
            "lifetime": 10,
            "pending": 40,
            "held": 30,
            "debt": 20,
            "frozen": True,
            "balances": [
                {"currency": "POINTS", "available": 50, "pending": 40, "held": 30, "debt": 20, "lifetime": 10},
                SHOWN_STAMPS,
            ],
            "nextExpiry": {"currency": "POINTS", "amount": 30, "expiresAt": "2026-03-01T04:00:00.000Z"},
            "stamps": {"currency": "STAMPS", "amount": 3},
        },
        "tier": {
            "level": "silver",
            "since": "2026-03-01T04:00:00.000Z",
            "qualifyingSpend": {"amountMinor": 1_000, "currency": "CNY"},
            "nextLevel": "gold",
            "missingMinor": 500,
        },
    }


async def test_an_account_to_which_nobody_booked_is_empty(points: PointsDesk) -> None:
    points.says(GetAccounts=points_pb2.GetAccountsResponse(accounts=[points_pb2.Account(member_id="mem_1")]))
    text = about("points { pending held debt frozen balances { available } nextExpiry { amount } }")
    nothing = {"pending": 0, "held": 0, "debt": 0, "frozen": False, "balances": [], "nextExpiry": None}
    assert await points.ask(text) == {"_entities": [{"points": nothing}]}


async def test_an_account_that_the_caller_may_not_see_is_null(points: PointsDesk) -> None:
    points.says(GetAccounts=points_pb2.GetAccountsResponse())
    assert await points.ask(about("points { frozen } tier { level }")) == {
        "_entities": [{"points": None, "tier": None}]
    }


async def test_everything_of_an_entry_is_shown(points: PointsDesk) -> None:
    entry = points_pb2.Entry(
        id="ent_1",
        kind="hold_expired",
        occurred_at=timestamp(AT),
        booked_at=timestamp(AT),
        points=-7,
        balance_points=5,
        version=9,
        reference="hold_1",
        currency="stamps",
        balance=STAMPS,
        booked_by="program",
    )
    page = points_pb2.EntryPage(entries=[entry], end_cursor="9")
    points.says(ListEntries=points_pb2.ListEntriesResponse(pages=[page]))
    fields = f"""points {{ entries(first: 1, after: "10") {{ nodes {{
      id kind currency points balance after {{ {BALANCE} }} version occurredAt bookedAt bookedBy reference }}
      pageInfo {{ endCursor }} }} }}"""
    assert (await shown(points, fields))["points"]["entries"] == {
        "nodes": [
            {
                "id": "ent_1",
                "kind": "HOLD_EXPIRED",
                "currency": "STAMPS",
                "points": -7,
                "balance": 5,
                "after": SHOWN_STAMPS,
                "version": 9,
                "occurredAt": "2026-03-01T04:00:00.000Z",
                "bookedAt": "2026-03-01T04:00:00.000Z",
                "bookedBy": "program",
                "reference": "hold_1",
            }
        ],
        "pageInfo": {"endCursor": "9"},
    }
    assert points.heard() == points_pb2.ListEntriesRequest(member_ids=["mem_1"], page=Page(first=1, after="10"))


def test_every_kind_that_the_ledger_writes_is_known() -> None:
    assert [kind.name.lower() for kind in EntryKind] == [kind.value for kind in journal.EntryKind]


@pytest.mark.parametrize(
    ("argument", "moment"),
    [
        ("", pb.MOMENT_OCCURRED_AT),
        (", by: OCCURRED_AT", pb.MOMENT_OCCURRED_AT),
        (", by: BOOKED_AT", pb.MOMENT_BOOKED_AT),
    ],
)
async def test_past_balances_are_shown(points: PointsDesk, argument: str, moment: "pb.Moment.ValueType") -> None:
    points.says(GetBalancesAt=pb.GetBalancesAtResponse(balances=[STAMPS]))
    fields = f'points {{ balancesAt(at: "2026-03-01T12:00:00+08:00"{argument}) {{ {BALANCE} }} }}'
    assert (await shown(points, fields))["points"]["balancesAt"] == [SHOWN_STAMPS]
    assert points.heard() == pb.GetBalancesAtRequest(member_id="mem_1", at=timestamp(AT), by=moment)


async def test_a_statement_is_collected(points: PointsDesk) -> None:
    points.says(GetStatement=[pb.StatementPart(csv="id,kind\r\n"), pb.StatementPart(csv="ent_1,积分\r\n")])
    fields = "points { statementCsv(from: $since, until: $until) }"
    variables = "($since: Instant, $until: Instant)"
    text = "id,kind\r\nent_1,积分\r\n"
    assert await shown(points, fields, variables) == {"points": {"statementCsv": text}}
    assert points.heard() == pb.GetStatementRequest(member_id="mem_1")
    span = {"since": "2026-03-01T12:00:00+08:00", "until": "2026-03-01T04:00:01Z"}
    assert await shown(points, fields, variables, **span) == {"points": {"statementCsv": text}}
    wanted = pb.GetStatementRequest(member_id="mem_1", until=timestamp(AT.replace(second=1)))
    getattr(wanted, "from").CopyFrom(timestamp(AT))
    assert points.heard() == wanted
    assert points.channel.options[-1] == {"principal": STAFF, "timeout_s": 20.0}


async def test_a_statement_may_be_empty(points: PointsDesk) -> None:
    points.says(GetStatement=[])
    assert await shown(points, "points { statementCsv }") == {"points": {"statementCsv": ""}}


async def test_a_statement_is_bounded_in_bytes_and_the_rest_is_not_heard(
    points: PointsDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "STATEMENT_BYTES", 3_000_000)
    whole = ["积" * 500_000] * 2
    points.says(GetStatement=[pb.StatementPart(csv=part) for part in whole])
    assert await shown(points, "points { statementCsv }") == {"points": {"statementCsv": "".join(whole)}}
    points.desk.asked.clear()
    points.desk.written = 0
    points.says(GetStatement=[pb.StatementPart(csv=part) for part in [*whole, "x", *whole * 100]])
    data, errors = await points.answer(about("points { statementCsv }"))
    assert (data["_entities"], errors) == ([{"points": None}], ["STATEMENT_TOO_LONG"])
    assert points.desk.written < 100


async def test_a_statement_that_breaks_off_is_an_error_and_not_half_a_statement(points: PointsDesk) -> None:
    points.says(
        GetAccounts=points_pb2.GetAccountsResponse(accounts=[ACCOUNT]),
        GetStatement=refusal("MEMBER_NOT_FOUND", Kind.NOT_FOUND),
    )
    assert (await points.answer(about("points { statementCsv }")))[1] == ["MEMBER_NOT_FOUND"]


async def test_months_are_reported(points: PointsDesk) -> None:
    month = pb.Month(month="2026-01", issued=6, redeemed=5, expired=4, adjusted=-3, debt=-2, outstanding=1)
    points.says(GetMonths=pb.GetMonthsResponse(months=[month]))
    text = """{ ledger { months(fromMonth: "2026-01", untilMonth: "2026-02", currency: STAMPS) {
      month issued redeemed expired adjusted debt outstanding } } }"""
    assert (await points.ask(text))["ledger"]["months"] == [
        {
            "month": "2026-01",
            "issued": 6,
            "redeemed": 5,
            "expired": 4,
            "adjusted": -3,
            "debt": -2,
            "outstanding": 1,
        }
    ]
    assert points.heard() == pb.GetMonthsRequest(from_month="2026-01", until_month="2026-02", currency="stamps")
    await points.ask('{ ledger { months(fromMonth: "2026-01", untilMonth: "2026-02") { month } } }')
    assert points.heard().currency == "points"


async def test_the_liability_is_reported(points: PointsDesk) -> None:
    months = [pb.LiabilityMonth(month="2026-04", amount=7), pb.LiabilityMonth(amount=5_000_000_000)]
    points.says(GetLiability=pb.GetLiabilityResponse(months=months, outstanding=5_000_000_007))
    shown = await points.ask("{ ledger { liability { outstanding months { month amount } } } }")
    assert shown["ledger"]["liability"] == {
        "outstanding": 5_000_000_007,
        "months": [{"month": "2026-04", "amount": 7}, {"month": None, "amount": 5_000_000_000}],
    }
    assert points.heard() == pb.GetLiabilityRequest(currency="points")
    await points.ask("{ ledger { liability(currency: STAMPS) { outstanding } } }")
    assert points.heard() == pb.GetLiabilityRequest(currency="stamps")


async def test_seals_are_listed(points: PointsDesk) -> None:
    seal = pb.Seal(
        day="2026-03-01",
        root=b"\x00\xff",
        accounts=2,
        postings=3,
        sealed_at=timestamp(AT),
        signature=b"\x0a",
        key_id="points",
    )
    points.says(ListSeals=pb.ListSealsResponse(seals=[seal], end_cursor="2026-03-01"))
    text = """{ ledger { seals(first: 1, after: "2026-03-02") {
      nodes { day root accounts postings sealedAt signature keyId } pageInfo { endCursor } } } }"""
    assert (await points.ask(text))["ledger"]["seals"] == {
        "nodes": [
            {
                "day": "2026-03-01",
                "root": "00ff",
                "accounts": 2,
                "postings": 3,
                "sealedAt": "2026-03-01T04:00:00.000Z",
                "signature": "0a",
                "keyId": "points",
            }
        ],
        "pageInfo": {"endCursor": "2026-03-01"},
    }
    assert points.heard() == pb.ListSealsRequest(page=Page(first=1, after="2026-03-02"))
