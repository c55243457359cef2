"""The graph asks of its callers what the contract asks: a rule that is too wide would only show as a later refusal."""

import pytest

from protos.points.v1 import holds_pb2, insight_pb2, ledger_pb2, points_pb2, programs_pb2
from services.kit.graph.rules import fields, rule_of
from services.kit.principal import Caller
from services.kit.rpc.access import rules
from services.points.graph import subgraph

NOT_IN_THE_GRAPH = {Caller.SERVICE, Caller.OPERATOR}
CALLS = {
    ("Query", "receipt"): "GetReceipts",
    ("Query", "waitingRefunds"): "ListWaitingRefunds",
    ("Query", "reconcileDay"): "ReconcileDay",
    ("Query", "hold"): "GetHolds",
    ("Query", "waitingAdjustments"): "ListWaitingAdjustments",
    ("Member", "points"): "GetAccounts",
    ("Member", "tier"): "GetAccounts",
    ("Points", "nextExpiry"): "GetAccounts",
    ("Points", "entries"): "ListEntries",
    ("Points", "balancesAt"): "GetBalancesAt",
    ("Points", "statementCsv"): "GetStatement",
    ("Ledger", "months"): "GetMonths",
    ("Ledger", "liability"): "GetLiability",
    ("Ledger", "seals"): "ListSeals",
    ("Query", "sales"): "GetSales",
    ("Query", "salesCsv"): "ExportSales",
    ("Query", "guestMonths"): "GetGuestMonths",
    ("Query", "forecast"): "GetForecast",
    ("Query", "forecastCsv"): "ExportForecast",
    ("Query", "staffing"): "GetStaffing",
    ("Query", "staffingCsv"): "ExportStaffing",
    ("Mutation", "recordPurchase"): "RecordPurchase",
    ("Mutation", "recordPurchases"): "RecordPurchases",
    ("Mutation", "simulatePurchase"): "SimulatePurchase",
    ("Mutation", "releasePoints"): "ReleasePoints",
    ("Mutation", "grantLevel"): "GrantLevel",
    ("Mutation", "recordRefund"): "RecordRefunds",
    ("Mutation", "recordRefunds"): "RecordRefunds",
    ("Mutation", "authoriseHold"): "AuthoriseHold",
    ("Mutation", "captureHold"): "CaptureHold",
    ("Mutation", "voidHold"): "VoidHold",
    ("Mutation", "reverseHold"): "ReverseHold",
    ("Mutation", "extendHold"): "ExtendHold",
    ("Mutation", "adjustPoints"): "AdjustPoints",
    ("Mutation", "decideAdjustment"): "DecideAdjustment",
    ("Mutation", "freezeAccount"): "FreezeAccount",
    ("Mutation", "openBalances"): "OpenBalances",
    ("Query", "program"): "GetPrograms",
    ("Query", "programVersion"): "GetProgramVersion",
    ("Query", "programDraft"): "GetDraft",
    ("Query", "programDiff"): "DiffDraft",
    ("Query", "programDryRun"): "DryRun",
    ("Mutation", "saveProgramDraft"): "SaveDraft",
    ("Mutation", "publishProgramDraft"): "PublishDraft",
    ("Mutation", "deleteProgramDraft"): "DeleteDraft",
}
STREAMED = {"StreamPurchases", "VerifyLedger"}
"""For tills and the command line, over gRPC."""

METHODS = (
    rules(points_pb2.DESCRIPTOR.services_by_name["Points"])
    | rules(holds_pb2.DESCRIPTOR.services_by_name["Holds"])
    | rules(ledger_pb2.DESCRIPTOR.services_by_name["Ledger"])
    | rules(insight_pb2.DESCRIPTOR.services_by_name["Insight"])
    | rules(programs_pb2.DESCRIPTOR.services_by_name["Programs"])
)
RULES = {
    (type_.name, name): rule
    for type_, name, definition in fields(subgraph.schema()._schema)
    if (rule := rule_of(definition)) is not None
}


@pytest.mark.parametrize(("field", "method"), CALLS.items(), ids=str)
def test_a_field_is_open_to_those_whom_its_method_answers(field: tuple[str, str], method: str) -> None:
    wanted = METHODS[method]
    assert (RULES[field].kinds, RULES[field].scope) == (wanted.kinds - NOT_IN_THE_GRAPH, wanted.scope)


def test_no_field_is_forgotten_here() -> None:
    assert RULES.keys() == CALLS.keys() | {("Query", "ledger"), ("PurchaseLine", "costMinor")}
    ledger, cost = RULES["Query", "ledger"], RULES["PurchaseLine", "costMinor"]
    assert ledger.kinds == cost.kinds == {Caller.STAFF}
    assert (ledger.scope, cost.scope) == ("ledger:read", "purchases:read")


def test_what_the_contract_opens_to_callers_of_the_graph_is_in_it() -> None:
    outside = {name for name, rule in METHODS.items() if rule.kinds - NOT_IN_THE_GRAPH} - set(CALLS.values())
    assert outside == STREAMED
