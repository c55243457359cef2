"""A unit of work on members: what one command reads and changes, in one transaction."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from services.members.domain.attributes import AttributeDefinition
from services.members.domain.chains import Chain
from services.members.domain.consents import Consent
from services.members.domain.facts import MemberFact
from services.members.domain.follow_ups import FollowUp
from services.members.domain.identities import IdentityKind
from services.members.domain.members import Member
from services.members.domain.merging import Merge
from services.members.domain.notes import Note
from services.members.domain.referrals import Referral

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held:
    """Who has an identity. A lost one names nobody any more and cannot be taken.

    `merges` are those that brought it, one after the other, from the member that it was given to.
    """

    hash: bytes
    kind: IdentityKind
    member: str
    lost_at: datetime | None = None
    merges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandKey:
    """A command's key, and the keyed hash of all that was asked for with it."""

    key: str
    asked_for: bytes


class ConsentWork(Protocol):
    """What a unit of work does with consents."""

    async def latest(self, members: Collection[str]) -> Sequence[Consent]:
        """Return the latest that was said of each topic under each of these ids."""

    async def add(self, said: Sequence[Consent]) -> None:
        """Write what was said. Whoever does this keeps the member, too, so that no erasure comes in between."""


class ReferralWork(Protocol):
    """What a unit of work does with referrals."""

    async def codes(self, members: Collection[str]) -> Mapping[str, str]:
        """Return the referral codes of these ids, by id."""

    async def owner(self, code: str) -> str:
        """Return whose code it is, by the id that the member had then; empty when it is nobody's."""

    async def add_code(self, member: str, code: str) -> None:
        """Give a member a code; Conflict when it is taken. Whoever does this keeps the member, too."""

    async def of(self, members: Collection[str]) -> Sequence[Referral]:
        """Return by whom these ids were brought."""

    async def has_brought(self, members: Collection[str]) -> bool:
        """Tell whether anybody was brought by one of these ids."""

    async def add(self, referral: Referral) -> None:
        """Write a new one; Conflict when the member was brought meanwhile. Whoever does this keeps the member, too."""

    async def close(self, referrals: Sequence[Referral]) -> None:
        """Write what has become of them."""

    async def first_purchase(self, members: Collection[str]) -> datetime | None:
        """Return when these ids bought for the first time."""


class AttributeWork(Protocol):
    """What a unit of work does with the definitions of attributes."""

    async def defined(self) -> Mapping[str, AttributeDefinition]:
        """Return all that the chain has, by code."""

    async def use(self, definitions: Collection[AttributeDefinition]) -> None:
        """Note that members have values of them from now on; Conflict when one was changed meanwhile."""


class NoteWork(Protocol):
    """What a unit of work does with notes."""

    async def count(self, members: Collection[str]) -> int:
        """Return how many notes there are under these ids."""

    async def find(self, members: Collection[str], note: str) -> Note | None:
        """Return a note under one of these ids."""

    async def add(self, note: Note) -> None:
        """Write a note. Whoever does this keeps the member, too, so that no erasure comes in between."""

    async def delete(self, note: Note) -> None:
        """Delete a note."""


class FollowUpWork(Protocol):
    """What a unit of work does with follow-ups."""

    async def staff(self, ids: Collection[str]) -> Mapping[str, bool]:
        """Return which of these staff members exist, and whether they are active."""

    async def count(self, members: Collection[str]) -> int:
        """Return how many there are under these ids."""

    async def find(self, members: Collection[str], follow_up: str) -> FollowUp | None:
        """Return a follow-up under one of these ids."""

    async def add(self, one: FollowUp) -> None:
        """Write a new one. Whoever does this keeps the member, too, so that no erasure comes in between."""

    async def keep(self, one: FollowUp) -> None:
        """Write one that was changed, and is still at the version before; the same holds."""


class Unit(Protocol):
    """One transaction on the members of one chain. Everything that it does becomes true together, or nothing."""

    @property
    def consents(self) -> ConsentWork:
        """What members agree to."""

    @property
    def referrals(self) -> ReferralWork:
        """Who was brought by whom."""

    @property
    def attributes(self) -> AttributeWork:
        """What the chain has defined to know of members."""

    @property
    def notes(self) -> NoteWork:
        """What staff has written down about members."""

    @property
    def follow_ups(self) -> FollowUpWork:
        """What staff is to do about members."""

    async def answered(self, command: CommandKey) -> bytes | None:
        """Return what was answered under the key, None when it is new; KeyReusedError when something else was asked."""

    async def answer(self, command: CommandKey, answer: bytes, *, summary: str) -> None:
        """Keep the answer under the key. `summary` names no person."""

    async def members(self, ids: Collection[str]) -> Mapping[str, Member]:
        """Return those of `ids` that exist, just as they are, merged and erased ones too."""

    async def survivor(self, member_id: str) -> Member:
        """Return the member, or the one that it has gone to. Raises NoMemberError."""

    def keep(self, member: Member) -> None:
        """Write the member as it is now."""

    async def held(self, hashes: Collection[bytes]) -> Mapping[bytes, Held]:
        """Return who has those identities."""

    async def held_by(self, members: Collection[str]) -> Sequence[Held]:
        """Return the identities of those members."""

    async def take(self, identities: Iterable[Held]) -> None:
        """Give identities that were free; Conflict when one was taken meanwhile."""

    async def hand_over(self, identities: Iterable[Held]) -> None:
        """Write identities that somebody has as they are now."""

    async def release(self, hashes: Collection[bytes]) -> None:
        """Make identities free."""

    async def merge(self, id_: str) -> Merge:
        """Return a merge, or raise NoMergeError."""

    async def keep_merge(self, merge: Merge) -> None:
        """Write a merge, new or undone."""

    async def recount(self, member: Member) -> None:
        """Draw the member's portrait anew, from all that happened under its ids."""

    async def forget(self, members: Collection[str]) -> None:
        """Destroy the members' data keys, and delete whatever is kept of the persons beside the members themselves."""

    def tell(self, fact: MemberFact) -> None:
        """Let others hear of it."""


class Units(Protocol):
    """Where units of work are done."""

    async def run(
        self, chain: Chain, body: Callable[[Unit], Awaitable[T]], *, now: datetime, traceparent: str = ""
    ) -> T:
        """Do `body` in one transaction, again from the start when somebody else was first."""
