"""Portraits: what the other services tell of a member, added up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.members.domain.members import NoMemberError
from services.members.domain.visits import Paid, Visits, after

InChain = tuple[str, str]
"""A chain, and the id of a member of it."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """What is known of a member beside what it said itself."""

    visits: Visits = field(default_factory=Visits)
    open_coupons: int = 0
    open_cases: int = 0


@dataclass(frozen=True, slots=True)
class CouponsChanged:
    """The member has `by` more coupons to use."""

    by: int


@dataclass(frozen=True, slots=True)
class CasesChanged:
    """`by` more complaints of the member wait for an answer."""

    by: int


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that was told of one member."""

    chain: str
    member: str
    fact: Paid | CouponsChanged | CasesChanged


def taken_in(told: Sequence[Told], portraits: Mapping[InChain, Portrait]) -> dict[InChain, Portrait]:
    """Return the portraits that `told` changes, folded in its order. Raises NoMemberError where there is none."""
    changed: dict[InChain, Portrait] = {}
    for one in told:
        key = one.chain, one.member
        portrait = changed.get(key) or portraits.get(key)
        if portrait is None:
            raise NoMemberError(member=one.member)
        changed[key] = _with(portrait, one.fact)
    return changed


def _with(portrait: Portrait, fact: Paid | CouponsChanged | CasesChanged) -> Portrait:
    match fact:
        case Paid():
            return replace(portrait, visits=after(portrait.visits, fact))
        case CouponsChanged():
            return replace(portrait, open_coupons=portrait.open_coupons + fact.by)
        case CasesChanged():
            return replace(portrait, open_cases=portrait.open_cases + fact.by)
