"""The MemberJobs servicer."""

from dataclasses import dataclass

from protos.members.v1 import jobs_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.members.rpc.imports import ImportCalls, ImportDesks


@dataclass(frozen=True)
class MemberJobsServicer(ImportCalls, jobs_pb2_grpc.MemberJobsServicer):
    """protos/members/v1/jobs.proto."""

    desks: ImportDesks
    clocks: ChainClocks
