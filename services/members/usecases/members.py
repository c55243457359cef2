"""Members: show them, and find out who has an identity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.kit.errors import Problem
from services.kit.principal import Caller, Principal
from services.members.domain.chains import Chain
from services.members.domain.identities import IdentityKind, identity, identity_hash
from services.members.domain.members import Member, with_masked_identities, without_payers
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count

_SEES_LITTLE = frozenset({Caller.TILL, Caller.PARTNER})


class MemberFinder(Protocol):
    """Where members are looked up."""

    async def find(self, chain: str, ids: Sequence[str]) -> Mapping[str, Member]:
        """Return those of `ids` that exist, by id."""


class IdentityFinder(Protocol):
    """Where the holders of identities are looked up."""

    async def holders(self, chain: str, hashes: frozenset[bytes]) -> Mapping[bytes, str]:
        """Return the ids of the members who have them, by hash."""


@dataclass(frozen=True, slots=True)
class WrittenIdentity:
    """An identity as somebody wrote it. `kind` is None when it was not said."""

    kind: IdentityKind | None
    value: str


async def get_members(ids: Sequence[str], *, caller: Principal, members: MemberFinder) -> list[Member]:
    """Return those of `ids` that exist and that the caller may see, in the order of the input."""
    check_count(ids, field="ids")
    allowed = [member_id for member_id in dict.fromkeys(ids) if caller.may_see_member(member_id)]
    found = await members.find(caller.chain, allowed) if allowed else {}
    return [shown_to(caller, found[member_id]) for member_id in allowed if member_id in found]


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


def shown_to(caller: Principal, member: Member) -> Member:
    """Return as much of the member as the caller's kind may see."""
    shown = without_payers(member)
    return with_masked_identities(shown) if caller.kind in _SEES_LITTLE else shown


def _hash(written: WrittenIdentity, chain: Chain) -> bytes:
    """Return the identity's hash, empty when nobody can have it: one misspelt phone must not fail a whole batch."""
    if written.kind is None:
        return b""
    try:
        found = identity(written.kind, written.value, calling_code=chain.calling_code, field="")
    except Problem:
        return b""
    return identity_hash(found, key=chain.identity_key)
