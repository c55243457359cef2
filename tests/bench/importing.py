"""What a row of an import costs the members service: in a long file against a short one."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protos.members.v1 import chains_pb2, jobs_pb2, members_pb2
from protos.members.v1.chains_pb2_grpc import ChainsStub
from protos.members.v1.jobs_pb2_grpc import MemberJobsStub
from services.kit.principal import Caller, Principal
from services.kit.rpc import RpcChannel
from tests.bench import usage
from tests.bench.figures import ROUNDS, Figure, middle, spread, tell
from tests.bench.resolving import OPERATOR, Served, channel_to, served

IN_CALL = 1_000
SHORT = 10_000
"""Rows of the short file, unless the long one is too short for that."""

PART = 10
"""The short file has so many times fewer rows at least."""

LONG_ONCE = 200_000
"""From so many rows on a file is long enough for one round to tell."""


@dataclass(frozen=True, slots=True)
class Imported:
    """One side's round: `cpu_s` is the members process's alone."""

    rows: int
    cpu_s: float

    @property
    def us_per_row(self) -> float:
        """CPU microseconds of the members process for each row."""
        return 1e6 * self.cpu_s / self.rows


def import_growth(folder: Path, *, members: int) -> Figure:
    """Return CPU per row of a file of `members` rows against that of a short one."""
    with served(folder) as service:
        rounds = asyncio.run(_measured(service, members, min(SHORT, members // PART)))
    ratios = [long.us_per_row / short.us_per_row for long, short in rounds]
    return Figure(
        figure="members.import_growth",
        value=middle(ratios),
        unit="ratio",
        spread=spread(ratios),
        detail={
            "target": "<= 1.2",
            "long": _told([long for long, _ in rounds]),
            "short": _told([short for _, short in rounds]),
            "how": f"ImportRows over gRPC on loopback, {IN_CALL} rows in a call, one call after the other, each row "
            "somebody new with phone, name, tag and consent, each file in a chain of its own; CPU of the members "
            "process alone",
        },
    )


async def _measured(service: Served, long: int, short: int) -> list[tuple[Imported, Imported]]:
    async with (
        channel_to(service.address, service.operator) as operators,
        channel_to(service.address, service.gateway) as channel,
    ):

        async def once(name: str, rows: int) -> Imported:
            return await _import(service, channel, await _staff(operators, name), rows)

        await once("warm", short)
        rounds = []
        for number in range(ROUNDS if long < LONG_ONCE else 1):
            # A short file before the long one and one after it: what else grows meanwhile falls on both sides.
            before = await once(f"before-{number}", short)
            far = await once(f"long-{number}", long)
            after = await once(f"after-{number}", short)
            rounds.append((far, Imported(before.rows + after.rows, before.cpu_s + after.cpu_s)))
            tell(f"  {rounds[-1][0].us_per_row:.0f} µs a row, in short files {rounds[-1][1].us_per_row:.0f}")
    return rounds


async def _staff(operators: RpcChannel, name: str) -> Principal:
    opened = await operators.call(
        operators.stub(ChainsStub).OpenChain,
        chains_pb2.OpenChainRequest(key=f"open-{name}", name=name, currency="CNY", time_zone="Asia/Shanghai"),
        principal=OPERATOR,
        timeout_s=30.0,
    )
    scopes = frozenset({"members:import"})
    return Principal(chain=opened.chain.id, kind=Caller.STAFF, id="key_bench", scopes=scopes)


async def _import(service: Served, channel: RpcChannel, staff: Principal, rows: int) -> Imported:
    """Bring so many people into an empty chain."""
    jobs = channel.stub(MemberJobsStub)
    create = jobs_pb2.CreateImportJobRequest(
        key="import-bench",
        kind="members",
        file_name="bench.csv",
        rows_expected=rows,
        duplicates=jobs_pb2.DUPLICATE_POLICY_SKIP,
    )
    job = await channel.call(jobs.CreateImportJob, create, principal=staff, timeout_s=30.0)
    cpu_s = usage.cpu_s(service.service_pid)
    for request in _calls(job.id, rows):
        await channel.call(jobs.ImportRows, request, principal=staff, timeout_s=60.0)
    cpu_s = usage.cpu_s(service.service_pid) - cpu_s
    close = jobs_pb2.CloseImportJobRequest(job_id=job.id)
    done = await channel.call(jobs.CloseImportJob, close, principal=staff, timeout_s=30.0)
    if (done.rows_done, done.enrolled) != (rows, rows):
        message = f"{rows} rows were sent, {done.rows_done} were taken and {done.enrolled} people enrolled"
        raise RuntimeError(message)
    return Imported(rows, cpu_s)


def _calls(job: str, rows: int) -> Iterator[jobs_pb2.ImportRowsRequest]:
    for first in range(0, rows, IN_CALL):
        numbers = range(first, min(first + IN_CALL, rows))
        yield jobs_pb2.ImportRowsRequest(job_id=job, first=first, rows=[_row(number) for number in numbers])


def _row(number: int) -> jobs_pb2.ImportedRow:
    phone = members_pb2.Identity(kind=members_pb2.IDENTITY_KIND_PHONE, value=f"+86138{number:08}")
    return jobs_pb2.ImportedRow(
        row=number + 2,
        profile=members_pb2.Profile(name=f"Guest {number}", identities=[phone]),
        tags=["bench"],
        consents=[jobs_pb2.ImportedConsent(channel="sms", purpose="marketing", granted=True, text_version="1")],
    )


def _told(rounds: Sequence[Imported]) -> dict[str, Any]:
    return {
        "rows": rounds[0].rows,
        "cpu_us_per_row": middle([one.us_per_row for one in rounds]),
        "rounds_us_per_row": [round(one.us_per_row) for one in rounds],
    }
