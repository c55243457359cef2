"""The Exports servicer."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from protos.members.v1 import exports_pb2 as pb
from protos.members.v1 import exports_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.clock import Clock
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from services.members.domain.export_files import Format
from services.members.domain.exports import Export, ExportState, Filter
from services.members.rpc.asking import change_of
from services.members.rpc.member_words import moment
from services.members.rpc.pages import decoded, encoded, size
from services.members.usecases.disclosure import disclose_member
from services.members.usecases.exports import (
    ExportDesk,
    WantedExport,
    cancel_export,
    fetch_export,
    get_export,
    list_exports,
    start_export,
)
from services.members.usecases.looks import Looks
from services.members.usecases.members import MemberFinder

FORMATS = {pb.ExportFormat.Value(f"EXPORT_FORMAT_{one.name}"): one for one in Format}
LISTS = {
    number: name.removeprefix("EXPORT_LIST_").lower()
    for name, number in pb.ExportList.items()
    if number != pb.EXPORT_LIST_UNSPECIFIED
}
STATES = {one: pb.ExportState.Value(f"EXPORT_STATE_{one.name}") for one in set(ExportState) - {ExportState.DROPPED}}

_FORMAT_OF = {one: number for number, one in FORMATS.items()}
_LIST_OF = {name: number for number, name in LISTS.items()}


@dataclass(frozen=True, slots=True)
class ExportsServicer(exports_pb2_grpc.ExportsServicer):
    """protos/members/v1/exports.proto. `clock` is the platform's own."""

    desk: ExportDesk
    members: MemberFinder
    looks: Looks
    clocks: ChainClocks
    clock: Clock

    async def StartExport(self, request: pb.StartExportRequest, _context: Any) -> pb.Export:  # noqa: N802 - gRPC's name
        """Start an export."""
        wanted = WantedExport(
            list=LISTS.get(request.list, ""),
            format=FORMATS.get(request.format),
            filter=_filter(request.filter),
            columns=tuple(request.columns),
        )
        change = await change_of(request.key, self.clocks)
        return export_proto(await start_export(wanted, change=change, platform_now=self.clock(), desk=self.desk))

    async def GetExport(self, request: pb.GetExportRequest, _context: Any) -> pb.Export:  # noqa: N802 - gRPC's name
        """Show how far an export is."""
        return export_proto(await get_export(request.id, caller=caller(), desk=self.desk))

    async def ListExports(self, request: pb.ListExportsRequest, _context: Any) -> pb.ListExportsResponse:  # noqa: N802 - gRPC's name
        """Show the exports that are kept."""
        before, first = decoded(request.page.after), size(request.page)
        found = [one for one in await list_exports(caller=caller(), desk=self.desk) if not before or one.id < before]
        return pb.ListExportsResponse(
            exports=[export_proto(one) for one in found[:first]],
            end_cursor=encoded(found[first - 1].id) if len(found) > first else "",
        )

    async def CancelExport(self, request: pb.CancelExportRequest, _context: Any) -> pb.Export:  # noqa: N802 - gRPC's name
        """Stop an export."""
        change = await change_of("", self.clocks)
        return export_proto(await cancel_export(request.id, change=change, desk=self.desk))

    async def DiscloseMember(  # noqa: N802 - gRPC's name
        self, request: pb.DiscloseMemberRequest, _context: Any
    ) -> pb.DiscloseMemberResponse:
        """Tell under which ids everything about a member lies."""
        who = caller()
        now = await self.clocks.now(who.chain)
        ids = await disclose_member(
            request.member_id,
            caller=who,
            look_id=self.desk.make_id("look", now),
            now=now,
            members=self.members,
            looks=self.looks,
        )
        return pb.DiscloseMemberResponse(member_ids=ids, at=to_timestamp(now))

    async def DownloadExport(  # noqa: N802 - gRPC's name
        self, request: pb.DownloadExportRequest, _context: Any
    ) -> AsyncIterator[pb.ExportChunk]:
        """Give the file, chunk by chunk."""
        who, number = caller(), request.first_chunk
        now = await self.clocks.now(who.chain)
        chunks = fetch_export(request.id, first_chunk=number, caller=who, now=now, desk=self.desk)
        async with aclosing(chunks):
            async for content in chunks:
                yield pb.ExportChunk(number=number, content=content)
                number += 1


def export_proto(export: Export) -> pb.Export:
    """Return the export."""
    return pb.Export(
        id=export.id,
        list=_LIST_OF[export.list],
        format=_FORMAT_OF[export.format],
        filter=_filter_proto(export.filter),
        columns=export.columns,
        state=STATES[export.state],
        rows_done=export.rows,
        rows_estimated=export.rows_estimated,
        bytes=export.place.size,
        chunks=export.chunks,
        created_by=export.by,
        created_at=to_timestamp(export.created_at),
        finished_at=None if export.finished_at is None else to_timestamp(export.finished_at),
        expires_at=to_timestamp(export.expires_at),
        failure=export.failure,
        file_name=export.file_name,
        fetches=[pb.ExportFetch(by=one.by, at=to_timestamp(one.at)) for one in export.fetches],
    )


def _filter(asked: pb.ExportFilter) -> Filter:
    return Filter(
        since=moment(asked.since) if asked.HasField("since") else None,
        until=moment(asked.until) if asked.HasField("until") else None,
        store=asked.store_id,
        tag=asked.tag,
        month=asked.month,
    )


def _filter_proto(wanted: Filter) -> pb.ExportFilter:
    return pb.ExportFilter(
        since=None if wanted.since is None else to_timestamp(wanted.since),
        until=None if wanted.until is None else to_timestamp(wanted.until),
        store_id=wanted.store,
        tag=wanted.tag,
        month=wanted.month,
    )
