"""Two members that are one person become one, and two again."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from protos.common.v1.money_pb2 import Money
from protos.events.v1 import members_pb2 as events_pb2
from protos.events.v1 import points_pb2
from protos.members.v1 import members_pb2 as pb
from services.kit.errors import Kind
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.kit.outbox.outbox import OUTBOX
from services.kit.principal import Caller, Principal
from services.kit.timestamps import to_timestamp
from tests.support.clock import START, FixedClock
from tests.support.members_service import MembersService, enrollment, external, phone, portrait_handler, staff

LI, MING = "+8613800138000", "+8613900139000"


async def join(
    service: MembersService, chain: str, *identities: pb.Identity, name: str = "Li", days_ago: int = 0
) -> str:
    request = enrollment(*identities, name=name)
    request.member.enrolled_at.CopyFrom(to_timestamp(START - timedelta(days=days_ago)))
    return (await service.enroll(request, staff(chain))).member.id


async def merge(service: MembersService, chain: str, one: str, other: str, key: str = "") -> pb.MergeMembersResponse:
    request = pb.MergeMembersRequest(key=key or uuid4().hex, member_id=one, other_member_id=other)
    answer: pb.MergeMembersResponse = await service.call(service.members.MergeMembers, request, staff(chain))
    return answer


async def split(service: MembersService, chain: str, merge_id: str, key: str = "") -> pb.SplitMembersResponse:
    request = pb.SplitMembersRequest(key=key or uuid4().hex, merge_id=merge_id)
    answer: pb.SplitMembersResponse = await service.call(service.members.SplitMembers, request, staff(chain))
    return answer


async def bought(service: MembersService, chain: str, member: str, *numbers: int, traceparent: str = "") -> None:
    """Let members hear of purchases, one a day: those of the numbers."""
    events = [
        Event(
            id=f"{chain}/{member}/{number}",
            chain=chain,
            stream="points.account",
            aggregate=member,
            sequence=number,
            type="huitou.events.v1.PurchaseBooked",
            at=START,
            body=points_pb2.PurchaseBooked(
                purchase_id=f"pur_{number}",
                member_id=member,
                occurred_at=to_timestamp(START + timedelta(days=number)),
                paid=Money(amount_minor=1_000 + number, currency="CNY"),
                time_zone="Asia/Shanghai",
            ).SerializeToString(),
            traceparent=traceparent,
        )
        for number in numbers
    ]

    async def apply(session: Session) -> None:
        await portrait_handler(service.database)(events, session)

    await service.database.in_transaction(apply)


async def told(service: MembersService, chain: str, member: str) -> list[Any]:
    rows = (
        await service.database.collection(OUTBOX).find({"chain": chain, "aggregate": member}).sort("sequence").to_list()
    )
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    return [getattr(events_pb2, row["type"].rpartition(".")[2]).FromString(row["body"]) for row in rows]


async def test_the_older_stays_and_both_ids_mean_it(service: MembersService, chain: str) -> None:
    young = await join(service, chain, phone(LI), name="Li Ming", days_ago=1)
    old = await join(service, chain, phone(MING), external("A-7"), name="", days_ago=9)
    done = await merge(service, chain, young, old)
    assert (done.member_id, done.repeated_call) == (old, False)
    assert await service.resolve([phone(LI), phone(MING), external("A-7")], staff(chain)) == [old] * 3
    request = pb.GetMembersRequest(ids=[young, old])
    answer = await service.call(service.members.GetMembers, request, staff(chain))
    assert list(answer.asked_ids) == [young, old]
    assert answer.members[0] == answer.members[1]
    found = answer.members[0]
    assert (found.id, found.profile.name, list(found.former_ids)) == (old, "Li Ming", [young])
    assert [one.value for one in found.profile.identities] == [MING, "A-7", LI]
    [_, event] = await told(service, chain, young)
    assert event == events_pb2.MemberMerged(
        member_id=young, into_id=old, merge_id=done.merge_id, merged_at=to_timestamp(START)
    )
    assert len(await told(service, chain, old)) == 1


async def test_the_same_key_merges_once_and_one_who_is_one_is_left_alone(service: MembersService, chain: str) -> None:
    old, young = await join(service, chain, days_ago=2), await join(service, chain)
    first = await merge(service, chain, old, young, key="merge-them")
    again = await merge(service, chain, young, old, key="merge-them")
    assert (again.member_id, again.merge_id, again.repeated_call) == (old, first.merge_id, True)
    once_more = await merge(service, chain, old, young)
    assert (once_more.member_id, once_more.merge_id, once_more.repeated_call) == (old, "", False)
    assert len(await told(service, chain, young)) == 2


async def test_purchases_of_both_are_one_portrait_whenever_they_are_heard_of(
    service: MembersService, chain: str
) -> None:
    old, young = await join(service, chain, days_ago=2), await join(service, chain)
    await bought(service, chain, old, 1, 3)
    await bought(service, chain, young, 2, 3 + 10)
    done = await merge(service, chain, old, young)
    await bought(service, chain, young, 5)  # was on its way when they were merged
    visits = (await service.member(chain, young)).visits
    assert (visits.count, visits.spend[0].amount_minor) == (5, 5_000 + 1 + 3 + 2 + 13 + 5)
    await bought(service, chain, old, 7)
    await split(service, chain, done.merge_id)
    mine, others = (await service.member(chain, old)).visits, (await service.member(chain, young)).visits
    assert (mine.count, mine.spend[0].amount_minor) == (3, 3_000 + 1 + 3 + 7)
    assert (others.count, others.spend[0].amount_minor) == (3, 3_000 + 2 + 13 + 5)


async def test_undone_a_merge_leaves_both_as_they_were(service: MembersService, chain: str) -> None:
    old = await join(service, chain, phone(MING), name="", days_ago=9)
    young = await join(service, chain, phone(LI), name="Li Ming", days_ago=1)
    before = [await service.member(chain, id_) for id_ in (old, young)]
    done = await merge(service, chain, old, young)
    undone = await split(service, chain, done.merge_id, key="undo-it-now")
    assert (undone.member_id, undone.freed_id) == (old, young)
    after = [await service.member(chain, id_) for id_ in (old, young)]
    for one in (*before, *after):
        one.version = 0
    assert after == before
    assert await service.resolve([phone(LI), phone(MING)], staff(chain)) == [young, old]
    again = await split(service, chain, done.merge_id, key="undo-it-now")
    assert again.repeated_call
    [_, _, event] = await told(service, chain, young)
    assert event == events_pb2.MemberSplit(
        member_id=young, from_id=old, merge_id=done.merge_id, split_at=to_timestamp(START)
    )
    refused = await service.refusal(
        service.members.SplitMembers, pb.SplitMembersRequest(key=uuid4().hex, merge_id=done.merge_id), staff(chain)
    )
    assert refused.code == "CANNOT_SPLIT"


async def test_what_came_after_a_merge_stays_with_the_survivor(service: MembersService, chain: str) -> None:
    old, young = await join(service, chain, phone(MING), days_ago=9), await join(service, chain, phone(LI))
    done = await merge(service, chain, old, young)
    await add(service, chain, young, external("A-1"))
    await split(service, chain, done.merge_id)
    assert await service.resolve([phone(LI), phone(MING), external("A-1")], staff(chain)) == [young, old, old]


async def test_members_become_one_one_after_the_other_and_come_apart_the_other_way_round(
    service: MembersService, chain: str
) -> None:
    first, second, third = [await join(service, chain, external(f"A-{age}"), days_ago=age) for age in (30, 20, 10)]
    inner = await merge(service, chain, third, second)
    outer = await merge(service, chain, third, first)
    assert (inner.member_id, outer.member_id) == (second, first)
    assert [(await service.member(chain, one)).id for one in (first, second, third)] == [first] * 3
    assert sorted((await service.member(chain, third)).former_ids) == sorted([second, third])
    await refused_split(service, chain, inner.merge_id)
    await split(service, chain, outer.merge_id)
    assert [(await service.member(chain, one)).id for one in (first, second, third)] == [first, second, second]
    await split(service, chain, inner.merge_id)
    assert [(await service.member(chain, one)).id for one in (first, second, third)] == [first, second, third]
    names = [external("A-30"), external("A-20"), external("A-10")]
    assert await service.resolve(names, staff(chain)) == [first, second, third]


async def refused_split(service: MembersService, chain: str, merge_id: str) -> None:
    request = pb.SplitMembersRequest(key=uuid4().hex, merge_id=merge_id)
    refused = await service.refusal(service.members.SplitMembers, request, staff(chain))
    assert (refused.kind, refused.code) == (Kind.REFUSED, "CANNOT_SPLIT")


async def add(
    service: MembersService,
    chain: str,
    member: str,
    identity: pb.Identity,
    when_taken: pb.WhenTaken.ValueType = pb.WHEN_TAKEN_UNSPECIFIED,
) -> pb.IdentityResponse:
    request = pb.AddIdentityRequest(key=uuid4().hex, member_id=member, identity=identity, when_taken=when_taken)
    answer: pb.IdentityResponse = await service.call(service.members.AddIdentity, request, staff(chain))
    return answer


def points(chain: str) -> Principal:
    return Principal(chain=chain, kind=Caller.SERVICE, id="points")


async def paid(service: MembersService, chain: str, payer: str) -> str:
    request = pb.EnrollPayersRequest(payers=[pb.Payer(hash=payer, payment_kind="wechat")])
    answer = await service.call(service.members.EnrollPayers, request, points(chain))
    return str(answer.payers[0].member_id)


async def test_a_payer_who_proves_a_free_phone_is_a_member_for_good(service: MembersService, chain: str) -> None:
    payer = await paid(service, chain, "a" * 64)
    assert (await service.member(chain, payer)).provisional
    done = await add(service, chain, payer, phone(LI))
    assert (done.member_id, done.merge_id) == (payer, "")
    member = await service.member(chain, payer)
    assert (member.provisional, [one.value for one in member.profile.identities]) == (False, [LI])
    assert await service.resolve([phone(LI)], staff(chain)) == [payer]


async def test_a_payer_who_proves_a_members_phone_is_that_member(service: MembersService, chain: str) -> None:
    member = await join(service, chain, phone(LI), days_ago=5)
    payer = await paid(service, chain, "a" * 64)
    done = await add(service, chain, payer, phone(LI))
    assert done.member_id == member
    assert done.merge_id
    assert await paid(service, chain, "a" * 64) == member
    found = await service.member(chain, payer)
    assert (found.id, found.provisional) == (member, False)


async def test_an_older_payer_stays_when_it_turns_out_to_be_a_member(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    payer = await paid(service, chain, "a" * 64)
    clock.move(timedelta(days=3))
    request = enrollment(phone(LI), name="Li Ming")
    member = (await service.enroll(request, staff(chain))).member.id
    account = pb.PaymentAccount(payment_kind="wechat", account="oX1")
    asked = pb.AddIdentityRequest(key=uuid4().hex, member_id=member, payment_account=account)
    free: pb.IdentityResponse = await service.call(service.members.AddIdentity, asked, staff(chain))
    assert (free.member_id, free.merge_id) == (member, "")
    done = await add(service, chain, payer, phone(LI))
    assert done.member_id == payer
    found = await service.member(chain, member)
    assert (found.id, found.profile.name, found.provisional) == (payer, "Li Ming", False)


async def test_the_phone_of_another_full_member_is_told_apart(service: MembersService, chain: str) -> None:
    li, ming = await join(service, chain, phone(LI), days_ago=2), await join(service, chain, phone(MING))
    request = pb.AddIdentityRequest(key=uuid4().hex, member_id=ming, identity=phone(LI))
    refused = await service.refusal(service.members.AddIdentity, request, staff(chain))
    assert (refused.code, refused.field) == ("IDENTITY_TAKEN", "identity")
    passed = await add(service, chain, ming, phone(LI), pb.WHEN_TAKEN_PASS_ON)
    assert (passed.member_id, passed.merge_id) == (ming, "")
    assert await service.resolve([phone(LI), phone(MING)], staff(chain)) == [ming, ming]
    assert list((await service.member(chain, li)).profile.identities) == []
    back = await add(service, chain, li, phone(LI), pb.WHEN_TAKEN_MERGE)
    assert back.member_id == li
    assert (await service.member(chain, ming)).id == li


async def test_a_new_phone_takes_the_place_of_the_old_one(service: MembersService, chain: str) -> None:
    li, ming = await join(service, chain, phone(LI)), await join(service, chain, phone(MING))
    taken = pb.ReplaceIdentityRequest(key=uuid4().hex, member_id=li, old=phone(LI), new=phone(MING))
    assert (await service.refusal(service.members.ReplaceIdentity, taken, staff(chain))).code == "IDENTITY_TAKEN"
    free = pb.ReplaceIdentityRequest(key=uuid4().hex, member_id=li, old=phone(LI), new=phone("+8613700137000"))
    await service.call(service.members.ReplaceIdentity, free, staff(chain))
    found = await service.resolve([phone(LI), phone("+8613700137000"), phone(MING)], staff(chain))
    assert found == ["", li, ming]
    # The old number is free: whoever has it now can join by it.
    assert await join(service, chain, phone(LI)) not in (li, ming)


async def test_a_lost_card_names_nobody_and_lets_nobody_join(service: MembersService, chain: str) -> None:
    card = pb.Identity(kind=pb.IDENTITY_KIND_CARD, value="HT-0001")
    li = await join(service, chain, card)
    assert await service.resolve([card], staff(chain)) == [li]
    lost = pb.RemoveIdentityRequest(key=uuid4().hex, member_id=li, identity=card)
    await service.call(service.members.ReportLost, lost, staff(chain))
    assert await service.resolve([card], staff(chain)) == [""]
    assert list((await service.member(chain, li)).profile.identities) == []
    assert (
        await service.refusal(service.members.EnrollMember, enrollment(card), staff(chain))
    ).code == "IDENTITY_TAKEN"
    again = pb.AddIdentityRequest(key=uuid4().hex, member_id=li, identity=card)
    assert (await service.refusal(service.members.AddIdentity, again, staff(chain))).code == "IDENTITY_LOST"
    await add(service, chain, li, pb.Identity(kind=pb.IDENTITY_KIND_CARD, value="ht 0002"))
    new = pb.Identity(kind=pb.IDENTITY_KIND_CARD, value="HT0002")
    assert await service.resolve([new], staff(chain)) == [li]


@pytest.mark.parametrize("call", ["RemoveIdentity", "ReportLost"])
async def test_only_its_own_identity_is_taken_from_a_member(service: MembersService, chain: str, call: str) -> None:
    li, _ming = await join(service, chain, phone(LI)), await join(service, chain, phone(MING))
    for identity in (phone(MING), phone("+8613700137000")):
        request = pb.RemoveIdentityRequest(key=uuid4().hex, member_id=li, identity=identity)
        refused = await service.refusal(getattr(service.members, call), request, staff(chain))
        assert refused.code == "IDENTITY_NOT_FOUND"


async def test_chains_share_no_members_to_merge(service: MembersService, chain: str, other_chain: str) -> None:
    mine, theirs = await join(service, chain), await join(service, other_chain)
    request = pb.MergeMembersRequest(key=uuid4().hex, member_id=mine, other_member_id=theirs)
    refused = await service.refusal(service.members.MergeMembers, request, staff(chain))
    assert (refused.kind, refused.code) == (Kind.NOT_FOUND, "MEMBER_NOT_FOUND")
    done = await merge(service, chain, mine, await join(service, chain))
    undo = pb.SplitMembersRequest(key=uuid4().hex, merge_id=done.merge_id)
    assert (await service.refusal(service.members.SplitMembers, undo, staff(other_chain))).code == "MERGE_NOT_FOUND"
