"""What members tells of a member, beside its enrollment."""

from dataclasses import dataclass
from datetime import datetime

from services.members.domain.consents import ContactChannel, Purpose
from services.members.domain.review_rules import Severity, SignalKind


@dataclass(frozen=True, slots=True)
class MemberMerged:
    """The member was taken over by `into`."""

    member: str
    into: str
    merge: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MemberSplit:
    """The merge was undone: the member left `was_in`."""

    member: str
    was_in: str
    merge: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MemberErased:
    """The person is to be forgotten."""

    member: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ConsentChanged:
    """What the member agrees to has become another; `at` is when it said so."""

    member: str
    channel: ContactChannel
    purpose: Purpose
    granted: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class ReferralCompleted:
    """The member, whom `referrer` has brought, has bought for the first time."""

    member: str
    referral: str
    referrer: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ReviewRaised:
    """Something about the member looks like fraud; `staff` is whose own card it is, empty for a guest's."""

    member: str
    review: str
    rule: str
    kind: SignalKind
    severity: Severity
    staff: str
    at: datetime


MemberFact = MemberMerged | MemberSplit | MemberErased | ConsentChanged | ReferralCompleted | ReviewRaised
