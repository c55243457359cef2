"""Staff in the graph: who works for the chain, and what they are trained for."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import staff_pb2 as pb
from protos.members.v1.staff_pb2_grpc import StaffStub
from services.kit.graph import (
    INPUT,
    After,
    Caller,
    Connection,
    First,
    Info,
    Page,
    SafeInt,
    UserError,
    allow,
    field,
    mutation,
)

STAFF_READERS = allow(Caller.STAFF, scope="staff:read")
STAFF_WRITERS = allow(Caller.STAFF, scope="staff:write")


@strawberry.enum(description="What somebody does for the chain. What a key may do is said by its scopes.")
class StaffRole(Enum):
    """Roles, named as in the proto."""

    CASHIER = strawberry.enum_value("CASHIER", description="Serves at a till.")
    STORE_MANAGER = strawberry.enum_value("STORE_MANAGER", description="Runs stores.")
    SERVICE_AGENT = strawberry.enum_value("SERVICE_AGENT", description="Answers guests.")
    MARKETER = strawberry.enum_value("MARKETER", description="Makes offers.")
    ANALYST = strawberry.enum_value("ANALYST", description="Reads reports.")
    ADMIN = strawberry.enum_value("ADMIN", description="Looks after the chain's settings.")


@strawberry.type(description="A course that somebody has passed.")
class TrainingRecord:
    """A record."""

    course: str = strawberry.field(description="The course's code.")
    passed_on: str = strawberry.field(description='The day, like "2026-03-01".')
    valid_until: str | None = strawberry.field(description="The last day on which it is good; null: for ever.")


@strawberry.type(description="Somebody who works for the chain.")
class StaffMember:
    """A staff member."""

    id: strawberry.ID = strawberry.field(description="`stf_…`.")
    code: str = strawberry.field(description="The chain's own code.")
    name: str = strawberry.field(description="As people call the person.")
    email: str | None = strawberry.field(description="Null: none.")
    roles: list[StaffRole] = strawberry.field(description="What the person has been made.")
    effective_roles: list[StaffRole] = strawberry.field(
        description="Those of the roles whose courses are passed and good today; none of somebody who has left."
    )
    store_ids: list[strawberry.ID] = strawberry.field(description="For these stores; no regions either: for all.")
    regions: list[str] = strawberry.field(description="For these regions, by their codes.")
    member_id: strawberry.ID | None = strawberry.field(description="The own card; null: none.")
    active: bool = strawberry.field(description="Works for the chain.")
    training: list[TrainingRecord] = strawberry.field(description="The latest of each course.")
    version: SafeInt = strawberry.field(description="Grows by one with every change.")


@strawberry.type(description="A course of the chain.")
class Course:
    """A course."""

    code: str = strawberry.field(description="The chain's own code.")
    name: str = strawberry.field(description="As people call it.")


@strawberry.type(description="Which courses a role needs.")
class RoleCourses:
    """A role's courses."""

    role: StaffRole = strawberry.field(description="The role.")
    courses: list[str] = strawberry.field(description="Codes; all of them are needed.")


@strawberry.type(description="What the chain has decided about its staff.")
class StaffSettings:
    """Settings."""

    courses: list[Course] = strawberry.field(description="All of them.")
    required: list[RoleCourses] = strawberry.field(description="A role that is missing needs none.")
    credit_months: int = strawberry.field(
        description="For how many months after an enrollment a guest's visits are credited."
    )
    version: SafeInt = strawberry.field(description="Grows by one with every change; 0: nothing was said yet.")


@strawberry.input(description="Somebody as the person should be: what is left out is none.")
class StaffMemberInput:
    """A staff member."""

    code: str = strawberry.field(description="The chain's own code; a known one changes that person.")
    name: str = strawberry.field(description="As people call the person.")
    email: str | None = strawberry.field(default=None, description="Null: none.")
    roles: list[StaffRole] = strawberry.field(
        default_factory=list, description="A new one is refused while one of its courses is missing or has run out."
    )
    store_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="For these stores, up to 200; no regions either: for the whole chain."
    )
    regions: list[str] = strawberry.field(default_factory=list, description="Codes of regions, up to 200.")
    member_id: strawberry.ID | None = strawberry.field(default=None, description="The own card; null: none.")
    active: bool = strawberry.field(default=True, description="Works for the chain.")


@strawberry.input(description="Staff as they should be.")
class SaveStaffInput:
    """Staff."""

    staff: list[StaffMemberInput] = strawberry.field(description="Up to 1,000, all or none.")


@strawberry.input(description="A course that somebody has passed.")
class PassedCourseInput:
    """A record."""

    staff_id: strawberry.ID = strawberry.field(description="Who.")
    course: str = strawberry.field(description="The course's code.")
    passed_on: str = strawberry.field(description='The day, like "2026-03-01".')
    valid_until: str | None = strawberry.field(
        default=None, description="The last day on which it is good; null: for ever."
    )


@strawberry.input(description="Courses that staff have passed.")
class RecordTrainingInput:
    """Records."""

    records: list[PassedCourseInput] = strawberry.field(description="Up to 1,000, all or none.")


@strawberry.input(description="A course of the chain.")
class CourseInput:
    """A course."""

    code: str = strawberry.field(description="The chain's own code.")
    name: str = strawberry.field(description="As people call it.")


@strawberry.input(description="Which courses a role needs.")
class RoleCoursesInput:
    """A role's courses."""

    role: StaffRole = strawberry.field(description="The role.")
    courses: list[str] = strawberry.field(description="Codes; all of them are needed.")


@strawberry.input(description="What the chain decides about its staff; it takes the place of what was.")
class SaveStaffSettingsInput:
    """Settings."""

    courses: list[CourseInput] = strawberry.field(description="Up to 200.")
    required: list[RoleCoursesInput] = strawberry.field(
        default_factory=list, description="A role that is missing needs none."
    )
    credit_months: int = strawberry.field(
        default=12, description="For how many months after an enrollment a guest's visits are credited; 1 to 24."
    )


@strawberry.enum(description="Why nothing was changed.")
class StaffErrorCode(Enum):
    """Codes of `StaffError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_STAFF = strawberry.enum_value("INVALID_STAFF", description="Nobody can be like that.")
    INVALID_TRAINING = strawberry.enum_value("INVALID_TRAINING", description="No training can be like that.")
    INVALID_TARGET = strawberry.enum_value("INVALID_TARGET", description="No target can be like that.")
    NOT_TRAINED = strawberry.enum_value("NOT_TRAINED", description="Courses are missing; the message says which.")
    STAFF_NOT_FOUND = strawberry.enum_value("STAFF_NOT_FOUND", description="There is no such staff member.")
    STORE_NOT_FOUND = strawberry.enum_value("STORE_NOT_FOUND", description="There is no such store.")
    REGION_NOT_FOUND = strawberry.enum_value("REGION_NOT_FOUND", description="There is no such region.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why nothing was changed.")
class StaffError(UserError):
    """An item of `userErrors`."""

    code: StaffErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The staff, or why nobody was changed.")
class SaveStaffPayload:
    """Saved staff."""

    user_errors: list[StaffError] = strawberry.field(description="Empty: they are as they should be.")
    staff: list[StaffMember] = strawberry.field(default_factory=list, description="In the order of the input.")


@strawberry.type(description="The staff with their training, or why it was not noted.")
class RecordTrainingPayload:
    """Recorded training."""

    user_errors: list[StaffError] = strawberry.field(description="Empty: it is noted.")
    staff: list[StaffMember] = strawberry.field(
        default_factory=list, description="Those who are named, in the order of their ids."
    )


@strawberry.type(description="The settings, or why they are as they were.")
class SaveStaffSettingsPayload:
    """Saved settings."""

    user_errors: list[StaffError] = strawberry.field(description="Empty: they hold from now on.")
    settings: StaffSettings | None = strawberry.field(default=None, description="As they are now.")


STORE = strawberry.argument(description="Who is for this store; null: everybody whom the caller may see.")


@strawberry.type
class StaffQuery:
    """Asking."""

    @field(STAFF_READERS, description="Staff by their codes; a caller with stores sees those of its own.")
    async def staff(
        self,
        info: Info,
        store_id: Annotated[strawberry.ID | None, STORE] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[StaffMember]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        members = info.context.channel("members")
        request = pb.ListStaffRequest(store_id=store_id or "", page=page.to_proto())
        answer = await members.ask(members.stub(StaffStub).ListStaff, request)
        return Connection.of([staff_member(one) for one in answer.staff], page, end_cursor=answer.end_cursor)

    @field(STAFF_READERS, description="One of the chain's staff; null: nobody, or nobody whom the caller may see.")
    async def staff_member(
        self, info: Info, staff_id: Annotated[strawberry.ID, strawberry.argument(description="`stf_…`.")]
    ) -> StaffMember | None:
        """Ask for one."""
        members = info.context.channel("members")
        answer = await members.ask(members.stub(StaffStub).GetStaff, pb.GetStaffRequest(ids=[staff_id]))
        return staff_member(answer.staff[0]) if answer.staff else None

    @field(STAFF_READERS, description="The chain's courses, which roles need them, and how long visits are credited.")
    async def staff_settings(self, info: Info) -> StaffSettings:
        """Ask for the settings."""
        members = info.context.channel("members")
        answer = await members.ask(members.stub(StaffStub).GetStaffSettings, pb.GetStaffSettingsRequest())
        return _settings(answer.settings)


@strawberry.type
class StaffMutation:
    """Changing. To say the same again changes nothing, so these go as calls that may be repeated."""

    @mutation(STAFF_WRITERS, description="Adds or changes staff, by their code.")
    async def save_staff(self, info: Info, wish: Annotated[SaveStaffInput, INPUT]) -> SaveStaffPayload:
        """Save staff."""
        members = info.context.channel("members")
        request = pb.SaveStaffRequest(staff=[_proto(one) for one in wish.staff])
        answer = await members.ask(members.stub(StaffStub).SaveStaff, request)
        return SaveStaffPayload(user_errors=[], staff=[staff_member(one) for one in answer.staff])

    @mutation(STAFF_WRITERS, description="Notes who has passed which course; the latest of a course holds.")
    async def record_training(self, info: Info, wish: Annotated[RecordTrainingInput, INPUT]) -> RecordTrainingPayload:
        """Note training."""
        records = [
            pb.PassedCourse(
                staff_id=one.staff_id,
                record=pb.TrainingRecord(course=one.course, passed_on=one.passed_on, valid_until=one.valid_until or ""),
            )
            for one in wish.records
        ]
        members = info.context.channel("members")
        request = pb.RecordTrainingRequest(records=records)
        answer = await members.ask(members.stub(StaffStub).RecordTraining, request)
        return RecordTrainingPayload(user_errors=[], staff=[staff_member(one) for one in answer.staff])

    @mutation(STAFF_WRITERS, description="Decides on courses, which roles need them, and how long visits are credited.")
    async def save_staff_settings(
        self, info: Info, wish: Annotated[SaveStaffSettingsInput, INPUT]
    ) -> SaveStaffSettingsPayload:
        """Save the settings."""
        settings = pb.StaffSettings(
            courses=[pb.Course(code=one.code, name=one.name) for one in wish.courses],
            required=[pb.RoleCourses(role=_number(one.role), courses=one.courses) for one in wish.required],
            # The contract's 0 is the usual number; whoever says 0 here has said something wrong.
            credit_months=wish.credit_months or -1,
        )
        members = info.context.channel("members")
        request = pb.SaveStaffSettingsRequest(settings=settings)
        answer = await members.ask(members.stub(StaffStub).SaveStaffSettings, request)
        return SaveStaffSettingsPayload(user_errors=[], settings=_settings(answer.settings))


def staff_member(one: pb.StaffMember) -> StaffMember:
    """Make it of the proto."""
    return StaffMember(
        id=strawberry.ID(one.id),
        code=one.code,
        name=one.name,
        email=one.email or None,
        roles=[_role(role) for role in one.roles],
        effective_roles=[_role(role) for role in one.effective_roles],
        store_ids=[strawberry.ID(store_id) for store_id in one.store_ids],
        regions=list(one.regions),
        member_id=strawberry.ID(one.member_id) if one.member_id else None,
        active=one.active,
        training=[
            TrainingRecord(course=each.course, passed_on=each.passed_on, valid_until=each.valid_until or None)
            for each in one.training
        ],
        version=one.version,
    )


def _proto(wish: StaffMemberInput) -> pb.StaffMember:
    return pb.StaffMember(
        code=wish.code,
        name=wish.name,
        email=wish.email or "",
        roles=[_number(role) for role in wish.roles],
        store_ids=wish.store_ids,
        regions=wish.regions,
        member_id=wish.member_id or "",
        active=wish.active,
    )


def _settings(settings: pb.StaffSettings) -> StaffSettings:
    return StaffSettings(
        courses=[Course(code=one.code, name=one.name) for one in settings.courses],
        required=[RoleCourses(role=_role(one.role), courses=list(one.courses)) for one in settings.required],
        credit_months=settings.credit_months,
        version=settings.version,
    )


def _number(role: StaffRole) -> pb.StaffRole.ValueType:
    return pb.StaffRole.Value(f"STAFF_ROLE_{role.name}")


def _role(number: pb.StaffRole.ValueType) -> StaffRole:
    return StaffRole[pb.StaffRole.Name(number).removeprefix("STAFF_ROLE_")]
