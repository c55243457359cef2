"""The Reviews servicer."""

from dataclasses import dataclass
from typing import Any

from protos.members.v1 import reviews_pb2 as pb
from protos.members.v1 import reviews_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from services.members.domain.review_rules import (
    InvalidReviewRuleError,
    ReviewRule,
    ReviewRules,
    Severity,
    SignalKind,
)
from services.members.domain.reviews import InvalidReviewError, Review, ReviewState
from services.members.rpc.pages import decoded, encoded, size
from services.members.usecases.reviews import (
    Judgement,
    ReviewDesk,
    list_reviews,
    resolve_review,
    save_rules,
)

KINDS = {pb.SignalKind.Value(f"SIGNAL_KIND_{one.name}"): one for one in SignalKind}
SEVERITIES = {pb.Severity.Value(f"SEVERITY_{one.name}"): one for one in Severity}
STATES = {pb.ReviewState.Value(f"REVIEW_STATE_{one.name}"): one for one in ReviewState}

_KIND_OF = {one: number for number, one in KINDS.items()}
_SEVERITY_OF = {one: number for number, one in SEVERITIES.items()}
_STATE_OF = {one: number for number, one in STATES.items()}


@dataclass(frozen=True, slots=True)
class ReviewsServicer(reviews_pb2_grpc.ReviewsServicer):
    """protos/members/v1/reviews.proto."""

    desk: ReviewDesk
    clocks: ChainClocks

    async def GetReviewRules(self, _request: pb.GetReviewRulesRequest, _context: Any) -> pb.GetReviewRulesResponse:  # noqa: N802 - gRPC's name
        """Show the chain's rules."""
        return pb.GetReviewRulesResponse(rules=_rules_proto(await self.desk.rules.get(caller().chain)))

    async def SaveReviewRules(self, request: pb.SaveReviewRulesRequest, _context: Any) -> pb.SaveReviewRulesResponse:  # noqa: N802 - gRPC's name
        """Keep the chain's rules."""
        wanted = ReviewRules(
            tuple(_rule(one, number) for number, one in enumerate(request.rules.rules)), request.rules.version
        )
        saved = await save_rules(wanted, caller=caller(), desk=self.desk)
        return pb.SaveReviewRulesResponse(rules=_rules_proto(saved))

    async def ListReviews(self, request: pb.ListReviewsRequest, _context: Any) -> pb.ListReviewsResponse:  # noqa: N802 - gRPC's name
        """Show a page of reviews."""
        page = await list_reviews(
            state=STATES.get(request.state),
            store=request.store_id,
            member=request.member_id,
            before=decoded(request.page.after),
            first=size(request.page),
            caller=caller(),
            desk=self.desk,
        )
        return pb.ListReviewsResponse(
            reviews=[_review_proto(one) for one in page.reviews], end_cursor=encoded(page.next_after)
        )

    async def ResolveReview(self, request: pb.ResolveReviewRequest, _context: Any) -> pb.ResolveReviewResponse:  # noqa: N802 - gRPC's name
        """Judge a review."""
        if request.state not in STATES:
            raise InvalidReviewError(field="state", why="say whether it is confirmed or dismissed")
        who = caller()
        review = await resolve_review(
            Judgement(request.review_id, request.version, STATES[request.state], request.note),
            caller=who,
            by=f"{who.kind}:{who.id}",
            now=await self.clocks.now(who.chain),
            desk=self.desk,
        )
        return pb.ResolveReviewResponse(review=_review_proto(review))


def _rule(one: pb.ReviewRule, number: int) -> ReviewRule:
    if one.kind not in KINDS:
        raise InvalidReviewRuleError(field=f"rules.{number}.kind", why="say what it looks for")
    if one.severity not in SEVERITIES:
        raise InvalidReviewRuleError(field=f"rules.{number}.severity", why="say how bad it is")
    return ReviewRule(
        code=one.code,
        kind=KINDS[one.kind],
        severity=SEVERITIES[one.severity],
        window_minutes=one.window_minutes,
        most=one.most,
        speed_kmh=one.speed_kmh,
        min_distance_m=one.min_distance_m,
        on=one.on,
    )


def _rules_proto(rules: ReviewRules) -> pb.ReviewRules:
    return pb.ReviewRules(
        rules=[
            pb.ReviewRule(
                code=one.code,
                kind=_KIND_OF[one.kind],
                severity=_SEVERITY_OF[one.severity],
                window_minutes=one.window_minutes,
                most=one.most,
                speed_kmh=one.speed_kmh,
                min_distance_m=one.min_distance_m,
                on=one.on,
            )
            for one in rules.rules
        ],
        version=rules.version,
    )


def _review_proto(review: Review) -> pb.Review:
    return pb.Review(
        id=review.id,
        member_id=review.member,
        rule=review.rule,
        kind=_KIND_OF[review.kind],
        severity=_SEVERITY_OF[review.severity],
        raised_at=to_timestamp(review.raised_at),
        staff_code=review.staff,
        evidence=[
            pb.Evidence(
                purchase_id=one.purchase,
                occurred_at=to_timestamp(one.at),
                store_id=one.store,
                staff_code=one.staff,
            )
            for one in review.evidence
        ],
        more_evidence=review.more,
        state=_STATE_OF[review.state],
        resolved_at=None if review.resolved_at is None else to_timestamp(review.resolved_at),
        resolved_by=review.resolved_by,
        note=review.note,
        version=review.version,
    )
