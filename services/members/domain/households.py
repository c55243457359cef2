"""Households: members who live together, under a code of the chain's own."""

import re
from dataclasses import dataclass

from services.kit.errors import Kind, Problem

MAX_HOUSEHOLD_MEMBERS = 20
"""More than a family, fewer than a company: what is shared in a household is meant for people who eat together."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-.:/]{0,63}")


class InvalidHouseholdError(Problem):
    """A household's code has 1 to 64 letters, digits and signs of _-.:/, and is no name: it outlives the guests."""

    kind = Kind.INVALID
    code = "INVALID_HOUSEHOLD"


class HouseholdFullError(Problem):
    """The household {household} has {most} members, and may not have more."""

    kind = Kind.REFUSED
    code = "HOUSEHOLD_FULL"


class InAnotherHouseholdError(Problem):
    """The member {member} is in another household. Take it out of that one first."""

    kind = Kind.REFUSED
    code = "IN_ANOTHER_HOUSEHOLD"


@dataclass(frozen=True, slots=True)
class Household:
    """Members who live together, by the ids under which they came, in that order. `changes` grows with each."""

    id: str
    code: str
    members: tuple[str, ...] = ()
    changes: int = 0


def check_code(code: str, *, field: str) -> None:
    """Refuse what no code can be."""
    if not _CODE.fullmatch(code):
        raise InvalidHouseholdError(field=field)


def check_room(household: Household, *, field: str) -> None:
    """Refuse one member more than a household may have."""
    if len(household.members) >= MAX_HOUSEHOLD_MEMBERS:
        raise HouseholdFullError(field=field, household=household.code, most=MAX_HOUSEHOLD_MEMBERS)
