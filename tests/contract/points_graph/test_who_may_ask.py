"""Who may ask for what: the graph refuses first, and what it lets through the service's own rule lets through."""

from dataclasses import replace

import pytest

from protos.points.v1 import points_pb2
from services.kit.errors import Kind
from services.kit.principal import Caller, Principal
from tests.support.points_desk import SCOPES, STAFF, PointsDesk, refusal

KINDS = {Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL}
SELLERS = KINDS - {Caller.MEMBER}
READERS = KINDS - {Caller.TILL}
PURCHASE = '{storeId: "s", receiptNumber: "1", occurredAt: "2026-03-01T04:00:00Z", currency: "CNY", lines: []}'
REFUND = '{storeId: "s", refundNumber: "1", receiptNumber: "1", occurredAt: "2026-03-01T04:00:00Z"}'
DAY = '{storeId: "s", day: "2026-03-01", totals: {purchases: 0, paidMinor: 0}}'
NAMED = 'key: "k", holdId: "h"'


def told(name: str, wish: str) -> str:
    return f"mutation {{ {name}(input: {wish}) {{ userErrors {{ message }} }} }}"


def of_points(field: str) -> str:
    return f'{{ _entities(representations: [{{__typename: "Member", id: "m"}}]) {{ ... on Member {{ {field} }} }} }}'


RULES = (
    ("RecordPurchase", told("recordPurchase", PURCHASE), SELLERS, "purchases:write"),
    ("RecordPurchases", told("recordPurchases", "{purchases: []}"), SELLERS, "purchases:write"),
    ("RecordRefunds", told("recordRefund", REFUND), SELLERS, "purchases:write"),
    ("RecordRefunds", told("recordRefunds", "{refunds: []}"), SELLERS, "purchases:write"),
    ("GetReceipts", '{ receipt(storeId: "s", receiptNumber: "1") { refunds { id } } }', KINDS, "purchases:read"),
    ("ReconcileDay", f"{{ reconcileDay(input: {DAY}) {{ matches }} }}", SELLERS, "purchases:write"),
    ("ListWaitingRefunds", "{ waitingRefunds { nodes { id } } }", SELLERS - {Caller.TILL}, "purchases:read"),
    ("AuthoriseHold", told("authoriseHold", '{key: "k", memberId: "m", amount: 1}'), SELLERS, "points:spend"),
    ("CaptureHold", told("captureHold", f"{{{NAMED}}}"), SELLERS, "points:spend"),
    ("VoidHold", told("voidHold", f"{{{NAMED}}}"), SELLERS, "points:spend"),
    ("ReverseHold", told("reverseHold", f"{{{NAMED}}}"), SELLERS, "points:spend"),
    (
        "ExtendHold",
        told("extendHold", f'{{{NAMED}, expiresAt: "2026-03-01T04:00:00Z"}}'),
        SELLERS,
        "points:spend",
    ),
    ("GetHolds", '{ hold(id: "h") { id } }', SELLERS, "points:read"),
    (
        "AdjustPoints",
        told("adjustPoints", '{key: "k", memberId: "m", amount: 1, reason: "r"}'),
        {Caller.STAFF},
        "ledger:adjust",
    ),
    (
        "DecideAdjustment",
        told("decideAdjustment", '{key: "k", adjustmentId: "a", approve: true}'),
        {Caller.STAFF},
        "ledger:approve",
    ),
    ("ListWaitingAdjustments", "{ waitingAdjustments { nodes { id } } }", {Caller.STAFF}, "ledger:approve"),
    (
        "FreezeAccount",
        told("freezeAccount", '{key: "k", memberId: "m", frozen: true, reason: "r"}'),
        {Caller.STAFF},
        "ledger:freeze",
    ),
    (
        "GrantLevel",
        told("grantLevel", '{key: "k", memberId: "m", level: "gold", reason: "r"}'),
        {Caller.STAFF},
        "ledger:level",
    ),
    (
        "ReleasePoints",
        told("releasePoints", '{key: "k", storeId: "s", receiptNumber: "r"}'),
        SELLERS,
        "purchases:write",
    ),
    ("OpenBalances", told("openBalances", "{balances: []}"), {Caller.STAFF}, "ledger:open"),
    (
        "GetMonths",
        '{ ledger { months(fromMonth: "2026-01", untilMonth: "2026-01") { month } } }',
        {Caller.STAFF},
        "ledger:read",
    ),
    ("GetLiability", "{ ledger { liability { outstanding } } }", {Caller.STAFF}, "ledger:read"),
    ("ListSeals", "{ ledger { seals { nodes { day } } } }", {Caller.STAFF}, "ledger:read"),
    ("GetAccounts", of_points("points { balance }"), KINDS, "points:read"),
    ("GetAccounts", of_points("tier { level }"), KINDS, "points:read"),
    ("ListEntries", of_points("points { entries { nodes { id } } }"), READERS, "points:read"),
    (
        "GetBalancesAt",
        of_points('points { balancesAt(at: "2026-03-01T04:00:00Z") { available } }'),
        READERS,
        "points:read",
    ),
    ("GetStatement", of_points("points { statementCsv }"), READERS, "points:read"),
)


@pytest.mark.parametrize(("method", "text", "kinds", "scope"), RULES, ids=[text for _, text, _, _ in RULES])
async def test_who_may_ask(points: PointsDesk, method: str, text: str, kinds: set[Caller], scope: str) -> None:
    account = points_pb2.Account(member_id="m")
    points.says(GetAccounts=points_pb2.GetAccountsResponse(accounts=[account]))
    points.says(**{method: refusal("GONE", Kind.REFUSED)})
    for kind in KINDS:
        caller = replace(STAFF, kind=kind, id="m")
        reached, codes = await outcome(points, text, caller)
        assert (kind, method in reached, "DENIED" in codes) == (kind, kind in kinds, kind not in kinds)
        if kind is not Caller.MEMBER:
            without = replace(caller, scopes=SCOPES - {scope})
            reached, codes = await outcome(points, text, without)
            assert (kind, method in reached, "DENIED" in codes) == (kind, False, True)
    assert (await outcome(points, text, None)) == (set(), ["UNAUTHENTICATED"])


async def outcome(points: PointsDesk, text: str, caller: Principal | None) -> tuple[set[str], list[str]]:
    points.desk.asked.clear()
    _, codes = await points.answer(text, by=caller)
    return {method for method, _ in points.desk.asked}, codes
