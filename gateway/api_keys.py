"""Who calls with which API key: members knows, and its answer is good for five seconds."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Protocol

from protos.common.v1 import access_pb2
from protos.members.v1 import chains_pb2
from services.kit.errors import Kind, Problem
from services.kit.principal import Caller, NotBelievedError, Principal

logger = logging.getLogger(__name__)

BELIEVED_S = 5.0
"""How long a revoked key may still work."""

UNKNOWN_S = 1.0
"""How long a key that was not known stays so: a new key works a second after somebody tried it too early."""

KEPT = 10_000
LONGEST = 200

Authenticate = Callable[[bytes], Awaitable[chains_pb2.AuthenticateResponse]]
"""Asks members whose secret has this SHA-256; raises a `Problem` of kind NOT_FOUND when it is nobody's."""


class AuthenticationDownError(Problem):
    """The key cannot be checked at the moment."""

    kind = Kind.UNAVAILABLE
    code = "UNAVAILABLE"


class Now(Protocol):
    """A clock for lengths of time, in seconds."""

    def __call__(self) -> float:
        """Return the seconds since some moment in the past."""


class ApiKeys:
    """Tells principals by API key. Only hashes of keys are kept; `KEPT` of them, the least used go first."""

    def __init__(self, authenticate: Authenticate, *, now: Now) -> None:
        self._authenticate, self._now = authenticate, now
        self._known: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Principal | None]] = {}

    async def caller(self, authorization: str | None) -> Principal | None:
        """Return who sent this Authorization header; None without one.

        Raises `NotBelievedError` for a key that is unknown or revoked, `AuthenticationDownError` when members cannot
        be asked.
        """
        if authorization is None:
            return None
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.startswith("htk_") or len(key) > LONGEST:
            raise NotBelievedError
        principal = await self._of(sha256(key.encode()).digest())
        if principal is None:
            raise NotBelievedError
        return principal

    async def _of(self, secret_sha256: bytes) -> Principal | None:
        known = self._known.get(secret_sha256)
        if known is not None and self._now() < known[0]:
            self._known.move_to_end(secret_sha256)
            return known[1]
        # Everybody who comes with the same key meanwhile waits for the same answer, which outlives the first of them.
        task = self._asking.get(secret_sha256)
        if task is None:
            task = self._asking[secret_sha256] = asyncio.create_task(self._ask(secret_sha256))
            task.add_done_callback(lambda _: self._asking.pop(secret_sha256, None))
        return await asyncio.shield(task)

    async def _ask(self, secret_sha256: bytes) -> Principal | None:
        asked_at = self._now()
        try:
            answer = await self._authenticate(secret_sha256)
        except Problem as problem:
            if problem.kind is not Kind.NOT_FOUND:
                logger.warning("members cannot say whose key it is: %s", problem.message)
                raise AuthenticationDownError(retry_after_ms=problem.retry_after_ms) from problem
            principal, good_s = None, UNKNOWN_S
        else:
            principal, good_s = _principal(answer), BELIEVED_S
        # From when it was asked: what was revoked while the answer travelled must not live longer for it.
        self._known[secret_sha256] = (asked_at + good_s, principal)
        self._known.move_to_end(secret_sha256)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return principal


def _principal(answer: chains_pb2.AuthenticateResponse) -> Principal:
    return Principal(
        chain=answer.chain_id,
        kind=Caller[access_pb2.CallerKind.Name(answer.kind).removeprefix("CALLER_KIND_")],
        id=answer.id,
        scopes=frozenset(answer.scopes),
        stores=frozenset(answer.store_ids),
        role=answer.role,
    )
