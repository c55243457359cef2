"""Purchases and accounts over a real connection."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from protos.common.v1.page_pb2 import Page
from protos.points.v1 import points_pb2 as pb
from services.kit.errors import Kind, Problem
from services.kit.mongo.database import ContendedError
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import to_timestamp
from services.points.domain.batches import Recorded
from services.points.domain.commands import AnyCommand
from services.points.store.collections import RECEIPTS
from tests.contract.points.conftest import Ledger
from tests.contract.points.desk import ADA, STAFF, TILL, Points, receipt
from tests.support.clock import FixedClock


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
    request = pb.RecordPurchasesRequest(purchases=[receipt(f"R{n}") for n in range(5_001)])
    with pytest.raises(RemoteProblem, match="5001 purchases are too many for one call: send at most 5000"):
        await points.channel.call(points.stub.RecordPurchases, request, principal=TILL)
    assert await points.database.collection(RECEIPTS).count_documents({"chain": "chn_1"}) == 0


async def test_a_commit_that_failed_fails_the_call_so_that_all_is_sent_again(points: Points, ledger: Ledger) -> None:
    await ledger.stop()
    request = pb.RecordPurchasesRequest(purchases=[receipt("R1"), receipt("R2", store="sto_9")])
    with pytest.raises(RemoteProblem) as refused:
        await points.channel.call(points.stub.RecordPurchases, request, principal=STAFF)
    assert (refused.value.kind, refused.value.code) == (Kind.UNAVAILABLE, "STOPPING")


async def test_an_overtaken_commit_fails_the_call(points: Points, ledger: Ledger) -> None:
    async def overtaken(commands: Sequence[AnyCommand]) -> list[Recorded | Problem]:
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
