"""Imports as their callers make them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from protos.members.v1 import jobs_pb2 as pb
from protos.members.v1 import members_pb2
from protos.members.v1.jobs_pb2_grpc import MemberJobsStub
from services.kit.principal import Principal
from tests.support.members_service import MembersService, staff

if TYPE_CHECKING:
    from protos.members.v1.jobs_pb2_grpc import MemberJobsAsyncStub


def row(number: int, *identities: members_pb2.Identity, name: str = "Li", **said: object) -> pb.ImportedRow:
    profile = members_pb2.Profile(name=name, identities=identities)
    return pb.ImportedRow(row=number, profile=profile, **said)  # type: ignore[arg-type]  # each test names what it says


@dataclass
class Importer:
    """Imports into one chain."""

    service: MembersService
    chain: str

    @property
    def stub(self) -> "MemberJobsAsyncStub":
        return self.service.channel.stub(MemberJobsStub)

    @property
    def by(self) -> Principal:
        return staff(self.chain)

    async def open(self, policy: str = "SKIP", *, dry_run: bool = False, key: str = "") -> str:
        request = pb.CreateImportJobRequest(
            key=key or uuid4().hex,
            kind="members",
            file_name="guests.csv",
            rows_expected=3,
            duplicates=pb.DuplicatePolicy.Value(f"DUPLICATE_POLICY_{policy}"),
            dry_run=dry_run,
        )
        return str((await self.service.call(self.stub.CreateImportJob, request, self.by)).id)

    def rows(self, job: str, first: int, *rows: pb.ImportedRow) -> pb.ImportRowsRequest:
        return pb.ImportRowsRequest(job_id=job, first=first, rows=rows)

    async def send(self, job: str, first: int, *rows: pb.ImportedRow) -> pb.ImportRowsResponse:
        answer: pb.ImportRowsResponse = await self.service.call(
            self.stub.ImportRows, self.rows(job, first, *rows), self.by
        )
        return answer

    async def job(self, id_: str) -> pb.ImportJob:
        found: pb.ImportJob = await self.service.call(
            self.stub.GetImportJob, pb.GetImportJobRequest(job_id=id_), self.by
        )
        return found

    async def close(self, id_: str) -> pb.ImportJob:
        closed: pb.ImportJob = await self.service.call(
            self.stub.CloseImportJob, pb.CloseImportJobRequest(job_id=id_), self.by
        )
        return closed

    async def owners(self, *identities: members_pb2.Identity) -> list[str]:
        return await self.service.resolve(identities, self.by)


def counts(job: pb.ImportJob) -> tuple[int, int, int, int, int]:
    """Return how many were enrolled, updated, skipped, refused, and merged."""
    return job.enrolled, job.updated, job.skipped, job.refused, job.merged


def refused(answer: pb.ImportRowsResponse) -> list[tuple[int, str, str]]:
    return [(one.row, one.code, one.field) for one in answer.refused_rows]
