"""Enrollment: commands folded in their order over what is known of their keys and identities, each in isolation."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.kit.errors import Kind, Problem
from services.members.domain.identities import IdentityKind
from services.members.domain.members import Member
from services.members.domain.referrals import UnknownReferralCodeError
from services.members.domain.stores import NoStoreError

MIN_KEY_LENGTH = 8
MAX_KEY_LENGTH = 128

InChain = tuple[str, str]
"""A chain, and the name of something in it: a command key, a store's id, a referral code."""

Hashed = tuple[str, bytes]
"""A chain, and the keyed hash of an identity in it."""


class InvalidKeyError(Problem):
    """A command key has 8 to 128 characters: make a new one for each wish, and send it again with each try."""

    kind = Kind.INVALID
    code = "INVALID_KEY"


class KeyReusedError(Problem):
    """This key was used before for something else: {summary}. Take a new key for a new wish."""

    kind = Kind.CONFLICT
    code = "KEY_REUSED"


class IdentityTakenError(Problem):
    """A member of this chain has this {identity} already. Look the member up by it instead of enrolling again."""

    kind = Kind.CONFLICT
    code = "IDENTITY_TAKEN"


class ExternalIdTakenError(IdentityTakenError):
    """The member {member} of this chain has this external id already. Use that member instead of enrolling again."""


@dataclass(frozen=True, slots=True)
class Enroll:
    """One command. `hashes` are those of the member's identities, in their order; `asked_for` is a keyed hash of all
    that the caller said; `at` is when it was said; `traceparent` is the trace it belongs to.

    A payer's has no `key`: its one identity tells that it has come before, for ever. Who was brought by a member has
    that one's `referral_code`, and the id of the `referral` that comes of it. An `obstacle` keeps it from being carried
    out, but not from being answered again.
    """

    chain: str
    key: str
    asked_for: bytes
    member: Member
    hashes: tuple[bytes, ...]
    at: datetime
    traceparent: str = ""
    referral_code: str = ""
    referral: str = ""
    obstacle: Problem | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """What a command key was used for: a hash of what was said, the answer, and the answer in words.

    No person is named in it, so it may stay when one is erased.
    """

    asked_for: bytes
    answer: bytes
    summary: str


@dataclass(frozen=True, slots=True)
class Known:
    """All that exists of what a batch touches."""

    keys: Mapping[InChain, Used]
    holders: Mapping[Hashed, str]  # the member who has the identity
    stores: Collection[InChain]
    referrers: Mapping[InChain, str] = field(default_factory=dict)  # whose the referral codes are


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The answer to a command: the member as it was enrolled, and whether it had been before."""

    member: Member
    repeated_call: bool


@dataclass(frozen=True, slots=True)
class Folded:
    """Each command's answer, in the order of the commands, and those that must be written."""

    answers: tuple[Enrolled | Problem, ...]
    enrolled: tuple[Enroll, ...]


def check_command_key(key: str) -> None:
    """Refuse a key that is too short to be unique, or too long to keep."""
    if not MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidKeyError(field="key")


def content_hash(*content: object, key: bytes) -> bytes:
    """Return a hash over what a caller said, equal only for equal content.

    Keyed like an identity's, because a name or a phone could be found by trying.
    """
    # repr quotes strings, so neighbours cannot run into each other.
    return hmac.digest(key, b"content\0" + repr(content).encode(), "sha256")


def fold(commands: Sequence[Enroll], known: Known) -> Folded:
    """Fold `commands` in their order over a copy of `known`: what one enrolls, the next ones find."""
    keys, holders = dict(known.keys), dict(known.holders)
    answers: list[Enrolled | Problem] = []
    enrolled: list[Enroll] = []
    for asked in commands:
        command = _brought(asked, known.referrers)
        if (earlier := _earlier_answer(command, keys, holders)) is not None:
            answers.append(earlier)
            continue
        if (problem := _obstacle(command, holders, known)) is not None:
            answers.append(problem)
            continue
        member = command.member
        keys[command.chain, command.key] = use_of(command)
        holders |= {(command.chain, hashed): member.id for hashed in command.hashes}
        enrolled.append(command)
        answers.append(Enrolled(member, repeated_call=False))
    return Folded(tuple(answers), tuple(enrolled))


def _brought(command: Enroll, referrers: Mapping[InChain, str]) -> Enroll:
    """Return the command with whom its referral code belongs to as the member's referrer."""
    if not command.referral_code:
        return command
    member, referrer = command.member, referrers.get((command.chain, command.referral_code), "")
    return replace(command, member=replace(member, source=replace(member.source, referrer=referrer)))


def use_of(command: Enroll) -> Used:
    """Return what to keep of a command that was carried out, under its key."""
    member, since = command.member.id, command.member.enrolled_at.isoformat()
    return Used(command.asked_for, f"{member} {since}".encode(), f"{member} was enrolled with it, as of {since}")


def _earlier_answer(
    command: Enroll, keys: Mapping[InChain, Used], holders: Mapping[Hashed, str]
) -> Enrolled | Problem | None:
    if command.key:
        first = keys.get((command.chain, command.key))
        return None if first is None else _answer_again(first, command)
    holder = holders.get((command.chain, command.hashes[0]))
    if holder is None:
        return None
    # The id was made for this command: whoever has it was enrolled by an earlier try of the same transaction.
    return Enrolled(replace(command.member, id=holder), repeated_call=holder != command.member.id)


def _answer_again(first: Used, command: Enroll) -> Enrolled | Problem:
    if first.asked_for != command.asked_for:
        return KeyReusedError(field="key", summary=first.summary)
    # The same content makes the same member, but for what was made for it the first time.
    member, _, since = first.answer.decode().partition(" ")
    again = replace(command.member, id=member, enrolled_at=datetime.fromisoformat(since))
    return Enrolled(again, repeated_call=True)


def _obstacle(command: Enroll, holders: Mapping[Hashed, str], known: Known) -> Problem | None:
    member = command.member
    if command.obstacle is not None:
        return command.obstacle
    if member.source.store and (command.chain, member.source.store) not in known.stores:
        return NoStoreError(field="storeId", store=member.source.store)
    if command.referral_code and not member.source.referrer:
        return UnknownReferralCodeError(field="source.referralCode")
    taken = [number for number, hashed in enumerate(command.hashes) if (command.chain, hashed) in holders]
    if not taken:
        return None
    kinds = [identity.kind for identity in member.profile.identities]
    for number in taken:
        if kinds[number] is IdentityKind.EXTERNAL:  # the most telling: the chain knows its own ids
            holder = holders[command.chain, command.hashes[number]]
            return ExternalIdTakenError(field=f"profile.identities.{number}", member=holder)
    return IdentityTakenError(field=f"profile.identities.{taken[0]}", identity=kinds[taken[0]])
