"""The Programs servicer: translate, call one use case, translate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from protos.points.v1 import programs_pb2 as pb
from protos.points.v1 import programs_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.ids import MakeId
from services.kit.rpc.server import caller
from services.kit.timestamps import from_timestamp, to_timestamp
from services.points.domain.program_versions import DraftHead, VersionHead
from services.points.domain.programs import EVER_SINCE, Program
from services.points.events.programs import program_message, program_of
from services.points.usecases import program_desk
from services.points.usecases.dry_run import DryRunDesk, DryRunProgress, dry_run
from services.points.usecases.ledger import Call
from services.points.usecases.program_desk import ProgramStore

TELL_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class ProgramsServicer(programs_pb2_grpc.ProgramsServicer):
    """protos/points/v1/programs.proto."""

    store: ProgramStore
    dry_runs: DryRunDesk
    clocks: ChainClocks
    make_id: MakeId

    async def SaveDraft(self, request: pb.SaveDraftRequest, _context: Any) -> pb.SaveDraftResponse:  # noqa: N802 - gRPC's name
        """Keep a draft."""
        head, repeated = await program_desk.save_draft(
            request.key,
            name=request.name,
            program=program_of(request.program, at="program"),
            expected=request.expected_revision,
            call=await self._call(),
            store=self.store,
        )
        return pb.SaveDraftResponse(draft=_draft_head(head), repeated_call=repeated)

    async def GetPrograms(self, _request: pb.GetProgramsRequest, _context: Any) -> pb.GetProgramsResponse:  # noqa: N802 - gRPC's name
        """Read what there is."""
        found = await program_desk.overview(chain=caller().chain, now=await self._now(), store=self.store)
        return pb.GetProgramsResponse(
            live=_version(found.live_head, found.live),
            versions=[_version_head(head) for head in found.heads],
            drafts=[_draft_head(head) for head in found.drafts],
            time_zone=found.zone,
        )

    async def GetProgramVersion(  # noqa: N802 - gRPC's name
        self, request: pb.GetProgramVersionRequest, _context: Any
    ) -> pb.GetProgramVersionResponse:
        """Read one version."""
        head, program = await program_desk.version(request.version, chain=caller().chain, store=self.store)
        return pb.GetProgramVersionResponse(version=_version(head, program))

    async def GetDraft(self, request: pb.GetDraftRequest, _context: Any) -> pb.GetDraftResponse:  # noqa: N802 - gRPC's name
        """Read one draft."""
        draft = await program_desk.draft_named(request.name, chain=caller().chain, store=self.store)
        shown = pb.Draft(head=_draft_head(draft.head), program=program_message(draft.program))
        return pb.GetDraftResponse(draft=shown)

    async def DiffDraft(self, request: pb.DiffDraftRequest, _context: Any) -> pb.DiffDraftResponse:  # noqa: N802 - gRPC's name
        """Compare a draft with what is live."""
        live, head, changes = await program_desk.diff_draft(
            request.name, chain=caller().chain, now=await self._now(), store=self.store
        )
        return pb.DiffDraftResponse(
            live_version=live.version,
            revision=head.revision,
            changes=[pb.ProgramChange(path=one.path, before=one.before, after=one.after) for one in changes],
        )

    async def PublishDraft(self, request: pb.PublishDraftRequest, _context: Any) -> pb.PublishDraftResponse:  # noqa: N802 - gRPC's name
        """Make a draft the next version."""
        head, repeated = await program_desk.publish_draft(
            request.key,
            name=request.name,
            expected=request.expected_revision,
            effective_from=from_timestamp(request.effective_from) if request.HasField("effective_from") else None,
            call=await self._call(),
            store=self.store,
        )
        return pb.PublishDraftResponse(version=_version_head(head), repeated_call=repeated)

    async def DeleteDraft(self, request: pb.DeleteDraftRequest, _context: Any) -> pb.DeleteDraftResponse:  # noqa: N802 - gRPC's name
        """Forget a draft."""
        repeated = await program_desk.delete_draft(
            request.key,
            name=request.name,
            expected=request.expected_revision,
            call=await self._call(),
            store=self.store,
        )
        return pb.DeleteDraftResponse(repeated_call=repeated)

    async def DryRun(self, request: pb.DryRunRequest, _context: Any) -> AsyncIterator[pb.DryRunProgress]:  # noqa: N802 - gRPC's name
        """Try a draft on a past month; a caller that goes cuts it short."""
        loop = asyncio.get_running_loop()
        told_at = loop.time() - TELL_EVERY_S
        steps = dry_run(request.name, request.month, chain=caller().chain, now=await self._now(), desk=self.dry_runs)
        async with aclosing(steps):
            async for progress in steps:
                if progress.done or loop.time() - told_at >= TELL_EVERY_S:
                    yield _progress(progress)
                    told_at = loop.time()

    async def _call(self) -> Call:
        return Call(caller(), await self._now(), self.make_id)

    async def _now(self) -> datetime:
        return await self.clocks.now(caller().chain)


def _version(head: VersionHead, program: Program) -> pb.ProgramVersion:
    return pb.ProgramVersion(head=_version_head(head), program=program_message(program))


def _version_head(head: VersionHead) -> pb.VersionHead:
    return pb.VersionHead(
        version=head.version,
        effective_from=None if head.effective_from == EVER_SINCE else to_timestamp(head.effective_from),
        published_at=to_timestamp(head.published_at) if head.published_at else None,
        published_by=head.published_by,
        draft_name=head.draft,
    )


def _draft_head(head: DraftHead) -> pb.DraftHead:
    return pb.DraftHead(
        name=head.name, revision=head.revision, saved_at=to_timestamp(head.saved_at), saved_by=head.saved_by
    )


def _progress(progress: DryRunProgress) -> pb.DryRunProgress:
    run = progress.run
    result = None
    if progress.done:
        keys = {**run.booked, **run.by_draft}
        result = pb.DryRunResult(
            month=progress.month,
            revision=progress.draft.revision,
            receipts=run.receipts,
            spend_minor=run.spend_minor,
            points_booked=run.points(run.booked),
            points_by_draft=run.points(run.by_draft),
            rules=[
                pb.DryRunRule(
                    rule=key[0], currency=key[1], booked=run.booked.get(key, 0), by_draft=run.by_draft.get(key, 0)
                )
                for key in sorted(keys)
            ],
            receipts_without_facts=run.without_facts,
        )
    return pb.DryRunProgress(receipts=run.receipts, receipts_in_all=progress.in_all, result=result)
