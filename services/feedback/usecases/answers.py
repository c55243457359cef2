"""Answer a survey: write down what a member says, and open a case when it is bad."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol, TypeVar

from services.feedback import domain
from services.feedback.domain import (
    Answer,
    Case,
    Invitation,
    InvitationAnsweredError,
    InvitationNotFoundError,
    NobodyError,
)
from services.kit.ids import MakeId
from services.kit.principal import NotAllowedError, Principal

T = TypeVar("T")
Name = tuple[str, str]
"""A chain, and a member of it."""


@dataclass(frozen=True, slots=True)
class AnswerSurvey:
    """A member's answer; without an invitation the member speaks unasked, about `store` if it is not empty."""

    key: str
    member: str
    invitation: str
    score: int
    comment: str
    store: str
    traceparent: str = ""

    def fingerprint(self) -> bytes:
        """Return a hash over the content, equal only for equal content (16 bytes)."""
        content = ("answer survey", self.member, self.invitation, self.score, self.comment, self.store)
        # repr quotes strings, so neighbours cannot run into each other.
        return sha256(repr(content).encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer's id, the case that it opened, and whether the key had been used before."""

    answer: str
    case: Case | None
    repeated_call: bool


class Unit(Protocol):
    """One transaction: what it reads is one state, and what it writes is written together or not at all."""

    async def keep_members(self, members: Collection[Name]) -> None:
        """Remember who exists."""

    async def answered_before(self, chain: str, command: AnswerSurvey) -> Answered | None:
        """Return the first answer to the key; raise when the key came with other content."""

    async def invitation(self, chain: str, *, member: str, invitation: str) -> Invitation | None:
        """Return the invitation of the member, or of an id that is one with it."""

    async def is_erased(self, chain: str, member: str) -> bool:
        """Tell whether the member is forgotten; who would forget it now waits for this transaction."""

    async def add_answer(
        self, chain: str, command: AnswerSurvey, answer: Answer, case: Case | None, *, invited: Invitation | None
    ) -> None:
        """Write the answer, the invitation's end, the case and its event, and the answer to the key."""


class Work(Protocol):
    """Runs transactions."""

    async def in_unit(self, body: Callable[[Unit], Awaitable[T]]) -> T:
        """Return what `body` returns once it is committed; `body` runs again when somebody else was faster."""


class KnownMembers(Protocol):
    """Those members whose MemberEnrolled has come here."""

    async def known(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        """Return those of `ids` that are known."""


class Members(Protocol):
    """Who members are."""

    async def existing(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        """Return those of `ids` that are members."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What hearing an answer needs from outside."""

    work: Work
    known: KnownMembers
    members: Members
    make_id: MakeId


async def answer_survey(command: AnswerSurvey, *, caller: Principal, now: datetime, listener: Listener) -> Answered:
    """Write down what a member says, and open a case when it is bad."""
    domain.check_command_key(command.key)
    if not caller.may_see_member(command.member):
        raise NotAllowedError(field="memberId", why="a guest answers for nobody else")
    domain.check_answer(score=command.score, comment=command.comment)
    opens_row = await _find_out(caller.chain, command.member, listener)

    async def body(unit: Unit) -> Answered:
        if (first := await unit.answered_before(caller.chain, command)) is not None:
            return first
        if opens_row:
            await unit.keep_members([(caller.chain, command.member)])
        erased = await unit.is_erased(caller.chain, command.member)
        invited = await _invitation(command, unit, caller)
        answer = Answer(
            id=listener.make_id("ans", now),
            member=command.member,
            invitation=command.invitation,
            store=_store(command, invited, caller),
            score=command.score,
            comment="" if erased else command.comment,
            answered_at=now,
        )
        case = domain.open_case(answer, case_id=listener.make_id("cas", now))
        await unit.add_answer(caller.chain, command, answer, case, invited=invited)
        return Answered(answer.id, case, repeated_call=False)

    return await listener.work.in_unit(body)


async def _find_out(chain: str, member: str, listener: Listener) -> bool:
    """Refuse a member who does not exist; tell whether the member is new here, since events may lag."""
    ids = frozenset([member])
    if await listener.known.known(chain, ids):
        return False
    if not await listener.members.existing(chain, ids):
        raise NobodyError(field="memberId", member=member)
    return True


async def _invitation(command: AnswerSurvey, unit: Unit, caller: Principal) -> Invitation | None:
    if not command.invitation:
        return None
    found = await unit.invitation(caller.chain, member=command.member, invitation=command.invitation)
    if found is None:
        raise InvitationNotFoundError(field="invitationId", member=command.member, invitation=command.invitation)
    if found.answer:
        raise InvitationAnsweredError(field="invitationId", invitation=found.id)
    return found


def _store(command: AnswerSurvey, invited: Invitation | None, caller: Principal) -> str:
    """Return the store that the answer is about, from the invitation where there is one."""
    store = invited.store if invited else command.store
    if store and not caller.may_use_store(store):
        raise NotAllowedError(field="storeId", why="it works for other stores")
    return store
