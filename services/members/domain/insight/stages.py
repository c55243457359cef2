"""Lifecycle stages: where a member stands between never having bought and being lost.

Each limit is a multiple of the gap that is usual in the member's group (its median), so a coffee bar's guest is dormant
after weeks and a furniture shop's after years. A stage follows from the visits, that gap and the day alone; it changes
with a visit, or by itself on a day that is known beforehand.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import floor

from services.kit.errors import Kind, Problem
from services.members.domain.insight.gaps import gaps_of
from services.members.domain.insight.history import Counting, History

MOST_MULTIPLE = 100.0
MOST_VISITS = 100
MOST_GAP_DAYS = 3_660


class Stage(StrEnum):
    """From first to last; `RETURNED` is active again after having been away."""

    PROSPECT = "prospect"
    NEW = "new"
    ACTIVE = "active"
    DORMANT = "dormant"
    LOST = "lost"
    RETURNED = "returned"


class Reason(StrEnum):
    """Why a member is in its stage."""

    NEVER_BOUGHT = "never_bought"
    FEW_VISITS = "few_visits"
    WITHIN_USUAL = "within_usual"
    AWAY = "away"
    LONG_AWAY = "long_away"
    CAME_BACK = "came_back"


class InvalidStagesError(Problem):
    """These limits of the lifecycle are not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_STAGES"


@dataclass(frozen=True, slots=True)
class StagePolicy:
    """A chain's limits.

    Up to `new_visits` visits somebody is new. Away longer than `dormant_multiple` usual gaps is dormant, longer than
    `lost_multiple` lost. Who had been away for `returned_multiple` is returned for `returned_visits` visits.
    `default_gap_days` stands for the group's gap where too few are known.
    """

    new_visits: int = 1
    dormant_multiple: float = 2.0
    lost_multiple: float = 4.0
    returned_multiple: float = 2.0
    returned_visits: int = 1
    default_gap_days: float = 30.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's stage on a day. `away_days` None: never there. `changes_on`: the day (ordinal) on which it becomes
    `changes_to` if nothing happens; None: never."""

    stage: Stage
    reason: Reason
    away_days: int | None = None
    changes_on: int | None = None
    changes_to: Stage | None = None


def check_stages(policy: StagePolicy, *, field: str) -> None:
    """Refuse limits that no member could pass in their order."""
    if not 0 < policy.dormant_multiple < policy.lost_multiple <= MOST_MULTIPLE:
        why = f"lost comes after dormant, dormant after 0, and both within {MOST_MULTIPLE:.0f} gaps"
        raise InvalidStagesError(field=f"{field}.lostMultiple", why=why)
    if not 0 < policy.returned_multiple <= MOST_MULTIPLE:
        raise InvalidStagesError(field=f"{field}.returnedMultiple", why=f"it is above 0, to {MOST_MULTIPLE:.0f}")
    for name, visits in (("newVisits", policy.new_visits), ("returnedVisits", policy.returned_visits)):
        if not 0 <= visits <= MOST_VISITS:
            raise InvalidStagesError(field=f"{field}.{name}", why=f"it is 0 to {MOST_VISITS}")
    if not 1 <= policy.default_gap_days <= MOST_GAP_DAYS:
        raise InvalidStagesError(field=f"{field}.defaultGapDays", why=f"it is 1 to {MOST_GAP_DAYS}")


def standing(
    history: History,
    *,
    usual_gap_days: float | None,
    today: int,
    policy: StagePolicy,
    counting: Counting = Counting.DAYS,
) -> Standing:
    """Return where a member stands on `today` (ordinal); `usual_gap_days` is its group's median, None: not known.

    A group whose gaps are below a day is taken to have gaps of one.
    """
    away = history.recency_days(today)
    if away is None or history.last_day is None:
        return Standing(Stage.PROSPECT, Reason.NEVER_BOUGHT)
    gap = max(1.0, policy.default_gap_days if usual_gap_days is None else usual_gap_days)
    dormant_on = history.last_day + _beyond(policy.dormant_multiple * gap)
    lost_on = history.last_day + _beyond(policy.lost_multiple * gap)
    if today >= lost_on:
        return Standing(Stage.LOST, Reason.LONG_AWAY, away)
    if today >= dormant_on:
        return Standing(Stage.DORMANT, Reason.AWAY, away, lost_on, Stage.LOST)
    stage, reason = _present(history, gap, policy, counting)
    return Standing(stage, reason, away, dormant_on, Stage.DORMANT)


def _present(history: History, gap: float, policy: StagePolicy, counting: Counting) -> tuple[Stage, Reason]:
    lately = gaps_of(history, counting)[-policy.returned_visits :] if policy.returned_visits else ()
    if any(one.days >= _beyond(policy.returned_multiple * gap) for one in lately):
        return Stage.RETURNED, Reason.CAME_BACK
    if history.frequency(counting) <= policy.new_visits:
        return Stage.NEW, Reason.FEW_VISITS
    return Stage.ACTIVE, Reason.WITHIN_USUAL


def _beyond(limit: float) -> int:
    """Return the first whole number of days that is longer than `limit`."""
    return floor(limit) + 1
