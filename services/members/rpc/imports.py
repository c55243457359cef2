"""Imports and the households that come along: the part of MemberJobs that brings in."""

from dataclasses import dataclass, replace
from typing import Any

from protos.members.v1 import jobs_pb2 as pb
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import to_timestamp
from services.members.domain.households import Household
from services.members.domain.imports import ImportJob, Policy, Refused, RowOutcome
from services.members.domain.members import Source
from services.members.rpc.member_words import moment, wanted_profile, written_identity
from services.members.rpc.pages import decoded, encoded, size
from services.members.usecases.changes import Change
from services.members.usecases.households import (
    HouseholdDesk,
    add_to_household,
    get_households,
    remove_from_household,
)
from services.members.usecases.import_consents import WrittenConsent
from services.members.usecases.import_rows import import_rows
from services.members.usecases.imports import (
    ImportDesk,
    ImportRow,
    WantedImport,
    close_import,
    create_import,
    get_import,
    list_imports,
)

POLICIES = {pb.DuplicatePolicy.Value(f"DUPLICATE_POLICY_{policy.name}"): policy for policy in Policy}
_OUTCOMES = {came: pb.RowOutcome.Value(f"ROW_OUTCOME_{came.name}") for came in RowOutcome}
_POLICY_OF = {policy: number for number, policy in POLICIES.items()}


@dataclass(frozen=True, slots=True)
class ImportDesks:
    """What the calls need."""

    imports: ImportDesk
    households: HouseholdDesk


class ImportCalls:
    """Each call is one use case."""

    desks: ImportDesks
    clocks: ChainClocks

    async def CreateImportJob(self, request: pb.CreateImportJobRequest, _context: Any) -> pb.ImportJob:  # noqa: N802 - gRPC's name
        """Open an import."""
        wanted = WantedImport(
            kind=request.kind,
            file_name=request.file_name,
            rows_expected=request.rows_expected,
            policy=POLICIES.get(request.duplicates),
            dry_run=request.dry_run,
        )
        change = await self._by(request.key)
        return import_proto(await create_import(wanted, change=change, desk=self.desks.imports))

    async def ImportRows(self, request: pb.ImportRowsRequest, _context: Any) -> pb.ImportRowsResponse:  # noqa: N802 - gRPC's name
        """Take rows."""
        rows = [_row(one) for one in request.rows]
        chunk, job = await import_rows(
            request.job_id, request.first, rows, change=await self._by(""), desk=self.desks.imports
        )
        return pb.ImportRowsResponse(
            refused_rows=[_refused(one) for one in chunk.refused],
            members=[
                pb.RowMember(row=row, member_id=member, outcome=_OUTCOMES[came]) for row, member, came in chunk.members
            ],
            job=import_proto(replace(job, refused=())),
        )

    async def CloseImportJob(self, request: pb.CloseImportJobRequest, _context: Any) -> pb.ImportJob:  # noqa: N802 - gRPC's name
        """End an import."""
        return import_proto(await close_import(request.job_id, change=await self._by(""), desk=self.desks.imports))

    async def GetImportJob(self, request: pb.GetImportJobRequest, _context: Any) -> pb.ImportJob:  # noqa: N802 - gRPC's name
        """Show how far an import is."""
        who = caller()
        now = await self.clocks.now(who.chain)
        return import_proto(await get_import(request.job_id, caller=who, now=now, desk=self.desks.imports))

    async def ListImportJobs(  # noqa: N802 - gRPC's name
        self, request: pb.ListImportJobsRequest, _context: Any
    ) -> pb.ListImportJobsResponse:
        """Show the latest imports."""
        first = size(request.page)
        found = await list_imports(
            caller=caller(), before=decoded(request.page.after), first=first, desk=self.desks.imports
        )
        return pb.ListImportJobsResponse(
            jobs=[import_proto(one) for one in found[:first]],
            end_cursor=encoded(found[first - 1].id) if len(found) > first else "",
        )

    async def GetHouseholds(  # noqa: N802 - gRPC's name
        self, request: pb.GetHouseholdsRequest, _context: Any
    ) -> pb.GetHouseholdsResponse:
        """Show households."""
        found = await get_households(request.member_ids, caller=caller(), desk=self.desks.households)
        return pb.GetHouseholdsResponse(
            households=[household_proto(one) for one in found.values()], asked_ids=list(found)
        )

    async def AddToHousehold(self, request: pb.HouseholdMemberRequest, _context: Any) -> pb.Household:  # noqa: N802 - gRPC's name
        """Add a member to a household."""
        who = caller()
        now = await self.clocks.now(who.chain)
        return household_proto(
            await add_to_household(request.code, request.member_id, caller=who, now=now, desk=self.desks.households)
        )

    async def RemoveFromHousehold(self, request: pb.HouseholdMemberRequest, _context: Any) -> pb.Household:  # noqa: N802 - gRPC's name
        """Take a member out of a household."""
        who = caller()
        now = await self.clocks.now(who.chain)
        return household_proto(
            await remove_from_household(
                request.code, request.member_id, caller=who, now=now, desk=self.desks.households
            )
        )

    async def _by(self, key: str) -> Change:
        who = caller()
        return Change(key, who, await self.clocks.now(who.chain), current_traceparent())


def import_proto(job: ImportJob) -> pb.ImportJob:
    """Return the import."""
    counts = job.counts
    return pb.ImportJob(
        id=job.id,
        kind=job.kind,
        file_name=job.file_name,
        rows_expected=job.rows_expected,
        duplicates=_POLICY_OF[job.policy],
        dry_run=job.dry_run,
        created_by=job.by,
        created_at=to_timestamp(job.created_at),
        closed_at=None if job.closed_at is None else to_timestamp(job.closed_at),
        rows_done=counts.rows,
        enrolled=counts.enrolled,
        updated=counts.updated,
        skipped=counts.skipped,
        refused=counts.refused,
        merged=counts.merged,
        refused_rows=[_refused(one) for one in job.refused],
        latest_rows=0 if job.latest is None else job.latest.counts.rows,
    )


def household_proto(household: Household) -> pb.Household:
    """Return the household."""
    return pb.Household(id=household.id, code=household.code, member_ids=household.members)


def _row(row: pb.ImportedRow) -> ImportRow:
    source = row.source
    return ImportRow(
        row=row.row,
        profile=wanted_profile(row.profile),
        identities=tuple(written_identity(one) for one in row.profile.identities),
        enrolled_at=moment(row.enrolled_at) if row.HasField("enrolled_at") else None,
        source=Source(
            store=source.store_id,
            staff=source.staff_id,
            campaign=source.campaign,
            referrer=source.referrer_id,
            partner=source.partner,
            link=source.link,
        ),
        tags=tuple(row.tags),
        household=row.household,
        consents=tuple(_consent(one) for one in row.consents),
        # Files name referrers by their ids: a code would say that somebody is brought now, and is to be rewarded.
        unreadable=row.unreadable_field or ("source.referralCode" if source.referral_code else ""),
        tell_member=row.tell_member,
    )


def _consent(one: pb.ImportedConsent) -> WrittenConsent:
    at = moment(one.at) if one.HasField("at") else None
    return WrittenConsent(one.channel, one.purpose, one.granted, one.text_version, at)


def _refused(one: Refused) -> pb.RefusedRow:
    return pb.RefusedRow(row=one.row, code=one.code, field=one.field)
