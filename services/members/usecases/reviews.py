"""Reviews: show them, judge them, and say by which rules they are raised."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.principal import NotAllowedError, Principal
from services.members.domain.review_rules import ReviewRules, check_rules
from services.members.domain.reviews import NoReviewError, Review, ReviewState, resolve
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.timelines import IdFinder, own_ids


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reviews are wanted: in this state (None: any), of these stores and of these ids (none: all)."""

    state: ReviewState | None = None
    stores: frozenset[str] = frozenset()
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A page, the last raised first, and the id after which the next one begins; empty on the last."""

    reviews: Sequence[Review]
    next_after: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody makes of the review that it looked at."""

    review: str
    version: int
    state: ReviewState
    note: str


class Judge(Protocol):
    """Makes of a review what it is from now on."""

    def __call__(self, review: Review) -> Review:
        """Return the review as it is to be kept."""


class Reviews(Protocol):
    """Where reviews are kept."""

    async def page(self, chain: str, wanted: Wanted, *, before: str, first: int) -> Sequence[Review]:
        """Return up to `first` reviews, the last raised first, from before the one with the id `before`."""

    async def judge(self, chain: str, review_id: str, judge: Judge) -> Review:
        """Keep the review as `judge` makes it, and return it. Raises NoReviewError."""


class ReviewRulesStore(Protocol):
    """Where chains' rules are kept."""

    async def get(self, chain: str) -> ReviewRules:
        """Return the chain's rules, the usual ones where it has not said."""

    async def save(self, rules: ReviewRules, *, chain: str) -> ReviewRules:
        """Keep the rules with their next version, unless they are as they were. Raises ReviewRulesChangedError."""


@dataclass(frozen=True, slots=True)
class ReviewDesk:
    """What the use cases of reviews need from outside."""

    chains: ChainFinder
    members: IdFinder
    reviews: Reviews
    rules: ReviewRulesStore


async def save_rules(rules: ReviewRules, *, caller: Principal, desk: ReviewDesk) -> ReviewRules:
    """Keep what the chain wants to be told. Reviews that have been raised stay."""
    if caller.stores:
        raise NotAllowedError(why="it is limited to some stores, and this is the whole chain's")
    check_rules(rules.rules)
    chain = await callers_chain(caller, chains=desk.chains)
    return await desk.rules.save(rules, chain=chain.id)


async def list_reviews(
    *,
    state: ReviewState | None,
    store: str,
    member: str,
    before: str,
    first: int,
    caller: Principal,
    desk: ReviewDesk,
) -> ReviewPage:
    """Return a page of what concerns `store` (empty: any store of the caller's) and `member` (empty: anybody)."""
    if store and not caller.may_use_store(store):
        raise NotAllowedError(field="storeId", why="its key is for other stores")
    stores = frozenset({store}) if store else caller.stores
    ids = await own_ids(member, caller=caller, members=desk.members) if member else ()
    found = await desk.reviews.page(caller.chain, Wanted(state, stores, ids), before=before, first=first + 1)
    return ReviewPage(found[:first], found[first - 1].id if len(found) > first else "")


async def resolve_review(
    judgement: Judgement, *, caller: Principal, by: str, now: datetime, desk: ReviewDesk
) -> Review:
    """Judge a review; the same judgement again changes nothing."""

    def judge(review: Review) -> Review:
        if caller.stores and not review.stores & caller.stores:
            raise NoReviewError(field="reviewId", review=judgement.review)
        if caller.stores and not review.stores <= caller.stores:
            raise NotAllowedError(field="reviewId", why="it concerns stores that its key is not for")
        return resolve(review, judgement.state, judgement.note, version=judgement.version, by=by, now=now)

    return await desk.reviews.judge(caller.chain, judgement.review, judge)
