"""The graph asks of its callers what the contract asks: a rule that is too wide would only show as a later refusal."""

import pytest

from protos.members.v1 import care_pb2, chains_pb2, members_pb2
from services.kit.graph.rules import fields, rule_of
from services.kit.principal import Caller
from services.kit.rpc.access import rules
from services.members.graph import subgraph

NOT_IN_THE_GRAPH = {Caller.SERVICE, Caller.OPERATOR}
CALLS = {
    ("Query", "member"): "GetMembers",
    ("Query", "chain"): "GetChain",
    ("Query", "stores"): "GetStores",
    ("Query", "menu"): "ListMenuItems",
    ("Member", "store"): "GetStores",
    ("Mutation", "enrollMember"): "EnrollMember",
    ("Mutation", "enrollMembers"): "EnrollMembers",
    ("Mutation", "saveStores"): "SaveStores",
    ("Mutation", "saveMenuItems"): "SaveMenuItems",
    ("Mutation", "createApiKey"): "CreateApiKey",
    ("Mutation", "revokeApiKey"): "RevokeApiKey",
    ("Member", "consents"): "GetConsents",
    ("Member", "consentHistory"): "ListConsents",
    ("Mutation", "recordConsents"): "RecordConsents",
}
METHODS = (
    rules(members_pb2.DESCRIPTOR.services_by_name["Members"])
    | rules(chains_pb2.DESCRIPTOR.services_by_name["Chains"])
    | rules(care_pb2.DESCRIPTOR.services_by_name["Care"])
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
    assert RULES.keys() == CALLS.keys() | {("Query", "me")}
    assert RULES["Query", "me"].kinds == {Caller.MEMBER}
