"""A program's terms survive the wire and the database, and what differs is told."""

from dataclasses import replace

import pytest
from hypothesis import given

from protos.points.v1 import points_pb2
from protos.points.v1 import programs_pb2 as pb
from services.points.domain.calendar import Span
from services.points.domain.expiries import Expiry
from services.points.domain.program_checks import InvalidProgramError
from services.points.domain.program_diffs import Change, diff, terms
from services.points.domain.programs import DEFAULT_PROGRAM, Program, rate
from services.points.domain.rules import Earning, Factor, Rule, Slot, Where
from services.points.domain.tiers import Level, Metric, Need, Tiers
from services.points.events.programs import program_message, program_of
from tests.support.any_program import PROGRAMS


@given(PROGRAMS)
def test_every_program_survives_the_round_trip(program: Program) -> None:
    sent = program_message(program).SerializeToString(deterministic=True)
    assert program_of(pb.Program.FromString(sent)) == program


@given(PROGRAMS, PROGRAMS)
def test_the_same_texts_mean_the_same_program(one: Program, other: Program) -> None:
    assert (terms(one) == terms(other)) == (one == other)
    assert diff(one, one) == ()


def test_what_is_not_set_is_as_the_proto_says() -> None:
    message = pb.Program(
        earning=pb.Earning(rules=[pb.EarningRule(code="base", rate=pb.Rate(points=1, per_minor=100))]),
        tiers=pb.Tiers(levels=[pb.Level(code="all")]),
    )
    assert program_of(message, version=7) == Program(7, Earning((rate(1, 100),)), Tiers((Level("all"),)))


def test_a_slot_without_an_end_ends_with_the_day() -> None:
    message = pb.EarningRule(code="noon", factor=pb.Factor(permille=2_000))
    message.where.slots.add(from_minute=720)
    earning = program_of(pb.Program(earning=pb.Earning(rules=[message]))).earning
    assert earning.rules == (Rule("noon", Factor(2_000), where=Where(slots=(Slot(from_minute=720),))),)


REFUSED = [
    (pb.EarningRule(code="x"), "effect", "say what the rule gives: one of rate, perVisit, perPiece, factor, fixed"),
    (
        pb.EarningRule(code="x", fixed=pb.Fixed(points=1), caps=[pb.Cap(limit=1)]),
        "caps.0.window",
        "say which: one of PURCHASE, DAY, MONTH, EVER",
    ),
    (
        pb.EarningRule(code="x", fixed=pb.Fixed(points=1), where=pb.Where(first_day="1 March")),
        "where.firstDay",
        "a day is written like 2026-03-01",
    ),
    (
        pb.EarningRule(
            code="x", fixed=pb.Fixed(points=1), where=pb.Where(channels=[points_pb2.SALE_CHANNEL_UNSPECIFIED])
        ),
        "where.channels.0",
        "say which: one of DINE_IN, TAKEAWAY, DELIVERY, ONLINE, PARTNER",
    ),
]


@pytest.mark.parametrize(("rule", "field", "why"), REFUSED, ids=[field for _, field, _ in REFUSED])
def test_what_a_program_cannot_hold_is_refused_with_its_place(rule: pb.EarningRule, field: str, why: str) -> None:
    with pytest.raises(InvalidProgramError) as refused:
        program_of(pb.Program(earning=pb.Earning(rules=[rule])), at="program")
    assert refused.value.field == f"program.earning.rules.0.{field}"
    assert refused.value.message == f"The program is not right: {why}."


def test_what_differs_is_told_by_the_codes_of_rules_and_levels() -> None:
    weekend = Rule("weekend", Factor(2_000), where=Where(slots=(Slot(frozenset({6, 7})),)))
    levels = DEFAULT_PROGRAM.tiers.levels
    gold = replace(levels[2], needs=(Need(Metric.SPEND, 150_000),), keeps=())
    changed = replace(
        DEFAULT_PROGRAM,
        earning=Earning((rate(2, 100), weekend)),
        tiers=replace(DEFAULT_PROGRAM.tiers, levels=(*levels[:2], gold, levels[3])),
        expiry=Expiry(Span(months=12)),
        remind_days=14,
    )
    assert diff(DEFAULT_PROGRAM, changed) == (
        Change("earning.rules", "base", "base, weekend"),
        Change("earning.rules.base.effect.rate.points", "1", "2"),
        Change("earning.rules.weekend.code", "", "weekend"),
        Change("earning.rules.weekend.effect.factor.permille", "", "2000"),
        Change("earning.rules.weekend.where.slots.0.weekdays", "", "6, 7"),
        Change("earning.rules.weekend.where.slots.0.untilMinute", "", "1440"),
        Change("earning.rules.weekend.currency", "", "points"),
        Change("tiers.levels.gold.needs.0.atLeast", "200000", "150000"),
        Change("tiers.levels.gold.keeps", "", "never"),
        Change("expiry.life", "", "12 months"),
        Change("remindDays", "0", "14"),
    )
