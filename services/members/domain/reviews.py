"""Reviews: what somebody of the chain should look at, with the receipts that speak for it, and what was made of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.kit.errors import Kind, Problem
from services.members.domain.review_rules import ReviewRule, Severity, SignalKind
from services.members.domain.signals import Receipt

MAX_EVIDENCE = 100
"""Receipts that a review keeps, the earliest: enough to judge by. That there are more is told."""

MAX_NOTE_LENGTH = 1_000


class ReviewState(StrEnum):
    """What was made of a review."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class NoReviewError(Problem):
    """There is no review {review} in this chain, or none that concerns the caller's stores."""

    kind = Kind.NOT_FOUND
    code = "REVIEW_NOT_FOUND"


class ReviewChangedError(Problem):
    """The review is at version {version} by now, not {wanted}: it has more evidence, or somebody has judged it."""

    kind = Kind.CONFLICT
    code = "REVIEW_CHANGED"


class InvalidReviewError(Problem):
    """That cannot be said of a review: {why}."""

    kind = Kind.INVALID
    code = "INVALID_REVIEW"


@dataclass(frozen=True, slots=True)
class Review:
    """A review. `first_at` and `last_at` are when the suspicious receipts began and ended; once it is judged they
    stay, so that what goes on later is looked at anew. `version` grows by one with every change.
    """

    id: str
    member: str
    rule: str  # its code
    kind: SignalKind
    severity: Severity
    raised_at: datetime
    first_at: datetime
    last_at: datetime
    evidence: tuple[Receipt, ...]
    staff: str = ""  # whose own card it is, by the chain's own code
    more: bool = False  # there is more evidence than is kept
    state: ReviewState = ReviewState.OPEN
    resolved_at: datetime | None = None
    resolved_by: str = ""
    note: str = ""
    version: int = 1

    @property
    def stores(self) -> frozenset[str]:
        """Which stores it concerns."""
        return frozenset(one.store for one in self.evidence)


@dataclass(frozen=True, slots=True)
class Finding:
    """Receipts of a person that a rule calls into question, and the person's id by now."""

    member: str
    rule: ReviewRule
    receipts: Sequence[Receipt]
    staff: str = ""


def gather(
    finding: Finding, reviews: Sequence[Review], *, new_id: Callable[[], str], now: datetime
) -> tuple[list[Review], list[Review]]:
    """Return the reviews that a finding raises, and those that it changes.

    `reviews` are the person's reviews by this rule. A receipt belongs to the review that has it, else to one that it
    is within a window of, rather an open one, rather the earliest. A late receipt may so bring two reviews near each
    other: both stay, and what comes goes to the earlier.
    """
    held = {one.id: one for one in reviews}
    known = {receipt.purchase for one in reviews for receipt in one.evidence}
    for receipt in sorted(finding.receipts):
        if receipt.purchase in known:
            continue
        near = [one for one in held.values() if _is_near(one, receipt.at, finding.rule.window)]
        if near:
            best = min(near, key=lambda one: (one.state is not ReviewState.OPEN, one.first_at, one.id))
            held[best.id] = _with(best, receipt)
        else:
            one = _raised(finding, receipt, id_=new_id(), now=now)
            held[one.id] = one
    before = {one.id: one for one in reviews}
    raised = [replace(one, version=1) for id_, one in held.items() if id_ not in before]
    changed = [
        replace(one, version=before[id_].version + 1)
        for id_, one in held.items()
        if id_ in before and one != before[id_]
    ]
    return raised, changed


def resolve(review: Review, state: ReviewState, note: str, *, version: int, by: str, now: datetime) -> Review:
    """Judge a review, or judge it anew. The same judgement again changes nothing. Raises ReviewChangedError."""
    if state is ReviewState.OPEN:
        raise InvalidReviewError(field="state", why="it is confirmed or dismissed")
    if len(note) > MAX_NOTE_LENGTH or not all(each.isprintable() or each == "\n" for each in note):
        raise InvalidReviewError(field="note", why=f"a note has up to {MAX_NOTE_LENGTH} visible characters")
    if (review.state, review.note, review.resolved_by) == (state, note, by):
        return review
    if review.version != version:
        raise ReviewChangedError(field="version", version=review.version, wanted=version)
    return replace(review, state=state, note=note, resolved_at=now, resolved_by=by, version=review.version + 1)


def _is_near(review: Review, at: datetime, window: timedelta) -> bool:
    return review.first_at - window <= at <= review.last_at + window


def _with(review: Review, receipt: Receipt) -> Review:
    all_ = sorted((*review.evidence, receipt))
    more = review.more or len(all_) > MAX_EVIDENCE
    after = replace(review, evidence=tuple(all_[:MAX_EVIDENCE]), more=more)
    if review.state is not ReviewState.OPEN:
        return after
    return replace(after, first_at=min(review.first_at, receipt.at), last_at=max(review.last_at, receipt.at))


def _raised(finding: Finding, receipt: Receipt, *, id_: str, now: datetime) -> Review:
    rule = finding.rule
    return Review(
        id=id_,
        member=finding.member,
        rule=rule.code,
        kind=rule.kind,
        severity=rule.severity,
        raised_at=now,
        first_at=receipt.at,
        last_at=receipt.at,
        evidence=(receipt,),
        staff=finding.staff,
    )
