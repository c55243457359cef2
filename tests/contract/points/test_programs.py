"""A chain's program as it is kept: drafts, versions, when a replica hears of them, and whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.kit.errors import KeyReusedError, Kind, Problem
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import ContendedError, Database
from services.kit.outbox.events import EventCursor
from services.kit.outbox.outbox import Outbox
from services.kit.principal import Caller, Principal
from services.points.domain.accounts import Account
from services.points.domain.program_checks import InvalidProgramError
from services.points.domain.program_versions import (
    Draft,
    DraftChangedError,
    DraftHead,
    NoDraftError,
    NoVersionError,
    TooManyDraftsError,
    VersionHead,
)
from services.points.domain.programs import DEFAULT_PROGRAM, Program, Programs, rate
from services.points.domain.rules import Earning
from services.points.main import group_commit
from services.points.store.collections import ACCOUNTS, CHAINS
from services.points.store.documents.accounts import account_document, account_of
from services.points.store.program_reviews import MongoReviews
from services.points.store.programs import CACHE_LIFETIME, MongoPrograms
from services.points.usecases import program_desk as desk
from services.points.usecases.ledger import Call
from services.points.usecases.program_reviews import Reviewer
from tests.contract.points.desk import AwayError
from tests.support.clock import START, FixedClock
from tests.unit.points.receipts import command, recorded

SHANGHAI = "Asia/Shanghai"
DOUBLE = replace(DEFAULT_PROGRAM, version=0, earning=Earning((rate(2, 100),)))
REMINDING = replace(DOUBLE, remind_days=7)


class NoChainError(Problem):
    """There is no such chain."""

    kind = Kind.NOT_FOUND
    code = "CHAIN_NOT_FOUND"


class OneChain:
    async def chains(self) -> list[str]:
        return ["chn_1"]


@dataclass
class KnownZones:
    asked: list[str] = field(default_factory=list)
    away: Problem | None = None

    async def zone(self, chain: str) -> str:
        self.asked.append(chain)
        if self.away is not None:
            raise self.away
        return SHANGHAI


def call(now: datetime, chain: str = "chn_1") -> Call:
    return Call(Principal(chain=chain, kind=Caller.STAFF, id="key_1"), now, lambda prefix, _: f"{prefix}_1")


class Office:
    """Two replicas of one service."""

    def __init__(self, database: Database, clock: FixedClock, zones: KnownZones) -> None:
        self.database, self.clock = database, clock
        self.here, self.there = [MongoPrograms(database, zones=zones, clock=clock) for _ in range(2)]

    async def save(
        self, key: str, program: Program = DOUBLE, *, name: str = "next", expected: int = 0, chain: str = "chn_1"
    ) -> tuple[DraftHead, bool]:
        return await desk.save_draft(
            key, name=name, program=program, expected=expected, call=call(self.clock(), chain), store=self.here
        )

    async def publish(
        self, key: str, *, at: datetime | None = None, expected: int = 1, chain: str = "chn_1", name: str = "next"
    ) -> tuple[VersionHead, bool]:
        return await desk.publish_draft(
            key, name=name, expected=expected, effective_from=at, call=call(self.clock(), chain), store=self.here
        )

    async def new_version(self, program: Program, *, at: datetime | None = None, chain: str = "chn_1") -> VersionHead:
        number = (await self.here.now(chain)).latest.version
        await self.save(f"save {number}", program, chain=chain)
        return (await self.publish(f"publish {number}", at=at, chain=chain))[0]

    async def seen(self, replica: MongoPrograms, chain: str = "chn_1") -> Sequence[int]:
        return [program.version for program in (await replica.of([chain]))[chain].versions]

    async def everything(self) -> Any:
        overview = await desk.overview(chain="chn_1", now=self.clock(), store=self.there)
        drafts = [await self.there.draft("chn_1", head.name) for head in overview.drafts]
        return overview, drafts, await self.there.now("chn_1")

    async def refused(self, doing: Any) -> Problem:
        before = await self.everything()
        with pytest.raises(Problem) as refused:
            await doing
        assert await self.everything() == before
        return refused.value


@pytest.fixture
def zones() -> KnownZones:
    return KnownZones()


@pytest.fixture
def office(database: Database, clock: FixedClock, zones: KnownZones) -> Office:
    return Office(database, clock, zones)


async def test_a_chain_begins_with_the_program_of_all_chains_in_its_own_zone(office: Office, zones: KnownZones) -> None:
    assert await office.here.of(["chn_1", "chn_2"]) == dict.fromkeys(["chn_1", "chn_2"], Programs(zone=SHANGHAI))
    assert await office.there.of(["chn_1"]) == {"chn_1": Programs(zone=SHANGHAI)}
    assert zones.asked == ["chn_1", "chn_2"]
    kept = await office.database.collection(CHAINS).find_one({"chain": "chn_1"}, {"_id": False})
    assert kept == {"chain": "chn_1", "zone": SHANGHAI}


async def test_a_paid_sale_is_booked_while_members_cannot_be_asked_for_the_zone(
    office: Office, zones: KnownZones
) -> None:
    zones.away = AwayError()
    ledger = group_commit(office.database, Outbox(office.database), office.here)
    await ledger.start()
    try:
        [answer] = await ledger.submit_all([command()])
    finally:
        await ledger.stop()
    assert recorded(answer).booked.points == 100


async def test_without_a_zone_days_are_those_of_utc_until_it_is_known(office: Office, zones: KnownZones) -> None:
    zones.away = AwayError()
    for _ in range(2):
        assert await office.here.of(["chn_1"]) == {"chn_1": Programs(zone="UTC")}
    zones.away = None
    for _ in range(2):
        assert await office.here.of(["chn_1"]) == {"chn_1": Programs(zone=SHANGHAI)}
    assert zones.asked == ["chn_1"] * 3
    zones.away = AwayError()
    assert await office.there.of(["chn_1"]) == {"chn_1": Programs(zone=SHANGHAI)}


async def test_only_what_a_sale_needs_goes_on_without_the_zone(office: Office, zones: KnownZones) -> None:
    zones.away = AwayError()
    for doing in (office.save("a"), office.here.now("chn_1")):
        with pytest.raises(AwayError):
            await doing
    zones.away = NoChainError()
    with pytest.raises(NoChainError):
        await office.here.of(["chn_1"])
    zones.away = None
    await office.new_version(DOUBLE)
    zones.away = AwayError()
    assert (await office.there.of(["chn_1"]))["chn_1"].zone == SHANGHAI  # kept with the first draft
    await office.database.collection(CHAINS).delete_many({"chain": "chn_1"})
    with pytest.raises(AwayError):  # which no running chain ever sees
        await MongoPrograms(office.database, zones=zones, clock=office.clock).of(["chn_1"])


async def test_a_draft_is_kept_by_its_revisions(office: Office) -> None:
    first = DraftHead("next", 1, START, "staff:key_1")
    assert await office.save("a") == (first, False)
    office.clock.move(timedelta(minutes=1))
    assert await office.save("a") == (first, True)
    second = replace(first, revision=2, saved_at=START + timedelta(minutes=1))
    assert await office.save("b", REMINDING, expected=1) == (second, False)
    assert await office.there.draft("chn_1", "next") == Draft(second, REMINDING)
    assert await office.there.drafts("chn_1") == [second]
    stale = await office.refused(office.save("c", DOUBLE, expected=1))
    assert isinstance(stale, DraftChangedError)
    assert stale.message == "The draft next is at revision 2, not at 1: look at it again."
    assert isinstance(await office.refused(office.save("a", REMINDING)), KeyReusedError)


async def test_a_wrong_draft_changes_nothing(office: Office) -> None:
    refused = await office.refused(office.save("a", replace(DOUBLE, remind_days=91)))
    assert isinstance(refused, InvalidProgramError)
    assert refused.field == "program.remindDays"
    assert await office.save("a") == (DraftHead("next", 1, START, "staff:key_1"), False)


async def test_a_chain_has_so_many_drafts(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "MAX_DRAFTS", 1)
    await office.save("a")
    assert isinstance(await office.refused(office.save("b", name="other")), TooManyDraftsError)


async def test_a_published_draft_is_the_next_version_and_never_changes(office: Office) -> None:
    await office.save("a")
    head = VersionHead(2, START + timedelta(seconds=60), START, "staff:key_1", "next")
    assert await office.publish("b") == (head, False)
    assert await office.publish("b") == (head, True)
    second = replace(DOUBLE, version=2, effective_from=head.effective_from)
    assert (await office.there.now("chn_1")).versions == (DEFAULT_PROGRAM, second)
    assert await desk.version(2, chain="chn_1", store=office.there) == (head, second)
    assert await office.there.drafts("chn_1") == []
    assert isinstance(await office.refused(office.publish("c")), NoDraftError)
    assert isinstance(await office.refused(desk.version(3, chain="chn_1", store=office.there)), NoVersionError)


async def test_a_version_is_live_from_its_moment_on(office: Office) -> None:
    head = await office.new_version(DOUBLE)
    before = await desk.overview(chain="chn_1", now=head.effective_from - timedelta(milliseconds=1), store=office.here)
    after = await desk.overview(chain="chn_1", now=head.effective_from, store=office.here)
    assert (before.live.version, after.live.version, after.live_head) == (1, 2, head)
    assert [one.version for one in after.heads] == [2, 1]


async def test_a_version_cannot_take_effect_before_all_have_heard_of_it(office: Office) -> None:
    await office.save("a")
    early = START + timedelta(seconds=59)
    refused = await office.refused(office.publish("b", at=early))
    assert (refused.field, refused.message) == (
        "effectiveFrom",
        "The program is not right: it takes effect no earlier than 2026-03-01T04:01:00.000+00:00.",
    )
    assert (await office.publish("b", at=START + timedelta(days=30)))[0].effective_from == START + timedelta(days=30)
    await office.save("c")
    refused = await office.refused(office.publish("d", at=START + timedelta(days=30)))
    assert refused.message == (
        "The program is not right: version 2 takes effect at 2026-03-31T04:00:00.000+00:00, and the next one after it."
    )
    refused = await office.refused(office.publish("e", at=START + timedelta(days=367)))
    assert refused.message == "The program is not right: it takes effect within 366 days."


async def test_a_replica_hears_of_a_version_long_before_it_takes_effect(office: Office) -> None:
    assert await office.seen(office.there) == [1]
    head = await office.new_version(DOUBLE)
    assert await office.seen(office.here) == [1, 2]
    assert await office.seen(office.there) == [1]
    office.clock.move(CACHE_LIFETIME)
    assert await office.seen(office.there) == [1, 2]
    assert head.effective_from - START > CACHE_LIFETIME * 2


async def test_what_is_published_too_slowly_is_not_published(office: Office) -> None:
    await office.save("a")
    asked = call(office.clock())
    office.clock.move(timedelta(seconds=21))
    slow = desk.publish_draft("b", name="next", expected=1, effective_from=None, call=asked, store=office.here)
    assert isinstance(await office.refused(slow), ContendedError)


async def test_a_sandbox_has_its_version_at_once(office: Office) -> None:
    assert await office.seen(office.there, "sbx_1") == [1]
    head = await office.new_version(DOUBLE, chain="sbx_1")
    assert head.effective_from == START
    assert await office.seen(office.there, "sbx_1") == [1, 2]


async def test_a_program_is_its_own_chains(office: Office) -> None:
    await office.save("a", chain="chn_2")
    assert await office.there.drafts("chn_1") == []
    assert isinstance(await office.refused(office.publish("b")), NoDraftError)
    await office.publish("b", chain="chn_2")
    assert (await office.seen(office.there), await office.seen(office.there, "chn_2")) == ([1], [1, 2])


async def test_a_draft_is_forgotten(office: Office) -> None:
    await office.save("a")

    async def delete(expected: int, key: str = "b") -> bool:
        return await desk.delete_draft(
            key, name="next", expected=expected, call=call(office.clock()), store=office.here
        )

    assert isinstance(await office.refused(delete(2)), DraftChangedError)
    assert (await delete(1), await delete(1)) == (False, True)
    assert await office.there.drafts("chn_1") == []
    assert isinstance(await office.refused(delete(1, "c")), NoDraftError)


async def test_a_draft_is_compared_with_what_is_live(office: Office) -> None:
    await office.new_version(DOUBLE)
    await office.save("a", REMINDING)
    live, head, changes = await desk.diff_draft("next", chain="chn_1", now=START, store=office.there)
    assert (live.version, head.revision, [one.path for one in changes]) == (
        1,
        1,
        ["earning.rules.base.effect.rate.points", "remindDays"],
    )
    later = START + timedelta(minutes=1)
    live, _, changes = await desk.diff_draft("next", chain="chn_1", now=later, store=office.there)
    assert (live.version, [(one.path, one.before, one.after) for one in changes]) == (2, [("remindDays", "0", "7")])


class TestLookingAgain:
    async def dues(self, office: Office, chain: str = "chn_1") -> dict[str, datetime | None]:
        found = office.database.collection(ACCOUNTS).find({"chain": chain})
        return {one["account"]: account_of(one)[0].due_at for one in await found.to_list(None)}

    async def open(self, office: Office, chain: str, **dues: datetime | None) -> None:
        await office.database.collection(ACCOUNTS).insert_many(
            [
                {"chain": chain, "account": name, **account_document(Account(name, due_at=due), EventCursor())}
                for name, due in dues.items()
            ]
        )

    async def test_every_account_falls_due_once_dues_have_moved(self, office: Office) -> None:
        soon, late = START + timedelta(seconds=30), START + timedelta(days=9)
        await self.open(office, "chn_1", mem_a=None, mem_b=late, mem_c=soon, mem_d=late, mem_e=None)
        await self.open(office, "chn_2", mem_a=None)
        head = await office.new_version(REMINDING)
        reviewer = Reviewer(
            MongoReviews(office.database, at_once=2), OneChain(), MongoChainClocks(office.database, system=office.clock)
        )
        assert await reviewer.review_all() == 0
        office.clock.now = head.effective_from
        assert await reviewer.review_all() == 1
        at = head.effective_from
        assert await self.dues(office) == {"mem_a": at, "mem_b": at, "mem_c": soon, "mem_d": at, "mem_e": at}
        assert await self.dues(office, "chn_2") == {"mem_a": None}
        assert await reviewer.review_all() == 0

    async def test_it_goes_on_where_it_was_cut_short(self, office: Office) -> None:
        await self.open(office, "chn_1", mem_a=None, mem_b=None)
        head = await office.new_version(REMINDING)
        reviews = MongoReviews(office.database, at_once=1)
        first = await reviews.next("chn_1", now=head.effective_from)
        assert first is not None
        left = await reviews.go_on(first)
        assert await self.dues(office) == {"mem_a": head.effective_from, "mem_b": None}
        assert await MongoReviews(office.database).next("chn_1", now=head.effective_from) == left

    async def test_what_moves_no_dues_lets_accounts_lie(self, office: Office) -> None:
        head = await office.new_version(DOUBLE)
        assert await MongoReviews(office.database).next("chn_1", now=head.effective_from) is None
