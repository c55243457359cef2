"""The graph asks of a caller what the contract asks, but that services do not come this way."""

import pytest

from protos.feedback.v1 import feedback_pb2
from services.feedback.graph.answers import ANSWERERS
from services.feedback.graph.voices import READERS
from services.kit.graph import Rule
from services.kit.principal import Caller
from services.kit.rpc.access import rules

CONTRACT = rules(feedback_pb2.DESCRIPTOR.services_by_name["Feedback"])


@pytest.mark.parametrize(
    ("rule", "method"), [(READERS, "ListCases"), (READERS, "ListInvitations"), (ANSWERERS, "AnswerSurvey")]
)
def test_a_field_lets_in_whom_its_method_lets_in(rule: Rule, method: str) -> None:
    assert rule.kinds == CONTRACT[method].kinds - {Caller.SERVICE}
    assert rule.scope == CONTRACT[method].scope


def test_every_method_is_compared() -> None:
    assert CONTRACT.keys() == {"ListCases", "ListInvitations", "AnswerSurvey"}
