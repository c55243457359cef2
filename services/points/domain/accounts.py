"""A member's account: what it holds, what it has reached, and how far its journal goes."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.points.domain.programs import Program

GENESIS = bytes(32)
"""The hash before an account's first posting."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A level, and from when on purchases earn by it."""

    level: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """The state after `version` postings, the last of which has the hash `head`."""

    member: str
    available_points: int = 0
    lifetime_points: int = 0
    spend_minor: int = 0
    currency: str = ""  # of the first purchase; a chain has one
    reached: tuple[Reached, ...] = ()  # ascending by `since`; at most one for each level above the first
    as_of: datetime | None = None  # the latest effective time of anything booked
    version: int = 0
    head: bytes = GENESIS

    def level_at(self, moment: datetime, program: Program) -> str:
        """Return the level by which a purchase at `moment` earns, also when it is booked late."""
        return next((r.level for r in reversed(self.reached) if r.since <= moment), program.levels[0].code)

    def level(self, program: Program) -> str:
        """Return the level that holds now."""
        return self.reached[-1].level if self.reached else program.levels[0].code


def advance(account: Account, to: datetime) -> Account:
    """Bring the account to the effective time `to`: what falls due by then happens here and nowhere else."""
    return account if account.as_of is not None and account.as_of >= to else replace(account, as_of=to)
