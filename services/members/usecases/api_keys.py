"""API keys: create, revoke, and tell whose a secret is."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.kit.principal import Caller, NotAllowedError, Principal
from services.members.domain.api_keys import (
    ApiKey,
    Authority,
    KeyKind,
    NoApiKeyError,
    check_authority,
    check_key,
    may_revoke,
    secret_hash,
    secret_of,
)
from services.members.domain.members import NoMemberError
from services.members.domain.partners import Partner, PartnerState
from services.members.domain.stores import NoStoreError
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.members import MemberFinder
from services.members.usecases.stores import Stores


class ApiKeys(Protocol):
    """Where keys are kept."""

    async def add(self, key: ApiKey) -> None:
        """Keep a new key."""

    async def find(self, chain: str, key_id: str) -> ApiKey | None:
        """Return the chain's key of that id, revoked or not."""

    async def by_secret(self, secret_sha256: bytes) -> ApiKey | None:
        """Return the key with that secret, revoked or not, of whatever chain."""

    async def revoke(self, key: ApiKey, *, now: datetime) -> datetime:
        """Mark the key revoked, and return since when it is: the first time holds."""


class PartnerFinder(Protocol):
    """Where partners are looked up."""

    async def find(self, chain: str, code: str) -> Partner | None:
        """Return the chain's partner of that code."""


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A key as somebody wants it. No `stores`: not limited to some."""

    kind: KeyKind
    subject: str
    scopes: frozenset[str]
    stores: frozenset[str]
    role: str = ""


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key and its secret, which is kept nowhere."""

    key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """What the making of keys needs from outside."""

    chains: ChainFinder
    stores: Stores
    members: MemberFinder
    keys: ApiKeys


async def create_api_key(
    wanted: WantedKey, *, caller: Principal, key_id: str, randomness: bytes, now: datetime, desk: KeyDesk
) -> CreatedKey:
    """Make a key whose secret holds `randomness`: 32 bytes that nobody can guess."""
    chain = await callers_chain(caller, chains=desk.chains)
    secret = secret_of(wanted.kind, randomness)
    key = ApiKey(
        id=key_id,
        chain=chain.id,
        kind=wanted.kind,
        subject=wanted.subject,
        scopes=wanted.scopes,
        stores=wanted.stores,
        secret_sha256=secret_hash(secret),
        created_at=now,
        created_by=f"{caller.kind}:{caller.id}",
        role=wanted.role,
    )
    check_key(key)
    check_authority(key, _authority(caller))
    await _check_named(key, desk)
    await desk.keys.add(key)
    return CreatedKey(key, secret)


async def revoke_api_key(key_id: str, *, caller: Principal, now: datetime, keys: ApiKeys) -> datetime:
    """Revoke the key, and return since when it is revoked."""
    if (key := await keys.find(caller.chain, key_id)) is None:
        raise NoApiKeyError(field="id")
    if not may_revoke(key, _authority(caller)):
        raise NotAllowedError(field="id", why="the key is not limited to the caller's own stores")
    return await keys.revoke(key, now=now)


async def authenticate(
    secret_sha256: bytes, *, keys: ApiKeys, members: MemberFinder, partners: PartnerFinder
) -> ApiKey:
    """Return the key with this secret, unless there is none, it was revoked or it is a paused partner's.

    A guest whose member was merged calls as the one that it has gone to; one that was erased is nobody.
    """
    key = await keys.by_secret(secret_sha256)
    if key is None or key.revoked_at is not None:
        raise NoApiKeyError
    if key.kind is KeyKind.PARTNER:
        partner = await partners.find(key.chain, key.subject)
        if partner is not None and partner.state is PartnerState.PAUSED:
            raise NoApiKeyError
    if key.kind is not KeyKind.MEMBER:
        return key
    member = (await members.find(key.chain, [key.subject])).get(key.subject)
    if member is None or member.erased_at:
        raise NoApiKeyError
    return replace(key, subject=member.id)


def _authority(caller: Principal) -> Authority:
    return Authority(caller.scopes, caller.stores, all_scopes=caller.kind is Caller.OPERATOR, role=caller.role)


async def _check_named(key: ApiKey, desk: KeyDesk) -> None:
    found = {store.id for store in await desk.stores.find(key.chain, key.stores)} if key.stores else set()
    if missing := sorted(key.stores - found):
        raise NoStoreError(field="storeIds", store=missing[0])
    if key.kind is KeyKind.MEMBER and not await desk.members.find(key.chain, [key.subject]):
        raise NoMemberError(field="subject", member=key.subject)
