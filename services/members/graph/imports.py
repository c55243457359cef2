"""Imports of members in the graph: a job that any client may feed and watch."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import jobs_pb2 as pb
from protos.members.v1 import members_pb2
from protos.members.v1.jobs_pb2_grpc import MemberJobsStub
from services.kit.graph import (
    INPUT,
    After,
    Caller,
    Connection,
    First,
    Info,
    Instant,
    Kind,
    Page,
    Problem,
    SafeInt,
    UserError,
    allow,
    field,
    instant,
    mutation,
    timestamp,
)
from services.members.graph.consents import ContactChannel, Purpose
from services.members.graph.enrollment import ProfileInput, SourceInput, profile_proto

IMPORTERS = allow(Caller.STAFF, scope="members:import")
ROWS_TAKE_S = 30.0


@strawberry.enum(description="What to do with a row when somebody has one of its identities already.")
class DuplicatePolicy(Enum):
    """Named as in the proto."""

    SKIP = strawberry.enum_value(
        "SKIP",
        description="Leave the member as it is, and count the row. A row with an own id (external) that nobody has "
        "names somebody else: when another of its identities is taken, it is wrong.",
    )
    UPDATE = strawberry.enum_value(
        "UPDATE", description="Overwrite what the row says; add tags, preferences and free identities."
    )
    REFUSE = strawberry.enum_value("REFUSE", description="The row is wrong.")
    MERGE = strawberry.enum_value(
        "MERGE", description="Update; and when the identities belong to several members, these become one."
    )


@strawberry.enum(description="What came of a row that went in.")
class RowOutcome(Enum):
    """Named as in the proto."""

    ENROLLED = strawberry.enum_value("ENROLLED", description="It made a new member.")
    UPDATED = strawberry.enum_value("UPDATED", description="It changed a known one, or says what is known of it.")
    SKIPPED = strawberry.enum_value("SKIPPED", description="A known one was left alone.")
    MERGED = strawberry.enum_value("MERGED", description="It made one of several members.")


@strawberry.type(description="A row that did not go in. It says nothing of the person.")
class RefusedRow:
    """A refused row."""

    row: SafeInt = strawberry.field(description="Its number in the file.")
    code: str = strawberry.field(description='Why, like "INVALID_IDENTITY": codes as of `enrollMember` and the like.')
    at_field: str | None = strawberry.field(description='Like "profile.birthday"; null: none in particular.')


@strawberry.type(description="An import: what was asked for, and how far it is.")
class ImportJob:
    """A job."""

    id: strawberry.ID = strawberry.field(description="`imp_…`.")
    file_name: str = strawberry.field(description="As people call it.")
    rows_expected: SafeInt | None = strawberry.field(description="How many rows will come; null: not known.")
    duplicates: DuplicatePolicy = strawberry.field(description="What to do with who is known.")
    dry_run: bool = strawberry.field(description="It decides, and writes nothing.")
    created_by: str = strawberry.field(description='Like "staff:key_…".')
    created_at: Instant = strawberry.field(description="When it was opened.")
    closed_at: Instant | None = strawberry.field(description="When it ended; null: more rows may come.")
    rows_done: SafeInt = strawberry.field(description="All rows that were taken; the next one has this place.")
    enrolled: SafeInt = strawberry.field(description="Rows that made new members.")
    updated: SafeInt = strawberry.field(description="Rows that changed known ones.")
    skipped: SafeInt = strawberry.field(description="Rows of known ones that were left alone.")
    refused: SafeInt = strawberry.field(description="Rows that did not go in.")
    merged: SafeInt = strawberry.field(description="Of the updated, those that made one of several members.")
    refused_rows: list[RefusedRow] = strawberry.field(
        description="The first 1,000; empty in lists and in answers to rows, which tell their own."
    )
    latest_rows: int = strawberry.field(
        description="How many rows the latest call had: they may be sent again, to learn what came of them."
    )


@strawberry.input(description="An import.")
class CreateImportJobInput:
    """An import to open."""

    key: str = strawberry.field(description="The command key: the same one opens the same job.")
    file_name: str = strawberry.field(description="As people call it; 1 to 200 characters.")
    rows_expected: SafeInt = strawberry.field(default=SafeInt(0), description="As far as known; 0: not known.")
    duplicates: DuplicatePolicy = strawberry.field(
        default=DuplicatePolicy.SKIP, description="What to do with who is known."
    )
    dry_run: bool = strawberry.field(default=False, description="Decide, and write nothing.")


@strawberry.input(description="What a guest agreed to, as the file has it.")
class ImportedConsentInput:
    """A consent."""

    channel: ContactChannel = strawberry.field(description="By what.")
    purpose: Purpose = strawberry.field(description="For what.")
    granted: bool = strawberry.field(description="False: taken back.")
    text_version: str | None = strawberry.field(default=None, description="Which words; up to 64 characters.")
    at: Instant | None = strawberry.field(
        default=None, description="When; null: on joining, so that whatever was said here since holds."
    )


@strawberry.input(description="A row of the file.")
class ImportedRowInput:
    """A row."""

    row: SafeInt = strawberry.field(description="Its number in the file, for people.")
    profile: ProfileInput = strawberry.field(description="Who it is, with one identity at least.")
    enrolled_at: Instant | None = strawberry.field(default=None, description="When it joined; null: now.")
    store_id: strawberry.ID | None = strawberry.field(default=None, description="Where it joined.")
    source: SourceInput | None = strawberry.field(default=None, description="Who or what brought it.")
    tags: list[str] = strawberry.field(default_factory=list, description="Up to 100.")
    household: str | None = strawberry.field(
        default=None, description="The chain's own code: members with the same one are a household."
    )
    consents: list[ImportedConsentInput] = strawberry.field(default_factory=list, description="Up to 50.")
    unreadable_field: str | None = strawberry.field(
        default=None, description="The client could not read this field: the row counts as refused."
    )
    tell_member: bool = strawberry.field(default=False, description="Answer with the member of this row.")


@strawberry.input(description="The next rows of an import.")
class ImportRowsInput:
    """Rows."""

    job_id: strawberry.ID = strawberry.field(description="`imp_…`.")
    first: SafeInt = strawberry.field(
        description="The place of the first of these rows among all that are sent: how many came before it."
    )
    rows: list[ImportedRowInput] = strawberry.field(
        description="Up to 1,000, in one transaction; a bad one fails alone."
    )


@strawberry.input(description="An import that has all its rows.")
class CloseImportJobInput:
    """An import to close."""

    job_id: strawberry.ID = strawberry.field(description="`imp_…`.")


@strawberry.enum(description="Why an import was not opened, fed or closed.")
class ImportErrorCode(Enum):
    """Codes of `ImportError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    INVALID_IMPORT = strawberry.enum_value("INVALID_IMPORT", description="No import can be like that.")
    IMPORT_NOT_FOUND = strawberry.enum_value("IMPORT_NOT_FOUND", description="There is no such import.")
    IMPORT_CLOSED = strawberry.enum_value("IMPORT_CLOSED", description="It has ended.")
    WRONG_PLACE = strawberry.enum_value("WRONG_PLACE", description="The next row has another place.")
    ROWS_CHANGED = strawberry.enum_value("ROWS_CHANGED", description="These rows were sent before with other content.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why an import was not opened, fed or closed.")
class ImportError(UserError):  # noqa: A001 - the graph's name; nobody imports by it
    """An item of `userErrors`."""

    code: ImportErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The import, or why there is none.")
class ImportJobPayload:
    """An import as it is now."""

    user_errors: list[ImportError] = strawberry.field(description="Empty: it is as it should be.")
    job: ImportJob | None = strawberry.field(default=None, description="As it is now; null when something was wrong.")


@strawberry.type(description="Who a row is.")
class RowMember:
    """A row's member."""

    row: SafeInt = strawberry.field(description="Its number in the file.")
    member_id: strawberry.ID = strawberry.field(description="`mem_…`.")
    outcome: RowOutcome = strawberry.field(description="What came of the row.")


@strawberry.type(description="What came of rows, or why none was taken.")
class ImportRowsPayload:
    """The answer to rows."""

    user_errors: list[ImportError] = strawberry.field(description="Empty: they were taken.")
    refused_rows: list[RefusedRow] = strawberry.field(
        default_factory=list, description="Those of these rows that did not go in."
    )
    members: list[RowMember] = strawberry.field(
        default_factory=list, description="Of the rows that asked; of a dry run only members that are there."
    )
    job: ImportJob | None = strawberry.field(default=None, description="How far the import is.")


@strawberry.type
class ImportQuery:
    """Watching."""

    @field(IMPORTERS, description="An import; null: there is no such one.")
    async def import_job(
        self, info: Info, job_id: Annotated[strawberry.ID, strawberry.argument(description="`imp_…`.")]
    ) -> ImportJob | None:
        """Ask how far it is."""
        members = info.context.channel("members")
        try:
            return _job(
                await members.ask(members.stub(MemberJobsStub).GetImportJob, pb.GetImportJobRequest(job_id=job_id))
            )
        except Problem as problem:
            if problem.kind is Kind.NOT_FOUND:
                return None
            raise

    @field(IMPORTERS, description="The chain's imports, the latest first.")
    async def import_jobs(self, info: Info, first: First = 20, after: After = None) -> Connection[ImportJob]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        members = info.context.channel("members")
        request = pb.ListImportJobsRequest(page=page.to_proto())
        answer = await members.ask(members.stub(MemberJobsStub).ListImportJobs, request)
        return Connection.of([_job(one) for one in answer.jobs], page, end_cursor=answer.end_cursor)


@strawberry.type
class ImportMutation:
    """Importing. Each call can be sent again: by its key, or by the place of its rows."""

    @mutation(IMPORTERS, description="Opens an import of members. Its rows follow in their order.")
    async def create_import_job(self, info: Info, wish: Annotated[CreateImportJobInput, INPUT]) -> ImportJobPayload:
        """Open an import."""
        members = info.context.channel("members")
        request = pb.CreateImportJobRequest(
            key=wish.key,
            kind="members",
            file_name=wish.file_name,
            rows_expected=wish.rows_expected,
            duplicates=pb.DuplicatePolicy.Value(f"DUPLICATE_POLICY_{wish.duplicates.name}"),
            dry_run=wish.dry_run,
        )
        answer = await members.ask(members.stub(MemberJobsStub).CreateImportJob, request)
        return ImportJobPayload(user_errors=[], job=_job(answer))

    @mutation(
        IMPORTERS, description="Takes the next rows. The latest ones may be sent again: they get the same answer."
    )
    async def import_rows(self, info: Info, wish: Annotated[ImportRowsInput, INPUT]) -> ImportRowsPayload:
        """Feed an import."""
        members = info.context.channel("members")
        request = pb.ImportRowsRequest(job_id=wish.job_id, first=wish.first, rows=[_row(one) for one in wish.rows])
        answer = await members.ask(members.stub(MemberJobsStub).ImportRows, request, timeout_s=ROWS_TAKE_S)
        return ImportRowsPayload(
            user_errors=[],
            refused_rows=[_refused(one) for one in answer.refused_rows],
            members=[_row_member(one) for one in answer.members],
            job=_job(answer.job),
        )

    @mutation(IMPORTERS, description="Ends an import: no more rows. To close it again changes nothing.")
    async def close_import_job(self, info: Info, wish: Annotated[CloseImportJobInput, INPUT]) -> ImportJobPayload:
        """Close an import."""
        members = info.context.channel("members")
        request = pb.CloseImportJobRequest(job_id=wish.job_id)
        return ImportJobPayload(
            user_errors=[], job=_job(await members.ask(members.stub(MemberJobsStub).CloseImportJob, request))
        )


def _row(wish: ImportedRowInput) -> pb.ImportedRow:
    profile, _ = profile_proto(wish.profile)
    profile.identities.extend(
        members_pb2.Identity(kind=members_pb2.IdentityKind.Value(f"IDENTITY_KIND_{one.kind.name}"), value=one.value)
        for one in wish.profile.identities
    )
    source = wish.source or SourceInput()
    return pb.ImportedRow(
        row=wish.row,
        profile=profile,
        enrolled_at=None if wish.enrolled_at is None else timestamp(wish.enrolled_at),
        source=members_pb2.Source(
            store_id=wish.store_id or "",
            staff_id=source.staff_id or "",
            campaign=source.campaign or "",
            referrer_id=source.referrer_id or "",
            partner=source.partner or "",
            link=source.link or "",
        ),
        tags=wish.tags,
        household=wish.household or "",
        consents=[
            pb.ImportedConsent(
                channel=one.channel.name.lower(),
                purpose=one.purpose.name.lower(),
                granted=one.granted,
                text_version=one.text_version or "",
                at=None if one.at is None else timestamp(one.at),
            )
            for one in wish.consents
        ],
        unreadable_field=wish.unreadable_field or "",
        tell_member=wish.tell_member,
    )


def _job(job: pb.ImportJob) -> ImportJob:
    return ImportJob(
        id=strawberry.ID(job.id),
        file_name=job.file_name,
        rows_expected=SafeInt(job.rows_expected) if job.rows_expected else None,
        duplicates=DuplicatePolicy[pb.DuplicatePolicy.Name(job.duplicates).removeprefix("DUPLICATE_POLICY_")],
        dry_run=job.dry_run,
        created_by=job.created_by,
        created_at=instant(job.created_at),
        closed_at=instant(job.closed_at) if job.HasField("closed_at") else None,
        rows_done=SafeInt(job.rows_done),
        enrolled=SafeInt(job.enrolled),
        updated=SafeInt(job.updated),
        skipped=SafeInt(job.skipped),
        refused=SafeInt(job.refused),
        merged=SafeInt(job.merged),
        refused_rows=[_refused(one) for one in job.refused_rows],
        latest_rows=job.latest_rows,
    )


def _row_member(one: pb.RowMember) -> RowMember:
    outcome = RowOutcome[pb.RowOutcome.Name(one.outcome).removeprefix("ROW_OUTCOME_")]
    return RowMember(row=SafeInt(one.row), member_id=strawberry.ID(one.member_id), outcome=outcome)


def _refused(one: pb.RefusedRow) -> RefusedRow:
    return RefusedRow(row=SafeInt(one.row), code=one.code, at_field=one.field or None)
