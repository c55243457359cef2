"""The stages of all members: how many stand where, and who went where between two days."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.members.domain.insight.proportions import Share, share_of
from services.members.domain.insight.stages import Stage


@dataclass(frozen=True, slots=True)
class Step:
    """Members of a stage on a day, as a share of all."""

    stage: Stage
    members: Share


@dataclass(frozen=True, slots=True)
class Funnel:
    """All members by stage; and the way down: enrolled, bought once, bought more than once, still come.

    Each of the way is a share of the one before it.
    """

    stages: tuple[Step, ...]
    bought: Share
    bought_again: Share
    still_come: Share


@dataclass(frozen=True, slots=True)
class Flow:
    """Members who stood in `source` on the first day and in `target` on the second, as a share of all in `source`."""

    source: Stage
    target: Stage
    members: Share


PRESENT = (Stage.NEW, Stage.ACTIVE, Stage.RETURNED)


def funnel(by_stage: Mapping[Stage, int], *, bought_again: int, still_come_again: int) -> Funnel:
    """Return the funnel. `bought_again`: members with two visits and more; `still_come_again`: those of them who are
    neither dormant nor lost."""
    everybody = sum(by_stage.values())
    bought = everybody - by_stage.get(Stage.PROSPECT, 0)
    return Funnel(
        tuple(Step(stage, share_of(by_stage.get(stage, 0), everybody)) for stage in Stage),
        share_of(bought, everybody),
        share_of(bought_again, bought),
        share_of(still_come_again, bought_again),
    )


def flows(moved: Mapping[tuple[Stage, Stage], int]) -> tuple[Flow, ...]:
    """Return the flows between two days from members counted by their stage on each, in the order of the stages."""
    totals = {source: sum(count for (one, _), count in moved.items() if one is source) for source in Stage}
    return tuple(
        Flow(source, target, share_of(moved[source, target], totals[source]))
        for source in Stage
        for target in Stage
        if moved.get((source, target), 0) > 0
    )
