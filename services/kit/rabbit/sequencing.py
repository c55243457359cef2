"""What to do with events that may come twice, too early or mixed with those of others. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from services.kit.outbox.events import Event


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Whose order it is: one member can be the aggregate of several streams, each with a sequence of its own."""

    chain: str
    aggregate: str
    stream: str

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return the origin of `event`."""
        return cls(event.chain, event.aggregate, event.stream)


@dataclass(frozen=True, slots=True)
class Arranged:
    """What is to be done with each event: apply it, keep it until those before it have come, or nothing."""

    apply: tuple[Event, ...]  # within an origin by sequence, without gaps or repetitions
    early: tuple[Event, ...]  # by arrival, without repetitions
    reached: Mapping[Origin, int]  # the last sequence of every origin, once `apply` is applied


def arrange(events: Iterable[Event], reached: Mapping[Origin, int]) -> Arranged:
    """Put `events` in order, given the last sequence that was applied of each origin (0 where it is missing).

    Between origins the order of arrival is kept: an event is applied when it, or the one that it waited for, comes.
    """
    now = dict(reached)
    waiting: dict[Origin, dict[int, Event]] = {}
    apply: list[Event] = []
    for event in events:
        origin = Origin.of(event)
        last = now.setdefault(origin, 0)
        held = waiting.setdefault(origin, {})
        if event.sequence <= last:
            continue
        held.setdefault(event.sequence, event)
        while (following := held.pop(now[origin] + 1, None)) is not None:
            now[origin] += 1
            apply.append(following)
    early = tuple(event for held in waiting.values() for event in held.values())
    return Arranged(apply=tuple(apply), early=early, reached=now)
