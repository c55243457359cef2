"""Staff, their training, targets and boards, over a real connection and on the real database."""

import asyncio
from collections.abc import Sequence
from typing import Any

from protos.common.v1.page_pb2 import Page
from protos.events.v1 import members_pb2 as events_pb2
from protos.members.v1 import directory_pb2
from protos.members.v1 import staff_pb2 as pb
from services.kit.errors import Kind
from services.kit.outbox.outbox import OUTBOX
from services.kit.principal import Principal
from services.members.store.staff_collections import STAFF
from tests.support.members_service import MembersService, enrollment, staff

CASHIER, MANAGER = pb.STAFF_ROLE_CASHIER, pb.STAFF_ROLE_STORE_MANAGER


def person(code: str = "li", **more: Any) -> pb.StaffMember:
    return pb.StaffMember(**{"code": code, "name": code.title(), "active": True, **more})


async def save(service: MembersService, by: Principal, *people: pb.StaffMember) -> list[pb.StaffMember]:
    answer = await service.call(service.staff.SaveStaff, pb.SaveStaffRequest(staff=people), by)
    return list(answer.staff)


async def train(service: MembersService, by: Principal, who: str, *courses: str, until: str = "") -> pb.StaffMember:
    records = [
        pb.PassedCourse(
            staff_id=who, record=pb.TrainingRecord(course=course, passed_on="2026-02-01", valid_until=until)
        )
        for course in courses
    ]
    answer = await service.call(service.staff.RecordTraining, pb.RecordTrainingRequest(records=records), by)
    [trained] = answer.staff
    assert isinstance(trained, pb.StaffMember)
    return trained


async def settle(service: MembersService, chain: str, *needed: str) -> pb.StaffSettings:
    settings = pb.StaffSettings(
        courses=[pb.Course(code=code, name=code) for code in ("hygiene", "till")],
        required=[pb.RoleCourses(role=CASHIER, courses=needed)],
    )
    request = pb.SaveStaffSettingsRequest(settings=settings)
    answer: pb.SaveStaffSettingsResponse = await service.call(service.staff.SaveStaffSettings, request, staff(chain))
    return answer.settings


async def listed(service: MembersService, by: Principal, **asked: Any) -> tuple[list[str], str]:
    answer = await service.call(service.staff.ListStaff, pb.ListStaffRequest(**asked), by)
    return [one.code for one in answer.staff], answer.end_cursor


async def told(service: MembersService, chain: str) -> list[tuple[int, events_pb2.StaffSaved]]:
    rows = await service.database.collection(OUTBOX).find({"chain": chain, "stream": "members.staff"}).to_list()
    bodies = [(row["sequence"], events_pb2.StaffSaved.FromString(row["body"]), row["aggregate"]) for row in rows]
    assert all(body.staff_id == aggregate for _, body, aggregate in bodies)
    return sorted(((sequence, body) for sequence, body, _ in bodies), key=lambda one: one[0])


async def test_staff_are_versioned_and_told_without_their_names(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    card = (await service.enroll(enrollment(), staff(chain))).member.id
    wanted = person(email="li@example.com", roles=[MANAGER], store_ids=[store], regions=["east"], member_id=card)
    [li] = await save(service, staff(chain), wanted)
    assert li.id.startswith("stf_")
    assert (li.version, list(li.roles), list(li.effective_roles)) == (1, [MANAGER], [MANAGER])
    before = await service.everything()
    assert await save(service, staff(chain), wanted) == [li]
    assert await service.everything() == before
    [left] = await save(service, staff(chain), person())
    assert left == pb.StaffMember(id=li.id, code="li", name="Li", active=True, version=2)
    first = events_pb2.StaffSaved(
        staff_id=li.id,
        version=1,
        code="li",
        roles=["store_manager"],
        store_ids=[store],
        regions=["east"],
        active=True,
        member_id=card,
    )
    second = events_pb2.StaffSaved(staff_id=li.id, version=2, code="li", active=True)
    assert await told(service, chain) == [(1, first), (2, second)]


async def test_a_code_is_one_persons_under_any_concurrency(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    for number in range(20):
        both = await asyncio.gather(
            save(service, staff(chain), person(f"p{number}")), save(other_replica, staff(chain), person(f"p{number}"))
        )
        assert both[0] == both[1]
    assert await service.database.collection(STAFF).count_documents({"chain": chain}) == 20


async def test_a_role_needs_its_courses(service: MembersService, chain: str) -> None:
    settings = await settle(service, chain, "hygiene", "till")
    assert (settings.version, settings.credit_months) == (1, 12)
    assert await settle(service, chain, "hygiene", "till") == settings
    [li] = await save(service, staff(chain), person())
    wanted = pb.SaveStaffRequest(staff=[person(roles=[CASHIER])])
    refused = await service.refusal(service.staff.SaveStaff, wanted, staff(chain))
    assert (refused.kind, refused.code, refused.field) == (Kind.REFUSED, "NOT_TRAINED", "staff.0.roles")
    assert "hygiene, till" in refused.message
    await train(service, staff(chain), li.id, "till")
    trained = await train(service, staff(chain), li.id, "hygiene", until="2026-02-28")
    assert trained.version == 3
    refused = await service.refusal(service.staff.SaveStaff, wanted, staff(chain))
    assert "run out: hygiene." in refused.message
    await settle(service, chain, "till")
    [cashier] = await save(service, staff(chain), person(roles=[CASHIER]))
    assert list(cashier.effective_roles) == [CASHIER]
    await settle(service, chain, "hygiene")
    [shown] = (await service.call(service.staff.GetStaff, pb.GetStaffRequest(ids=[li.id]), staff(chain))).staff
    assert (list(shown.roles), list(shown.effective_roles)) == ([CASHIER], [])
    assert [(one.course, one.valid_until) for one in shown.training] == [("hygiene", "2026-02-28"), ("till", "")]
    for record, field in (
        (pb.TrainingRecord(course="x", passed_on="2026-02-01"), "records.0.course"),
        (pb.TrainingRecord(course="till", passed_on="1 May"), "records.0.passedOn"),
        (pb.TrainingRecord(course="till", passed_on="2026-02-01", valid_until="2026-01-31"), "records.0.validUntil"),
    ):
        request = pb.RecordTrainingRequest(records=[pb.PassedCourse(staff_id=li.id, record=record)])
        wrong = await service.refusal(service.staff.RecordTraining, request, staff(chain))
        assert (wrong.code, wrong.field) == ("INVALID_TRAINING", field)


async def test_what_somebody_is_for_must_be_there(service: MembersService, chain: str, other_chain: str) -> None:
    await service.call(
        service.directory.SaveRegions,
        directory_pb2.SaveRegionsRequest(regions=[directory_pb2.Region(code="east", name="East")]),
        staff(chain),
    )
    foreign = await service.store(other_chain)
    for more, code, field in (
        ({"store_ids": [foreign]}, "STORE_NOT_FOUND", "staff.0.storeIds"),
        ({"regions": ["west"]}, "REGION_NOT_FOUND", "staff.0.regions"),
        ({"member_id": "mem_x"}, "MEMBER_NOT_FOUND", "staff.0.memberId"),
        ({"email": "x"}, "INVALID_STAFF", "staff.0.email"),
    ):
        request = pb.SaveStaffRequest(staff=[person(**more)])
        refused = await service.refusal(service.staff.SaveStaff, request, staff(chain))
        assert (refused.code, refused.field) == (code, field)


async def test_a_manager_sees_and_changes_the_own_stores_staff(
    service: MembersService, chain: str, other_chain: str
) -> None:
    own, other = await service.store(chain), await service.store(chain, "park")
    manager = staff(chain, stores=[own])
    chief, mine, both, theirs = await save(
        service,
        staff(chain),
        person("chief"),
        person("mine", store_ids=[own]),
        person("both", store_ids=[own, other]),
        person("theirs", store_ids=[other]),
    )
    assert await listed(service, staff(chain)) == (["both", "chief", "mine", "theirs"], "")
    assert await listed(service, staff(chain), page=Page(first=3)) == (["both", "chief", "mine"], "mine")
    assert await listed(service, staff(chain), page=Page(first=3, after="mine")) == (["theirs"], "")
    assert await listed(service, staff(chain), store_id=other) == (["both", "theirs"], "")
    assert await listed(service, manager) == (["both", "mine"], "")
    assert await listed(service, staff(other_chain)) == ([], "")
    asked = pb.GetStaffRequest(ids=[chief.id, mine.id, theirs.id])
    assert [one.code for one in (await service.call(service.staff.GetStaff, asked, manager)).staff] == ["mine"]

    for wanted in (
        person("new"),
        person("new", store_ids=[other]),
        person("mine", store_ids=[own, other]),
        person("mine", store_ids=[own], regions=["east"]),
        person("both", store_ids=[own]),
        person("chief", store_ids=[own]),
    ):
        request = pb.SaveStaffRequest(staff=[wanted])
        assert (await service.refusal(service.staff.SaveStaff, request, manager)).kind is Kind.DENIED
    [renamed] = await save(service, manager, person("mine", name="Mei", store_ids=[own]))
    assert (renamed.id, renamed.version) == (mine.id, 2)

    await settle(service, chain, "till")
    assert (await train(service, manager, mine.id, "till")).version == 3
    for who, kind in ((both, Kind.DENIED), (theirs, Kind.NOT_FOUND)):
        record = pb.TrainingRecord(course="till", passed_on="2026-02-01")
        request_ = pb.RecordTrainingRequest(records=[pb.PassedCourse(staff_id=who.id, record=record)])
        assert (await service.refusal(service.staff.RecordTraining, request_, manager)).kind is kind
    settings = pb.SaveStaffSettingsRequest(settings=pb.StaffSettings())
    assert (await service.refusal(service.staff.SaveStaffSettings, settings, manager)).kind is Kind.DENIED
    request__ = pb.ListStaffRequest(store_id=other)
    assert (await service.refusal(service.staff.ListStaff, request__, manager)).kind is Kind.DENIED


async def targets(service: MembersService, by: Principal, wanted: Sequence[pb.StaffTarget]) -> None:
    await service.call(service.staff.SetStaffTargets, pb.SetStaffTargetsRequest(targets=wanted), by)


async def test_targets_stand_on_the_board(service: MembersService, chain: str) -> None:
    own, other = await service.store(chain), await service.store(chain, "park")
    manager = staff(chain, stores=[own])
    li, _, theirs = await save(
        service,
        staff(chain),
        person("li", store_ids=[own]),
        person("mei", store_ids=[own]),
        person("theirs", store_ids=[other]),
    )
    wanted = [
        pb.StaffTarget(subject_id=li.id, month="2026-03", enrollments=10, repeat_visits=20),
        pb.StaffTarget(subject_id=own, month="2026-03", enrollments=50),
    ]
    for _ in range(2):
        await targets(service, manager, wanted)
    asked = pb.GetLeaderboardRequest(store_id=own, month="2026-03")
    board = await service.call(service.staff.GetLeaderboard, asked, manager)
    assert [(one.rank, one.staff.code, one.HasField("target")) for one in board.places] == [
        (1, "li", True),
        (1, "mei", False),
    ]
    assert (board.places[0].target, board.target) == (wanted[0], wanted[1])
    for subject, kind, code in (
        (theirs.id, Kind.DENIED, "DENIED"),
        (other, Kind.DENIED, "DENIED"),
        ("stf_x", Kind.NOT_FOUND, "STAFF_NOT_FOUND"),
        ("sto_x", Kind.NOT_FOUND, "STORE_NOT_FOUND"),
    ):
        request = pb.SetStaffTargetsRequest(targets=[pb.StaffTarget(subject_id=subject, month="2026-03")])
        refused = await service.refusal(service.staff.SetStaffTargets, request, manager)
        assert (refused.kind, refused.code, refused.field) == (kind, code, "targets.0.subjectId")
    for store, month, by, code in (
        (other, "2026-03", manager, "DENIED"),
        ("sto_x", "2026-03", staff(chain), "STORE_NOT_FOUND"),
        (own, "2026-3", staff(chain), "INVALID_TARGET"),
    ):
        asked = pb.GetLeaderboardRequest(store_id=store, month=month)
        assert (await service.refusal(service.staff.GetLeaderboard, asked, by)).code == code
