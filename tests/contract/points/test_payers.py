"""Who pays becomes a member, also when members cannot be asked at that moment."""

from typing import Any

from protos.points.v1 import points_pb2 as pb
from services.kit.ids import make_id
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.points.domain.identities import IdentityHasher
from services.points.store.accounts import MongoPayers
from services.points.store.collections import ACCOUNTS, ENTRIES, PAYERS, RECEIPTS
from services.points.usecases.payers import Mover
from tests.contract.points.desk import Points, receipt, refund
from tests.support.clock import FixedClock

HASH = IdentityHasher(bytes(32)).hash("chn_1", "payer:wechat", "openid-7")
MEMBER = f"mem_{HASH[:8]}"


def paid(number: str = "R1", *, paid_minor: int = 10_000) -> pb.Purchase:
    bought = receipt(number, paid_minor=paid_minor, member="")
    bought.payment.kind, bought.payment.payer_id = "wechat", "openid-7"
    return bought


def mover(points: Points, clock: FixedClock) -> Mover:
    return Mover(
        payers=MongoPayers(points.database),
        members=points.members,
        ledger=points.recorder.ledger,
        clocks=MongoChainClocks(points.database, system=clock),
        make_id=make_id,
    )


async def everything(database: Database) -> str:
    found: list[Any] = []
    for keyed in (ACCOUNTS, ENTRIES, RECEIPTS, PAYERS):
        found += await database.collection(keyed).find({"chain": "chn_1"}).to_list(None)
    return repr(found)


async def test_an_unknown_payer_is_enrolled_in_the_same_call(points: Points) -> None:
    booked = (await points.record(paid())).booked
    assert (booked.purchase.member_id, booked.points) == (MEMBER, 100)
    assert [(payer.hash, payer.payment_kind, payer.store) for payer in points.members.payers] == [
        (HASH, "wechat", "sto_1")
    ]
    assert booked.purchase.payment == pb.Payment(kind="wechat")
    assert "openid-7" not in await everything(points.database)


async def test_a_member_who_pays_is_not_enrolled_again(points: Points) -> None:
    bought = paid()
    bought.member_id = "mem_ada"
    assert (await points.record(bought)).booked.purchase.member_id == "mem_ada"
    assert points.members.payers == []


async def test_a_receipt_without_any_buyer_is_refused(points: Points) -> None:
    refused = await points.refusal(receipt(member=""))
    assert (refused.code, refused.field) == ("INVALID_PURCHASE", "memberId")


async def test_while_members_is_away_a_paid_sale_is_booked_and_moves_later(points: Points, clock: FixedClock) -> None:
    points.members.away = True
    first = (await points.record(paid("R1", paid_minor=40_000))).booked
    await points.record(paid("R2"))
    assert first.purchase.member_id == f"pay_{HASH}"
    assert await mover(points, clock).move() == 0
    points.members.away = False
    assert await mover(points, clock).move() == 1
    account = await points.account(MEMBER)
    assert (account.available_points, account.tier.level) == (500, "silver")
    assert await points.database.collection(PAYERS).count_documents({}) == 0
    again = await points.record(paid("R1", paid_minor=40_000))
    assert (again.repeated_call, again.booked) == (True, first)
    [result] = await points.refund(refund("C1", "R1"))
    assert (result.recorded.booked.member_id, result.recorded.booked.taken[0].taken) == (MEMBER, 400)
    assert (await points.account(MEMBER)).available_points == 100


async def test_a_replica_that_still_cannot_ask_books_to_the_member_all_the_same(
    points: Points, clock: FixedClock
) -> None:
    points.members.away = True
    await points.record(paid("R1"))
    points.members.away = False
    await mover(points, clock).move()
    points.members.away = True
    assert (await points.record(paid("R2"))).booked.purchase.member_id == MEMBER
    assert (await points.account(f"pay_{HASH}")).available_points == 200  # leads to the same account


async def test_a_guest_known_by_phone_only_has_to_be_sent_again(points: Points) -> None:
    points.members.away = True
    bought = receipt(member="")
    bought.identity.kind, bought.identity.value = "phone", "+8613800000001"
    assert (await points.refusal(bought)).code == "UNAVAILABLE"
