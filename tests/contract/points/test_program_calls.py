"""Programs over a real connection: who may call, what is answered, and a dry run that equals booking again."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from protos.points.v1 import programs_pb2 as pb
from protos.points.v1.programs_pb2_grpc import ProgramsStub
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import Outbox
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem, RpcChannel
from services.kit.timestamps import to_timestamp
from services.points.domain.batches import Recorded
from services.points.domain.commands import BookPurchase
from services.points.domain.drafts import Author
from services.points.domain.items import Item
from services.points.domain.programs import DEFAULT_PROGRAM, Program, rate
from services.points.domain.purchases import Line, Purchase
from services.points.domain.rules import Cap, CapUnit, CapWindow, Earning, Factor, Fixed, LineMatch, Rule, Where
from services.points.events.programs import program_message
from services.points.main import programs_servicer
from services.points.store.items import ItemCopies
from services.points.store.journal import MongoJournal
from services.points.store.programs import MongoPrograms
from services.points.usecases.ledger import commit
from tests.contract.points.desk import KnownMembers
from tests.contract.points.test_programs import DOUBLE, KnownZones
from tests.support.clock import START, FixedClock
from tests.support.served import served

if TYPE_CHECKING:
    from protos.points.v1.programs_pb2_grpc import ProgramsAsyncStub

READ, WRITE = "program:read", "program:write"
FEBRUARY = datetime(2026, 2, 1, 4, tzinfo=UTC)


def staff(chain: str = "chn_1", *scopes: str) -> Principal:
    return Principal(chain=chain, kind=Caller.STAFF, id="key_1", scopes=frozenset(scopes or (READ, WRITE)))


@dataclass
class Programs:
    channel: RpcChannel
    stub: "ProgramsAsyncStub"
    journal: MongoJournal
    clock: FixedClock
    members: KnownMembers

    async def call(self, method: str, request: Any, by: Principal | None = None) -> Any:
        return await self.channel.call(getattr(self.stub, method), request, principal=by or staff(), timeout_s=30.0)

    async def save(self, program: Program, *, chain: str = "chn_1", name: str = "next") -> Any:
        request = pb.SaveDraftRequest(key=f"save {name}", name=name, program=program_message(program))
        return await self.call("SaveDraft", request, staff(chain))

    async def publish(self, program: Program, *, chain: str) -> None:
        await self.save(program, chain=chain)
        request = pb.PublishDraftRequest(key="publish", name="next", expected_revision=1)
        await self.call("PublishDraft", request, staff(chain))

    async def dry_run(self, month: str = "2026-02", *, by: Principal | None = None) -> list[pb.DryRunProgress]:
        request = pb.DryRunRequest(name="next", month=month)
        stream = self.channel.stream(self.stub.DryRun, request, principal=by or staff(), timeout_s=30.0)
        async with stream as parts:
            return [part async for part in parts]

    async def book(self, chain: str, purchases: Sequence[Purchase]) -> int:
        """Book receipts at their own moments and return the points that they granted."""
        points = 0
        for number, one in enumerate(purchases):
            bought = replace(one, receipt_number=f"r{number}")
            [booked] = await commit(
                [
                    BookPurchase(
                        author=Author(chain, f"ent_{number}", bought.occurred_at, "till:1", bought.key),
                        purchase=bought,
                        time_zone="Asia/Shanghai",
                        purchase_id=f"pur_{number}",
                        opens_account=True,
                        items=self.members.menu,
                    )
                ],
                journal=self.journal,
            )
            assert isinstance(booked, Recorded)
            points += booked.booked.points
        return points


@pytest.fixture
async def programs(database: Database, clock: FixedClock) -> AsyncIterator[Programs]:
    members = KnownMembers()
    members.menu["latte"] = Item("latte", 1, "coffee", None)
    kept = MongoPrograms(database, zones=KnownZones(), clock=clock)
    items = ItemCopies(database, source=members, clock=clock)
    async with served(
        [programs_servicer(database, kept, items, clocks=MongoChainClocks(database, system=clock))]
    ) as channel:
        yield Programs(
            channel, channel.stub(ProgramsStub), MongoJournal(database, Outbox(database), kept), clock, members
        )


def sold(day: float, *lines: tuple[str, int], member: str = "mem_ada") -> Purchase:
    return Purchase(
        store="sto_1",
        receipt_number="",
        member=member,
        occurred_at=FEBRUARY + timedelta(days=day),
        currency="CNY",
        lines=tuple(Line(item, 1, paid) for item, paid in lines),
    )


SALES = (
    sold(-1, ("latte", 9_900)),
    sold(1, ("latte", 3_000), ("cake", 5_050)),
    sold(2, ("latte", 3_000), member="mem_bob"),
    sold(2.1, ("latte", 9_000), member="mem_bob"),
    sold(2.2, ("cake", 60_000)),
    sold(3, ("cake", 2_000)),
    sold(3.1, ("latte", 4_000)),
    sold(27, ("cake", 1_000), member="mem_bob"),
    sold(29, ("cake", 7_700)),
)
WANTED = replace(
    DEFAULT_PROGRAM,
    version=0,
    earning=Earning(
        (
            rate(2, 100),
            Rule("coffee", Factor(3_000), LineMatch(categories=frozenset({"coffee"})), caps=(Cap(100, CapWindow.DAY),)),
            Rule("hello", Fixed(11), caps=(Cap(2, CapWindow.MONTH, CapUnit.TIMES),)),
        ),
        caps=(Cap(1_500, CapWindow.MONTH),),
    ),
)


async def test_a_dry_run_equals_booking_again(programs: Programs) -> None:
    programs.clock.now = FEBRUARY - timedelta(days=2)
    await programs.publish(WANTED, chain="chn_2")
    programs.clock.now = START + timedelta(days=1)
    booked = await programs.book("chn_1", SALES)
    again = await programs.book("chn_2", SALES[1:-1])  # only those of the month: caps begin at nothing
    await programs.save(WANTED)
    *_, last = await programs.dry_run()
    result = last.result
    assert (last.receipts, last.receipts_in_all, result.receipts, result.spend_minor) == (7, 7, 7, 87_050)
    assert result.points_by_draft == again
    assert result.points_booked == booked - 99 - 92
    assert sum(rule.by_draft for rule in result.rules) == again
    assert {rule.rule: (rule.booked, rule.by_draft) for rule in result.rules} == {
        "base": (870, 1_638),
        "coffee": (0, 200),
        "hello": (0, 44),
        "tier:silver": (12, 0),
    }
    assert (result.month, result.revision, result.receipts_without_facts) == ("2026-02", 1, 0)


async def test_a_dry_run_books_nothing_and_sees_its_own_chain_only(programs: Programs) -> None:
    programs.clock.now = START + timedelta(days=1)
    await programs.book("chn_1", SALES)
    await programs.save(WANTED, chain="chn_2")
    [progress] = await programs.dry_run(by=staff("chn_2"))
    assert (progress.receipts, progress.result.points_by_draft, len(progress.result.rules)) == (0, 0, 0)


async def test_receipts_without_what_a_condition_asks_for_are_counted(programs: Programs) -> None:
    programs.clock.now = START + timedelta(days=1)
    await programs.book("chn_1", SALES)
    regulars = Rule("regulars", Fixed(5), where=Where(condition="member.visits >= 1"))
    await programs.save(replace(DOUBLE, earning=Earning((rate(1, 100), regulars))))
    *_, last = await programs.dry_run()
    assert (last.result.receipts, last.result.receipts_without_facts) == (7, 7)


@pytest.mark.parametrize("month", ["2026-03", "2026-2", "soon", "0001-01", ""])
async def test_a_month_that_is_not_over_cannot_be_tried(programs: Programs, month: str) -> None:
    await programs.save(DOUBLE)
    with pytest.raises(RemoteProblem) as refused:
        await programs.dry_run(month)
    assert (refused.value.code, refused.value.field) == ("INVALID_MONTH", "month")


async def test_what_is_told_of_a_program(programs: Programs) -> None:
    saved = await programs.save(DOUBLE)
    draft = pb.DraftHead(name="next", revision=1, saved_at=to_timestamp(START), saved_by="staff:key_1")
    assert saved == pb.SaveDraftResponse(draft=draft)
    first = pb.ProgramVersion(head=pb.VersionHead(version=1), program=program_message(DEFAULT_PROGRAM))
    answer = await programs.call("GetPrograms", pb.GetProgramsRequest())
    assert answer == pb.GetProgramsResponse(
        live=first, versions=[first.head], drafts=[draft], time_zone="Asia/Shanghai"
    )
    shown = await programs.call("GetDraft", pb.GetDraftRequest(name="next"))
    assert shown.draft == pb.Draft(head=draft, program=program_message(DOUBLE))
    differing = await programs.call("DiffDraft", pb.DiffDraftRequest(name="next"))
    assert differing == pb.DiffDraftResponse(
        live_version=1,
        revision=1,
        changes=[pb.ProgramChange(path="earning.rules.base.effect.rate.points", before="1", after="2")],
    )
    at = START + timedelta(days=2)
    request = pb.PublishDraftRequest(key="p", name="next", expected_revision=1, effective_from=to_timestamp(at))
    published = await programs.call("PublishDraft", request)
    head = pb.VersionHead(
        version=2,
        effective_from=to_timestamp(at),
        published_at=to_timestamp(START),
        published_by="staff:key_1",
        draft_name="next",
    )
    assert published == pb.PublishDraftResponse(version=head)
    version = await programs.call("GetProgramVersion", pb.GetProgramVersionRequest(version=2))
    assert version.version == pb.ProgramVersion(head=head, program=program_message(DOUBLE))
    await programs.save(DOUBLE, name="other")
    deleted = await programs.call("DeleteDraft", pb.DeleteDraftRequest(key="d", name="other", expected_revision=1))
    assert deleted == pb.DeleteDraftResponse()


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("SaveDraft", pb.SaveDraftRequest()),
        ("PublishDraft", pb.PublishDraftRequest()),
        ("DeleteDraft", pb.DeleteDraftRequest()),
    ],
)
async def test_who_reads_a_program_cannot_change_it(programs: Programs, method: str, request_: Any) -> None:
    with pytest.raises(RemoteProblem) as refused:
        await programs.call(method, request_, staff("chn_1", READ))
    assert refused.value.code == "DENIED"


async def test_a_till_does_not_see_drafts(programs: Programs) -> None:
    till = Principal(chain="chn_1", kind=Caller.TILL, id="key_2", scopes=frozenset({READ}))
    with pytest.raises(RemoteProblem) as refused:
        await programs.call("GetPrograms", pb.GetProgramsRequest(), till)
    assert refused.value.code == "DENIED"
