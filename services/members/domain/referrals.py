"""Referrals: a member brings another one by a code. Whoever is brought buys for the first time once, as a person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.members import Member

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I, O, 0 and 1, which people take for each other. 32 signs: five bits each."""

CODE_LENGTH = 8
CODE_BYTES = CODE_LENGTH * 5 // 8
"""40 random bits: among ten million codes one try in a hundred thousand finds one."""

MOST_ABOVE = 20
"""Members above a referrer, one brought by the other, that are looked at to find a ring."""

MOST_COUNTED = 10_000
"""Referrals of one member are counted so far, and no further."""


class UnknownReferralCodeError(Problem):
    """Nobody in this chain has this referral code. It has 8 letters and digits, none of them I, O, 0 or 1."""

    kind = Kind.NOT_FOUND
    code = "UNKNOWN_REFERRAL_CODE"


class SelfReferralError(Problem):
    """Nobody can bring oneself: the code belongs to the same person."""

    kind = Kind.REFUSED
    code = "SELF_REFERRAL"


class ReferralRingError(Problem):
    """The member has brought whoever has this code, directly or by way of others."""

    kind = Kind.REFUSED
    code = "REFERRAL_RING"


class ReferrerSetError(Problem):
    """It has been said before who brought the member {member}."""

    kind = Kind.REFUSED
    code = "REFERRER_SET"


class BoughtBeforeError(Problem):
    """The member {member} has bought already: only who is new can say who brought it."""

    kind = Kind.REFUSED
    code = "BOUGHT_BEFORE"


class ReferralState(StrEnum):
    """What has become of a referral."""

    OPEN = "open"  # who was brought has not bought yet
    COMPLETED = "completed"  # told, to be rewarded
    VOID = "void"  # never to be rewarded: the person was brought by somebody before, or by itself


@dataclass(frozen=True, slots=True)
class Referral:
    """That `referrer` brought `member`, both by the ids that they had then. There is one of each `member` at most."""

    id: str
    member: str
    referrer: str
    at: datetime
    state: ReferralState = ReferralState.OPEN
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """How many a member has brought, up to `MOST_COUNTED` of each."""

    waiting: int = 0  # who have not bought yet
    completed: int = 0


@dataclass(frozen=True, slots=True)
class Closed:
    """A person's referrals after its first purchase: the one that counts, if any does, and all that have changed."""

    counts: Referral | None
    changed: tuple[Referral, ...]


def code_from(random: bytes) -> str:
    """Return the code that `CODE_BYTES` random bytes make."""
    number = int.from_bytes(random[:CODE_BYTES])
    return "".join(ALPHABET[number >> (5 * place) & 31] for place in range(CODE_LENGTH))


def written_code(said: str, *, field: str = "referralCode") -> str:
    """Return a code in its one writing. Raises UnknownReferralCodeError for what cannot be one."""
    code = said.strip().upper()
    if len(code) != CODE_LENGTH or not set(code) <= set(ALPHABET):
        raise UnknownReferralCodeError(field=field)
    return code


def check_newcomer(member: Member, before: Sequence[Referral]) -> None:
    """Refuse to be brought whoever has bought, or was brought before under any id."""
    if before or member.source.referrer:
        raise ReferrerSetError(field="memberId", member=member.id)
    if member.visits.count:
        raise BoughtBeforeError(field="memberId", member=member.id)


def closed(referrals: Sequence[Referral], bought_at: datetime, *, person: str, referrers: Mapping[str, str]) -> Closed:
    """Close a person's referrals on its first purchase.

    `referrers` are the persons who brought it, by the id that a referral names, without those who were erased or whom
    `person` has brought itself. Of several (of members that became one) the first counts, and only it. None does when
    one had been completed before, so that nothing is rewarded twice, whatever is merged, undone and merged again.
    """
    waiting = sorted((one for one in referrals if one.state is ReferralState.OPEN), key=lambda one: (one.at, one.id))
    told = any(one.state is ReferralState.COMPLETED for one in referrals)
    good = [one for one in waiting if not told and referrers.get(one.referrer, person) != person]
    if not good:
        return Closed(None, tuple(replace(one, state=ReferralState.VOID) for one in waiting))
    first = replace(good[0], state=ReferralState.COMPLETED, completed_at=max(good[0].at, bought_at))
    others = (replace(one, state=ReferralState.VOID) for one in waiting if one.id != first.id)
    return Closed(first, (first, *others))


def above(referrals: Collection[Referral]) -> frozenset[str]:
    """Return the ids of those who brought somebody by these referrals; void ones are part of a ring, too."""
    return frozenset(one.referrer for one in referrals)
