"""Staff: who works for the chain, as what, and where. Their API keys are another matter."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, MAX_NAME_LENGTH, is_code, is_name
from services.members.domain.training import Passed, Role, StaffSettings, check_roles, lacking

MAX_SCOPE = 200
"""Stores, and regions, that one person is for; with more, it is for the chain."""

MAX_EMAIL_LENGTH = 254

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class InvalidStaffError(Problem):
    """The staff member is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_STAFF"


class NoStaffError(Problem):
    """There is no staff member {staff} in this chain."""

    kind = Kind.NOT_FOUND
    code = "STAFF_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class StaffMember:
    """Somebody who works for the chain. Neither `stores` nor `regions`: for all of it. `version` is 0 until saved."""

    id: str
    code: str
    name: str
    email: str = ""
    roles: frozenset[Role] = frozenset()
    stores: frozenset[str] = frozenset()  # ids
    regions: frozenset[str] = frozenset()  # codes
    member: str = ""  # the own card; empty: none
    active: bool = True
    training: Mapping[str, Passed] = field(default_factory=dict)  # the latest of each course, by its code
    version: int = 0

    def effective_roles(self, *, settings: StaffSettings, today: date) -> frozenset[Role]:
        """Return the roles whose training is good today; none of somebody who is not active."""
        if not self.active:
            return frozenset()
        return frozenset(
            role for role in self.roles if not lacking(role, self.training, settings=settings, today=today)
        )


@dataclass(frozen=True, slots=True)
class SavedStaff:
    """All that were asked for, in the order of the input, and of them those that are new or changed."""

    all: tuple[StaffMember, ...]
    changed: tuple[StaffMember, ...]


def check_staff(wanted: Sequence[StaffMember]) -> None:
    """Refuse, with the field at fault, what nobody can be, and a code that is given twice."""
    seen: set[str] = set()
    for number, one in enumerate(wanted):
        path = f"staff.{number}"
        if not is_code(one.code):
            raise InvalidStaffError(field=f"{path}.code", why=f"a code has 1 to {MAX_CODE_LENGTH} visible characters")
        if one.code in seen:
            raise InvalidStaffError(field=f"{path}.code", why="its code stands twice in this call")
        if not is_name(one.name):
            raise InvalidStaffError(field=f"{path}.name", why=f"a name has 1 to {MAX_NAME_LENGTH} visible characters")
        if one.email and (len(one.email) > MAX_EMAIL_LENGTH or not _EMAIL.fullmatch(one.email)):
            raise InvalidStaffError(field=f"{path}.email", why="an e-mail address is like li@example.com")
        for scope, name in ((one.stores, "storeIds"), (one.regions, "regions")):
            if len(scope) > MAX_SCOPE:
                raise InvalidStaffError(field=f"{path}.{name}", why=f"there are at most {MAX_SCOPE}; for all: none")
        seen.add(one.code)


def save_staff(
    wanted: Sequence[StaffMember],
    *,
    known: Mapping[str, StaffMember],
    new_id: Callable[[], str],
    settings: StaffSettings,
    today: date,
) -> SavedStaff:
    """Fold `wanted`, whose ids, training and versions are not looked at, over `known`, by code.

    A role that somebody has not had while active must have its courses; one that has stays, trained or not, and is
    shown as what it is (`effective_roles`).
    """
    saved = []
    for number, one in enumerate(wanted):
        before = known.get(one.code)
        after = _saved(one, before, new_id)
        had = before.roles if before is not None and before.active else frozenset[Role]()
        if after.active:
            check_roles(
                sorted(after.roles - had),
                after.training,
                staff=after.code,
                settings=settings,
                today=today,
                at=f"staff.{number}.roles",
            )
        saved.append(after)
    return SavedStaff(tuple(saved), tuple(one for one in saved if one != known.get(one.code)))


def _saved(wanted: StaffMember, known: StaffMember | None, new_id: Callable[[], str]) -> StaffMember:
    if known is None:
        return replace(wanted, id=new_id(), training={}, version=1)
    after = replace(wanted, id=known.id, training=known.training, version=known.version)
    return known if after == known else replace(after, version=known.version + 1)
