"""The page behind the link to unsubscribe, and the one click that mail programs offer (RFC 8058).

To open the page changes nothing: mail programs and virus scanners open links that nobody has clicked. A POST does,
whoever sends it from wherever: the token alone says what is taken back, and nothing else can be reached by it.
"""

from dataclasses import dataclass
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.ourselves import OURSELVES
from protos.members.v1 import care_pb2
from protos.members.v1.care_pb2_grpc import CareStub
from services.kit.errors import Kind, Problem
from services.kit.graph import Channels
from services.kit.telemetry import SpanKind, span

PATH = "/unsubscribe/{token}"

HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What the page says in one language."""

    language: str
    ask: str
    button: str
    done: str
    wrong: str
    later: str


ENGLISH = Words(
    "en",
    "Do you no longer want these messages?",
    "Unsubscribe",
    "You will not get these messages any more.",
    "This link is not whole. Open it from the message once more.",
    "This does not work at the moment. Please try again in a few minutes.",
)
CHINESE = Words(
    "zh",
    "不想再收到此类消息？",  # noqa: RUF001 - its punctuation
    "退订",
    "您将不再收到此类消息。",
    "链接不完整，请从消息中重新打开。",  # noqa: RUF001 - its punctuation
    "暂时无法处理，请几分钟后重试。",  # noqa: RUF001 - its punctuation
)


def unsubscribe_route(channels: Channels) -> Route:
    """Return the route; `channels` leads to members."""

    async def answer(request: Request) -> Response:
        words = _words(request)
        if request.method != "POST":
            return _page(words, words.ask, button=words.button)
        with span("unsubscribe", SpanKind.SERVER, parent_traceparent=""):
            try:
                await channels.to("members").call(
                    channels.stub("members", CareStub).Unsubscribe,
                    care_pb2.UnsubscribeRequest(token=request.path_params["token"]),
                    principal=OURSELVES,
                    idempotent=True,
                )
            except Problem as problem:
                if problem.kind in {Kind.INVALID, Kind.NOT_FOUND}:
                    return _page(words, words.wrong, status=400)
                return _page(words, words.later, button=words.button, status=503)
        return _page(words, words.done)

    return Route(PATH, answer, methods=["GET", "POST"])


def _words(request: Request) -> Words:
    """Return the words of the first language that the browser names and that there are words in."""
    for part in request.headers.get("accept-language", "").split(","):
        for words in (ENGLISH, CHINESE):
            if part.strip().lower().startswith(words.language):
                return words
    return ENGLISH


def _page(words: Words, said: str, *, button: str = "", status: int = 200) -> Response:
    # Without an action, the form goes back to where the page came from.
    form = f'<form method="post"><button>{escape(button)}</button></form>' if button else ""
    text = (
        f'<!doctype html><html lang="{words.language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(words.button)}</title><p>{escape(said)}</p>{form}</html>"
    )
    return HTMLResponse(text, status, headers=HEADERS)
