"""The public GraphQL API, as any client sees it."""

import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

ANSWER_WITHIN_S = 35.0
"""A little longer than the gateway gives an operation."""

_TLS = ssl.create_default_context()
"""Made once: it takes 20 ms, and a client makes one of its own unless it is given one."""


class GraphQLFailedError(Exception):
    """The answer has errors, or is not a GraphQL answer."""


class GraphQL:
    """A client with one key. Use it as an async context manager."""

    def __init__(self, url: str, *, key: str = "") -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        # The platform is on this machine: a proxy in the environment is not meant for it.
        self._http = httpx.AsyncClient(headers=headers, timeout=ANSWER_WITHIN_S, verify=_TLS, trust_env=False)
        self._url = url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def answer(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return the whole answer, with `data`, `errors` or both."""
        response = await self._http.post(self._url, json={"query": query, "variables": variables or {}})
        try:
            answer: dict[str, Any] = response.json()
        except ValueError as error:
            message = f"status {response.status_code}: {response.text[:300]}"
            raise GraphQLFailedError(message) from error
        return answer

    async def data(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return the answer's data; `GraphQLFailedError` when it has errors."""
        answer = await self.answer(query, variables)
        if answer.get("errors"):
            message = "; ".join(error["message"] for error in answer["errors"][:5])
            raise GraphQLFailedError(message)
        data: dict[str, Any] = answer["data"]
        return data
