"""Exports: start one, see how far it is, stop it, fetch its file; and write the next chunk of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from services.kit.errors import Problem
from services.kit.ids import MakeId
from services.kit.principal import NotAllowedError, Principal
from services.members.domain.enrollment import check_command_key, content_hash
from services.members.domain.export_files import Format, next_chunk
from services.members.domain.exports import (
    KEPT_DAYS,
    MOST_BYTES,
    MOST_FAILURES,
    OPEN,
    Export,
    ExportState,
    Fetch,
    FileTooLargeError,
    Filter,
    InvalidExportError,
    ListKind,
    NoExportError,
    NotFetchableError,
    Rows,
    fitting,
    may_have,
)
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.changes import Change
from services.members.usecases.looks import Look
from services.members.usecases.members import role_of
from services.members.usecases.units import CommandKey

T = TypeVar("T")

PAGE = 1_000
"""Rows of a chunk, fewer where they are long."""


@dataclass(frozen=True, slots=True)
class Named:
    """An export of a chain, by name."""

    chain: str
    export: str


class ExportUnit(Protocol):
    """One transaction in which an export is carried on."""

    async def export(self) -> Export:
        """Return the export as it is. Raises NoExportError."""

    async def rows(self, export: Export, *, first: int) -> Rows:
        """Return the next rows of its list, as its maker may see them."""

    async def keep(self, export: Export, *, content: bytes, members: Sequence[str], look: Look | None) -> None:
        """Keep the export as it is now, with one more chunk unless there is nothing in it.

        An erasure at the same moment either sees the chunk, or makes this begin anew.
        """


class Exports(Protocol):
    """Where exports are kept."""

    @property
    def lists(self) -> Mapping[str, ListKind]:
        """What can be exported, by name."""

    async def start(self, chain: str, export: Export, command: CommandKey) -> Export:
        """Keep a new export, and drop the oldest beyond those that are kept; the first one for a command again.

        Raises TooManyExportsError.
        """

    async def get(self, chain: str, export_id: str) -> Export:
        """Return an export. Raises NoExportError."""

    async def every(self, chain: str) -> Sequence[Export]:
        """Return the exports that are kept, the latest first."""

    async def end(self, chain: str, export_id: str, *, state: ExportState, at: datetime, failure: str = "") -> Export:
        """End an export that is open, and destroy its content; one that is over stays as it is."""

    async def failed(self, chain: str, export_id: str) -> Export:
        """Count one more failure to write the next chunk, and return the export."""

    async def estimate(self, chain: str, export: Export) -> None:
        """Count what rows there are, as far as that is cheap, and keep the number."""

    def chunks(self, chain: str, export: Export, *, first: int) -> AsyncIterator[bytes]:
        """Yield the chunks of the file from number `first` on."""

    async def note_fetch(self, chain: str, export_id: str, fetch: Fetch) -> None:
        """Remember that somebody fetched the file."""

    async def carry_on(self, named: Named, body: Callable[[ExportUnit], Awaitable[T]]) -> T:
        """Do `body` in one transaction, again from the start when somebody else was first."""


@dataclass(frozen=True, slots=True)
class ExportDesk:
    """What exports need from outside."""

    chains: ChainFinder
    exports: Exports
    make_id: MakeId


@dataclass(frozen=True, slots=True)
class WantedExport:
    """An export as it is asked for; `format` is None when it was not said."""

    list: str
    format: Format | None
    filter: Filter
    columns: tuple[str, ...] = ()


async def start_export(wanted: WantedExport, *, change: Change, platform_now: datetime, desk: ExportDesk) -> Export:
    """Have a list written to a file; the same key starts the same one."""
    check_command_key(change.key)
    caller = change.caller
    chain = await callers_chain(caller, chains=desk.chains)
    kind = desk.exports.lists.get(wanted.list)
    if kind is None:
        raise InvalidExportError(field="list", why="say which list")
    if wanted.format is None:
        raise InvalidExportError(field="format", why="say in which format")
    if kind.scope not in caller.scopes:
        raise NotAllowedError(why=f"the scope {kind.scope} is missing")
    if caller.stores and not kind.of_stores:
        raise NotAllowedError(why="its key is for some stores, and this list is the whole chain's")
    if wanted.filter.store and not caller.may_use_store(wanted.filter.store):
        raise NotAllowedError(field="filter.storeId", why="its key is for other stores")
    kind.check(wanted.filter)
    role = role_of(caller)
    export = Export(
        id=desk.make_id("exp", change.now),
        list=wanted.list,
        format=wanted.format,
        filter=wanted.filter,
        columns=kind.chosen(wanted.columns, role),
        by=change.by,
        role=role,
        stores=caller.stores,
        created_at=change.now,
        expires_at=platform_now + timedelta(days=KEPT_DAYS),
    )
    command = CommandKey(change.key, content_hash("export", wanted, change.by, key=chain.identity_key))
    return await desk.exports.start(chain.id, export, command)


async def get_export(export_id: str, *, caller: Principal, desk: ExportDesk) -> Export:
    """Show an export to those who may fetch it; to others there is none."""
    found = await desk.exports.get(caller.chain, export_id)
    if not _may_have(found, caller, desk):
        raise NoExportError(field="id", export=export_id)
    return found


async def list_exports(*, caller: Principal, desk: ExportDesk) -> list[Export]:
    """Return the exports that the caller may fetch, the latest first; there are a few of them only."""
    return [one for one in await desk.exports.every(caller.chain) if _may_have(one, caller, desk)]


async def cancel_export(export_id: str, *, change: Change, desk: ExportDesk) -> Export:
    """Stop writing an export; one that is over stays as it is."""
    await get_export(export_id, caller=change.caller, desk=desk)
    return await desk.exports.end(change.caller.chain, export_id, state=ExportState.CANCELLED, at=change.now)


async def fetch_export(
    export_id: str, *, first_chunk: int, caller: Principal, now: datetime, desk: ExportDesk
) -> AsyncGenerator[bytes, None]:
    """Yield the chunks of a finished file from number `first_chunk` on."""
    found = await get_export(export_id, caller=caller, desk=desk)
    if found.state is not ExportState.DONE:
        raise NotFetchableError(field="id", state=found.state.value)
    if not 0 <= first_chunk <= found.chunks:
        raise InvalidExportError(field="firstChunk", why=f"it has {found.chunks} chunks")
    if first_chunk == 0:
        await desk.exports.note_fetch(caller.chain, export_id, Fetch(f"{caller.kind}:{caller.id}", now))
    async for chunk in desk.exports.chunks(caller.chain, found, first=first_chunk):
        yield chunk


async def write_next(named: Named, *, look_id: str, now: datetime, exports: Exports) -> Export:
    """Write the next chunk of an export, and return how far it is then."""

    async def body(unit: ExportUnit) -> Export:
        export = await unit.export()
        if export.state not in OPEN:
            return export
        kind = exports.lists[export.list]
        found = await unit.rows(export, first=PAGE)
        rows = fitting(found.rows)
        whole = len(rows) == len(found.rows)
        places = [number for number, column in enumerate(kind.columns) if column.name in export.columns]
        order = sorted(places, key=lambda number: export.columns.index(kind.columns[number].name))
        lines = [[row.cells[number] for number in order] for row in rows]
        last = whole and found.after is None
        # In a thread: while a thousand rows are packed, calls are to be answered.
        content, place = await asyncio.to_thread(next_chunk, export.table, export.place, lines, last=last)
        if place.size > MOST_BYTES:
            raise FileTooLargeError(most=MOST_BYTES)
        written = replace(
            export,
            state=ExportState.DONE if last else ExportState.RUNNING,
            finished_at=now if last else None,
            rows=export.rows + len(rows),
            chunks=export.chunks + (1 if content else 0),
            place=place,
            after=(found.after or "") if whole else rows[-1].after,
            failures=0,
            version=export.version + 1,
        )
        members = tuple(dict.fromkeys(row.member for row in rows if row.member))
        fields = kind.personal(export.columns)
        look = Look(look_id, now, export.by, export.role, members, fields) if members and fields else None
        await unit.keep(written, content=content, members=members, look=look)
        return written

    return await exports.carry_on(named, body)


async def give_up(named: Named, problem: Problem | None, *, now: datetime, exports: Exports) -> Export:
    """Count a failure: `problem` is one that will not pass, None one that may, a few times."""
    if problem is None:
        counted = await exports.failed(named.chain, named.export)
        if counted.failures < MOST_FAILURES:
            return counted
    code = "FAULT" if problem is None else problem.code
    return await exports.end(named.chain, named.export, state=ExportState.FAILED, at=now, failure=code)


def _may_have(export: Export, caller: Principal, desk: ExportDesk) -> bool:
    kind = desk.exports.lists[export.list]
    return may_have(export, kind, role=role_of(caller), scopes=caller.scopes, stores=caller.stores)
