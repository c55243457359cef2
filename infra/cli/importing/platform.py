"""The public GraphQL API as an importer needs it: what is away for a while is tried again, what is wrong is said."""

import asyncio
import ipaddress
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import orjson

from services.kit.errors import Kind, Problem

ANSWER_WITHIN_S = 40.0
"""Longer than the gateway gives an operation, so that it is the gateway that says so."""

FIRST_WAIT_S, MOST_WAIT_S = 0.2, 10.0
FAULT_TRIES = 5
"""A fault of the platform may be a process that died just then; one that stays is not waited for."""

PASSING = frozenset({"UNAVAILABLE", "TIMED_OUT", "OVERLOADED", "BUSY"})
PASSING_STATUS = frozenset({429, 502, 503, 504})
_TLS = ssl.create_default_context()


class UnreachableError(Problem):
    """{url} has not answered for {seconds} s ({why}). Is the platform running? When it does, run the same command
    again: it goes on where it was."""

    kind = Kind.UNAVAILABLE
    code = "UNREACHABLE"


class KeyRefusedError(Problem):
    """The platform does not know this API key. Give one that begins with htk_ in HUITOU_KEY or with --key; the same
    command then goes on where it was."""

    kind = Kind.UNAUTHENTICATED
    code = "KEY_REFUSED"


class KeyTooWeakError(Problem):
    """{message} An import needs a staff key for the whole chain with the scopes members:import and purchases:write,
    chain:write where it opens the store, ledger:open where it opens balances and ledger:level where it gives levels;
    refunds-waiting needs purchases:read, and program needs program:read and program:write."""

    kind = Kind.DENIED
    code = "KEY_TOO_WEAK"


class WrongUrlError(Problem):
    """{url} is not where a platform can be: give the URL of its GraphQL API, like http://127.0.0.1:8000/graphql."""

    kind = Kind.INVALID
    code = "WRONG_URL"


class RefusedError(Problem):
    """The platform refused the request: {message} ({code}, trace {trace}). Nothing of it was done."""

    kind = Kind.REFUSED
    code = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to try, and how to wait; `note` is told about trouble."""

    give_up_s: float
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    note: Callable[[str], None]


class Platform:
    """Asks with one key. `client` keeps its connections between requests."""

    def __init__(self, url: str, *, client: httpx.AsyncClient, patience: Patience) -> None:
        self.url = url
        self._client, self._patience = client, patience
        self._in_trouble = False

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer's data.

        What may pass by itself is asked again until `give_up_s` are over, so ask only what may be asked twice. Raises
        `UnreachableError`, `KeyRefusedError`, `KeyTooWeakError`, `RefusedError`.
        """
        body = orjson.dumps({"query": query, "variables": variables or {}})
        began, attempt = self._patience.now(), 0
        while True:
            trouble = await self._once(body, attempt)
            if not isinstance(trouble, _Trouble):
                self._told(None)
                return trouble
            wait_s = max(trouble.retry_after_s, _backoff_s(attempt))
            passed_s = self._patience.now() - began
            if passed_s + wait_s > self._patience.give_up_s:
                raise UnreachableError(url=self.url, seconds=round(passed_s), why=trouble.why)
            self._told(trouble)
            await self._patience.sleep(wait_s)
            attempt += 1

    async def _once(self, body: bytes, attempt: int) -> "dict[str, Any] | _Trouble":
        try:
            response = await self._client.post(self.url, content=body, headers={"content-type": "application/json"})
        except httpx.TransportError as error:
            return _Trouble(str(error) or type(error).__name__)
        try:
            answer = orjson.loads(response.content)
            errors = answer.get("errors")
        except (orjson.JSONDecodeError, AttributeError):
            answer, errors = None, [{"message": f"status {response.status_code}, which is no GraphQL answer"}]
        if not errors:
            return cast("dict[str, Any]", answer["data"])
        return _judged(errors[0], response, attempt)

    def _told(self, trouble: "_Trouble | None") -> None:
        """Say once that there is trouble, and once that it is over."""
        if trouble and not self._in_trouble:
            self._patience.note(f"{trouble.why}: trying again for {round(self._patience.give_up_s)} s at most")
        if trouble is None and self._in_trouble:
            self._patience.note("the platform answers again")
        self._in_trouble = trouble is not None


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Something that may pass."""

    why: str
    retry_after_s: float = 0.0


def connect(
    *, url: str, key: str, connections: int, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return a client that sends the key and keeps up to so many connections, over HTTP unless told otherwise.

    Raises `WrongUrlError`, `KeyRefusedError` for what no server need be asked about.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WrongUrlError(url=url)
    if not (key.startswith("htk_") and key.isascii() and key.isprintable()):
        raise KeyRefusedError
    return httpx.AsyncClient(
        headers={"authorization": f"Bearer {key}"},
        timeout=httpx.Timeout(ANSWER_WITHIN_S, connect=5.0),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        verify=_TLS,
        transport=transport,
        # A proxy in the environment is not meant for a platform on this machine.
        trust_env=not is_local(url),
    )


def is_local(url: str) -> bool:
    """Tell whether the URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _judged(error: Mapping[str, Any], response: httpx.Response, attempt: int) -> _Trouble:
    """Return what may pass, raise what will not."""
    told = error.get("extensions") or {}
    code, message = told.get("code", ""), error.get("message", "")
    if code in PASSING or "retryAfterMs" in told or response.status_code in PASSING_STATUS:
        advised = response.headers.get("retry-after", "")
        seconds = float(advised) if advised.isdecimal() else 0.0
        return _Trouble(message, max(seconds, told.get("retryAfterMs", 0) / 1000))
    if (code == "FAULT" or response.is_server_error) and attempt + 1 < FAULT_TRIES:
        return _Trouble(f"{message} (trace {told.get('traceId', 'unknown')})")
    if code == "UNAUTHENTICATED":
        raise KeyRefusedError
    if code == "DENIED":
        raise KeyTooWeakError(message=message)
    raise RefusedError(message=message, code=code or response.status_code, trace=told.get("traceId", "unknown"))


def _backoff_s(attempt: int) -> float:
    wait_s: float = min(FIRST_WAIT_S * 2 ** min(attempt, 10), MOST_WAIT_S)
    return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - so that lanes do not come all at once


async def real_sleep(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)
