"""Imports as jobs: open one, see how far it is, close it. Its rows are `import_rows`'s."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from services.kit.ids import MakeId
from services.kit.principal import Principal
from services.members.domain.chains import Chain
from services.members.domain.enrollment import Enroll, check_command_key
from services.members.domain.imports import ImportJob, Policy, check_job, digest_of
from services.members.domain.members import Source
from services.members.domain.profiles import Profile
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.changes import Change
from services.members.usecases.households import HouseholdUnit
from services.members.usecases.import_consents import WrittenConsent
from services.members.usecases.members import WrittenIdentity
from services.members.usecases.units import CommandKey

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A row as it came. `unreadable` names the field that the client could not read; empty: all could be."""

    row: int
    profile: Profile  # without identities
    identities: tuple[WrittenIdentity, ...] = ()
    enrolled_at: datetime | None = None
    source: Source = field(default_factory=Source)
    tags: tuple[str, ...] = ()
    household: str = ""
    consents: tuple[WrittenConsent, ...] = ()
    unreadable: str = ""
    tell_member: bool = False


class ImportUnit(HouseholdUnit, Protocol):
    """A unit of work that can bring in members, and knows imports and households."""

    async def admit(self, commands: Sequence[Enroll]) -> None:
        """Write new members, whose identities are taken apart from this."""

    async def job(self, job_id: str) -> ImportJob:
        """Return an import, or raise NoImportError."""

    async def keep_job(self, job: ImportJob, *, was: ImportJob | None) -> None:
        """Write an import, a new one when it `was` none; Conflict when somebody else has changed it."""

    async def rehearsed(self, job_id: str, names: Collection[bytes]) -> Mapping[bytes, str]:
        """Return to which members a dry run has given identities (by hash) and members (by id, as bytes)."""

    async def rehearse(self, job_id: str, names: Mapping[bytes, str]) -> None:
        """Note what a dry run would have given to whom."""

    async def end_rehearsal(self, job_id: str) -> None:
        """Forget all that a dry run noted."""

    async def known_stores(self, ids: Collection[str]) -> frozenset[str]:
        """Return those of the stores that exist."""


class ImportUnits(Protocol):
    """Where imports are done."""

    async def run(
        self, chain: Chain, body: Callable[[ImportUnit], Awaitable[T]], *, now: datetime, traceparent: str = ""
    ) -> T:
        """Do `body` in one transaction, again from the start when somebody else was first."""

    async def list_jobs(self, chain: str, *, before: str, first: int) -> Sequence[ImportJob]:
        """Return up to `first` imports, the latest first, older than the one with the id `before`; no refused rows."""


@dataclass(frozen=True, slots=True)
class ImportDesk:
    """What importing needs from outside."""

    chains: ChainFinder
    units: ImportUnits
    make_id: MakeId


@dataclass(frozen=True, slots=True)
class WantedImport:
    """An import as it is asked for; `policy` is None when it was not said."""

    kind: str
    file_name: str
    rows_expected: int
    policy: Policy | None
    dry_run: bool


async def create_import(wanted: WantedImport, *, change: Change, desk: ImportDesk) -> ImportJob:
    """Open an import; the same key opens the same one."""
    check_command_key(change.key)
    chain = await callers_chain(change.caller, chains=desk.chains)
    job = ImportJob(
        id=desk.make_id("imp", change.now),
        kind=wanted.kind,
        file_name=wanted.file_name,
        rows_expected=wanted.rows_expected,
        policy=wanted.policy or Policy.SKIP,
        dry_run=wanted.dry_run,
        by=change.by,
        created_at=change.now,
    )
    check_job(job)
    command = CommandKey(change.key, digest_of([wanted], key=chain.identity_key))

    async def body(unit: ImportUnit) -> ImportJob:
        if (first := await unit.answered(command)) is not None:
            return await unit.job(first.decode())
        await unit.keep_job(job, was=None)
        await unit.answer(command, job.id.encode(), summary=f"{job.id} was opened with it")
        return job

    return await desk.units.run(chain, body, now=change.now, traceparent=change.traceparent)


async def close_import(job_id: str, *, change: Change, desk: ImportDesk) -> ImportJob:
    """End an import; what a dry run had noted is gone."""
    chain = await callers_chain(change.caller, chains=desk.chains)

    async def body(unit: ImportUnit) -> ImportJob:
        job = await unit.job(job_id)
        if job.closed_at:
            return job
        closed = replace(job, closed_at=change.now)
        await unit.keep_job(closed, was=job)
        await unit.end_rehearsal(job_id)
        return closed

    return await desk.units.run(chain, body, now=change.now)


async def get_import(job_id: str, *, caller: Principal, now: datetime, desk: ImportDesk) -> ImportJob:
    """Show how far an import is."""
    chain = await callers_chain(caller, chains=desk.chains)
    return await desk.units.run(chain, lambda unit: unit.job(job_id), now=now)


async def list_imports(*, caller: Principal, before: str, first: int, desk: ImportDesk) -> Sequence[ImportJob]:
    """Return up to `first` imports and one more where there are more, the latest first, without refused rows."""
    return await desk.units.list_jobs(caller.chain, before=before, first=first + 1)
