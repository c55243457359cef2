"""A chain's program through the graph: what is sent is what the service hears, and back."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given

from infra.cli.program import documents
from protos.points.v1 import programs_pb2 as pb
from services.kit.errors import Kind
from services.points.domain.programs import DEFAULT_PROGRAM, Program
from services.points.events.programs import program_message
from services.points.graph.program_words import message_of, terms_of
from tests.support.any_program import PROGRAMS
from tests.support.points_desk import PointsDesk, refusal

AT = Timestamp(seconds=1_772_337_600)
DEFAULT = program_message(DEFAULT_PROGRAM)
SAVED = pb.SaveDraftResponse(draft=pb.DraftHead(name="next", revision=1, saved_at=AT, saved_by="staff:key_1"))
TERMS = {
    "earning": {"rules": [{"code": "base", "effect": {"rate": {"points": 1, "perMinor": 100}}}]},
    "tiers": {"levels": [{"code": "all"}, {"code": "vip", "keeps": []}]},
}


@given(PROGRAMS)
def test_every_program_survives_the_graph(program: Program) -> None:
    message = program_message(program)
    assert message_of(terms_of(message)) == message


async def test_what_is_shown_can_be_saved(points: PointsDesk) -> None:
    live = pb.ProgramVersion(head=pb.VersionHead(version=1), program=DEFAULT)
    points.says(GetPrograms=pb.GetProgramsResponse(live=live, time_zone="Asia/Shanghai"), SaveDraft=SAVED)
    shown = (await points.ask(documents.LIVE))["program"]["live"]["terms"]
    points.heard()
    saved = await points.ask(documents.SAVE, input={"key": "k", "name": "next", "program": shown})
    assert saved == {"saveProgramDraft": {"draft": {"name": "next", "revision": 1}, "userErrors": []}}
    assert points.heard() == pb.SaveDraftRequest(key="k", name="next", program=DEFAULT)


async def test_what_is_left_out_is_as_by_default(points: PointsDesk) -> None:
    points.says(SaveDraft=SAVED)
    await points.ask(documents.SAVE, input={"key": "k", "name": "next", "program": TERMS, "expectedRevision": 3})
    heard = points.heard()
    assert heard.expected_revision == 3
    assert heard.program.earning.tax_counts
    assert heard.program.tiers.levels[0].earn_permille == 1_000
    assert [level.HasField("keeps") for level in heard.program.tiers.levels] == [False, True]


async def save_rule(points: PointsDesk, effect: dict[str, Any]) -> Any:
    program = {**TERMS, "earning": {"rules": [{"code": "base", "effect": effect}]}}
    answer = await points.ask(documents.SAVE, input={"key": "k", "name": "next", "program": program})
    assert points.desk.asked == []
    return answer["saveProgramDraft"]


async def test_a_rule_has_one_effect(points: PointsDesk) -> None:
    refused = {
        "draft": None,
        "userErrors": [
            {
                "code": "INVALID_PROGRAM",
                "field": "program.earning.rules.0.effect",
                "message": "A rule gives exactly one of rate, perVisit, perPiece, factor, fixed.",
            }
        ],
    }
    assert await save_rule(points, {}) == refused
    assert await save_rule(points, {"perVisit": {"points": 1}, "fixed": {"points": 1}}) == refused


async def test_a_refusal_is_told_with_its_place(points: PointsDesk) -> None:
    points.says(SaveDraft=refusal("INVALID_PROGRAM", Kind.INVALID, field="program.earning.rules.2.caps.0.limit"))
    answer = await points.ask(documents.SAVE, input={"key": "k", "name": "next", "program": TERMS})
    [error] = answer["saveProgramDraft"]["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_PROGRAM", "program.earning.rules.2.caps.0.limit")


async def test_a_draft_is_published_and_deleted(points: PointsDesk) -> None:
    points.says(
        PublishDraft=pb.PublishDraftResponse(version=pb.VersionHead(version=2, effective_from=AT)),
        DeleteDraft=pb.DeleteDraftResponse(repeated_call=True),
    )
    wish = {"key": "k", "name": "next", "expectedRevision": 4, "effectiveFrom": "2026-03-01T12:00:00+08:00"}
    answer = await points.ask(documents.PUBLISH, input=wish)
    assert answer["publishProgramDraft"] == {
        "version": {"version": 2, "effectiveFrom": "2026-03-01T04:00:00.000Z"},
        "userErrors": [],
    }
    assert points.heard() == pb.PublishDraftRequest(key="k", name="next", expected_revision=4, effective_from=AT)
    delete = """mutation ($input: DeleteProgramDraftInput!) {
      deleteProgramDraft(input: $input) { repeatedCall userErrors { code } } }"""
    answer = await points.ask(delete, input={"key": "d", "name": "next", "expectedRevision": 4})
    assert answer == {"deleteProgramDraft": {"repeatedCall": True, "userErrors": []}}


async def test_a_dry_run_answers_with_its_last_word(points: PointsDesk) -> None:
    rule = pb.DryRunRule(rule="base", currency="points", booked=10, by_draft=25)
    result = pb.DryRunResult(
        month="2026-02", revision=1, receipts=2, spend_minor=20_000, points_booked=10, points_by_draft=25, rules=[rule]
    )
    points.says(DryRun=[pb.DryRunProgress(receipts=1), pb.DryRunProgress(receipts=2, result=result)])
    answer = await points.ask(documents.DRY_RUN, name="next", month="2026-02")
    assert answer["programDryRun"] == {
        "month": "2026-02",
        "revision": 1,
        "receipts": 2,
        "spendMinor": 20_000,
        "pointsBooked": 10,
        "pointsByDraft": 25,
        "bookedPer100": 5.0,
        "byDraftPer100": 12.5,
        "receiptsWithoutFacts": 0,
        "rules": [{"rule": "base", "currency": "POINTS", "booked": 10, "byDraft": 25}],
    }


async def test_a_dry_run_that_takes_too_long_says_so(points: PointsDesk) -> None:
    points.says(DryRun=refusal("TIMED_OUT", Kind.TIMED_OUT))
    _, errors = await points.answer(documents.DRY_RUN, name="next", month="2026-02")
    assert errors == ["DRY_RUN_TOO_LONG"]
