"""Members: show them, and find out who has an identity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.kit.errors import Problem
from services.kit.principal import Caller, NotAllowedError, Principal
from services.members.domain.chains import Chain
from services.members.domain.identities import IdentityKind, identity, identity_hash
from services.members.domain.members import Member
from services.members.domain.visibility import STAFF_ROLES, Role, shown_to
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count

_ROLES = {
    Caller.MEMBER: Role.GUEST,
    Caller.TILL: Role.TILL,
    Caller.PARTNER: Role.PARTNER,
    Caller.SERVICE: Role.SERVICE,
    Caller.OPERATOR: Role.SERVICE,  # who runs the platform has no business with its guests
}


class MemberFinder(Protocol):
    """Where members are looked up."""

    async def find(self, chain: str, ids: Sequence[str]) -> Mapping[str, Member]:
        """Return those of `ids` that exist, by the id that was asked for; one that was merged as where it has gone."""


class IdentityFinder(Protocol):
    """Where the holders of identities are looked up."""

    async def holders(self, chain: str, hashes: frozenset[bytes]) -> Mapping[bytes, str]:
        """Return the ids of the members who have them, by hash."""


@dataclass(frozen=True, slots=True)
class WrittenIdentity:
    """An identity as somebody wrote it. `kind` is None when it was not said."""

    kind: IdentityKind | None
    value: str


@dataclass(frozen=True, slots=True)
class FoundMember:
    """A member, and the id that it was asked for by."""

    asked: str
    member: Member


async def get_members(ids: Sequence[str], *, caller: Principal, members: MemberFinder) -> list[FoundMember]:
    """Return those of `ids` that exist and that the caller may see, in the order of the input.

    A guest whose member was merged goes on under the id that it knows.
    """
    check_count(ids, field="ids")
    found = await find_visible(ids, caller=caller, members=members)
    role = role_of(caller)
    return [FoundMember(id_, shown_to(role, found[id_])) for id_ in dict.fromkeys(ids) if id_ in found]


async def find_visible(ids: Sequence[str], *, caller: Principal, members: MemberFinder) -> Mapping[str, Member]:
    """Return those of `ids` of whom the caller may see anything, with all there is of them."""
    asked = list(dict.fromkeys(ids))
    if caller.kind is Caller.MEMBER:
        asked = [caller.id, *(id_ for id_ in asked if id_ != caller.id)]
    found = await members.find(caller.chain, asked) if asked else {}
    if caller.kind is Caller.MEMBER:
        own = found.get(caller.id)
        found = {id_: one for id_, one in found.items() if own is not None and one.id == own.id}
    return found


async def resolve_identities(
    written: Sequence[WrittenIdentity], *, caller: Principal, chains: ChainFinder, identities: IdentityFinder
) -> list[str]:
    """Return who has each identity, in the order of the input; empty where nobody has it, or nobody could."""
    check_count(written, field="identities")
    chain = await callers_chain(caller, chains=chains)
    hashes = [_hash(one, chain) for one in written]
    asked = frozenset(hashed for hashed in hashes if hashed)
    holders = await identities.holders(chain.id, asked) if asked else {}
    return [holders.get(hashed, "") for hashed in hashes]


def role_of(caller: Principal) -> Role:
    """Return as what the caller looks at members; staff of whom nothing is said look after guests."""
    if caller.kind is not Caller.STAFF:
        return _ROLES[caller.kind]
    if not caller.role:
        return Role.SERVICE_AGENT
    role = next((role for role in STAFF_ROLES if role.value == caller.role), None)
    if role is None:  # a role that a newer release knows
        raise NotAllowedError(why=f"its role {caller.role} is not known here")
    return role


def _hash(written: WrittenIdentity, chain: Chain) -> bytes:
    """Return the identity's hash, empty when nobody can have it: one misspelt phone must not fail a whole batch."""
    if written.kind is None:
        return b""
    try:
        found = identity(written.kind, written.value, calling_code=chain.calling_code, field="")
    except Problem:
        return b""
    return identity_hash(found, key=chain.identity_key)
