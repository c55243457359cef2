"""A chain's program in the graph: what is live, drafts, and what a draft would do."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import programs_pb2 as pb
from protos.points.v1.programs_pb2_grpc import ProgramsStub
from services.kit.graph import (
    INPUT,
    Caller,
    Info,
    Instant,
    Kind,
    Problem,
    SafeInt,
    UserError,
    allow,
    field,
    instant,
    mutation,
    timestamp,
)
from services.points.graph.balances import PointsCurrency, currency_of
from services.points.graph.codes import KEY, code
from services.points.graph.program_terms import ProgramTerms, ProgramTermsInput
from services.points.graph.program_words import message_of, terms_of

PROGRAM_READERS = allow(Caller.STAFF, scope="program:read")
PROGRAM_WRITERS = allow(Caller.STAFF, scope="program:write")

DRY_RUN_S = 35.0
"""Less than the gateway and the command line wait, so that the caller hears why."""

MINOR_PER_100 = 10_000
"""Of currencies with two decimals."""

Name = Annotated[str, strawberry.argument(description="The draft's name.")]
Month = Annotated[
    str, strawberry.argument(description='A month that is over, like "2026-03", of the chain\'s calendar.')
]
Number = Annotated[int, strawberry.argument(description="Which version, from 1.")]


class DryRunTooLongError(Problem):
    """The month has too many receipts to be tried within {seconds} seconds: call points' DryRun, which streams."""

    kind = Kind.REFUSED
    code = "DRY_RUN_TOO_LONG"


@strawberry.type(description="A version of the program, without its terms.")
class ProgramVersionHead:
    """A version's head."""

    version: int = strawberry.field(description="From 1, which every chain starts with.")
    effective_from: Instant | None = strawberry.field(description="From when on it holds; null: since ever.")
    published_at: Instant | None = strawberry.field(description="Null for what every chain starts with.")
    published_by: str | None = strawberry.field(description='"staff:…"; null for what every chain starts with.')
    draft_name: str | None = strawberry.field(description="The draft that it was.")


@strawberry.type(description="A version of the program; it never changes.")
class ProgramVersion:
    """A version."""

    head: ProgramVersionHead = strawberry.field(description="Its number, and when it holds.")
    terms: ProgramTerms = strawberry.field(description="What it says.")


@strawberry.type(description="A draft of the program, without its terms.")
class ProgramDraftHead:
    """A draft's head."""

    name: str = strawberry.field(description="Its name, unique in the chain.")
    revision: int = strawberry.field(description="Grows by one with every change.")
    saved_at: Instant = strawberry.field(description="When it was saved.")
    saved_by: str = strawberry.field(description='"staff:…".')


@strawberry.type(description="A draft of the program.")
class ProgramDraft:
    """A draft."""

    head: ProgramDraftHead = strawberry.field(description="Its name and revision.")
    terms: ProgramTerms = strawberry.field(description="What it says.")


@strawberry.type(description="The chain's program.")
class ChainProgram:
    """A program."""

    live: ProgramVersion = strawberry.field(description="What holds now.")
    versions: list[ProgramVersionHead] = strawberry.field(description="All versions, the newest first.")
    drafts: list[ProgramDraftHead] = strawberry.field(description="All drafts, by name.")
    time_zone: str = strawberry.field(description="In which days, months and expiries are counted.")


@strawberry.type(description="One thing in which a draft differs.")
class ProgramChange:
    """A change."""

    path: str = strawberry.field(description='Like "earning.rules.base.effect.rate.points"; rules and levels by code.')
    before: str | None = strawberry.field(description="As people read it; null: it is not there.")
    after: str | None = strawberry.field(description="Null: it is no longer there.")


@strawberry.type(description="In what a draft differs from what holds now.")
class ProgramDiff:
    """A diff."""

    live_version: int = strawberry.field(description="What the draft was compared with.")
    revision: int = strawberry.field(description="Of the draft.")
    changes: list[ProgramChange] = strawberry.field(description="In the order of the terms; none: it is the same.")


@strawberry.type(description="What one rule gave, and would give.")
class DryRunRule:
    """A rule's sums."""

    rule: str = strawberry.field(description="The rule's code; \"tier:…\" for a level's factor.")
    currency: PointsCurrency = strawberry.field(description="What it is counted in.")
    booked: SafeInt = strawberry.field(description="What was booked for it.")
    by_draft: SafeInt = strawberry.field(description="What the draft would give.")


@strawberry.type(
    description="What a month's receipts earned, and would have earned by a draft; refunds are left out of both. "
    "Each is rated at the level that it earned by; caps begin at nothing with the month."
)
class ProgramDryRun:
    """A dry run."""

    month: str = strawberry.field(description='Like "2026-03".')
    revision: int = strawberry.field(description="Of the draft.")
    receipts: SafeInt = strawberry.field(description="How many there were.")
    spend_minor: SafeInt = strawberry.field(description="What was paid, in minor units.")
    points_booked: SafeInt = strawberry.field(description="What was granted.")
    points_by_draft: SafeInt = strawberry.field(description="What the draft would have granted.")
    booked_per_100: float | None = strawberry.field(
        description="Points granted for each 10,000 minor units; null: nothing was paid."
    )
    by_draft_per_100: float | None = strawberry.field(description="The same by the draft.")
    rules: list[DryRunRule] = strawberry.field(description="Rule by rule.")
    receipts_without_facts: SafeInt = strawberry.field(
        description="Receipts for which a condition saw a new member, since no more was kept when they were booked."
    )


@strawberry.input(description="A draft to keep.")
class SaveProgramDraftInput:
    """A draft."""

    key: str = strawberry.field(description=KEY)
    name: str = strawberry.field(description="1 to 64 characters; a chain can have 50 drafts.")
    program: ProgramTermsInput = strawberry.field(description="What it says.")
    expected_revision: int = strawberry.field(
        default=0, description="The revision that this one follows; 0: there is no draft of this name yet."
    )


@strawberry.input(description="A draft to publish.")
class PublishProgramDraftInput:
    """A publication."""

    key: str = strawberry.field(description=KEY)
    name: str = strawberry.field(description="Which draft.")
    expected_revision: int = strawberry.field(description="The revision that you looked at.")
    effective_from: Instant | None = strawberry.field(
        default=None,
        description="At least 60 seconds from now, and later than every version; null: as soon as can be.",
    )


@strawberry.input(description="A draft to forget.")
class DeleteProgramDraftInput:
    """A deletion."""

    key: str = strawberry.field(description=KEY)
    name: str = strawberry.field(description="Which draft.")
    expected_revision: int = strawberry.field(description="The revision that you looked at.")


@strawberry.enum(description="Why a draft was not saved, published or deleted.")
class ProgramDraftErrorCode(Enum):
    """Codes of `ProgramDraftError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    INVALID_PROGRAM = code("INVALID_PROGRAM")
    DRAFT_NOT_FOUND = code("DRAFT_NOT_FOUND")
    DRAFT_CHANGED = code("DRAFT_CHANGED")
    TOO_MANY_DRAFTS = code("TOO_MANY_DRAFTS")
    TOO_MANY_VERSIONS = code("TOO_MANY_VERSIONS")


@strawberry.type(description="Why a draft was not saved, published or deleted.")
class ProgramDraftError(UserError):
    """An item of `userErrors`."""

    code: ProgramDraftErrorCode = strawberry.field(description="For programs.")


@strawberry.type
class ProgramDraftAnswer:
    """What every payload has."""

    user_errors: list[ProgramDraftError] = strawberry.field(description="Empty: it was done.")
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type(description="The draft as it was kept, or why it was not.")
class SaveProgramDraftPayload(ProgramDraftAnswer):
    """The answer to `saveProgramDraft`."""

    draft: ProgramDraftHead | None = strawberry.field(default=None, description="Null: nothing changed.")


@strawberry.type(description="The new version, or why there is none.")
class PublishProgramDraftPayload(ProgramDraftAnswer):
    """The answer to `publishProgramDraft`."""

    version: ProgramVersionHead | None = strawberry.field(default=None, description="Null: nothing changed.")


@strawberry.type(description="Whether the draft was forgotten, or why not.")
class DeleteProgramDraftPayload(ProgramDraftAnswer):
    """The answer to `deleteProgramDraft`."""


@strawberry.type
class ProgramQuery:
    """What can be asked of the program."""

    @field(PROGRAM_READERS, description="The chain's program.")
    async def program(self, info: Info) -> ChainProgram:
        """Ask for what there is."""
        points = info.context.channel("points")
        answer = await points.ask(points.stub(ProgramsStub).GetPrograms, pb.GetProgramsRequest())
        return ChainProgram(
            live=_version(answer.live),
            versions=[_version_head(head) for head in answer.versions],
            drafts=[_draft_head(head) for head in answer.drafts],
            time_zone=answer.time_zone,
        )

    @field(PROGRAM_READERS, description="One version of the program.")
    async def program_version(self, info: Info, version: Number) -> ProgramVersion:
        """Ask for a version."""
        points = info.context.channel("points")
        request = pb.GetProgramVersionRequest(version=version)
        return _version((await points.ask(points.stub(ProgramsStub).GetProgramVersion, request)).version)

    @field(PROGRAM_READERS, description="One draft of the program.")
    async def program_draft(self, info: Info, name: Name) -> ProgramDraft:
        """Ask for a draft."""
        points = info.context.channel("points")
        draft = (await points.ask(points.stub(ProgramsStub).GetDraft, pb.GetDraftRequest(name=name))).draft
        return ProgramDraft(head=_draft_head(draft.head), terms=terms_of(draft.program))

    @field(PROGRAM_READERS, description="In what a draft differs from what holds now.")
    async def program_diff(self, info: Info, name: Name) -> ProgramDiff:
        """Ask for the differences."""
        points = info.context.channel("points")
        answer = await points.ask(points.stub(ProgramsStub).DiffDraft, pb.DiffDraftRequest(name=name))
        return ProgramDiff(
            live_version=answer.live_version,
            revision=answer.revision,
            changes=[
                ProgramChange(path=one.path, before=one.before or None, after=one.after or None)
                for one in answer.changes
            ],
        )

    @field(PROGRAM_READERS, description="Tries a draft on the receipts of a past month; it books nothing.")
    async def program_dry_run(self, info: Info, name: Name, month: Month) -> ProgramDryRun:
        """Wait for the result."""
        points = info.context.channel("points")
        request = pb.DryRunRequest(name=name, month=month)
        last = pb.DryRunProgress()
        try:
            async with points.ask_stream(points.stub(ProgramsStub).DryRun, request, timeout_s=DRY_RUN_S) as parts:
                async for part in parts:
                    last = part
        except Problem as problem:
            if problem.kind is Kind.TIMED_OUT:
                raise DryRunTooLongError(field="month", seconds=int(DRY_RUN_S)) from None
            raise
        return _dry_run(last.result)


@strawberry.type
class ProgramMutation:
    """Work on drafts. The key makes each safe to send again, so all go as calls that may be repeated."""

    @mutation(PROGRAM_WRITERS, description="Keeps a draft under its name, checked; nothing is booked by it.")
    async def save_program_draft(
        self, info: Info, wish: Annotated[SaveProgramDraftInput, INPUT]
    ) -> SaveProgramDraftPayload:
        """Save a draft."""
        request = pb.SaveDraftRequest(
            key=wish.key, name=wish.name, program=message_of(wish.program), expected_revision=wish.expected_revision
        )
        points = info.context.channel("points")
        answer = await points.ask(points.stub(ProgramsStub).SaveDraft, request)
        return SaveProgramDraftPayload(
            user_errors=[], draft=_draft_head(answer.draft), repeated_call=answer.repeated_call
        )

    @mutation(
        PROGRAM_WRITERS, description="Makes a draft the next version. What was granted before stays as it was granted."
    )
    async def publish_program_draft(
        self, info: Info, wish: Annotated[PublishProgramDraftInput, INPUT]
    ) -> PublishProgramDraftPayload:
        """Publish a draft."""
        request = pb.PublishDraftRequest(
            key=wish.key,
            name=wish.name,
            expected_revision=wish.expected_revision,
            effective_from=timestamp(wish.effective_from) if wish.effective_from else None,
        )
        points = info.context.channel("points")
        answer = await points.ask(points.stub(ProgramsStub).PublishDraft, request)
        return PublishProgramDraftPayload(
            user_errors=[], version=_version_head(answer.version), repeated_call=answer.repeated_call
        )

    @mutation(PROGRAM_WRITERS, description="Forgets a draft.")
    async def delete_program_draft(
        self, info: Info, wish: Annotated[DeleteProgramDraftInput, INPUT]
    ) -> DeleteProgramDraftPayload:
        """Forget a draft."""
        request = pb.DeleteDraftRequest(key=wish.key, name=wish.name, expected_revision=wish.expected_revision)
        points = info.context.channel("points")
        answer = await points.ask(points.stub(ProgramsStub).DeleteDraft, request)
        return DeleteProgramDraftPayload(user_errors=[], repeated_call=answer.repeated_call)


def _version(version: pb.ProgramVersion) -> ProgramVersion:
    return ProgramVersion(head=_version_head(version.head), terms=terms_of(version.program))


def _version_head(head: pb.VersionHead) -> ProgramVersionHead:
    return ProgramVersionHead(
        version=head.version,
        effective_from=instant(head.effective_from) if head.HasField("effective_from") else None,
        published_at=instant(head.published_at) if head.HasField("published_at") else None,
        published_by=head.published_by or None,
        draft_name=head.draft_name or None,
    )


def _draft_head(head: pb.DraftHead) -> ProgramDraftHead:
    return ProgramDraftHead(
        name=head.name, revision=head.revision, saved_at=instant(head.saved_at), saved_by=head.saved_by
    )


def _dry_run(result: pb.DryRunResult) -> ProgramDryRun:
    return ProgramDryRun(
        month=result.month,
        revision=result.revision,
        receipts=result.receipts,
        spend_minor=result.spend_minor,
        points_booked=result.points_booked,
        points_by_draft=result.points_by_draft,
        booked_per_100=_per_100(result.points_booked, result.spend_minor),
        by_draft_per_100=_per_100(result.points_by_draft, result.spend_minor),
        rules=[
            DryRunRule(rule=one.rule, currency=currency_of(one.currency), booked=one.booked, by_draft=one.by_draft)
            for one in result.rules
        ],
        receipts_without_facts=result.receipts_without_facts,
    )


def _per_100(points: int, spend_minor: int) -> float | None:
    return points * MINOR_PER_100 / spend_minor if spend_minor else None
