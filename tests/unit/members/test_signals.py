"""What looks like fraud is a fact about a set of receipts, whatever the order in which they come."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.places import Position
from services.members.domain.review_rules import (
    USUAL,
    InvalidReviewRuleError,
    ReviewRule,
    Severity,
    SignalKind,
    check_rules,
)
from services.members.domain.reviews import (
    MAX_EVIDENCE,
    Finding,
    InvalidReviewError,
    Review,
    ReviewChangedError,
    ReviewState,
    gather,
    resolve,
)
from services.members.domain.signals import Receipt, suspicious

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHANGHAI, SUZHOU, BEIJING = Position(31.23, 121.47), Position(31.30, 120.62), Position(39.90, 116.40)
POSITIONS = {"bund": SHANGHAI, "garden": SUZHOU, "palace": BEIJING}

CROWD = ReviewRule("crowd", SignalKind.TOO_MANY_RECEIPTS, Severity.MEDIUM, window_minutes=60, most=2)
OWN = ReviewRule("own", SignalKind.STAFF_OWN_CARD, Severity.HIGH, window_minutes=60, most=1)
TRAVEL = ReviewRule(
    "travel", SignalKind.IMPOSSIBLE_TRAVEL, Severity.LOW, window_minutes=600, speed_kmh=300, min_distance_m=50_000
)


def receipt(minute: float, store: str = "bund", *, name: str = "", staff: str = "", remote: bool = False) -> Receipt:
    return Receipt(NOON + timedelta(minutes=minute), name or f"pur_{minute:g}_{store}", store, staff, remote=remote)


def minutes(found: Sequence[Receipt]) -> list[float]:
    return [(one.at - NOON).total_seconds() / 60 for one in found]


def test_a_crowd_is_more_than_so_many_within_the_window() -> None:
    assert suspicious(CROWD, [receipt(0), receipt(60)]) == []
    assert minutes(suspicious(CROWD, [receipt(60), receipt(0), receipt(30)])) == [0, 30, 60]
    assert suspicious(CROWD, [receipt(0), receipt(30), receipt(60.1)]) == []
    spread = [receipt(minute) for minute in (0, 70, 80, 90, 170, 300, 310, 320)]
    assert minutes(suspicious(CROWD, spread)) == [70, 80, 90, 300, 310, 320]


def test_only_what_somebody_rings_up_on_the_own_card_counts() -> None:
    receipts = [receipt(0, staff="li"), receipt(5, staff="mei"), receipt(10, staff="li"), receipt(15)]
    assert minutes(suspicious(OWN, receipts, own_codes=["li"])) == [0, 10]
    assert suspicious(OWN, receipts, own_codes=["mei"]) == []
    assert suspicious(OWN, receipts) == []


def test_nobody_is_at_two_places() -> None:
    """Shanghai and Beijing are 1,067 km apart, Shanghai and Suzhou 81 km."""

    def found(*receipts: Receipt) -> list[float]:
        return minutes(suspicious(TRAVEL, receipts, positions=POSITIONS))

    assert found(receipt(0), receipt(120, "palace")) == [0, 120]
    assert found(receipt(0), receipt(240, "palace")) == []  # 267 km/h
    assert found(receipt(0), receipt(5, "garden")) == [0, 5]
    assert found(receipt(0), receipt(17, "garden")) == []
    assert found(receipt(0), receipt(120, "palace", remote=True)) == []
    assert found(receipt(0), receipt(120, "nowhere")) == []
    # Not only neighbours: one in between that could be reached does not hide the pair.
    assert found(receipt(0), receipt(1, "bund"), receipt(60, "palace")) == [0, 1, 60]


def test_the_same_moment_at_two_places_is_too_fast() -> None:
    assert len(suspicious(TRAVEL, [receipt(0), receipt(0, "palace")], positions=POSITIONS)) == 2


RECEIPTS = st.lists(
    st.builds(receipt, st.integers(0, 600), st.sampled_from(sorted(POSITIONS)), staff=st.sampled_from(["", "li"])),
    unique_by=lambda one: one.purchase,
    max_size=25,
)


@given(RECEIPTS, st.randoms(use_true_random=False), st.sampled_from([CROWD, OWN, TRAVEL]))
def test_whatever_order_receipts_come_in_the_same_are_suspicious_in_the_end(
    receipts: list[Receipt], random: Random, rule: ReviewRule
) -> None:
    """Receipts come one by one, each with those within the window: what reviews have at last is what a look at all of
    them finds, each receipt in one review."""
    whole = suspicious(rule, receipts, own_codes=["li"], positions=POSITIONS)
    random.shuffle(receipts)
    reviews = heard(receipts, rule)
    held = [one.purchase for review in reviews for one in review.evidence]
    assert sorted(held) == sorted(one.purchase for one in whole)
    assert all(review.first_at == min(one.at for one in review.evidence) for review in reviews)
    assert all(review.last_at == max(one.at for one in review.evidence) for review in reviews)


@given(RECEIPTS, st.sampled_from([CROWD, OWN, TRAVEL]))
def test_in_the_order_of_time_reviews_lie_more_than_a_window_apart(receipts: list[Receipt], rule: ReviewRule) -> None:
    reviews = sorted(heard(sorted(receipts), rule), key=lambda one: one.first_at)
    for one, other in pairwise(reviews):
        assert other.first_at - one.last_at > rule.window


def heard(receipts: Sequence[Receipt], rule: ReviewRule) -> list[Review]:
    """Return the reviews after receipts have come one by one, each twice."""
    kept: dict[str, Review] = {}
    numbers = count(1)
    seen: list[Receipt] = []
    for one in [each for each in receipts for _ in range(2)]:
        if one not in seen:
            seen.append(one)
        near = [each for each in seen if abs(each.at - one.at) <= rule.window]
        found = suspicious(rule, near, own_codes=["li"], positions=POSITIONS)
        if found:
            raised, changed = gather(
                Finding("mem_1", rule, found), list(kept.values()), new_id=lambda: f"rev_{next(numbers):04}", now=NOON
            )
            kept |= {each.id: each for each in (*raised, *changed)}
    return list(kept.values())


def test_more_receipts_are_more_evidence_up_to_a_bound() -> None:
    receipts = [receipt(minute) for minute in range(MAX_EVIDENCE + 20)]
    [review] = heard(receipts, CROWD)
    assert (minutes(review.evidence), review.more) == (list(range(MAX_EVIDENCE)), True)
    assert review.last_at == receipts[-1].at
    [again] = heard(list(reversed(receipts)), CROWD)
    assert (again.evidence, again.more, again.last_at) == (review.evidence, True, review.last_at)


def test_what_goes_on_after_a_judgement_is_looked_at_anew() -> None:
    [review] = heard([receipt(0), receipt(10), receipt(20)], CROWD)
    done = resolve(review, ReviewState.DISMISSED, "a party", version=review.version, by="staff:key_1", now=NOON)
    assert (done.state, done.note, done.resolved_by, done.version) == (
        ReviewState.DISMISSED,
        "a party",
        "staff:key_1",
        review.version + 1,
    )
    near, far = receipt(70), receipt(90)
    raised, changed = gather(Finding("mem_1", CROWD, [near, far]), [done], new_id=lambda: "rev_new", now=NOON)
    assert [(one.id, one.state, minutes(one.evidence), one.last_at) for one in changed] == [
        (review.id, ReviewState.DISMISSED, [0, 10, 20, 70], review.last_at)
    ]
    assert [(one.id, one.state, minutes(one.evidence), one.version) for one in raised] == [
        ("rev_new", ReviewState.OPEN, [90], 1)
    ]


def test_who_judges_has_seen_all_of_it() -> None:
    [review] = heard([receipt(0), receipt(10), receipt(20)], CROWD)

    def judge(state: ReviewState, note: str = "", version: int = review.version, of: Review = review) -> Review:
        return resolve(of, state, note, version=version, by="staff:key_1", now=NOON)

    with pytest.raises(ReviewChangedError):
        judge(ReviewState.CONFIRMED, version=review.version + 1)
    with pytest.raises(InvalidReviewError):
        judge(ReviewState.OPEN)
    for note in ("x" * 1_001, "bell\a"):
        with pytest.raises(InvalidReviewError):
            judge(ReviewState.CONFIRMED, note)
    done = judge(ReviewState.CONFIRMED, "two\nlines")
    assert judge(ReviewState.CONFIRMED, "two\nlines", of=done) == done
    assert judge(ReviewState.DISMISSED, version=done.version, of=done).state is ReviewState.DISMISSED


def test_the_usual_rules_are_right() -> None:
    check_rules(USUAL.rules)
    assert [rule.kind for rule in USUAL.rules] == list(SignalKind)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (ReviewRule("", SignalKind.TOO_MANY_RECEIPTS, Severity.LOW, 60, most=5), "rules.0.code"),
        (ReviewRule("a", SignalKind.TOO_MANY_RECEIPTS, Severity.LOW, 0, most=5), "rules.0.windowMinutes"),
        (ReviewRule("a", SignalKind.TOO_MANY_RECEIPTS, Severity.LOW, 1_441, most=5), "rules.0.windowMinutes"),
        (ReviewRule("a", SignalKind.TOO_MANY_RECEIPTS, Severity.LOW, 60), "rules.0.most"),
        (ReviewRule("a", SignalKind.TOO_MANY_RECEIPTS, Severity.LOW, 60, most=5, speed_kmh=5), "rules.0.speedKmh"),
        (ReviewRule("a", SignalKind.STAFF_OWN_CARD, Severity.LOW, 60, most=101), "rules.0.most"),
        (
            ReviewRule("a", SignalKind.IMPOSSIBLE_TRAVEL, Severity.LOW, 60, speed_kmh=9, min_distance_m=100),
            "rules.0.speedKmh",
        ),
        (ReviewRule("a", SignalKind.IMPOSSIBLE_TRAVEL, Severity.LOW, 60, speed_kmh=90), "rules.0.minDistanceM"),
    ],
)
def test_a_rule_has_bounds(rule: ReviewRule, field: str) -> None:
    with pytest.raises(InvalidReviewRuleError) as refused:
        check_rules([rule])
    assert refused.value.field == field


def test_rules_are_few_and_each_once() -> None:
    with pytest.raises(InvalidReviewRuleError, match="twice"):
        check_rules([CROWD, CROWD])
    with pytest.raises(InvalidReviewRuleError, match="at most 20"):
        check_rules([CROWD] * 21)
