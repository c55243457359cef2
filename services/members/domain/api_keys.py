"""API keys: by what a till, a partner, a staff member or a guest's app calls. Only the secret's hash is kept."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from services.kit.errors import Kind, Problem
from services.members.domain.visibility import STAFF_ROLES, Role

SCOPES = frozenset(
    {
        "members:read",
        "members:write",
        "members:merge",
        "members:erase",
        "members:audit",
        "consents:write",
        "care:read",
        "care:write",
        "members:import",
        "members:export",
        "members:disclose",
        "purchases:read",
        "purchases:write",
        "points:read",
        "points:spend",
        "ledger:read",
        "ledger:adjust",
        "ledger:approve",
        "ledger:freeze",
        "ledger:open",
        "ledger:level",
        "program:read",
        "program:write",
        "insight:read",
        "coupons:read",
        "coupons:redeem",
        "campaigns:write",
        "feedback:read",
        "feedback:write",
        "activities:write",
        "chain:write",
        "stock:write",
        "staff:read",
        "staff:write",
        "keys:write",
        "reviews:read",
        "reviews:write",
    }
)
"""Everything that a key can be given."""

MEMBER_SCOPES = frozenset(
    {
        "members:read",
        "consents:write",
        "purchases:read",
        "points:read",
        "coupons:read",
        "feedback:read",
        "feedback:write",
    }
)
"""What guests may do with their own data without being told so: who makes a guest's key gives all this away."""

MAX_SUBJECT_LENGTH = 200

_ROLES = frozenset(role.value for role in STAFF_ROLES)


class KeyKind(StrEnum):
    """The kinds of caller that have API keys."""

    MEMBER = "member"
    STAFF = "staff"
    PARTNER = "partner"
    TILL = "till"


class InvalidApiKeyError(Problem):
    """The API key is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_API_KEY"


class TooMuchForKeyError(Problem):
    """A key cannot have more than the caller that makes it: {what}."""

    kind = Kind.DENIED
    code = "DENIED"


class NoApiKeyError(Problem):
    """There is no such API key."""

    kind = Kind.NOT_FOUND
    code = "API_KEY_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key. No `stores`: not limited to some. `subject` is a member's id, or a name for a person or a device."""

    id: str
    chain: str
    kind: KeyKind
    subject: str
    scopes: frozenset[str]
    stores: frozenset[str]
    secret_sha256: bytes = field(repr=False)
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None
    role: str = ""  # of staff: a role of `visibility.STAFF_ROLES`

    @property
    def caller_id(self) -> str:
        """Whom it stands for: the member, or the key itself."""
        return self.subject if self.kind is KeyKind.MEMBER else self.id


@dataclass(frozen=True, slots=True)
class Authority:
    """What the maker of a key has itself. `all_scopes` is an operator's."""

    scopes: frozenset[str]
    stores: frozenset[str]
    all_scopes: bool = False
    role: str = ""


def secret_of(kind: KeyKind, randomness: bytes) -> str:
    """Return the secret made of 32 random bytes: "htk_till_" and 43 URL-safe characters."""
    return f"htk_{kind}_{urlsafe_b64encode(randomness).decode().rstrip('=')}"


def secret_hash(secret: str) -> bytes:
    """Return what is kept of a secret. It is random, so a plain SHA-256 cannot be undone."""
    return sha256(secret.encode()).digest()


def check_key(key: ApiKey) -> None:
    """Refuse, with the field at fault, what no key can be."""
    if not 1 <= len(key.subject.strip()) <= MAX_SUBJECT_LENGTH:
        raise InvalidApiKeyError(field="subject", why=f"its subject must have 1 to {MAX_SUBJECT_LENGTH} characters")
    if unknown := sorted(key.scopes - SCOPES):
        raise InvalidApiKeyError(field="scopes", why=f"there is no scope {unknown[0]}; there are {_list(SCOPES)}")
    if key.kind is KeyKind.MEMBER and (key.scopes or key.stores):
        raise InvalidApiKeyError(field="scopes", why="a member's key has neither scopes nor stores")
    if key.role and key.kind is not KeyKind.STAFF:
        raise InvalidApiKeyError(field="role", why="only staff have roles")
    if key.role and key.role not in STAFF_ROLES:
        raise InvalidApiKeyError(field="role", why=f"there is no role {key.role}; there are {_list(_ROLES)}")
    if key.kind is KeyKind.TILL and len(key.stores) != 1:
        raise InvalidApiKeyError(field="storeIds", why="a till has exactly one store")


def check_authority(key: ApiKey, maker: Authority) -> None:
    """Refuse a key that can do what its maker cannot."""
    wanted = MEMBER_SCOPES if key.kind is KeyKind.MEMBER else key.scopes
    if not maker.all_scopes and (beyond := wanted - maker.scopes):
        raise TooMuchForKeyError(field="scopes", what=f"the scope {_list(beyond)}")
    if key.kind is KeyKind.STAFF and not maker.all_scopes and maker.role not in (Role.ADMIN, key.role):
        raise TooMuchForKeyError(field="role", what=f"the role {key.role or Role.SERVICE_AGENT}")
    if not _covers(maker, key):
        raise TooMuchForKeyError(field="storeIds", what="other stores than the caller's own")


def may_revoke(key: ApiKey, caller: Authority) -> bool:
    """Tell whether the key lies within the caller's stores: a branch cannot lock out the head office."""
    return _covers(caller, key)


def _covers(maker: Authority, key: ApiKey) -> bool:
    if not maker.stores or key.kind is KeyKind.MEMBER:
        return True
    return bool(key.stores) and key.stores <= maker.stores


def _list(scopes: frozenset[str]) -> str:
    return ", ".join(sorted(scopes))
