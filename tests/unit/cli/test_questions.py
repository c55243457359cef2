"""What the command line asks fits the graph as it is published."""

from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import get_variable_values

from infra.cli.importing import requests
from infra.cli.ledger import waiting
from tests.support.import_desk import Desk

SCHEMA = build_schema((Path(__file__).parents[3] / "gateway" / "schema.graphql").read_text())
QUESTIONS = {
    "chain": requests.CHAIN,
    "stores": requests.SAVE_STORES,
    "create job": requests.CREATE_JOB,
    "import rows": requests.IMPORT_ROWS,
    "close job": requests.CLOSE_JOB,
    "record": requests.RECORD,
    "refund": requests.REFUND,
    "open": requests.OPEN,
    "waiting": waiting.WAITING,
}
MAPPING = """
time_zone = "UTC"
store = { code = "new", create = { name = "New" } }
[members]
file = "all.csv"
format = "csv"
[members.fields]
external_id = "card"
phone = "phone"
enrolled_at = "at"
gender = { constant = "女" }
birthday = { constant = "05-17" }
city = { constant = "Shanghai" }
allergy = { constant = "peanut" }
tags = { constant = "vip;early" }
household = { constant = "H-1" }
store = { constant = "new" }
campaign = { constant = "spring" }
level = { constant = "silver" }
level_until = { constant = "2030-01-01" }
[members.consents.sms]
channel = "sms"
purpose = "marketing"
fields = { granted = { constant = "yes" }, at = "at", text_version = { constant = "3" } }
[openings]
file = "all.csv"
format = "csv"
fields = { member = "card", amount = "n", earned_at = "at", expires_at = "at" }
[purchases]
file = "all.csv"
format = "csv"
refunds = { numbers_begin_with = "C" }
fields.receipt_number = "no"
fields.member = "card"
fields.occurred_at = "at"
fields.item_code = "item"
fields.quantity = "n"
fields.gross = "paid"
"""


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_is_one_that_the_graph_answers(name: str) -> None:
    assert validate(SCHEMA, parse(QUESTIONS[name])) == []


def test_what_an_import_sends_is_what_the_graph_takes(desk: Desk) -> None:
    rows = "no,card,at,item,n,paid,phone\n1,A,2020-01-01,tea,2,5.00,+861\nC2,A,2020-01-01,tea,1,2.50,+861\n"
    desk.write({"mapping.toml": MAPPING, "all.csv": rows})
    desk.run()
    asked = set()
    for request in desk.platform.requests:
        operation = parse(request["query"]).definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        values = get_variable_values(SCHEMA, operation.variable_definitions or (), request["variables"])
        assert not isinstance(values, list), values
        asked.add(request["query"])
    levels = {question for question in asked if "grantLevel" in question}
    assert [validate(SCHEMA, parse(question)) for question in levels] == [[]]
    assert asked - levels == {question for name, question in QUESTIONS.items() if name != "waiting"}
