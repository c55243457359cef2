"""The Points servicer over a real connection, on the real database; members is played by a dictionary."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from protos.common.v1.page_pb2 import Page
from protos.points.v1 import points_pb2 as pb
from protos.points.v1.points_pb2_grpc import PointsStub, add_PointsServicer_to_server
from services.kit.errors import Kind, Problem
from services.kit.ids import make_id
from services.kit.mongo.database import ContendedError, Database
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem, RpcChannel
from services.kit.timestamps import to_timestamp
from services.points.domain.batches import Recorded
from services.points.domain.booking import BookPurchase
from services.points.domain.programs import DEFAULT_PROGRAM
from services.points.rpc import PointsServicer
from services.points.store.accounts import MongoAccounts
from services.points.store.collections import ENTRIES, RECEIPTS
from services.points.store.stores import StoreCopies
from services.points.usecases.record_purchases import Identity, Recorder, Store
from tests.contract.points.conftest import Ledger
from tests.support.clock import FixedClock
from tests.support.served import served

if TYPE_CHECKING:
    from protos.points.v1.points_pb2_grpc import PointsAsyncStub

TILL = Principal(
    chain="chn_1",
    kind=Caller.TILL,
    id="key_1",
    scopes=frozenset({"purchases:write", "points:read"}),
    stores=frozenset({"sto_1"}),
)
STAFF = Principal(chain="chn_1", kind=Caller.STAFF, id="key_2", scopes=frozenset({"purchases:write", "points:read"}))
ADA = Principal(chain="chn_1", kind=Caller.MEMBER, id="mem_ada")


@dataclass
class KnownMembers:
    """What members would answer for chn_1; nobody else has anyone."""

    ids: set[str] = field(default_factory=lambda: {"mem_ada", "mem_bob"})
    asked: list[frozenset[str]] = field(default_factory=list)

    async def resolve(self, chain: str, identities: frozenset[Identity]) -> Mapping[Identity, str]:
        phone = Identity("phone", "+8613800000001")
        return {phone: "mem_ada"} if chain == "chn_1" and phone in identities else {}

    async def existing(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        self.asked.append(ids)
        return ids & self.ids if chain == "chn_1" else frozenset()

    async def stores(self, chain: str, ids: frozenset[str]) -> Mapping[str, Store]:
        known = {id_: Store(id=id_, version=1, time_zone="Asia/Shanghai", currency="CNY") for id_ in ("sto_1", "sto_2")}
        return {id_: known[id_] for id_ in ids & known.keys()} if chain == "chn_1" else {}


@dataclass
class Points:
    """The service as a caller has it."""

    channel: RpcChannel
    stub: "PointsAsyncStub"
    database: Database
    members: KnownMembers

    async def record(self, purchase: pb.Purchase, caller: Principal = TILL) -> pb.RecordPurchaseResponse:
        request = pb.RecordPurchaseRequest(purchase=purchase)
        return await self.channel.call(self.stub.RecordPurchase, request, principal=caller)

    async def refusal(self, purchase: pb.Purchase, caller: Principal = TILL) -> RemoteProblem:
        with pytest.raises(RemoteProblem) as refused:
            await self.record(purchase, caller)
        assert await self.database.collection(RECEIPTS).count_documents({"chain": caller.chain}) == 0
        assert await self.database.collection(ENTRIES).count_documents({"chain": caller.chain}) == 0
        return refused.value

    async def account(self, member: str, caller: Principal = STAFF) -> pb.Account:
        request = pb.GetAccountsRequest(member_ids=[member])
        return (await self.channel.call(self.stub.GetAccounts, request, principal=caller)).accounts[0]


@pytest.fixture
async def points(migrated: Database, ledger: Ledger, clock: FixedClock) -> AsyncIterator[Points]:
    members = KnownMembers()
    stores = StoreCopies(migrated, source=members, clock=clock)
    servicer = PointsServicer(
        recorder=Recorder(stores=stores, members=members, ledger=ledger, make_id=make_id),
        accounts=MongoAccounts(migrated),
        program=DEFAULT_PROGRAM,
        clock=clock,
    )
    descriptor = pb.DESCRIPTOR.services_by_name["Points"]
    async with served([(add_PointsServicer_to_server, servicer, descriptor)]) as channel:
        yield Points(channel, channel.stub(PointsStub), migrated, members)


def receipt(
    number: str = "R1", *, paid_minor: int = 10_000, member: str = "mem_ada", store: str = "sto_1"
) -> pb.Purchase:
    return pb.Purchase(
        store_id=store,
        receipt_number=number,
        member_id=member,
        occurred_at=to_timestamp(FixedClock()()),
        currency="CNY",
        lines=[pb.Line(item_code="noodles", quantity=1, gross_minor=paid_minor)],
    )


async def test_a_purchase_is_answered_with_all_that_the_till_shows(points: Points) -> None:
    await points.record(receipt("R1", paid_minor=50_000))
    booked = (await points.record(receipt("R2", paid_minor=10_050))).booked
    assert (booked.points, booked.balance_points) == (120, 620)
    assert [(part.rule, part.points) for part in booked.breakdown] == [("base", 100), ("tier:silver", 20)]
    assert (booked.paid.amount_minor, booked.paid.currency) == (10_050, "CNY")
    assert (booked.level_before, booked.level_after) == ("silver", "silver")


async def test_the_account_shows_balance_tier_and_what_is_missing(points: Points) -> None:
    await points.record(receipt(paid_minor=20_000))
    account = await points.account("mem_ada")
    assert (account.available_points, account.lifetime_points, account.version) == (200, 200, 1)
    assert (account.tier.level, account.tier.next_level, account.tier.missing_minor) == ("regular", "silver", 30_000)
    assert (account.tier.qualifying_spend.amount_minor, account.tier.HasField("since")) == (20_000, False)


async def test_an_account_nobody_booked_to_is_empty_not_missing(points: Points) -> None:
    account = await points.account("mem_bob")
    assert (account.member_id, account.available_points, account.tier.level) == ("mem_bob", 0, "regular")
    assert not account.tier.HasField("qualifying_spend")


async def test_the_same_receipt_gets_the_same_answer(points: Points) -> None:
    first, again = await points.record(receipt()), await points.record(receipt())
    assert (first.repeated_call, again.repeated_call) == (False, True)
    assert first.booked == again.booked


async def test_a_reused_number_is_a_conflict_on_its_field(points: Points) -> None:
    await points.record(receipt())
    with pytest.raises(RemoteProblem) as refused:
        await points.record(receipt(paid_minor=1))
    assert (refused.value.kind, refused.value.code) == (Kind.CONFLICT, "RECEIPT_REUSED")
    assert refused.value.field == "receiptNumber"
    assert "10000 CNY" in refused.value.message
    assert (await points.account("mem_ada")).available_points == 100


async def test_a_buyer_can_be_named_by_identity(points: Points) -> None:
    bought = receipt(member="")
    bought.identity.kind, bought.identity.value = "phone", "+8613800000001"
    assert (await points.record(bought)).booked.purchase.member_id == "mem_ada"


@pytest.mark.parametrize(
    ("purchase", "kind", "code", "field"),
    [
        (receipt(store="sto_9"), Kind.NOT_FOUND, "STORE_NOT_FOUND", "storeId"),
        (receipt(store="sto_2"), Kind.DENIED, "DENIED", "storeId"),
        (receipt(member="mem_nobody"), Kind.NOT_FOUND, "MEMBER_NOT_FOUND", "memberId"),
        (receipt(paid_minor=-1), Kind.INVALID, "INVALID_PURCHASE", "lines.0.grossMinor"),
        (receipt(number=""), Kind.INVALID, "INVALID_PURCHASE", "receiptNumber"),
    ],
)
async def test_a_wrong_receipt_is_refused_and_books_nothing(
    points: Points, purchase: pb.Purchase, kind: Kind, code: str, field: str
) -> None:
    refused = await points.refusal(purchase)
    assert (refused.kind, refused.code, refused.field) == (kind, code, field)


async def test_an_unknown_identity_is_refused(points: Points) -> None:
    bought = receipt(member="")
    bought.identity.kind, bought.identity.value = "phone", "+8613800000002"
    assert (await points.refusal(bought)).code == "MEMBER_NOT_FOUND"


async def test_another_currency_is_refused(points: Points) -> None:
    bought = receipt()
    bought.currency = "EUR"
    refused = await points.refusal(bought)
    assert (refused.field, refused.message) == ("currency", "The receipt is not right: this store sells in CNY.")


async def test_a_receipt_from_the_future_is_refused(points: Points) -> None:
    bought = receipt()
    bought.occurred_at.CopyFrom(to_timestamp(FixedClock()() + timedelta(minutes=6)))
    assert (await points.refusal(bought)).field == "occurredAt"


async def test_another_chain_reaches_neither_store_nor_member_nor_account(points: Points) -> None:
    await points.record(receipt())
    stranger = replace(STAFF, chain="chn_2")
    assert (await points.refusal(receipt(), stranger)).code == "STORE_NOT_FOUND"
    assert (await points.account("mem_ada", stranger)).available_points == 0


async def test_a_batch_answers_each_in_order(points: Points) -> None:
    request = pb.RecordPurchasesRequest(
        purchases=[
            receipt("R1", paid_minor=50_000),
            receipt("R2", member="mem_nobody"),
            receipt("R3"),
            receipt("R4", paid_minor=-5),
            receipt("R5", member="mem_bob"),
        ]
    )
    answer = await points.channel.call(points.stub.RecordPurchases, request, principal=TILL)
    told = [one.problem.code or one.recorded.booked.points for one in answer.results]
    assert told == [500, "MEMBER_NOT_FOUND", 120, "INVALID_PURCHASE", 100]
    # Those without an account were asked for once, together.
    assert points.members.asked == [frozenset({"mem_ada", "mem_bob", "mem_nobody"})]


async def test_a_batch_that_is_too_long_is_refused_whole(points: Points) -> None:
    request = pb.RecordPurchasesRequest(purchases=[receipt(f"R{n}") for n in range(501)])
    with pytest.raises(RemoteProblem, match="501 purchases are too many for one call: send at most 500"):
        await points.channel.call(points.stub.RecordPurchases, request, principal=TILL)
    assert await points.database.collection(RECEIPTS).count_documents({"chain": "chn_1"}) == 0


async def test_a_commit_that_failed_fails_the_call_so_that_all_is_sent_again(points: Points, ledger: Ledger) -> None:
    await ledger.stop()
    request = pb.RecordPurchasesRequest(purchases=[receipt("R1"), receipt("R2", store="sto_9")])
    with pytest.raises(RemoteProblem) as refused:
        await points.channel.call(points.stub.RecordPurchases, request, principal=STAFF)
    assert (refused.value.kind, refused.value.code) == (Kind.UNAVAILABLE, "STOPPING")


async def test_an_overtaken_commit_fails_the_call(points: Points, ledger: Ledger) -> None:
    async def overtaken(commands: Sequence[BookPurchase]) -> list[Recorded | Problem]:
        return [ContendedError(retry_after_ms=1_000)] * len(commands)

    ledger._commit = overtaken
    request = pb.RecordPurchasesRequest(purchases=[receipt("R1")])
    with pytest.raises(RemoteProblem) as refused:
        await points.channel.call(points.stub.RecordPurchases, request, principal=STAFF)
    assert (refused.value.code, refused.value.retry_after_ms) == ("CONTENDED", 1_000)


async def test_pages_of_the_journal_join_to_the_whole(points: Points) -> None:
    for number in range(5):
        await points.record(receipt(f"R{number}", paid_minor=100))
    seen: list[int] = []
    cursor = ""
    for expected in ([5, 4], [3, 2], [1]):
        request = pb.ListEntriesRequest(member_ids=["mem_ada", "mem_bob"], page=Page(first=2, after=cursor))
        mine, other = (await points.channel.call(points.stub.ListEntries, request, principal=STAFF)).pages
        assert [entry.version for entry in mine.entries] == expected
        assert (list(other.entries), other.end_cursor) == ([], "")
        seen += [entry.balance_points for entry in mine.entries]
        cursor = mine.end_cursor
    assert (seen, cursor) == ([5, 4, 3, 2, 1], "")


async def test_a_guest_sees_the_own_account_only(points: Points) -> None:
    await points.record(receipt())
    await points.record(receipt("R2", member="mem_bob"))
    request = pb.GetAccountsRequest(member_ids=["mem_bob", "mem_ada"])
    accounts = (await points.channel.call(points.stub.GetAccounts, request, principal=ADA)).accounts
    assert [account.member_id for account in accounts] == ["mem_ada"]
    pages = pb.ListEntriesRequest(member_ids=["mem_bob", "mem_ada"])
    found = (await points.channel.call(points.stub.ListEntries, pages, principal=ADA)).pages
    assert [len(page.entries) for page in found] == [0, 1]


async def test_a_forged_cursor_is_refused(points: Points) -> None:
    request = pb.ListEntriesRequest(member_ids=["mem_ada"], page=Page(after="{$gt: 0}"))
    with pytest.raises(RemoteProblem, match="not made by an earlier answer"):
        await points.channel.call(points.stub.ListEntries, request, principal=STAFF)
