from typing import Any

import httpx
import pytest

from infra.cli.importing.platform import (
    KeyRefusedError,
    KeyTooWeakError,
    Patience,
    Platform,
    RefusedError,
    UnreachableError,
    WrongUrlError,
    connect,
    is_local,
)
from services.kit.errors import Problem
from tests.support.paper_platform import problem

GOOD = httpx.Response(200, json={"data": {"answer": 42}})


class Waiting:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.notes: list[str] = []

    def patience(self, give_up_s: float) -> Patience:
        return Patience(give_up_s=give_up_s, now=lambda: sum(self.slept), sleep=self.sleep, note=self.notes.append)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def platform(answers: list[httpx.Response | Exception], waiting: Waiting, give_up_s: float = 300) -> Platform:
    def answer(_: httpx.Request) -> httpx.Response:
        one = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(one, Exception):
            raise one
        return one

    client = connect(url="http://127.0.0.1", key="htk_x", connections=1, transport=httpx.MockTransport(answer))
    return Platform("http://127.0.0.1/graphql", client=client, patience=waiting.patience(give_up_s))


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        problem("UNAVAILABLE", status=503),
        problem("TIMED_OUT"),
        problem("OVERLOADED"),
        problem("SOMETHING_NEW", retryAfterMs=10),
        httpx.Response(503, text="Service Unavailable"),
        problem("FAULT"),
    ],
)
async def test_what_may_pass_is_asked_again(trouble: httpx.Response | Exception) -> None:
    waiting = Waiting()
    assert await platform([trouble, trouble, GOOD], waiting).ask("{ answer }") == {"answer": 42}
    assert len(waiting.slept) == 2
    assert len(waiting.notes) == 2
    assert waiting.notes[1] == "the platform answers again"


async def test_it_waits_as_long_as_it_is_told() -> None:
    waiting = Waiting()
    answers: list[Any] = [problem("OVERLOADED", retryAfterMs=7_000), GOOD]
    await platform(answers, waiting).ask("{ answer }")
    answers = [httpx.Response(429, text="", headers={"retry-after": "9"}), GOOD]
    await platform(answers, waiting).ask("{ answer }")
    assert waiting.slept == [7.0, 9.0]


async def test_it_waits_longer_and_longer_and_gives_up_in_the_end() -> None:
    waiting = Waiting()
    with pytest.raises(UnreachableError, match="run the same command again: it goes on where it was"):
        await platform([httpx.ConnectError("refused")], waiting).ask("{ answer }")
    assert 280 < sum(waiting.slept) <= 300
    assert waiting.slept[0] <= 0.2
    assert max(waiting.slept) <= 10


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem("UNAUTHENTICATED", status=401), KeyRefusedError),
        (problem("DENIED"), KeyTooWeakError),
        (problem("BAD_REQUEST"), RefusedError),
        (httpx.Response(404, text="no such page"), RefusedError),
    ],
)
async def test_what_will_not_pass_is_said_at_once(answer: httpx.Response, error: type[Problem]) -> None:
    waiting = Waiting()
    with pytest.raises(error):
        await platform([answer], waiting).ask("{ answer }")
    assert waiting.slept == []


async def test_a_fault_that_stays_is_not_waited_for() -> None:
    waiting = Waiting()
    with pytest.raises(RefusedError, match=r"FAULT, trace abc"):
        await platform([problem("FAULT")], waiting).ask("{ answer }")
    assert len(waiting.slept) == 4


async def test_the_key_goes_along() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return GOOD

    client = connect(url="https://a.example", key="htk_x", connections=1, transport=httpx.MockTransport(answer))
    await Platform("https://a.example", client=client, patience=Waiting().patience(1)).ask("{ answer }")
    assert seen == ["Bearer htk_x"]


@pytest.mark.parametrize("url", ["127.0.0.1:8000/graphql", "ftp://huitou.example", "http://", "graphql"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(WrongUrlError):
        connect(url=url, key="htk_x", connections=1)


@pytest.mark.parametrize("key", ["x", "htk_é", "htk_a\nb"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(KeyRefusedError):
        connect(url="http://127.0.0.1", key=key, connections=1)


def test_which_urls_lead_to_this_machine() -> None:
    urls = [
        "http://127.0.0.1:8000/graphql",
        "http://localhost/",
        "http://[::1]:8000/",
        "https://huitou.example/graphql",
    ]
    assert [is_local(url) for url in urls] == [True, True, True, False]
