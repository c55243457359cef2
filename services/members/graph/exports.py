"""Lists written to files, in the graph. The files themselves come over HTTP."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import exports_pb2 as pb
from protos.members.v1.exports_pb2_grpc import ExportsStub
from services.kit.graph import (
    BY_ID,
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

EXPORTERS = allow(Caller.STAFF, scope="members:export")


@strawberry.enum(description="A list that can be exported.")
class ExportList(Enum):
    """Named as in the proto."""

    MEMBERS = strawberry.enum_value("MEMBERS", description="Needs members:read; columns by the caller's role.")
    CONSENTS = strawberry.enum_value("CONSENTS", description="All that was ever said. Needs members:read.")
    HOUSEHOLDS = strawberry.enum_value("HOUSEHOLDS", description="Who lives in which. Needs members:read.")
    STAFF_CREDITS = strawberry.enum_value(
        "STAFF_CREDITS", description="By staff member, store and month. Needs staff:read."
    )
    LOOKS = strawberry.enum_value("LOOKS", description="Who looked at personal data. Needs members:audit.")


@strawberry.enum(description="How a file is written.")
class ExportFormat(Enum):
    """Named as in the proto."""

    CSV = strawberry.enum_value(
        "CSV", description="RFC 4180 in UTF-8; what a spreadsheet would compute stands behind an apostrophe."
    )
    XLSX = strawberry.enum_value("XLSX", description="For spreadsheets; a further sheet after each 1,048,576 rows.")


@strawberry.enum(description="How far an export is.")
class ExportState(Enum):
    """Named as in the proto."""

    QUEUED = strawberry.enum_value("QUEUED", description="It waits for its turn.")
    RUNNING = strawberry.enum_value("RUNNING", description="It is being written.")
    DONE = strawberry.enum_value("DONE", description="The file can be fetched.")
    FAILED = strawberry.enum_value("FAILED", description="It cannot be written: see `failure`.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="Somebody has stopped it.")
    DESTROYED = strawberry.enum_value("DESTROYED", description="Somebody who is in it was erased.")


@strawberry.type(description="That somebody fetched a file.")
class ExportFetch:
    """A fetch."""

    by: str = strawberry.field(description='Who: "staff:key_…".')
    at: Instant = strawberry.field(description="When.")


@strawberry.type(description="A list written to a file.")
class Export:
    """An export."""

    id: strawberry.ID = strawberry.field(description="`exp_…`.")
    of: ExportList = strawberry.field(name="list", description="Which list.")
    format: ExportFormat = strawberry.field(description="How it is written.")
    columns: list[str] = strawberry.field(description="Its columns, in their order.")
    state: ExportState = strawberry.field(description="How far it is.")
    rows_done: SafeInt = strawberry.field(description="Rows that are written.")
    rows_estimated: SafeInt | None = strawberry.field(
        description="About how many there will be; null: not counted yet, or more than 5,000,000."
    )
    bytes: SafeInt = strawberry.field(description="Of the file so far.")
    created_by: str = strawberry.field(description='Like "staff:key_…".')
    created_at: Instant = strawberry.field(description="When it was asked for.")
    finished_at: Instant | None = strawberry.field(description="When it came to its end.")
    expires_at: Instant = strawberry.field(description="When the file is deleted, unless ten later ones come first.")
    failure: str | None = strawberry.field(description='Why it failed, as a code: "FILE_TOO_LARGE" ….')
    file_name: str = strawberry.field(description="What the file is called.")
    path: str | None = strawberry.field(
        description="Where the file can be fetched with the same key, on the host of this API; null: not yet, or not"
        " any more."
    )
    fetches: list[ExportFetch] = strawberry.field(description="The latest 20.")


@strawberry.type
class ExportQuery:
    """Exports."""

    @field(EXPORTERS, description="An export; null when there is none, or none that the caller may fetch.")
    async def export(self, info: Info, export_id: Annotated[strawberry.ID, BY_ID]) -> Export | None:
        """Ask for one."""
        members = info.context.channel("members")
        try:
            found = await members.ask(members.stub(ExportsStub).GetExport, pb.GetExportRequest(id=export_id))
        except Problem as problem:
            if problem.kind is Kind.NOT_FOUND:
                return None
            raise
        return _export(found)

    @field(EXPORTERS, description="The chain's exports that the caller may fetch, the latest first.")
    async def exports(self, info: Info, first: First = 20, after: After = None) -> Connection[Export]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        members = info.context.channel("members")
        request = pb.ListExportsRequest(page=page.to_proto())
        answer = await members.ask(members.stub(ExportsStub).ListExports, request)
        return Connection.of([_export(one) for one in answer.exports], page, end_cursor=answer.end_cursor)


@strawberry.input(description="Which rows. A list refuses what it cannot be asked by.")
class ExportFilterInput:
    """A filter."""

    since: Instant | None = strawberry.field(
        default=None, description="From then on: members by enrollment, the others but credits by their own time."
    )
    until: Instant | None = strawberry.field(default=None, description="Before then.")
    store_id: strawberry.ID | None = strawberry.field(
        default=None, description="Members enrolled there, credits earned there."
    )
    tag: str | None = strawberry.field(default=None, description="Members who have it.")
    month: str | None = strawberry.field(default=None, description='Credits of it; "2026-03".')


@strawberry.input(description="What to write to a file.")
class StartExportInput:
    """An export."""

    key: str = strawberry.field(description="The command key: the same one for each try.")
    of: ExportList = strawberry.field(name="list", description="Which list.")
    format: ExportFormat = strawberry.field(description="How to write it.")
    filter: ExportFilterInput | None = strawberry.field(default=None, description="Which rows; null: all.")
    columns: list[str] | None = strawberry.field(
        default=None, description="Which columns, in the order of the file; null: all that the caller's role sees."
    )


@strawberry.input(description="What to stop.")
class CancelExportInput:
    """An export."""

    id: strawberry.ID = strawberry.field(description="`exp_…`.")


@strawberry.enum(description="Why it was not done.")
class ExportErrorCode(Enum):
    """Codes of `ExportError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    INVALID_EXPORT = strawberry.enum_value("INVALID_EXPORT", description="No export can be like that.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    EXPORT_NOT_FOUND = strawberry.enum_value(
        "EXPORT_NOT_FOUND", description="There is none, or none that the caller may fetch."
    )
    TOO_MANY_EXPORTS = strawberry.enum_value("TOO_MANY_EXPORTS", description="Too many are being written.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")


@strawberry.type(description="Why it was not done.")
class ExportError(UserError):
    """An item of `userErrors`."""

    code: ExportErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The export as it is now, or why it was not done.")
class ExportPayload:
    """The answer."""

    user_errors: list[ExportError] = strawberry.field(description="Empty: it was done.")
    export: Export | None = strawberry.field(default=None, description="Null when it was not done.")


@strawberry.type
class ExportMutation:
    """Starting and stopping."""

    @mutation(
        EXPORTERS,
        description="Has a list written to a file; watch it with `export(id)`. The key makes it safe to send again. The"
        " latest ten of the chain are kept, for 30 days.",
    )
    async def start_export(self, info: Info, wish: Annotated[StartExportInput, INPUT]) -> ExportPayload:
        """Start an export."""
        members = info.context.channel("members")
        answer = await members.ask(members.stub(ExportsStub).StartExport, _request(wish))
        return ExportPayload(user_errors=[], export=_export(answer))

    @mutation(EXPORTERS, description="Stops an export and destroys what is written. One that is over stays as it is.")
    async def cancel_export(self, info: Info, wish: Annotated[CancelExportInput, INPUT]) -> ExportPayload:
        """Stop an export."""
        members = info.context.channel("members")
        answer = await members.ask(members.stub(ExportsStub).CancelExport, pb.CancelExportRequest(id=wish.id))
        return ExportPayload(user_errors=[], export=_export(answer))


def _request(wish: StartExportInput) -> pb.StartExportRequest:
    asked = ExportFilterInput() if wish.filter is None else wish.filter
    return pb.StartExportRequest(
        key=wish.key,
        list=pb.ExportList.Value(f"EXPORT_LIST_{wish.of.name}"),
        format=pb.ExportFormat.Value(f"EXPORT_FORMAT_{wish.format.name}"),
        filter=pb.ExportFilter(
            since=None if asked.since is None else timestamp(asked.since),
            until=None if asked.until is None else timestamp(asked.until),
            store_id=asked.store_id or "",
            tag=asked.tag or "",
            month=asked.month or "",
        ),
        columns=wish.columns or [],
    )


def _export(one: pb.Export) -> Export:
    return Export(
        id=strawberry.ID(one.id),
        of=ExportList[pb.ExportList.Name(one.list).removeprefix("EXPORT_LIST_")],
        format=ExportFormat[pb.ExportFormat.Name(one.format).removeprefix("EXPORT_FORMAT_")],
        columns=list(one.columns),
        state=ExportState[pb.ExportState.Name(one.state).removeprefix("EXPORT_STATE_")],
        rows_done=one.rows_done,
        rows_estimated=one.rows_estimated if one.HasField("rows_estimated") else None,
        bytes=one.bytes,
        created_by=one.created_by,
        created_at=instant(one.created_at),
        finished_at=instant(one.finished_at) if one.HasField("finished_at") else None,
        expires_at=instant(one.expires_at),
        failure=one.failure or None,
        file_name=one.file_name,
        path=f"/exports/{one.id}" if one.state == pb.EXPORT_STATE_DONE else None,
        fetches=[ExportFetch(by=fetch.by, at=instant(fetch.at)) for fetch in one.fetches],
    )
