"""Members bring members, by codes; the first purchase of who was brought is told, once."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from protos.events.v1 import members_pb2 as events_pb2
from protos.members.v1 import members_pb2
from protos.members.v1 import referrals_pb2 as pb
from services.kit.errors import Kind
from services.kit.outbox.outbox import OUTBOX
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import to_timestamp
from services.members.domain.referrals import ALPHABET
from services.members.store.forgetting import FORGOTTEN
from services.members.store.referrals import MEMBER_REFERRAL_CODES, REFERRAL_CODES, REFERRALS, MongoReferralWork
from tests.contract.members.test_merges import bought, join, merge, split, told
from tests.support.clock import START
from tests.support.members_service import MembersService, enrollment, phone, staff, till


def guest(chain: str, member: str) -> Principal:
    return Principal(chain=chain, kind=Caller.MEMBER, id=member)


async def code_of(service: MembersService, chain: str, member: str, by: Principal | None = None) -> str:
    request = pb.CreateReferralCodeRequest(member_id=member)
    return str((await service.call(service.referrals.CreateReferralCode, request, by or staff(chain))).code)


def wish(member: str, code: str, key: str = "") -> pb.SetReferrerRequest:
    return pb.SetReferrerRequest(key=key or uuid4().hex, member_id=member, referral_code=code)


async def brought(service: MembersService, chain: str, member: str, code: str, key: str = "") -> pb.SetReferrerResponse:
    answer: pb.SetReferrerResponse = await service.call(
        service.referrals.SetReferrer, wish(member, code, key), staff(chain)
    )
    return answer


def joining(code: str, *identities: members_pb2.Identity, key: str = "") -> members_pb2.EnrollMemberRequest:
    request = enrollment(*identities, key=key)
    request.member.source.referral_code = code
    return request


async def counts(service: MembersService, chain: str, *members: str) -> list[tuple[str, int, int]]:
    request = pb.GetReferralsRequest(member_ids=members)
    answer = await service.call(service.referrals.GetReferrals, request, staff(chain))
    return [(one.member_id, one.waiting, one.completed) for one in answer.members]


async def completed(service: MembersService, chain: str, member: str) -> list[Any]:
    return [one for one in await told(service, chain, member) if isinstance(one, events_pb2.ReferralCompleted)]


async def test_a_member_has_one_code_however_often_and_from_wherever_it_is_asked_for(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    ada = await join(service, chain)
    asked = [code_of(one, chain, ada, guest(chain, ada)) for one in (service, other_replica) * 3]
    [code] = set(await asyncio.gather(*asked))
    assert (len(code), set(code) <= set(ALPHABET)) == (8, True)
    assert await code_of(service, chain, "", guest(chain, ada)) == code
    assert await service.database.collection(REFERRAL_CODES).count_documents({"chain": chain}) == 1


async def test_who_joins_by_a_code_was_brought_by_whom_it_belongs_to(service: MembersService, chain: str) -> None:
    ada = await join(service, chain)
    code = await code_of(service, chain, ada)
    request = joining(code.lower(), phone("+8613800138000"), key="join-by-code")
    first = await service.enroll(request, staff(chain))
    again = await service.enroll(request, staff(chain))
    bob = first.member.id
    assert (first.member.source.referrer_id, again.member.id, again.repeated_call) == (ada, bob, True)
    assert again.member.source.referrer_id == ada
    [event] = await told(service, chain, bob)
    assert event.referrer_id == ada
    assert await counts(service, chain, ada, bob) == [(ada, 1, 0), (bob, 0, 0)]
    [kept] = await service.database.collection(REFERRALS).find({"chain": chain}).to_list()
    assert (kept["member"], kept["referrer"], kept["state"], kept["at"]) == (bob, ada, "open", START)


async def test_a_code_that_nobody_has_and_one_of_another_chain_are_refused(
    service: MembersService, chain: str, other_chain: str
) -> None:
    ada, eve = await join(service, chain), await join(service, other_chain)
    foreign = await code_of(service, other_chain, eve)
    for code in ("22222222", foreign, "nonsense!"):
        refused = await service.refusal(service.members.EnrollMember, joining(code), staff(chain))
        assert (refused.kind, refused.code, refused.field) == (
            Kind.NOT_FOUND,
            "UNKNOWN_REFERRAL_CODE",
            "source.referralCode",
        )
        refused = await service.refusal(service.referrals.SetReferrer, wish(ada, code), staff(chain))
        assert (refused.code, refused.field) == ("UNKNOWN_REFERRAL_CODE", "referralCode")
    twice = joining(await code_of(service, chain, ada))
    twice.member.source.referrer_id = ada
    assert (await service.refusal(service.members.EnrollMember, twice, staff(chain))).code == "INVALID_MEMBER"
    assert await counts(service, other_chain, ada) == []


async def test_afterwards_it_can_be_said_once_and_before_anything_was_bought(
    service: MembersService, chain: str
) -> None:
    ada, bob, eve = [await join(service, chain) for _ in range(3)]
    code = await code_of(service, chain, ada)
    first = await brought(service, chain, bob, code, key="ada-brought-bob")
    again = await brought(service, chain, bob, code, key="ada-brought-bob")
    assert (first.member_id, again.referral_id, again.repeated_call) == (bob, first.referral_id, True)
    assert (await service.member(chain, bob)).source.referrer_id == ada
    refused = await service.refusal(service.referrals.SetReferrer, wish(bob, code), staff(chain))
    assert (refused.kind, refused.code) == (Kind.REFUSED, "REFERRER_SET")
    await bought(service, chain, eve, 1)
    refused = await service.refusal(service.referrals.SetReferrer, wish(eve, code), staff(chain))
    assert (refused.kind, refused.code) == (Kind.REFUSED, "BOUGHT_BEFORE")
    refused = await service.refusal(service.referrals.SetReferrer, wish(ada, code), guest(chain, ada))
    assert (refused.kind, refused.code) == (Kind.REFUSED, "SELF_REFERRAL")
    bobs = await code_of(service, chain, bob)
    refused = await service.refusal(service.referrals.SetReferrer, wish(ada, bobs), staff(chain))
    assert (refused.kind, refused.code) == (Kind.REFUSED, "REFERRAL_RING")


async def test_two_at_once_that_would_close_a_ring_are_not_both_done(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    """Each of the two lines is seen by the other's transaction only where they meet."""
    ada, bob, eve, fay = [await join(service, chain) for _ in range(4)]
    codes = {one: await code_of(service, chain, one) for one in (ada, bob, eve, fay)}
    await brought(service, chain, bob, codes[eve])
    await brought(service, chain, fay, codes[ada])
    answers = await asyncio.gather(
        brought(service, chain, ada, codes[bob]), brought(other_replica, chain, eve, codes[fay]), return_exceptions=True
    )
    assert sorted(getattr(one, "code", "set") for one in answers) == ["REFERRAL_RING", "set"]
    assert await service.database.collection(REFERRALS).count_documents({"chain": chain}) == 3


async def test_the_first_purchase_of_who_was_brought_is_told_once(service: MembersService, chain: str) -> None:
    ada, bob = await join(service, chain), await join(service, chain)
    done = await brought(service, chain, bob, await code_of(service, chain, ada))
    await bought(service, chain, ada, 1)  # who brings somebody may buy as well
    assert await completed(service, chain, ada) == []
    await bought(service, chain, bob, 3, 2)
    await bought(service, chain, bob, 3)  # heard again
    await bought(service, chain, bob, 1, 4)  # one of them late
    assert await completed(service, chain, bob) == [
        events_pb2.ReferralCompleted(
            member_id=bob,
            referral_id=done.referral_id,
            referrer_id=ada,
            completed_at=to_timestamp(START + timedelta(days=2)),
        )
    ]
    assert await counts(service, chain, ada) == [(ada, 0, 1)]


async def test_a_receipt_of_before_completes_when_the_referral_was_made(service: MembersService, chain: str) -> None:
    ada, bob = await join(service, chain), await join(service, chain)
    await brought(service, chain, bob, await code_of(service, chain, ada))
    await bought(service, chain, bob, -1)
    [event] = await completed(service, chain, bob)
    assert event.completed_at == to_timestamp(START)


async def test_a_purchase_and_a_code_at_the_same_moment_are_not_both_the_first(
    service: MembersService, chain: str
) -> None:
    """Whichever comes first: either the referral is refused, or the purchase completes it."""
    ada = await join(service, chain)
    code = await code_of(service, chain, ada)
    for _ in range(5):
        bob = await join(service, chain)
        answer, _ = await asyncio.gather(
            brought(service, chain, bob, code), bought(service, chain, bob, 1), return_exceptions=True
        )
        expected = 0 if getattr(answer, "code", "") == "BOUGHT_BEFORE" else 1
        assert len(await completed(service, chain, bob)) == expected


async def test_who_joins_by_a_code_and_pays_as_somebody_unknown_is_one_person(
    service: MembersService, chain: str
) -> None:
    ada, bob = await join(service, chain), await join(service, chain, days_ago=0)
    await brought(service, chain, bob, await code_of(service, chain, ada))
    payer = await join(service, chain)
    await bought(service, chain, payer, 1)
    done = await merge(service, chain, bob, payer)
    [event] = await completed(service, chain, done.member_id)
    assert (event.referrer_id, event.completed_at) == (ada, to_timestamp(START + timedelta(days=1)))
    await split(service, chain, done.merge_id)
    await bought(service, chain, bob, 5)  # its first, now that it is itself again
    await merge(service, chain, bob, payer)
    assert [len(await completed(service, chain, one)) for one in (bob, payer)] in ([1, 0], [0, 1])


async def test_who_comes_apart_again_and_buys_first_itself_completes_its_own(
    service: MembersService, chain: str
) -> None:
    """A referral of one is completed while both are one, under the other's id: once; what follows is another one's."""
    ada, old, bob = [await join(service, chain, days_ago=days) for days in (20, 9, 0)]
    code = await code_of(service, chain, ada)
    first = await brought(service, chain, bob, code)
    done = await merge(service, chain, old, bob)
    await bought(service, chain, bob, 1)
    await split(service, chain, done.merge_id)
    await bought(service, chain, bob, 2)
    second = await brought(service, chain, old, code)
    await bought(service, chain, old, 3)
    assert await completed(service, chain, bob) == []
    assert [one.referral_id for one in await completed(service, chain, old)] == [first.referral_id, second.referral_id]
    assert await counts(service, chain, ada) == [(ada, 0, 2)]


async def test_it_is_told_in_the_trace_of_the_purchase(service: MembersService, chain: str) -> None:
    ada, bob = await join(service, chain), await join(service, chain)
    await brought(service, chain, bob, await code_of(service, chain, ada))
    trace = f"00-{'ab' * 16}-{'cd' * 8}-01"
    await bought(service, chain, bob, 1, traceparent=trace)
    told_of = {"chain": chain, "aggregate": bob, "type": "huitou.events.v1.ReferralCompleted"}
    [row] = await service.database.collection(OUTBOX).find(told_of).to_list()
    assert row["traceparent"] == trace


async def test_the_key_of_one_guest_answers_no_other(service: MembersService, chain: str) -> None:
    ada, bob, eve = [await join(service, chain) for _ in range(3)]
    said = wish("", await code_of(service, chain, ada), key="12345678")
    first = await service.call(service.referrals.SetReferrer, said, guest(chain, bob))
    refused = await service.refusal(service.referrals.SetReferrer, said, guest(chain, eve))
    assert (first.member_id, refused.code) == (bob, "KEY_REUSED")


async def test_who_had_bought_under_another_id_was_no_newcomer(service: MembersService, chain: str) -> None:
    ada, old = await join(service, chain), await join(service, chain, days_ago=9)
    await bought(service, chain, old, -1)
    bob = await join(service, chain)
    await brought(service, chain, bob, await code_of(service, chain, ada))
    await merge(service, chain, old, bob)
    await bought(service, chain, bob, 3)
    assert [await completed(service, chain, one) for one in (old, bob)] == [[], []]


async def test_who_brought_whom_and_became_one_with_it_is_not_rewarded(service: MembersService, chain: str) -> None:
    ada, bob = await join(service, chain, days_ago=9), await join(service, chain)
    await brought(service, chain, bob, await code_of(service, chain, ada))
    await merge(service, chain, ada, bob)
    await bought(service, chain, bob, 1)
    assert [await completed(service, chain, one) for one in (ada, bob)] == [[], []]
    assert await counts(service, chain, ada) == [(ada, 0, 0)]


async def test_a_ring_that_a_merge_has_made_rewards_nobody(service: MembersService, chain: str) -> None:
    ada, bob, eve = [await join(service, chain, days_ago=9 - number) for number in range(3)]
    await brought(service, chain, ada, await code_of(service, chain, bob))
    await brought(service, chain, eve, await code_of(service, chain, ada))
    await merge(service, chain, bob, eve)  # who was brought by ada, whom bob has brought
    await bought(service, chain, ada, 1)
    await bought(service, chain, eve, 2)
    assert [await completed(service, chain, one) for one in (ada, bob, eve)] == [[], [], []]


async def test_an_erased_member_leaves_neither_code_nor_referral_and_is_not_rewarded(
    service: MembersService, chain: str
) -> None:
    ada, bob, eve = [await join(service, chain) for _ in range(3)]
    code = await code_of(service, chain, ada)
    await brought(service, chain, bob, code)
    await brought(service, chain, eve, await code_of(service, chain, bob))
    for member in (ada, eve):
        request = members_pb2.EraseMemberRequest(key=uuid4().hex, member_id=member)
        await service.call(service.members.EraseMember, request, staff(chain))
    assert {REFERRALS, REFERRAL_CODES, MEMBER_REFERRAL_CODES} <= set(FORGOTTEN)
    for keyed in (REFERRALS, REFERRAL_CODES, MEMBER_REFERRAL_CODES):
        left = await service.database.collection(keyed).find({"chain": chain}).to_list()
        assert {one["member"] for one in left} == {bob}
    assert (await service.refusal(service.members.EnrollMember, joining(code), staff(chain))).code == (
        "UNKNOWN_REFERRAL_CODE"
    )
    await bought(service, chain, bob, 1)
    assert await completed(service, chain, bob) == []


@pytest.mark.parametrize("what", ["codes", "owner"])
async def test_who_is_erased_in_the_middle_of_it_keeps_neither_code_nor_referral(
    service: MembersService, chain: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    ada, eve = await join(service, chain), await join(service, chain)
    code = await code_of(service, chain, ada)
    original, request = getattr(MongoReferralWork, what), members_pb2.EraseMemberRequest(key="erase-eve", member_id=eve)

    async def slow(work: MongoReferralWork, asked: Any) -> Any:
        """By now the member was read, and nothing written."""
        await service.call(service.members.EraseMember, request, staff(chain))
        return await original(work, asked)

    monkeypatch.setattr(MongoReferralWork, what, slow)
    with pytest.raises(RemoteProblem, match="no member"):
        await (code_of(service, chain, eve) if what == "codes" else brought(service, chain, eve, code))
    for keyed in (REFERRALS, REFERRAL_CODES, MEMBER_REFERRAL_CODES):
        assert await service.database.collection(keyed).count_documents({"chain": chain, "member": eve}) == 0


async def test_who_may(service: MembersService, chain: str) -> None:
    ada, bob = await join(service, chain), await join(service, chain)
    code = await code_of(service, chain, ada, till(chain, "sto_1"))
    reader = staff(chain, scopes=frozenset({"members:read"}))
    for method, request in (
        (service.referrals.CreateReferralCode, pb.CreateReferralCodeRequest(member_id=bob)),
        (service.referrals.SetReferrer, wish(bob, code)),
    ):
        assert (await service.refusal(method, request, reader)).kind is Kind.DENIED
        refused = await service.refusal(method, request, guest(chain, ada))  # another guest's
        assert refused.code == "MEMBER_NOT_FOUND"
    both = pb.GetReferralsRequest(member_ids=[ada, bob])
    shown = await service.call(service.referrals.GetReferrals, both, guest(chain, ada))
    assert [(one.member_id, one.code) for one in shown.members] == [(ada, code)]
    many = pb.GetReferralsRequest(member_ids=[f"mem_{number}" for number in range(1_001)])
    assert (await service.refusal(service.referrals.GetReferrals, many, reader)).code == "TOO_MANY"
