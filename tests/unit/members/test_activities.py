"""Activities: whatever order their versions are told in, the source's latest holds; and what a store's clock shows."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kit.errors import Problem
from services.members.domain.activities import (
    MAX_TEXT_LENGTH,
    Activity,
    ActivityDiffersError,
    ActivityKind,
    ActivityStatus,
    Details,
    Folded,
    InvalidActivityError,
    Outcome,
    Planned,
    PlannedHour,
    Recorded,
    Told,
    check_activity,
    fold,
    planned_hours,
)
from services.members.domain.timeline import ACTIVITY_KINDS, HappeningKind

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
LI = ("mem_li", "mem_li_before")


def version(revision: int, *, minutes: int = 0, key: str = "B-1") -> Activity:
    """Return a version whose content follows from its order."""
    return Activity(
        source="tables",
        external_id=key,
        kind=ActivityKind.BOOKING,
        status=list(ActivityStatus)[(revision + minutes) % 4],
        details=Details(planned_for=NOW + HOUR, store="sto_1", party_size=revision * 100 + minutes),
        changed_at=NOW + timedelta(minutes=minutes),
        revision=revision,
    )


def folded(told: Sequence[Told], known: dict[str, Activity]) -> Folded:
    ids = (f"act_{number}" for number in count(len(known)))
    return fold(told, known, new_id=lambda: next(ids), check_change=lambda _: None, living={"mem_li", "mem_bo"})


versions = st.builds(version, st.integers(0, 2), minutes=st.integers(0, 2), key=st.sampled_from(("B-1", "B-2")))


@settings(deadline=None)
@given(st.lists(versions, max_size=12), st.data())
def test_the_latest_version_holds_in_whatever_batches_they_come(told: list[Activity], data: st.DataObject) -> None:
    known: dict[str, Activity] = {}
    left = list(data.draw(st.permutations(told + told)))
    while left:
        size = data.draw(st.integers(1, len(left)))
        done = folded([Told(one, LI) for one in left[:size]], known)
        assert not [one for one in done.answers if isinstance(one, Problem)]
        for one in done.changed:
            assert one.version == (known[one.key].version + 1 if one.key in known else 1)
        known |= {one.key: one for one in done.changed}
        left = left[size:]
    latest = {key: max(one.order for one in told if one.key == key) for key in {one.key for one in told}}
    assert {key: one.order for key, one in known.items()} == latest
    for one in known.values():
        wanted = version(one.revision, minutes=one.details.party_size % 100, key=one.external_id)
        assert (one.status, one.details, one.member) == (wanted.status, wanted.details, "mem_li")
    assert folded([Told(one, LI) for one in told], known).changed == ()


def test_a_version_with_other_content_is_refused_alone() -> None:
    other = version(1, minutes=1)
    [added] = folded([Told(version(1), LI)], {}).changed
    differs = Activity("tables", "B-1", ActivityKind.EVENT, added.status, added.details, added.changed_at, 1)
    done = folded([Told(differs, LI), Told(other, LI)], {added.key: added})
    refused, changed = done.answers
    assert isinstance(refused, ActivityDiffersError)
    assert isinstance(changed, Recorded)
    assert (changed.outcome, changed.activity.id) == (Outcome.CHANGED, added.id)
    assert [one.version for one in done.changed] == [2]


def test_it_stays_with_the_person_and_goes_to_another() -> None:
    known = {one.key: one for one in folded([Told(version(1), ("mem_li",))], {}).changed}
    merged = folded([Told(version(2), ("mem_bo", "mem_li"))], known).changed
    another = folded([Told(version(2), ("mem_bo",))], known).changed
    nobody = folded([Told(version(2), ())], known).changed
    assert [one.member for one in (*merged, *another, *nobody)] == ["mem_li", "mem_bo", "mem_li"]
    for ids, named in (((), "mem_gone"), (("mem_erased",), "")):
        done = folded([Told(version(2), ids, named)], known)
        assert [one.code for one in done.answers if isinstance(one, Problem)] == ["MEMBER_NOT_FOUND"]
        assert done.changed == ()


def test_every_kind_is_one_of_the_timeline() -> None:
    assert {kind.value for kind in ActivityKind} == {kind.value for kind in ACTIVITY_KINDS}
    assert HappeningKind.PURCHASE not in ACTIVITY_KINDS


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (Details(store="sto_1"), "plannedFor"),
        (Details(store="sto_1", occurred_at=NOW), "plannedFor"),
        (Details(store="sto_1", planned_for=NOW + 3 * 366 * timedelta(days=1)), "plannedFor"),
        (Details(store="sto_1", planned_for=NOW, occurred_at=NOW + HOUR), "occurredAt"),
        (Details(planned_for=NOW), "storeId"),
        (Details(store="sto_1", planned_for=NOW, item_count=10_001), "itemCount"),
        (Details(store="sto_1", planned_for=NOW, amount_minor=-1, currency="CNY"), "amount"),
        (Details(store="sto_1", planned_for=NOW, currency="yuan"), "amount.currency"),
        (Details(store="sto_1", planned_for=NOW, channel="by phone"), "channel"),
        (Details(store="sto_1", planned_for=NOW, text="x" * (MAX_TEXT_LENGTH + 1)), "text"),
    ],
)
def test_what_no_activity_can_be(details: Details, field: str) -> None:
    wrong = Activity("tables", "B-1", ActivityKind.BOOKING, ActivityStatus.PLANNED, details, NOW)
    with pytest.raises(InvalidActivityError) as refused:
        check_activity(wrong, now=NOW)
    assert refused.value.field == field


def test_an_hour_that_comes_twice_is_one() -> None:
    """In Berlin 2026-10-25 02:00 comes at 00:00 and at 01:00 UTC; days outside are left out."""
    night = datetime(2026, 10, 25, tzinfo=UTC)
    planned = [Planned(night + each * HOUR, 1, 2, 3) for each in (-3, 0, 1, 2, 23)]
    day = date(2026, 10, 25)
    assert planned_hours(planned, time_zone="Europe/Berlin", since=day, until=day) == [
        PlannedHour(day, 2, 2, 4, 6),
        PlannedHour(day, 3, 1, 2, 3),
    ]
