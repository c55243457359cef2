from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from services.kit.errors import Problem
from services.members.domain.credits import (
    Brought,
    Counts,
    Enrollment,
    Month,
    Visit,
    credit,
    later,
)
from services.members.domain.leaderboards import InvalidTargetError, Target, check_month, check_targets, part_of, ranked
from services.members.domain.staff import InvalidStaffError, StaffMember, check_staff, save_staff
from services.members.domain.training import (
    Course,
    InvalidTrainingError,
    NotTrainedError,
    Passed,
    Role,
    StaffSettings,
    check_settings,
    with_passed,
)

TODAY = date(2026, 3, 1)
SETTINGS = StaffSettings(
    courses=(Course("hygiene", "Hygiene"), Course("till", "The till")),
    required={Role.CASHIER: ("hygiene", "till")},
)
LI = StaffMember("", "li", "Li", roles=frozenset({Role.CASHIER}))
TRAINED = {"hygiene": Passed(date(2026, 1, 1), TODAY), "till": Passed(TODAY)}


def save(wanted: StaffMember, *known: StaffMember, today: date = TODAY) -> StaffMember:
    by_code = {one.code: one for one in known}
    return save_staff([wanted], known=by_code, new_id=lambda: "stf_1", settings=SETTINGS, today=today).all[0]


def known(training: Mapping[str, Passed], *roles: Role, active: bool = True) -> StaffMember:
    return replace(LI, id="stf_9", roles=frozenset(roles), training=training, active=active, version=4)


def test_a_role_is_given_to_those_who_are_trained() -> None:
    given = save(LI, known(TRAINED))
    assert (given.id, given.version, set(given.roles)) == ("stf_9", 5, {Role.CASHIER})
    assert given.effective_roles(settings=SETTINGS, today=TODAY) == {Role.CASHIER}


@pytest.mark.parametrize(
    ("training", "missing"),
    [
        ({}, "hygiene, till"),
        ({"till": Passed(TODAY)}, "hygiene"),
        ({**TRAINED, "hygiene": Passed(date(2026, 1, 1), date(2026, 2, 28))}, "hygiene"),
        ({**TRAINED, "till": Passed(date(2026, 3, 2))}, "till"),
    ],
)
def test_a_role_is_refused_with_what_is_missing(training: Mapping[str, Passed], missing: str) -> None:
    with pytest.raises(NotTrainedError) as refused:
        save(LI, known(training))
    assert refused.value.field == "staff.0.roles"
    assert refused.value.message == (
        f"The role CASHIER needs courses that li has not passed or that have run out: {missing}. Record them first."
    )


def test_a_role_whose_training_has_run_out_stays_and_is_not_effective() -> None:
    held = known(TRAINED, Role.CASHIER, Role.ANALYST)
    tomorrow = date(2026, 3, 2)
    renamed = save(replace(LI, name="Li Mei", roles=held.roles), held, today=tomorrow)
    assert (set(renamed.roles), renamed.version) == ({Role.CASHIER, Role.ANALYST}, 5)
    assert renamed.effective_roles(settings=SETTINGS, today=tomorrow) == {Role.ANALYST}


def test_who_comes_back_needs_the_courses_anew() -> None:
    left = known({}, Role.CASHIER, active=False)
    assert left.effective_roles(settings=SETTINGS, today=TODAY) == frozenset()
    assert save(replace(LI, active=False), left) == left
    with pytest.raises(NotTrainedError):
        save(LI, left)


def test_the_latest_of_a_course_holds() -> None:
    old, new = Passed(date(2025, 1, 1)), Passed(date(2026, 1, 1), date(2027, 1, 1))
    assert with_passed({"till": new}, "till", old) == {"till": new}
    assert with_passed({"till": old}, "till", new) == {"till": new}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ([replace(LI, code="")], "staff.0.code"),
        ([LI, LI], "staff.1.code"),
        ([replace(LI, name=" ")], "staff.0.name"),
        ([replace(LI, email="li")], "staff.0.email"),
        ([replace(LI, stores=frozenset(map(str, range(201))))], "staff.0.storeIds"),
        ([replace(LI, regions=frozenset(map(str, range(201))))], "staff.0.regions"),
    ],
)
def test_what_nobody_can_be(wanted: list[StaffMember], field: str) -> None:
    with pytest.raises(InvalidStaffError) as refused:
        check_staff(wanted)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (StaffSettings(courses=(Course("", "x"),)), "courses.0.code"),
        (StaffSettings(courses=(Course("a", "A"), Course("a", "B"))), "courses.1.code"),
        (StaffSettings(courses=(Course("a", ""),)), "courses.0.name"),
        (StaffSettings(required={Role.ADMIN: ("x",)}), "required.ADMIN"),
        (StaffSettings(credit_months=25), "creditMonths"),
        (StaffSettings(credit_months=0), "creditMonths"),
    ],
)
def test_what_no_chain_decides(settings: StaffSettings, field: str) -> None:
    check_settings(SETTINGS)
    with pytest.raises(InvalidTrainingError) as refused:
        check_settings(settings)
    assert refused.value.field == field


JAN_31 = date(2026, 1, 31)
ENROLLED = Enrollment("c", "stf_1", "a", "mem_1", JAN_31)


def visit(day: date, *, store: str = "a", member: str = "mem_1") -> Visit:
    return Visit("c", store, member, day)


def added(*facts: Enrollment | Visit) -> dict[str, Counts]:
    found = credit(facts, known={}, months={"c": 1}).added
    assert all(month.chain == "c" for month in found)
    return {f"{month.staff} {month.store} {month.month}": counts for month, counts in found.items()}


def test_an_enrollment_and_the_days_after_it_count_once() -> None:
    february = date(2026, 2, 10)
    assert added(ENROLLED, ENROLLED, visit(JAN_31), visit(february, store="b"), visit(february)) == {
        "stf_1 a 2026-01": Counts(1, 0),
        "stf_1 b 2026-02": Counts(0, 1),
    }


def test_visits_count_until_a_month_is_over() -> None:
    """A month after 31 January is 28 February."""
    days = [date(2026, 3, 1), date(2026, 2, 28), JAN_31, date(2026, 1, 30), date(2026, 2, 1)]
    known = {("c", "mem_1"): Brought("stf_1", JAN_31)}
    for order in (days, days[::-1]):
        found = credit([visit(day) for day in order], known=known, months={"c": 1})
        assert found.added == {Month("c", "stf_1", "a", "2026-02"): Counts(0, 2)}
        assert found.brought == {
            ("c", "mem_1"): Brought("stf_1", JAN_31, (date(2026, 2, 1), date(2026, 2, 28)), version=2)
        }


def test_what_is_known_already_changes_nothing() -> None:
    known = {("c", "mem_1"): Brought("stf_1", JAN_31, (date(2026, 2, 1),), version=2)}
    again: list[Enrollment | Visit] = [replace(ENROLLED, staff="stf_2"), visit(date(2026, 2, 1))]
    found = credit(again, known=known, months={"c": 1})
    assert (found.brought, found.added) == ({}, {})


def test_a_visit_of_a_guest_whom_nobody_enrolled_is_nobodys() -> None:
    assert added(visit(date(2026, 2, 1)), ENROLLED) == {"stf_1 a 2026-01": Counts(1, 0)}


def test_the_same_day_some_months_later() -> None:
    assert (later(date(2024, 2, 29), 12), later(date(2026, 12, 31), 2)) == (date(2025, 2, 28), date(2027, 2, 28))


def test_equals_share_their_rank() -> None:
    counts = {"a": Counts(2, 1), "b": Counts(3, 0), "c": Counts(2, 1), "d": Counts(2, 0)}
    targets = {"c": Target("c", "2026-03", 5, 5)}
    places = ranked(counts, staff={"e", "a"}, targets=targets)
    assert [(one.rank, one.staff) for one in places] == [(1, "b"), (2, "a"), (2, "c"), (4, "d"), (5, "e")]
    assert [one.target for one in places] == [None, None, targets["c"], None, None]
    first = part_of(places, first=2, after="", target=None)
    assert ([one.staff for one in first.places], first.end_cursor, first.total) == (["b", "a"], "2", Counts(9, 2))
    last = part_of(places, first=3, after="2", target=None)
    assert ([one.rank for one in last.places], last.end_cursor) == ([2, 4, 5], "")
    with pytest.raises(InvalidTargetError):
        part_of(places, first=3, after="x", target=None)


@pytest.mark.parametrize("month", ["2026-3", "2026-13", "26-03", "2026-03-01", ""])
def test_what_is_no_month(month: str) -> None:
    with pytest.raises(InvalidTargetError):
        check_month(month, field="month")


def test_what_is_no_target() -> None:
    good = Target("stf_1", "2026-03", 5, 5)
    check_targets([good, replace(good, month="2026-04")])
    for wrong, field in ((replace(good, enrollments=-1), "targets.1"), (good, "targets.1")):
        with pytest.raises(Problem) as refused:
            check_targets([good, wrong])
        assert refused.value.field == field
