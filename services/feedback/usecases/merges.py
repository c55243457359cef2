"""Members that became one, or two again, and members that are to be forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Name = tuple[str, str]
"""A chain, and a member of it."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A member went into another by a merge; into nobody: that merge is undone."""

    chain: str
    member: str
    merge: str
    into: str = ""


class Merges(Protocol):
    """Where it is kept who is one with whom, within one transaction."""

    async def save(self, joined: Sequence[Joined]) -> None:
        """Keep who went into whom, in their order."""


class Erasures(Protocol):
    """Where it is kept who was forgotten, within one transaction."""

    async def erase(self, chain: str, member: str, *, at: datetime) -> None:
        """Delete what is kept of the member in words, and keep that this was done."""


async def join_members(joined: Sequence[Joined], *, merges: Merges) -> None:
    """Keep who is one with whom. Merges of different members may come in any order."""
    if joined:
        await merges.save(joined)


async def erase_member(chain: str, member: str, *, at: datetime, erasures: Erasures) -> None:
    """Forget a member; again after a restore, as often as one likes."""
    await erasures.erase(chain, member, at=at)
