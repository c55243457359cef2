from typing import Any

import pytest

from services.kit.rabbit.messages import MalformedMessageError, to_event, to_message
from tests.support.events import event

EVENT = event(3, traceparent="00-1-2-01")


def test_an_event_comes_back_as_it_was() -> None:
    message = to_message(EVENT)

    assert to_event(message.headers, message.body) == EVENT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sequence": 0}, "sequence is 0"),
        ({"sequence": "3"}, "sequence is '3'"),
        ({"sequence": True}, "sequence is True"),
        ({"chain": 7}, "a header that should be text is not"),
        ({"cloudEvents:time": "yesterday"}, "cloudEvents:time: Invalid isoformat"),
        ({"cloudEvents:time": 7}, "cloudEvents:time: "),
        ({"cloudEvents:time": "2026-03-01T04:00:00"}, "cloudEvents:time has no zone"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_message_with_a_wrong_header_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(MalformedMessageError, match=words):
        to_event({**to_message(EVENT).headers, **change}, b"")


@pytest.mark.parametrize("name", ["cloudEvents:id", "chain", "stream", "aggregate", "sequence", "cloudEvents:type"])
def test_a_message_without_a_header_is_refused(name: str) -> None:
    headers = {key: value for key, value in to_message(EVENT).headers.items() if key != name}

    with pytest.raises(MalformedMessageError, match=f"header '{name}' is missing"):
        to_event(headers, b"")
