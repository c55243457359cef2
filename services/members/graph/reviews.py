"""Reviews of what looks like fraud, and the rules that raise them, in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import reviews_pb2 as pb
from protos.members.v1.reviews_pb2_grpc import ReviewsStub
from services.kit.graph import (
    INPUT,
    After,
    Caller,
    Connection,
    First,
    Info,
    Instant,
    Page,
    SafeInt,
    UserError,
    allow,
    field,
    instant,
    mutation,
)

REVIEW_READERS = allow(Caller.STAFF, scope="reviews:read")
REVIEW_WRITERS = allow(Caller.STAFF, scope="reviews:write")


@strawberry.enum(description="What looks like fraud.")
class SignalKind(Enum):
    """Named as in the proto."""

    STAFF_OWN_CARD = strawberry.enum_value(
        "STAFF_OWN_CARD", description="Somebody of the staff has rung up purchases on the card that is linked to it."
    )
    TOO_MANY_RECEIPTS = strawberry.enum_value("TOO_MANY_RECEIPTS", description="More receipts than a guest has.")
    IMPOSSIBLE_TRAVEL = strawberry.enum_value(
        "IMPOSSIBLE_TRAVEL",
        description="Receipts in stores that lie too far apart; not what is bought online or delivered.",
    )


@strawberry.enum(description="How bad the chain holds it to be.")
class ReviewSeverity(Enum):
    """Named as in the proto."""

    LOW = strawberry.enum_value("LOW", description="For when there is time.")
    MEDIUM = strawberry.enum_value("MEDIUM", description="Between the two.")
    HIGH = strawberry.enum_value("HIGH", description="To be looked at first.")


@strawberry.enum(description="What was made of a review.")
class ReviewState(Enum):
    """Named as in the proto."""

    OPEN = strawberry.enum_value("OPEN", description="Nobody has judged it.")
    CONFIRMED = strawberry.enum_value("CONFIRMED", description="It is what it looks like.")
    DISMISSED = strawberry.enum_value("DISMISSED", description="It is not.")


@strawberry.enum(description="How a review is judged.")
class ReviewJudgement(Enum):
    """Named as the states in the proto."""

    CONFIRMED = strawberry.enum_value("CONFIRMED", description="It is what it looks like.")
    DISMISSED = strawberry.enum_value("DISMISSED", description="It is not.")


@strawberry.type(description="When a review is raised.")
class ReviewRule:
    """A rule."""

    code: str = strawberry.field(description="The chain's own code.")
    kind: SignalKind = strawberry.field(description="What it looks for.")
    severity: ReviewSeverity = strawberry.field(description="How bad the chain holds it to be.")
    window_minutes: int = strawberry.field(description="How far apart receipts may lie that count together.")
    most: int | None = strawberry.field(
        description="How many within a window are still all right; null: the kind does not count."
    )
    speed_kmh: int | None = strawberry.field(
        description="Kilometres an hour: who travels faster was not at both ends; null: no travel."
    )
    min_distance_m: int | None = strawberry.field(
        description="Metres in a straight line: nearer stores are not compared; null: no travel."
    )
    on: bool = strawberry.field(description="It is looked at.")


@strawberry.type(description="By which rules reviews are raised.")
class ReviewRules:
    """Rules."""

    rules: list[ReviewRule] = strawberry.field(description="Up to 20.")
    version: SafeInt = strawberry.field(
        description="Grows by one with every change; 0: the chain has said nothing, and these are the usual ones."
    )


@strawberry.type(description="A receipt that speaks for it.")
class ReviewEvidence:
    """Evidence."""

    purchase_id: strawberry.ID = strawberry.field(description="`pur_…`.")
    occurred_at: Instant = strawberry.field(description="When the guest paid.")
    store_id: strawberry.ID | None = strawberry.field(description="Where; null: not known.")
    staff_code: str | None = strawberry.field(description="Who served, by the chain's own code; null: not known.")


@strawberry.type(description="What somebody of the chain should look at. Nothing is held back because of it.")
class Review:
    """A review."""

    id: strawberry.ID = strawberry.field(description="`rev_…`.")
    member_id: strawberry.ID = strawberry.field(description="Whose receipts; as it was called when it was raised.")
    staff_code: str | None = strawberry.field(
        description="Whose own card it is, by the chain's own code; null: a guest's."
    )
    rule: str = strawberry.field(description="The rule's code.")
    kind: SignalKind = strawberry.field(description="What the rule looks for.")
    severity: ReviewSeverity = strawberry.field(description="As the rule had it.")
    raised_at: Instant = strawberry.field(description="When.")
    evidence: list[ReviewEvidence] = strawberry.field(description="Up to 100 receipts, the earliest.")
    more_evidence: bool = strawberry.field(description="There are more.")
    state: ReviewState = strawberry.field(description="What was made of it.")
    resolved_at: Instant | None = strawberry.field(description="When it was judged; null: it was not.")
    resolved_by: str | None = strawberry.field(description='Like "staff:key_…"; null: nobody.')
    note: str | None = strawberry.field(description="What was said of it; null: nothing. Forgotten with the member.")
    version: SafeInt = strawberry.field(description="Grows by one with every change, by new evidence too.")


@strawberry.input(description="When a review is to be raised. What the kind has no use for stays null.")
class ReviewRuleInput:
    """A rule."""

    code: str = strawberry.field(description="The chain's own code, each once.")
    kind: SignalKind = strawberry.field(description="What it looks for.")
    severity: ReviewSeverity = strawberry.field(description="How bad the chain holds it to be.")
    window_minutes: int = strawberry.field(
        description="How far apart receipts may lie that count together: up to 44,640 for STAFF_OWN_CARD, 1,440 for "
        "TOO_MANY_RECEIPTS, 2,880 for IMPOSSIBLE_TRAVEL."
    )
    most: int | None = strawberry.field(
        default=None,
        description="How many within a window are still all right: 0 to 100 for STAFF_OWN_CARD, 1 to 100 for "
        "TOO_MANY_RECEIPTS.",
    )
    speed_kmh: int | None = strawberry.field(
        default=None, description="Kilometres an hour, 10 to 2,000, for IMPOSSIBLE_TRAVEL."
    )
    min_distance_m: int | None = strawberry.field(
        default=None, description="Metres in a straight line, 100 to 1,000,000, for IMPOSSIBLE_TRAVEL."
    )
    on: bool = strawberry.field(default=True, description="It is looked at.")


@strawberry.input(description="All rules as they should be.")
class SaveReviewRulesInput:
    """Rules."""

    rules: list[ReviewRuleInput] = strawberry.field(description="Up to 20; none: nothing is looked at.")
    version: SafeInt = strawberry.field(description="Of the rules that were looked at.")


@strawberry.input(description="What is made of a review.")
class ResolveReviewInput:
    """A judgement."""

    review_id: strawberry.ID = strawberry.field(description="Which.")
    version: SafeInt = strawberry.field(description="Of the review that was looked at.")
    judgement: ReviewJudgement = strawberry.field(description="What it is.")
    note: str | None = strawberry.field(default=None, description="Up to 1,000 characters.")


@strawberry.enum(description="Why it was not done.")
class ReviewErrorCode(Enum):
    """Codes of `ReviewError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    INVALID_REVIEW_RULE = strawberry.enum_value("INVALID_REVIEW_RULE", description="No rule can be like that.")
    REVIEW_RULES_CHANGED = strawberry.enum_value(
        "REVIEW_RULES_CHANGED", description="The rules have changed since: look at them again."
    )
    REVIEW_NOT_FOUND = strawberry.enum_value("REVIEW_NOT_FOUND", description="There is no such review.")
    REVIEW_CHANGED = strawberry.enum_value(
        "REVIEW_CHANGED", description="There is more evidence, or somebody has judged it: look at it again."
    )
    INVALID_REVIEW = strawberry.enum_value("INVALID_REVIEW", description="That cannot be said of a review.")


@strawberry.type(description="Why it was not done.")
class ReviewError(UserError):
    """An item of `userErrors`."""

    code: ReviewErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The rules that hold, or why they were not saved.")
class SaveReviewRulesPayload:
    """Saved rules."""

    user_errors: list[ReviewError] = strawberry.field(description="Empty: they hold.")
    review_rules: ReviewRules | None = strawberry.field(default=None, description="As they are; null: not saved.")


@strawberry.type(description="The review, or why it was not judged.")
class ResolveReviewPayload:
    """A judged review."""

    user_errors: list[ReviewError] = strawberry.field(description="Empty: it is judged.")
    review: Review | None = strawberry.field(default=None, description="As it is; null: it was not judged.")


@strawberry.type
class ReviewQuery:
    """Asking."""

    @field(REVIEW_READERS, description="By which rules reviews are raised.")
    async def review_rules(self, info: Info) -> ReviewRules:
        """Ask for the rules."""
        service = info.context.channel("members")
        answer = await service.ask(service.stub(ReviewsStub).GetReviewRules, pb.GetReviewRulesRequest())
        return _rules(answer.rules)

    @field(
        REVIEW_READERS,
        description="What should be looked at, the last raised first; a caller with stores sees what concerns those.",
    )
    async def reviews(
        self,
        info: Info,
        *,
        state: Annotated[ReviewState | None, strawberry.argument(description="Null: in any.")] = None,
        store_id: Annotated[strawberry.ID | None, strawberry.argument(description="Null: all that is seen.")] = None,
        member_id: Annotated[strawberry.ID | None, strawberry.argument(description="Null: anybody's.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[Review]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        service = info.context.channel("members")
        request = pb.ListReviewsRequest(
            state=pb.ReviewState.Value(f"REVIEW_STATE_{'UNSPECIFIED' if state is None else state.name}"),
            store_id=store_id or "",
            member_id=member_id or "",
            page=page.to_proto(),
        )
        answer = await service.ask(service.stub(ReviewsStub).ListReviews, request)
        return Connection.of([_review(one) for one in answer.reviews], page, end_cursor=answer.end_cursor)


@strawberry.type
class ReviewMutation:
    """Judging. The same again changes nothing."""

    @mutation(REVIEW_WRITERS, description="Says by which rules reviews are raised from now on.")
    async def save_review_rules(
        self, info: Info, wish: Annotated[SaveReviewRulesInput, INPUT]
    ) -> SaveReviewRulesPayload:
        """Save rules."""
        service = info.context.channel("members")
        rules = pb.ReviewRules(rules=[_wanted(one) for one in wish.rules], version=wish.version)
        request = pb.SaveReviewRulesRequest(rules=rules)
        answer = await service.ask(service.stub(ReviewsStub).SaveReviewRules, request)
        return SaveReviewRulesPayload(user_errors=[], review_rules=_rules(answer.rules))

    @mutation(REVIEW_WRITERS, description="Judges a review; one that was judged may be judged anew.")
    async def resolve_review(self, info: Info, wish: Annotated[ResolveReviewInput, INPUT]) -> ResolveReviewPayload:
        """Judge a review."""
        service = info.context.channel("members")
        request = pb.ResolveReviewRequest(
            review_id=wish.review_id,
            version=wish.version,
            state=pb.ReviewState.Value(f"REVIEW_STATE_{wish.judgement.name}"),
            note=wish.note or "",
        )
        answer = await service.ask(service.stub(ReviewsStub).ResolveReview, request)
        return ResolveReviewPayload(user_errors=[], review=_review(answer.review))


def _wanted(wish: ReviewRuleInput) -> pb.ReviewRule:
    return pb.ReviewRule(
        code=wish.code,
        kind=pb.SignalKind.Value(f"SIGNAL_KIND_{wish.kind.name}"),
        severity=pb.Severity.Value(f"SEVERITY_{wish.severity.name}"),
        window_minutes=wish.window_minutes,
        most=wish.most or 0,
        speed_kmh=wish.speed_kmh or 0,
        min_distance_m=wish.min_distance_m or 0,
        on=wish.on,
    )


def _rules(rules: pb.ReviewRules) -> ReviewRules:
    return ReviewRules(
        rules=[
            ReviewRule(
                code=one.code,
                kind=_kind(one.kind),
                severity=_severity(one.severity),
                window_minutes=one.window_minutes,
                most=None if one.kind == pb.SIGNAL_KIND_IMPOSSIBLE_TRAVEL else one.most,
                speed_kmh=one.speed_kmh or None,
                min_distance_m=one.min_distance_m or None,
                on=one.on,
            )
            for one in rules.rules
        ],
        version=rules.version,
    )


def _review(one: pb.Review) -> Review:
    return Review(
        id=strawberry.ID(one.id),
        member_id=strawberry.ID(one.member_id),
        staff_code=one.staff_code or None,
        rule=one.rule,
        kind=_kind(one.kind),
        severity=_severity(one.severity),
        raised_at=instant(one.raised_at),
        evidence=[
            ReviewEvidence(
                purchase_id=strawberry.ID(each.purchase_id),
                occurred_at=instant(each.occurred_at),
                store_id=strawberry.ID(each.store_id) if each.store_id else None,
                staff_code=each.staff_code or None,
            )
            for each in one.evidence
        ],
        more_evidence=one.more_evidence,
        state=ReviewState[pb.ReviewState.Name(one.state).removeprefix("REVIEW_STATE_")],
        resolved_at=instant(one.resolved_at) if one.HasField("resolved_at") else None,
        resolved_by=one.resolved_by or None,
        note=one.note or None,
        version=one.version,
    )


def _kind(kind: pb.SignalKind.ValueType) -> SignalKind:
    return SignalKind[pb.SignalKind.Name(kind).removeprefix("SIGNAL_KIND_")]


def _severity(severity: pb.Severity.ValueType) -> ReviewSeverity:
    return ReviewSeverity[pb.Severity.Name(severity).removeprefix("SEVERITY_")]
