"""Members' cards over gRPC: handed out, scanned, replaced, guessed, and used in the place of an identity."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from protos.members.v1 import cards_pb2 as pb
from protos.members.v1 import members_pb2
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.domain.cards import code_of, luhn_digit
from tests.support.clock import START, FixedClock
from tests.support.members_service import MembersService, enrollment, phone, staff, till

GOOD, WRONG = pb.CARD_OUTCOME_GOOD, pb.CARD_OUTCOME_WRONG


def guest(chain: str, member: str) -> Principal:
    return Principal(chain=chain, kind=Caller.MEMBER, id=member)


@pytest.fixture
async def member(service: MembersService, chain: str) -> str:
    return (await service.enroll(enrollment(), staff(chain))).member.id


@pytest.fixture
async def card(service: MembersService, chain: str, member: str) -> pb.CardResponse:
    return await get(service, guest(chain, member))


async def get(service: MembersService, by: Principal, member: str = "") -> pb.CardResponse:
    answer: pb.CardResponse = await service.call(service.cards.GetCard, pb.GetCardRequest(member_id=member), by)
    return answer


async def lose(service: MembersService, by: Principal, number: str, member: str = "") -> pb.CardResponse:
    request = pb.ReplaceCardRequest(member_id=member, number=number)
    answer: pb.CardResponse = await service.call(service.cards.ReplaceCard, request, by)
    return answer


async def verify(service: MembersService, by: Principal, *scans: pb.CardScan) -> list[tuple[str, int]]:
    answer = await service.call(service.cards.VerifyCardCodes, pb.VerifyCardCodesRequest(scans=scans), by)
    return [(one.member_id, one.outcome) for one in answer.scans]


def code(card: pb.CardResponse, at: datetime = START) -> str:
    return code_of(card.number, card.secret, at)


def scan(card: pb.CardResponse, store: str = "", at: datetime = START, *, late: bool = False) -> pb.CardScan:
    return pb.CardScan(code=code(card, at), scanned_at=to_timestamp(at) if late else None, store_id=store)


def wrong(card: pb.CardResponse, store: str) -> pb.CardScan:
    right = code(card)
    return pb.CardScan(code=right[:-1] + str((int(right[-1]) + 5) % 10), store_id=store)


async def test_an_app_gets_its_members_card(service: MembersService, chain: str, member: str) -> None:
    card = await get(service, guest(chain, member))
    assert (len(card.number), luhn_digit(card.number[:-1])) == (12, card.number[-1])
    assert (len(card.secret), card.step_s, card.digits) == (32, 60, 8)
    assert from_timestamp(card.valid_until) == START + timedelta(days=7)
    assert await get(service, guest(chain, member)) == card
    assert await get(service, staff(chain), member) == card
    lies = repr(await service.everything())
    assert (card.number in lies, repr(card.secret)[2:-1] in lies) == (True, False)


async def test_nobody_gets_anothers_card(service: MembersService, chain: str, other_chain: str, member: str) -> None:
    other = (await service.enroll(enrollment(), staff(chain))).member.id
    request = pb.GetCardRequest(member_id=member)
    for by in (guest(chain, other), staff(other_chain)):
        assert (await service.refusal(service.cards.GetCard, request, by)).code == "MEMBER_NOT_FOUND"
    assert (await service.refusal(service.cards.GetCard, request, till(chain, "sto_1"))).code == "DENIED"


async def test_a_secret_is_new_after_half_a_week_and_both_are_good(
    service: MembersService, chain: str, member: str, card: pb.CardResponse, clock: FixedClock
) -> None:
    now = clock.move(timedelta(days=3, hours=12))
    renewed = await get(service, guest(chain, member))
    assert (renewed.number, renewed.secret == card.secret) == (card.number, False)
    assert from_timestamp(renewed.valid_until) == now + timedelta(days=7)
    by = till(chain, "sto_1")
    assert await verify(service, by, scan(card, at=now), scan(renewed, at=now)) == [(member, GOOD)] * 2
    over = clock.move(timedelta(days=3, hours=12, minutes=2))
    assert await verify(service, by, scan(card, at=over)) == [("", WRONG)]


async def test_a_code_is_good_at_one_store(
    service: MembersService, other_replica: MembersService, chain: str, member: str, card: pb.CardResponse
) -> None:
    first, second = till(chain, "sto_1"), till(chain, "sto_2")
    assert await verify(service, first, scan(card)) == [(member, GOOD)]
    assert await verify(other_replica, second, scan(card)) == [("", pb.CARD_OUTCOME_ELSEWHERE)]
    assert await verify(service, first, scan(card)) == [(member, GOOD)]


async def test_a_till_speaks_for_its_own_store(service: MembersService, chain: str, card: pb.CardResponse) -> None:
    request = pb.VerifyCardCodesRequest(scans=[scan(card, "sto_2")])
    refused = await service.refusal(service.cards.VerifyCardCodes, request, till(chain, "sto_1"))
    assert (refused.code, refused.field) == ("DENIED", "scans.0.storeId")


async def test_a_till_that_was_offline_says_when(
    service: MembersService, chain: str, member: str, card: pb.CardResponse, clock: FixedClock
) -> None:
    clock.move(timedelta(hours=72))
    by = till(chain, "sto_1")
    assert await verify(service, by, scan(card, late=True), scan(card)) == [(member, GOOD), ("", WRONG)]
    clock.move(timedelta(seconds=1))
    ahead = scan(card, at=clock.now + timedelta(minutes=6), late=True)
    not_now = ("", pb.CARD_OUTCOME_NOT_NOW)
    assert await verify(service, by, scan(card, late=True), ahead) == [not_now, not_now]


async def test_a_lost_card_is_good_for_nothing_at_once(
    service: MembersService, chain: str, member: str, card: pb.CardResponse
) -> None:
    new = await lose(service, guest(chain, member), card.number)
    assert (new.number == card.number, new.secret == card.secret) == (False, False)
    assert await lose(service, guest(chain, member), card.number) == new
    by = till(chain, "sto_1")
    assert await verify(service, by, scan(card), scan(new)) == [("", pb.CARD_OUTCOME_NO_CARD), (member, GOOD)]


async def test_guesses_lock_a_card_on_all_replicas(
    service: MembersService, other_replica: MembersService, chain: str, card: pb.CardResponse, clock: FixedClock
) -> None:
    by = till(chain, "sto_1")
    [(member, _)] = await verify(service, by, scan(card))
    assert await verify(service, by, *[wrong(card, "sto_1")] * 12) == [("", WRONG)] * 12
    assert await verify(other_replica, by, *[wrong(card, "sto_1")] * 9) == [("", WRONG)] * 9
    assert await verify(service, by, scan(card)) == [("", pb.CARD_OUTCOME_LOCKED)]
    now = clock.move(timedelta(minutes=10))
    assert await verify(service, by, scan(card, at=now)) == [(member, GOOD)]


async def test_a_code_resolves_like_an_identity(
    service: MembersService, chain: str, member: str, card: pb.CardResponse
) -> None:
    other = (await service.enroll(enrollment(phone("+8613800138000")), staff(chain))).member.id
    kind = members_pb2.IDENTITY_KIND_CARD_CODE
    shown = members_pb2.Identity(kind=kind, value=code(card), at=to_timestamp(START), store_id="sto_1")
    points = replace(staff(chain), kind=Caller.SERVICE)
    assert await service.resolve([shown, phone("+8613800138000")], points) == [member, other]
    shown.store_id = "sto_2"
    assert await service.resolve([phone("+8613800138000"), shown], points) == [other, ""]


async def test_a_code_is_nobodys_identity(service: MembersService, chain: str, card: pb.CardResponse) -> None:
    shown = members_pb2.Identity(kind=members_pb2.IDENTITY_KIND_CARD_CODE, value=code(card))
    request = enrollment(shown)
    refused = await service.refusal(service.members.EnrollMember, request, staff(chain))
    assert (refused.code, refused.field) == ("INVALID_IDENTITY", "profile.identities.0.kind")


async def test_after_a_merge_both_cards_are_the_members(
    service: MembersService, chain: str, member: str, card: pb.CardResponse, clock: FixedClock
) -> None:
    clock.move(timedelta(seconds=1))
    younger = (await service.enroll(enrollment(), staff(chain))).member.id
    theirs = await get(service, guest(chain, younger))
    request = members_pb2.MergeMembersRequest(key="merge-0001", member_id=member, other_member_id=younger)
    await service.call(service.members.MergeMembers, request, staff(chain))
    assert await verify(service, till(chain, "sto_1"), scan(card), scan(theirs)) == [(member, GOOD)] * 2
    assert await get(service, guest(chain, younger)) == card


async def test_an_erased_members_card_is_gone(
    service: MembersService, chain: str, member: str, card: pb.CardResponse
) -> None:
    request: Any = members_pb2.EraseMemberRequest(key="erase-0001", member_id=member)
    await service.call(service.members.EraseMember, request, staff(chain))
    assert card.number not in repr(await service.everything())
    assert await verify(service, till(chain, "sto_1"), scan(card)) == [("", pb.CARD_OUTCOME_NO_CARD)]
    with pytest.raises(RemoteProblem) as refused:
        await get(service, staff(chain), member)
    assert refused.value.code == "MEMBER_NOT_FOUND"
