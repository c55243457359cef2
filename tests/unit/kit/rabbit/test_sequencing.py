from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.kit.outbox.events import Event
from services.kit.rabbit.sequencing import Origin, arrange
from tests.support.events import CHAIN, STREAM, event

MEMBER = Origin(CHAIN, "mem_1", STREAM)


def sequences(events: tuple[Event, ...]) -> list[int]:
    return [one.sequence for one in events]


def test_the_next_event_is_applied() -> None:
    arranged = arrange([event(3)], {MEMBER: 2})

    assert (sequences(arranged.apply), arranged.early, arranged.reached) == ([3], (), {MEMBER: 3})


def test_an_event_applied_before_is_dropped() -> None:
    arranged = arrange([event(2), event(1)], {MEMBER: 2})

    assert (arranged.apply, arranged.early, arranged.reached) == ((), (), {MEMBER: 2})


def test_an_event_after_a_gap_is_early() -> None:
    arranged = arrange([event(1), event(3), event(3)], {})

    assert (sequences(arranged.apply), sequences(arranged.early), arranged.reached) == ([1], [3], {MEMBER: 1})


def test_an_early_event_follows_the_one_it_waited_for() -> None:
    arranged = arrange([event(3), event(2), event(1)], {})

    assert (sequences(arranged.apply), arranged.early, arranged.reached) == ([1, 2, 3], (), {MEMBER: 3})


def test_streams_of_one_aggregate_have_orders_of_their_own() -> None:
    arranged = arrange([event(1), event(1, stream="members.member")], {})

    assert [one.stream for one in arranged.apply] == [STREAM, "members.member"]


def test_a_gap_holds_up_no_other_aggregate() -> None:
    arranged = arrange([event(2, "mem_1"), event(1, "mem_2"), event(1, "mem_3")], {})

    assert [one.aggregate for one in arranged.apply] == ["mem_2", "mem_3"]


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[Event]]:
    """Every event of three aggregates at least once, some more often, in any order, cut into batches."""
    everything = [
        event(sequence, aggregate)
        for aggregate, count in (("mem_1", 6), ("mem_2", 4), ("mem_3", 1))
        for sequence in range(1, count + 1)
    ]
    again = draw(st.lists(st.sampled_from(everything), max_size=10))
    order = draw(st.permutations(everything + again))
    cuts = sorted(draw(st.sets(st.integers(0, len(order)), max_size=5)) | {0, len(order)})
    return [order[start:end] for start, end in pairwise(cuts)]


@given(deliveries())
def test_whatever_comes_in_whatever_order_each_is_applied_once_and_in_order(batches: list[list[Event]]) -> None:
    reached: dict[Origin, int] = {}
    parked: list[Event] = []
    applied: dict[str, list[int]] = {}
    for batch in batches:
        arranged = arrange([*batch, *parked], reached)
        reached, parked = dict(arranged.reached), list(arranged.early)
        for one in arranged.apply:
            applied.setdefault(one.aggregate, []).append(one.sequence)

    assert applied == {"mem_1": [1, 2, 3, 4, 5, 6], "mem_2": [1, 2, 3, 4], "mem_3": [1]}
    assert parked == []
    assert {origin.aggregate: last for origin, last in reached.items()} == {"mem_1": 6, "mem_2": 4, "mem_3": 1}
