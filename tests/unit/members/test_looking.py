"""Receipts that are heard of in any order and in any batches lead to the same evidence as a look at all of them."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.places import Position
from services.members.domain.portraits import InChain, Portrait
from services.members.domain.review_rules import ReviewRule, Severity, SignalKind
from services.members.domain.reviews import Review
from services.members.domain.signals import Receipt, suspicious
from services.members.domain.timeline import Happening, HappeningKind
from services.members.domain.visits import Visits
from services.members.usecases.portraits import FoundPortraits, Person, TakenIn
from services.members.usecases.signals import Named, Raised, Reach, look_at, receipt_of

CHAIN, MEMBER, FORMER = "chn_1", "mem_1", "mem_2"
PERSON = CHAIN, MEMBER
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POSITIONS = {"bund": Position(31.23, 121.47), "garden": Position(31.30, 120.62), "palace": Position(39.90, 116.40)}
RULES = (
    ReviewRule("crowd", SignalKind.TOO_MANY_RECEIPTS, Severity.LOW, window_minutes=60, most=2),
    ReviewRule("own", SignalKind.STAFF_OWN_CARD, Severity.LOW, window_minutes=20, most=0),
    ReviewRule(
        "travel", SignalKind.IMPOSSIBLE_TRAVEL, Severity.LOW, window_minutes=90, speed_kmh=300, min_distance_m=50_000
    ),
)


class PaperSignals:
    """Keeps timelines and reviews in lists, and answers as narrowly as it may."""

    def __init__(self) -> None:
        self.heard: list[Happening] = []
        self.kept: dict[str, Review] = {}
        self.told: list[str] = []

    async def rules(self, chains: Collection[str]) -> Mapping[str, Sequence[ReviewRule]]:
        return dict.fromkeys(chains, RULES)

    async def own_cards(self, codes: Collection[Named]) -> Mapping[Named, str]:
        return {code: FORMER for code in codes if code[1] == "li"}

    async def receipts(self, reaches: Sequence[Reach]) -> Mapping[InChain, Sequence[Receipt]]:
        return {
            reach.person: [
                receipt_of(one)
                for one in self.heard
                if one.member in reach.ids and reach.since <= one.at <= reach.until
            ]
            for reach in reaches
        }

    async def positions(self, stores: Collection[Named]) -> Mapping[Named, Position]:
        return {store: POSITIONS[store[1]] for store in stores}

    async def reviews(self, reaches: Sequence[Reach]) -> Mapping[InChain, Sequence[Review]]:
        return {
            reach.person: [one for one in self.kept.values() if one.member in reach.ids and one.last_at >= reach.since]
            for reach in reaches
        }

    async def keep(self, raised: Raised, *, now: Mapping[str, datetime]) -> None:
        assert now == {CHAIN: NOON}
        for _, one in raised.changed:
            assert one.version == self.kept[one.id].version + 1
        assert not {one.id for _, one in raised.new} & self.kept.keys()
        self.kept |= {one.id: one for _, one in (*raised.new, *raised.changed)}
        self.told += [fact.review for _, fact, _ in raised.told]


async def hear(signals: PaperSignals, batch: Sequence[Happening], new_ids: "count[int]") -> None:
    last = max((one.at for one in signals.heard), default=None)
    found = FoundPortraits(
        portraits={PERSON: Portrait(Visits(last=last))},
        gone_to={(CHAIN, FORMER): PERSON},
        persons={PERSON: Person((MEMBER, FORMER), erased=False)},
    )
    signals.heard += batch
    await look_at(
        TakenIn(batch, found),
        now={CHAIN: NOON},
        traces={},
        new_id=lambda _: f"rev_{next(new_ids):04}",
        signals=signals,
    )


@st.composite
def batches(draw: st.DrawFn) -> list[list[Happening]]:
    happenings = [
        Happening(
            CHAIN,
            draw(st.sampled_from([MEMBER, FORMER])),
            HappeningKind.PURCHASE,
            f"pur_{number:03}",
            NOON - timedelta(minutes=draw(st.integers(0, 240))),
            store=draw(st.sampled_from(sorted(POSITIONS))),
            staff=draw(st.sampled_from(["", "li", "mei"])),
            detail=draw(st.sampled_from(["", "delivery"])),
        )
        for number in range(draw(st.integers(1, 9)))
    ]
    found: list[list[Happening]] = [[]]
    for one in happenings:
        apart = draw(st.booleans())
        if found[-1] and apart:
            found.append([])
        found[-1].append(one)
    return found


@given(batches())
def test_the_evidence_is_what_a_look_at_all_receipts_finds(told: list[list[Happening]]) -> None:
    signals, new_ids = PaperSignals(), count(1)
    for batch in told:
        asyncio.run(hear(signals, batch, new_ids))
    receipts = [receipt_of(one) for one in signals.heard]
    for rule in RULES:
        held = [one.purchase for review in signals.kept.values() if review.rule == rule.code for one in review.evidence]
        wanted = suspicious(rule, receipts, own_codes=["li"], positions=POSITIONS)
        assert sorted(held) == sorted(one.purchase for one in wanted)
    assert sorted(signals.told) == sorted(signals.kept)
    assert {review.staff for review in signals.kept.values() if review.rule == "own"} <= {"li"}
