"""The Staff servicer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from protos.common.v1 import page_pb2
from protos.members.v1 import staff_pb2 as pb
from protos.members.v1 import staff_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.members.domain.leaderboards import Target
from services.members.domain.staff import InvalidStaffError, StaffMember
from services.members.domain.training import CREDIT_MONTHS, Course, InvalidTrainingError, Passed, Role, StaffSettings
from services.members.usecases.chains import callers_chain
from services.members.usecases.leaderboards import BoardDesk, set_targets, show_board
from services.members.usecases.staff import (
    StaffDesk,
    Training,
    day_of,
    get_staff,
    list_staff,
    record_training,
    save_settings,
    save_staff,
)

USUAL_PAGE = 20

ROLES = {pb.StaffRole.Value(f"STAFF_ROLE_{role.name}"): role for role in Role}

_ROLE_OF = {role: number for number, role in ROLES.items()}


@dataclass(frozen=True, slots=True)
class StaffServicer(staff_pb2_grpc.StaffServicer):
    """protos/members/v1/staff.proto."""

    desk: StaffDesk
    boards: BoardDesk
    clocks: ChainClocks

    async def SaveStaff(self, request: pb.SaveStaffRequest, _context: Any) -> pb.SaveStaffResponse:  # noqa: N802 - gRPC's name
        """Add or change staff."""
        who = caller()
        saved = await save_staff(
            [_wanted(one, number) for number, one in enumerate(request.staff)],
            caller=who,
            now=await self.clocks.now(who.chain),
            desk=self.desk,
            traceparent=current_traceparent(),
        )
        return pb.SaveStaffResponse(staff=await self._shown(saved))

    async def GetStaff(self, request: pb.GetStaffRequest, _context: Any) -> pb.GetStaffResponse:  # noqa: N802 - gRPC's name
        """Show staff."""
        return pb.GetStaffResponse(
            staff=await self._shown(await get_staff(request.ids, caller=caller(), desk=self.desk))
        )

    async def ListStaff(self, request: pb.ListStaffRequest, _context: Any) -> pb.ListStaffResponse:  # noqa: N802 - gRPC's name
        """Show a page of staff."""
        first, after = _page(request.page)
        found, end = await list_staff(store=request.store_id, first=first, after=after, caller=caller(), desk=self.desk)
        return pb.ListStaffResponse(staff=await self._shown(found), end_cursor=end)

    async def RecordTraining(self, request: pb.RecordTrainingRequest, _context: Any) -> pb.RecordTrainingResponse:  # noqa: N802 - gRPC's name
        """Note who has passed what."""
        who = caller()
        trained = await record_training(
            [_training(one, number) for number, one in enumerate(request.records)],
            caller=who,
            now=await self.clocks.now(who.chain),
            desk=self.desk,
            traceparent=current_traceparent(),
        )
        return pb.RecordTrainingResponse(staff=await self._shown(trained))

    async def SaveStaffSettings(  # noqa: N802 - gRPC's name
        self, request: pb.SaveStaffSettingsRequest, _context: Any
    ) -> pb.SaveStaffSettingsResponse:
        """Keep what the chain has decided."""
        saved = await save_settings(_settings(request.settings), caller=caller(), desk=self.desk)
        return pb.SaveStaffSettingsResponse(settings=_settings_proto(saved))

    async def GetStaffSettings(  # noqa: N802 - gRPC's name
        self, _request: pb.GetStaffSettingsRequest, _context: Any
    ) -> pb.GetStaffSettingsResponse:
        """Show what the chain has decided."""
        return pb.GetStaffSettingsResponse(settings=_settings_proto(await self.desk.settings.get(caller().chain)))

    async def SetStaffTargets(self, request: pb.SetStaffTargetsRequest, _context: Any) -> pb.SetStaffTargetsResponse:  # noqa: N802 - gRPC's name
        """Set targets."""
        targets = [Target(one.subject_id, one.month, one.enrollments, one.repeat_visits) for one in request.targets]
        await set_targets(targets, caller=caller(), desk=self.boards)
        return pb.SetStaffTargetsResponse()

    async def GetLeaderboard(self, request: pb.GetLeaderboardRequest, _context: Any) -> pb.GetLeaderboardResponse:  # noqa: N802 - gRPC's name
        """Show a part of a board."""
        first, after = _page(request.page)
        shown = await show_board(
            request.store_id, request.month, first=first, after=after, caller=caller(), desk=self.boards
        )
        board = shown.board
        people = {one.id: one for one in await self._shown(list(shown.staff.values()))}
        return pb.GetLeaderboardResponse(
            places=[
                pb.LeaderboardPlace(
                    rank=place.rank,
                    # Whoever is not kept here any more is shown by the id alone.
                    staff=people.get(place.staff, pb.StaffMember(id=place.staff)),
                    enrollments=place.counts.enrollments,
                    repeat_visits=place.counts.repeat_visits,
                    target=_target_proto(place.target) if place.target else None,
                )
                for place in board.places
            ],
            enrollments=board.total.enrollments,
            repeat_visits=board.total.repeat_visits,
            target=_target_proto(board.target) if board.target else None,
            end_cursor=board.end_cursor,
        )

    async def _shown(self, staff: Sequence[StaffMember]) -> list[pb.StaffMember]:
        who = caller()
        settings = await self.desk.settings.get(who.chain)
        chain = await callers_chain(who, chains=self.desk.chains)
        today = day_of(chain, await self.clocks.now(who.chain))
        return [_staff_proto(one, settings, today) for one in staff]


def _page(page: page_pb2.Page) -> tuple[int, str]:
    return page.first or USUAL_PAGE, page.after


def _wanted(one: pb.StaffMember, number: int) -> StaffMember:
    if any(role not in ROLES for role in one.roles):
        raise InvalidStaffError(field=f"staff.{number}.roles", why="there is no such role")
    return StaffMember(
        id="",
        code=one.code,
        name=one.name,
        email=one.email,
        roles=frozenset(ROLES[role] for role in one.roles),
        stores=frozenset(one.store_ids),
        regions=frozenset(one.regions),
        member=one.member_id,
        active=one.active,
    )


def _training(one: pb.PassedCourse, number: int) -> Training:
    record, at = one.record, f"records.{number}"
    until = _day(record.valid_until, f"{at}.validUntil") if record.valid_until else None
    return Training(one.staff_id, record.course, Passed(_day(record.passed_on, f"{at}.passedOn"), until))


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidTrainingError(field=field, why='a day is like "2026-03-01"') from error


def _settings(settings: pb.StaffSettings) -> StaffSettings:
    if any(one.role not in ROLES for one in settings.required):
        raise InvalidTrainingError(field="required", why="there is no such role")
    return StaffSettings(
        courses=tuple(Course(one.code, one.name) for one in settings.courses),
        required={ROLES[one.role]: tuple(dict.fromkeys(one.courses)) for one in settings.required},
        credit_months=settings.credit_months or CREDIT_MONTHS,
    )


def _settings_proto(settings: StaffSettings) -> pb.StaffSettings:
    return pb.StaffSettings(
        courses=[pb.Course(code=one.code, name=one.name) for one in settings.courses],
        required=[
            pb.RoleCourses(role=_ROLE_OF[role], courses=codes) for role, codes in sorted(settings.required.items())
        ],
        credit_months=settings.credit_months,
        version=settings.version,
    )


def _staff_proto(one: StaffMember, settings: StaffSettings, today: date) -> pb.StaffMember:
    return pb.StaffMember(
        id=one.id,
        code=one.code,
        name=one.name,
        email=one.email,
        roles=sorted(_ROLE_OF[role] for role in one.roles),
        store_ids=sorted(one.stores),
        regions=sorted(one.regions),
        member_id=one.member,
        active=one.active,
        version=one.version,
        effective_roles=sorted(_ROLE_OF[role] for role in one.effective_roles(settings=settings, today=today)),
        training=[
            pb.TrainingRecord(
                course=code,
                passed_on=passed.on.isoformat(),
                valid_until=passed.valid_until.isoformat() if passed.valid_until else "",
            )
            for code, passed in sorted(one.training.items())
        ],
    )


def _target_proto(target: Target) -> pb.StaffTarget:
    return pb.StaffTarget(
        subject_id=target.subject,
        month=target.month,
        enrollments=target.enrollments,
        repeat_visits=target.repeat_visits,
    )
