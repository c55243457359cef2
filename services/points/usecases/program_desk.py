"""A chain's program as its people work on it: drafts, what they change, and their publication."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from services.kit.chain_clocks import is_sandbox
from services.points.domain.program_checks import check_program
from services.points.domain.program_diffs import Change, diff, terms
from services.points.domain.program_places import MAX_CODE_LENGTH, InvalidProgramError
from services.points.domain.program_versions import (
    LEAD,
    STARTING,
    Draft,
    DraftChangedError,
    DraftHead,
    NoDraftError,
    NoVersionError,
    TooManyDraftsError,
    TooManyVersionsError,
    VersionHead,
    takes_effect,
)
from services.points.domain.programs import Program, Programs
from services.points.usecases.ledger import MAX_KEY_LENGTH, Call, InvalidKeyError, fingerprint

MAX_DRAFTS = 50
MAX_VERSIONS = 1_000


@dataclass(frozen=True, slots=True)
class Wish:
    """A command on a draft, by its key; `summary` is for whoever uses the key for something else."""

    chain: str
    key: str
    fingerprint: bytes
    summary: str
    draft: str  # its name
    now: datetime


@dataclass(frozen=True, slots=True)
class Looked:
    """What the command finds, from one snapshot."""

    programs: Programs
    draft: Draft | None
    drafts: int  # how many there are


@dataclass(frozen=True, slots=True)
class Save:
    """Keep the draft."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Publish:
    """Make the draft a version, and forget it."""

    head: VersionHead
    program: Program
    before: Program  # the one that it follows


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget the draft."""

    head: DraftHead


Decision = Save | Publish | Delete
Decide = Callable[[Looked], Decision]
Answer = DraftHead | VersionHead


class ProgramStore(Protocol):
    """Where drafts and versions are kept."""

    async def carry_out(self, wish: Wish, decide: Decide) -> tuple[Answer, bool]:
        """Do what `decide` says of what there is, in one transaction, and return the head that it is about; or the
        first answer to the same key, and True. `decide` may be called again, when somebody else was first."""

    async def now(self, chain: str) -> Programs:
        """Return the versions as they are this moment, past all that is remembered."""

    async def heads(self, chain: str) -> Sequence[VersionHead]:
        """Return what is told of the published versions, the oldest first."""

    async def drafts(self, chain: str) -> Sequence[DraftHead]:
        """Return what is told of the drafts, by name."""

    async def draft(self, chain: str, name: str) -> Draft | None:
        """Return one draft."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A chain's program at a glance."""

    live: Program
    live_head: VersionHead
    heads: Sequence[VersionHead]  # the newest first
    drafts: Sequence[DraftHead]
    zone: str


async def save_draft(
    key: str, *, name: str, program: Program, expected: int, call: Call, store: ProgramStore
) -> tuple[DraftHead, bool]:
    """Keep a program as the draft `name`, after its revision `expected` (0: it is new); checked, against the latest
    version too."""
    if not 1 <= len(name) <= MAX_CODE_LENGTH or "/" in name:
        raise InvalidProgramError(field="name", why=f"a draft's name has 1 to {MAX_CODE_LENGTH} characters and no `/`")

    def decide(looked: Looked) -> Save:
        _check_revision(looked.draft, name, expected)
        if looked.draft is None and looked.drafts >= MAX_DRAFTS:
            raise TooManyDraftsError(field="name", most=MAX_DRAFTS)
        check_program(program, looked.programs, at="program")
        return Save(Draft(DraftHead(name, expected + 1, call.now, call.by), program))

    wish = _wish(key, "save", name, call, expected, sorted(terms(program).items()))
    answer, repeated = await store.carry_out(wish, decide)
    return _draft_head(answer), repeated


async def publish_draft(
    key: str, *, name: str, expected: int, effective_from: datetime | None, call: Call, store: ProgramStore
) -> tuple[VersionHead, bool]:
    """Make the draft's revision `expected` the next version, which never changes again."""

    def decide(looked: Looked) -> Publish:
        draft = _existing(looked.draft, name)
        _check_revision(draft, name, expected)
        latest = looked.programs.latest
        if latest.version >= MAX_VERSIONS:
            raise TooManyVersionsError(most=MAX_VERSIONS)
        # A sandbox has its version at once, since nothing remembers its versions.
        lead = timedelta(0) if is_sandbox(call.caller.chain) else LEAD
        moment = takes_effect(effective_from, looked.programs, call.now, lead=lead)
        check_program(draft.program, looked.programs)
        program = replace(draft.program, version=latest.version + 1, effective_from=moment)
        return Publish(VersionHead(program.version, moment, call.now, call.by, name), program, latest)

    wished = effective_from and effective_from.timestamp()
    answer, repeated = await store.carry_out(_wish(key, "publish", name, call, expected, wished), decide)
    assert isinstance(answer, VersionHead)  # noqa: S101 - narrows the type: what publishing is answered with
    return answer, repeated


async def delete_draft(key: str, *, name: str, expected: int, call: Call, store: ProgramStore) -> bool:
    """Forget the draft's revision `expected`; tell whether that was done before."""

    def decide(looked: Looked) -> Delete:
        draft = _existing(looked.draft, name)
        _check_revision(draft, name, expected)
        return Delete(draft.head)

    _, repeated = await store.carry_out(_wish(key, "delete", name, call, expected), decide)
    return repeated


async def overview(*, chain: str, now: datetime, store: ProgramStore) -> Overview:
    """Return what is live, which versions and which drafts there are."""
    programs = await store.now(chain)
    published = await store.heads(chain)
    heads = (STARTING, *published)
    live = programs.at(now)
    head = next(one for one in heads if one.version == live.version)
    return Overview(live, head, heads[::-1], await store.drafts(chain), programs.zone)


async def version(number: int, *, chain: str, store: ProgramStore) -> tuple[VersionHead, Program]:
    """Return one version."""
    heads = (STARTING, *await store.heads(chain))
    head = next((one for one in heads if one.version == number), None)
    if head is None:
        raise NoVersionError(field="version", version=number)
    return head, (await store.now(chain)).version(number)


async def draft_named(name: str, *, chain: str, store: ProgramStore) -> Draft:
    """Return one draft."""
    return _existing(await store.draft(chain, name), name)


async def diff_draft(
    name: str, *, chain: str, now: datetime, store: ProgramStore
) -> tuple[Program, DraftHead, tuple[Change, ...]]:
    """Return what is live, the draft's head, and in what the draft differs."""
    draft = await draft_named(name, chain=chain, store=store)
    live = (await store.now(chain)).at(now)
    return live, draft.head, diff(live, draft.program)


def _wish(key: str, verb: str, name: str, call: Call, *asked: object) -> Wish:
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidKeyError(field="key", most=MAX_KEY_LENGTH)
    summary = f"to {verb} the program's draft {name}"
    return Wish(call.caller.chain, key, fingerprint(verb, name, *asked), summary, name, call.now)


def _existing(draft: Draft | None, name: str) -> Draft:
    if draft is None:
        raise NoDraftError(field="name", name=name)
    return draft


def _check_revision(draft: Draft | None, name: str, expected: int) -> None:
    revision = draft.head.revision if draft else 0
    if revision != expected:
        raise DraftChangedError(field="expectedRevision", name=name, revision=revision, expected=expected)


def _draft_head(answer: Answer) -> DraftHead:
    assert isinstance(answer, DraftHead)  # noqa: S101 - narrows the type: what saving is answered with
    return answer
