from collections import defaultdict
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.kit.outbox.events import Event, EventCursor
from services.kit.outbox.outbox import partition_of, rows_of

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def event(number: int, *, chain: str, aggregate: str) -> Event:
    return Event(
        id=f"evt_{number}",
        chain=chain,
        stream="points.account",
        aggregate=aggregate,
        sequence=number,
        type="huitou.events.v1.PurchaseBooked",
        at=NOON,
        body=b"body",
    )


def test_the_cursor_counts_from_one_and_takes_the_time() -> None:
    assert EventCursor().next(NOON) == EventCursor(1, NOON)


def test_the_cursor_does_not_go_back_with_a_slow_clock() -> None:
    later = NOON + timedelta(seconds=5)
    assert EventCursor(7, later).next(NOON) == EventCursor(8, later)


@settings(deadline=None)
@given(st.lists(st.timedeltas(timedelta(hours=-1), timedelta(hours=1)), max_size=30))
def test_time_and_sequence_sort_an_aggregates_events_whatever_the_clocks_say(clocks: list[timedelta]) -> None:
    cursors, cursor = [], EventCursor()
    for skew in clocks:
        cursor = cursor.next(NOON + skew)
        cursors.append(cursor)
    assert cursors == sorted(cursors, key=lambda each: (each.at, each.sequence))
    assert [each.sequence for each in cursors] == list(range(1, len(clocks) + 1))


def test_the_partition_of_an_aggregate_is_known_for_ever() -> None:
    assert [partition_of(aggregate, 8) for aggregate in ("acc_1", "acc_2", "会员")] == [5, 7, 4]


def test_a_row_holds_its_event_under_the_events_id() -> None:
    assert rows_of([event(1, chain="c", aggregate="acc_1")], 8) == [
        {
            "_id": "evt_1",
            "chain": "c",
            "stream": "points.account",
            "aggregate": "acc_1",
            "sequence": 1,
            "type": "huitou.events.v1.PurchaseBooked",
            "at": NOON,
            "body": b"body",
            "traceparent": "",
            "partition": 5,
            "wakes": True,
        }
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("cd"), st.sampled_from("stuvwxyz")), max_size=40), st.integers(1, 12))
def test_the_last_row_of_each_lane_wakes_it(named: list[tuple[str, str]], partitions: int) -> None:
    events = [event(number, chain=chain, aggregate=aggregate) for number, (chain, aggregate) in enumerate(named)]
    rows = rows_of(events, partitions)
    assert [row["_id"] for row in rows] == [each.id for each in events]
    lanes = defaultdict(list)
    for row in rows:
        assert row["partition"] == partition_of(row["aggregate"], partitions)
        lanes[row["chain"], row["partition"]].append(row.get("wakes", False))
    assert all(wakes == [False] * (len(wakes) - 1) + [True] for wakes in lanes.values())
