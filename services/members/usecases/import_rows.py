"""Take the rows of an import: those of a call are loaded together, done one after the other, and written together.

A bad row fails alone. A dry run decides the same and writes nothing but notes of what it would have given to whom, so
that later rows of the same file meet earlier ones.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.kit.errors import BUSINESS, Problem
from services.members.domain.chains import Chain
from services.members.domain.enrollment import Enroll
from services.members.domain.households import InAnotherHouseholdError, check_code, check_room
from services.members.domain.identities import Identity, IdentityKind, identity_hash
from services.members.domain.imports import (
    Chunk,
    Counts,
    ImportJob,
    NoIdentityError,
    Refused,
    RowOutcome,
    UnreadableError,
    answered,
    digest_of,
    target_of,
    updated,
    with_chunk,
)
from services.members.domain.members import Channel, Member, check_member, check_tags
from services.members.domain.merging import merge, older_first
from services.members.domain.profiles import Profile, check_profile
from services.members.domain.stores import NoStoreError
from services.members.usecases.chains import callers_chain
from services.members.usecases.changes import Change
from services.members.usecases.enrollment import written_identities
from services.members.usecases.identities import IdentityLostError
from services.members.usecases.import_consents import check_written, record_written
from services.members.usecases.import_scene import Scene, load_scene
from services.members.usecases.imports import ImportDesk, ImportRow, ImportUnit
from services.members.usecases.limits import check_count
from services.members.usecases.merges import merge_within
from services.members.usecases.units import Held


async def import_rows(
    job_id: str, first: int, rows: Sequence[ImportRow], *, change: Change, desk: ImportDesk
) -> tuple[Chunk, ImportJob]:
    """Take the next rows of an import in one transaction; return what came of them, and how far the import is.

    The rows of the latest call get the same answer again. Raises NoImportError, ImportClosedError, WrongPlaceError,
    RowsChangedError.
    """
    check_count(rows, field="rows")
    chain = await callers_chain(change.caller, chains=desk.chains)
    digest = digest_of(rows, key=chain.identity_key)

    async def body(unit: ImportUnit) -> tuple[Chunk, ImportJob]:
        job = await unit.job(job_id)
        if (done := answered(job, first, digest)) is not None:
            return done, job
        work = _Rows(unit, job=job, chain=chain, change=change, desk=desk)
        chunk = replace(await work.take(rows), first=first, digest=digest)
        after = with_chunk(job, chunk)
        await unit.keep_job(after, was=job)
        return chunk, after

    return await desk.units.run(chain, body, now=change.now, traceparent=change.traceparent)


class _Rows:
    """The rows of one call at work."""

    def __init__(self, unit: ImportUnit, *, job: ImportJob, chain: Chain, change: Change, desk: ImportDesk) -> None:
        self._unit, self._job, self._chain, self._change, self._desk = unit, job, chain, change, desk
        self._fresh: dict[str, Enroll] = {}  # enrolled by these rows and not yet written
        self._taken: list[Held] = []  # given by these rows and not yet written
        self._scene = Scene()

    async def take(self, rows: Sequence[ImportRow]) -> Chunk:
        """Do the rows in their order and write what came of them."""
        read = [self._read(row) for row in rows]
        self._scene = await load_scene(
            self._unit,
            {
                identity_hash(one, key=self._chain.identity_key)
                for each in read
                if not isinstance(each, Problem)
                for one in each
            },
            rows,
            job=self._job,
        )
        counts, refused, told = Counts(), [], []
        for row, identities in zip(rows, read, strict=True):
            try:
                if isinstance(identities, Problem):
                    raise identities.with_traceback(None)
                came, member = await self._take(row, identities)
            except Problem as problem:
                if problem.kind not in BUSINESS:
                    raise
                refused.append(Refused(row.row, problem.code, problem.field))
                continue
            counts = counts.plus(came.counts)
            if row.tell_member and member and not self._scene.is_only_rehearsed(member):
                told.append((row.row, member, came))
        await self._finish()
        counts = replace(counts, refused=len(refused))
        return Chunk(first=0, digest=b"", counts=counts, refused=tuple(refused), members=tuple(told))

    def _read(self, row: ImportRow) -> tuple[Identity, ...] | Problem:
        """Return the row's identities in their one writing, or what is wrong with the row by itself."""
        try:
            if row.unreadable:
                raise UnreadableError(field=row.unreadable)
            found = written_identities(row.identities, self._chain)
            if not found:
                raise NoIdentityError(field="profile.identities")
            if row.household:
                check_code(row.household, field="household")
            check_written(row.consents, change=self._change)
            check_profile(replace(row.profile, identities=found), today=self._change.now.date())
            check_tags(row.tags)
        except Problem as problem:
            return problem
        return found

    async def _take(self, row: ImportRow, identities: tuple[Identity, ...]) -> tuple[RowOutcome, str]:
        """Do one row, and return what came of it and the member; nothing was done when it raises."""
        scene, hashes = self._scene, [identity_hash(one, key=self._chain.identity_key) for one in identities]
        held = [(place, scene.held[hashed]) for place, hashed in enumerate(hashes) if hashed in scene.held]
        for place, one in held:
            if one.lost_at:
                raise IdentityLostError(field=f"profile.identities.{place}", identity=one.kind)
        holders = sorted({one.member for _, one in held})
        taken = (held[0][0], identities[held[0][0]]) if held else None
        is_new = any(
            identity.kind is IdentityKind.EXTERNAL and hashed not in scene.held
            for identity, hashed in zip(identities, hashes, strict=True)
        )
        target = target_of(holders, self._job.policy, taken=taken, is_new=is_new)
        if target == "":
            return RowOutcome.SKIPPED, holders[0]
        said = replace(row.profile, identities=identities)
        if target is None:
            return RowOutcome.ENROLLED, self._enroll(row, said, hashes)
        return await self._update(holders, row, said, hashes)

    def _enroll(self, row: ImportRow, said: Profile, hashes: Sequence[bytes]) -> str:
        now = self._change.now
        member = Member(
            self._desk.make_id("mem", now),
            replace(said, name=said.name.strip()),
            row.enrolled_at or now,
            Channel.IMPORT,
            row.source,
            tags=row.tags,
        )
        check_member(member, now=now)
        if row.source.store and row.source.store not in self._scene.stores:
            raise NoStoreError(field="source.storeId", store=row.source.store)
        self._check_home((member.id,), row)
        self._fresh[member.id] = Enroll(
            self._chain.id, "", b"", member, tuple(hashes), now, traceparent=self._change.traceparent
        )
        self._settle(member, row, said.identities, hashes)
        return member.id

    async def _update(
        self, holders: Sequence[str], row: ImportRow, said: Profile, hashes: Sequence[bytes]
    ) -> tuple[RowOutcome, str]:
        real = [id_ for id_ in holders if not self._scene.is_only_rehearsed(id_)]
        members = [await self._member(id_) for id_ in real]
        if members:
            # All of it is tried before any of it is done: a row goes in as a whole.
            joined = self._checked(self._joined(members), said, row)
            ids, survivor = joined.ids, joined.id
        else:
            survivor, ids = holders[0], tuple(holders)
        self._check_home(ids, row)
        if len(holders) > 1:
            await self._merge(members, holders, survivor)
        if members and not self._job.dry_run:
            before = await self._member(survivor)
            self._put(before, self._checked(before, said, row))
        self._settle_ids(survivor, row, said.identities, hashes)
        return (RowOutcome.MERGED if len(holders) > 1 else RowOutcome.UPDATED), survivor

    def _joined(self, members: Sequence[Member]) -> Member:
        """Return what several members would be as one."""
        joined, *others = members
        for other in others:
            survivor, absorbed = older_first(joined, other)
            joined = merge(survivor, absorbed, id_="", by="", at=self._change.now).survivor
        return joined

    def _checked(self, member: Member, said: Profile, row: ImportRow) -> Member:
        changed = updated(member, said, tags=row.tags)
        check_profile(changed.profile, today=self._change.now.date())
        check_tags(changed.tags)
        return changed

    async def _merge(self, members: Sequence[Member], holders: Sequence[str], survivor: str) -> None:
        if not self._job.dry_run:
            await self._flush()
            one, *others = [member.id for member in members]
            for other in others:
                merge_id = self._desk.make_id("mrg", self._change.now)
                await merge_within(self._unit, one, other, merge_id=merge_id, change=self._change)
        self._scene.merge(holders, survivor)

    async def _member(self, id_: str) -> Member:
        fresh = self._fresh.get(id_)
        return await self._unit.survivor(id_) if fresh is None else fresh.member

    def _put(self, before: Member, member: Member) -> None:
        if (fresh := self._fresh.get(member.id)) is not None:
            self._fresh[member.id] = replace(fresh, member=replace(member, version=1))
        elif member != before:
            self._unit.keep(member)

    def _check_home(self, ids: Sequence[str], row: ImportRow) -> None:
        if not row.household:
            return
        homes = {self._scene.homes[id_] for id_ in ids if id_ in self._scene.homes}
        if homes - {row.household}:
            raise InAnotherHouseholdError(field="household", member=ids[0])
        if not homes:
            check_room(self._scene.household(row.household, make_id=self._new_household), field="household")

    def _new_household(self) -> str:
        return self._desk.make_id("hsh", self._change.now)

    def _settle(self, member: Member, row: ImportRow, identities: Sequence[Identity], hashes: Sequence[bytes]) -> None:
        if self._job.dry_run:
            self._scene.rehearsed_members.add(member.id)
        self._settle_ids(member.id, row, identities, hashes)

    def _settle_ids(self, member: str, row: ImportRow, identities: Sequence[Identity], hashes: Sequence[bytes]) -> None:
        """Give the member the identities that were free, its household and its consents."""
        for identity, hashed in zip(identities, hashes, strict=True):
            if hashed not in self._scene.held:
                self._scene.held[hashed] = held = Held(hashed, identity.kind, member)
                self._taken.append(held)
        if row.household:
            self._scene.move_in(member, row.household)
        if row.consents:
            self._scene.consents.append((member, row.consents))

    async def _flush(self) -> None:
        """Write who was enrolled and what was taken so far: what goes on finds it in the database."""
        fresh, taken = list(self._fresh.values()), self._taken
        self._fresh, self._taken = {}, []
        if self._job.dry_run:
            return
        await self._unit.take(taken)
        await self._unit.admit(fresh)

    async def _finish(self) -> None:
        scene = self._scene
        if self._job.dry_run:
            await self._unit.rehearse(self._job.id, scene.notes([one.hash for one in self._taken]))
            return
        await self._flush()
        for code, members in scene.joined.items():
            await self._unit.join(scene.households[code], members)
        agreed = await self._unit.members([scene.end_of(member) for member, _ in scene.consents])
        written = [(agreed[scene.end_of(member)], consents) for member, consents in scene.consents]
        ids = [self._desk.make_id("con", self._change.now) for _, consents in written for _ in consents]
        await record_written(self._unit, written, change=self._change, ids=ids)
