"""Who is asking: a short-lived signed token that travels in the metadata of every call between services.

The token is a JWT (RFC 7519) signed with Ed25519 (RFC 8037). Each process that speaks for callers has a key of its
own, and each key may vouch for certain kinds only: the gateway's for guests, staff, partners and tills, a service's
for that service, an operator's for operators. A stolen service key can thus not make a member out of thin air.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.kit.clock import Clock
from services.kit.errors import Kind, Problem

LIFETIME = timedelta(minutes=2)
"""How long a token is good for: longer than any deadline, short enough that it is worthless when it leaks."""

CACHE_SIZE = 10_000
"""Verified tokens kept by a process; checking a signature is by far the dearest part of taking a call."""


class Caller(StrEnum):
    """The kinds of `protos/common/v1/access.proto`."""

    MEMBER = "member"
    STAFF = "staff"
    PARTNER = "partner"
    TILL = "till"
    SERVICE = "service"
    OPERATOR = "operator"


class NotBelievedError(Problem):
    """The caller's token is missing, expired, or not signed by anyone who may vouch for it."""

    kind = Kind.UNAUTHENTICATED
    code = "UNAUTHENTICATED"


class NotAllowedError(Problem):
    """This caller may not do that: {why}."""

    kind = Kind.DENIED
    code = "DENIED"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that has been believed. The chain of every read and write is taken from here."""

    chain: str
    kind: Caller
    id: str
    scopes: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()  # empty: not limited to some
    role: str = ""  # of staff: as what they look at guests

    def may_see_member(self, member_id: str) -> bool:
        """Tell whether the member's data may be shown: a guest sees only the own."""
        return self.kind is not Caller.MEMBER or self.id == member_id

    def may_use_store(self, store_id: str) -> bool:
        """Tell whether the caller may act in the store."""
        return not self.stores or store_id in self.stores


class Signer:
    """Makes tokens with one process's own key."""

    def __init__(self, *, key_id: str, key: Ed25519PrivateKey, clock: Clock) -> None:
        self._key_id, self._key, self._clock = key_id, key, clock
        self._fresh: OrderedDict[Principal, tuple[datetime, str]] = OrderedDict()

    def token(self, principal: Principal) -> str:
        """Return a token for `principal` that is good for at least half of `LIFETIME`."""
        now = self._clock()
        until, token = self._fresh.get(principal, (now, ""))
        if until - now > LIFETIME / 2:
            return token
        until = now + LIFETIME
        claims = {
            "chain": principal.chain,
            "kind": principal.kind.value,
            "sub": principal.id,
            "scopes": sorted(principal.scopes),
            "stores": sorted(principal.stores),
            "role": principal.role,
            "exp": until,
        }
        token = jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._key_id})
        self._fresh[principal] = (until, token)
        self._fresh.move_to_end(principal)
        if len(self._fresh) > CACHE_SIZE:
            self._fresh.popitem(last=False)
        return token


@dataclass(frozen=True, slots=True)
class Trusted:
    """A public key, and the kinds of caller that its owner may vouch for."""

    key: Ed25519PublicKey
    kinds: frozenset[Caller]


class Verifier:
    """Believes tokens signed by trusted keys."""

    def __init__(self, trusted: Mapping[str, Trusted], *, clock: Clock) -> None:
        self._trusted, self._clock = trusted, clock
        self._believed: OrderedDict[str, tuple[datetime, Principal]] = OrderedDict()

    def principal(self, token: str) -> Principal:
        """Return whom `token` stands for, or raise `NotBelievedError`."""
        now = self._clock()
        if (known := self._believed.get(token)) is not None:
            until, principal = known
            if now < until:
                return principal
            del self._believed[token]
        until, principal = self._verify(token, now)
        self._believed[token] = (until, principal)
        if len(self._believed) > CACHE_SIZE:
            self._believed.popitem(last=False)
        return principal

    def _verify(self, token: str, now: datetime) -> tuple[datetime, Principal]:
        try:
            trusted = self._trusted[jwt.get_unverified_header(token)["kid"]]
            # The time is compared with our own clock, below: PyJWT would read the machine's.
            options: Any = {"require": ["exp", "sub", "kind", "chain"], "verify_exp": False}
            claims = jwt.decode(token, trusted.key, algorithms=["EdDSA"], options=options)
            until = datetime.fromtimestamp(claims["exp"], UTC)
            principal = Principal(
                chain=claims["chain"],
                kind=Caller(claims["kind"]),
                id=claims["sub"],
                scopes=frozenset(claims["scopes"]),
                stores=frozenset(claims["stores"]),
                role=claims.get("role", ""),
            )
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
            raise NotBelievedError from error
        if now >= until or principal.kind not in trusted.kinds:
            raise NotBelievedError
        return until, principal


def for_chain(principal: Principal, chain: str) -> Principal:
    """Return the service's or operator's principal for one chain."""
    return replace(principal, chain=chain)
