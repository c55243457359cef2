"""Paying makes a member, over a real connection and on the real database, from one replica or two."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from protos.events.v1 import members_pb2 as events_pb2
from protos.members.v1 import members_pb2 as pb
from services.kit.errors import Kind
from services.kit.outbox.outbox import OUTBOX
from services.kit.principal import Caller, Principal
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.store.collections import MEMBERS
from tests.support.clock import START, FixedClock
from tests.support.members_service import GATEWAY, MembersService, enrollment, external, phone, staff, till

ROUNDS = 30


def points(chain: str) -> Principal:
    return Principal(chain=chain, kind=Caller.SERVICE, id="points")


def hash_of(account: object) -> str:
    return sha256(repr(account).encode()).hexdigest()


def payer(account: object, *, kind: str = "wechat", store: str = "") -> pb.Payer:
    paid_at = to_timestamp(START - timedelta(hours=1))
    return pb.Payer(hash=hash_of(account), payment_kind=kind, store_id=store, paid_at=paid_at)


async def enroll(service: MembersService, payers: Sequence[pb.Payer], by: Principal) -> list[tuple[str, bool]]:
    answer = await service.call(service.members.EnrollPayers, pb.EnrollPayersRequest(payers=payers), by)
    return [(one.member_id, one.enrolled) for one in answer.payers]


async def document(service: MembersService, chain: str, member: str) -> dict[str, Any]:
    found = await service.database.collection(MEMBERS).find_one({"chain": chain, "member": member})
    assert found is not None
    return found


async def test_a_payer_becomes_a_provisional_member_and_is_told(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    before = await service.database.collection(OUTBOX).count_documents({"chain": chain})
    [(member, enrolled)] = await enroll(service, [payer("li", store=store)], points(chain))
    assert (member[:4], enrolled) == ("mem_", True)
    shown = await service.member(chain, member)
    assert (shown.provisional, shown.channel, shown.store_id) == (True, pb.CHANNEL_PAYMENT, store)
    assert (from_timestamp(shown.enrolled_at), shown.profile.name) == (START, "")
    rows = await service.database.collection(OUTBOX).find({"chain": chain, "stream": "members.member"}).to_list()
    assert await service.database.collection(OUTBOX).count_documents({"chain": chain}) == before + 1
    [row] = rows
    assert (row["type"], row["aggregate"], row["sequence"]) == ("huitou.events.v1.MemberEnrolled", member, 1)
    assert row["traceparent"].startswith("00-")
    assert events_pb2.MemberEnrolled.FromString(row["body"]) == events_pb2.MemberEnrolled(
        member_id=member, enrolled_at=to_timestamp(START), channel="payment", store_id=store, provisional=True
    )
    kept = (await document(service, chain, member))["first_payment"]
    assert kept == {"kind": "wechat", "at": START - timedelta(hours=1)}


async def test_the_same_hash_is_the_same_member_for_ever(
    service: MembersService, other_replica: MembersService, chain: str, clock: FixedClock
) -> None:
    [(li, _)] = await enroll(service, [payer("li")], points(chain))
    clock.move(timedelta(days=400))
    answers = await enroll(
        other_replica, [payer("wu"), payer("li", kind="card"), payer("wu"), payer("ma")], points(chain)
    )
    wu, ma = answers[0][0], answers[3][0]
    assert len({li, wu, ma}) == 3
    assert answers == [(wu, True), (li, False), (wu, False), (ma, True)]
    assert await enroll(service, [payer("ma"), payer("wu")], points(chain)) == [(ma, False), (wu, False)]
    assert await service.counts(chain) == (3, 3, 0, 3)


async def test_a_hash_goes_to_one_member_under_any_concurrency(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    """Two replicas, one hash: one member, told once, and exactly one of the calls made it."""
    for number in range(ROUNDS):
        answers = await asyncio.gather(
            enroll(service, [payer(number)], points(chain)), enroll(other_replica, [payer(number)], points(chain))
        )
        (one,), (other,) = answers
        assert one[0] == other[0]
        assert sorted([one[1], other[1]]) == [False, True]
    assert await service.counts(chain) == (ROUNDS, ROUNDS, 0, ROUNDS)


async def test_calls_that_overlap_on_two_replicas_agree(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    wanted = [payer(number) for number in range(60)]
    calls = [wanted[:40], wanted[20:], list(reversed(wanted)), wanted[30:50] * 2]
    answers = await asyncio.gather(
        *(
            enroll(replica, payers, points(chain))
            for replica, payers in zip([service, other_replica] * 2, calls, strict=True)
        )
    )
    members: dict[str, set[str]] = {}
    enrolled = 0
    for payers, found in zip(calls, answers, strict=True):
        for asked, (member, new) in zip(payers, found, strict=True):
            members.setdefault(asked.hash, set()).add(member)
            enrolled += new
    assert [len(found) for found in members.values()] == [1] * 60
    assert enrolled == 60
    assert await service.counts(chain) == (60, 60, 0, 60)


async def test_a_thousand_in_one_call_and_no_more(service: MembersService, chain: str) -> None:
    wanted = [payer(number) for number in range(1_000)]
    found = await enroll(service, wanted, points(chain))
    assert len({member for member, _ in found}) == 1_000
    identities = [pb.Identity(kind=pb.IDENTITY_KIND_PAYER, value=one.hash) for one in wanted]
    assert await service.resolve(identities, points(chain)) == [member for member, _ in found]
    request = pb.EnrollPayersRequest(payers=[*wanted, payer("one more")])
    refused = await service.refusal(service.members.EnrollPayers, request, points(chain))
    assert (refused.kind, refused.code, refused.field) == (Kind.INVALID, "TOO_MANY", "payers")
    assert await enroll(service, [], points(chain)) == []


@pytest.mark.parametrize("written", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", "+8613800138000"])
async def test_what_is_no_hash_refuses_the_call_at_its_field(service: MembersService, chain: str, written: str) -> None:
    bad = pb.Payer(hash=written, payment_kind="card")
    for place, payers in ((0, [bad, payer("li")]), (1, [payer("li"), bad])):
        request = pb.EnrollPayersRequest(payers=payers)
        refused = await service.refusal(service.members.EnrollPayers, request, points(chain))
        assert (refused.kind, refused.code) == (Kind.INVALID, "INVALID_IDENTITY")
        assert refused.field == f"payers.{place}.hash"
    identity = pb.Identity(kind=pb.IDENTITY_KIND_PAYER, value=written)
    assert await service.resolve([identity], points(chain)) == [""]


async def test_a_wrong_kind_or_store_refuses_the_call_at_its_field(
    service: MembersService, chain: str, other_chain: str
) -> None:
    foreign = await service.store(other_chain)
    for bad, code, field in (
        (payer("li", kind=""), "INVALID_PAYER", "paymentKind"),
        (payer("li", kind="w" * 33), "INVALID_PAYER", "paymentKind"),
        (payer("li", kind="we\nchat"), "INVALID_PAYER", "paymentKind"),
        (payer("li", store=foreign), "STORE_NOT_FOUND", "storeId"),
    ):
        request = pb.EnrollPayersRequest(payers=[payer("wu"), bad])
        refused = await service.refusal(service.members.EnrollPayers, request, points(chain))
        assert (refused.code, refused.field) == (code, f"payers.1.{field}")


async def test_a_till_whose_clock_runs_ahead_refuses_nobody(service: MembersService, chain: str) -> None:
    ahead, beyond, silent = payer("ahead"), payer("beyond"), payer("silent")
    ahead.paid_at.CopyFrom(to_timestamp(START + timedelta(days=1)))
    beyond.paid_at.seconds = 2**62
    silent.ClearField("paid_at")
    for member, enrolled in await enroll(service, [ahead, beyond, silent], points(chain)):
        assert enrolled
        assert (await document(service, chain, member))["first_payment"]["at"] == START


async def test_only_services_may_enroll_payers(service: MembersService, chain: str) -> None:
    request = pb.EnrollPayersRequest(payers=[payer("li")])
    for kind in set(Caller) - {Caller.SERVICE}:
        by = replace(staff(chain), kind=kind)
        assert (kind, (await service.refusal(service.members.EnrollPayers, request, by)).kind) == (kind, Kind.DENIED)


async def test_a_payer_is_enrolled_by_paying_only(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    identity = pb.Identity(kind=pb.IDENTITY_KIND_PAYER, value=hash_of("li"))
    over_payment = enrollment(phone("+8613800138000"))
    over_payment.member.channel = pb.CHANNEL_PAYMENT
    for by in (staff(chain), till(chain, store), points(chain)):
        request = enrollment(phone("+8613800138000"), identity)
        refused = await service.refusal(service.members.EnrollMember, request, by)
        assert (refused.code, refused.field) == ("INVALID_IDENTITY", "profile.identities.1.kind")
        assert refused.message == "The identity is not right: a payer becomes a member by paying, in no other way."
        refused = await service.refusal(service.members.EnrollMember, over_payment, by)
        assert (refused.code, refused.field) == ("INVALID_MEMBER", "channel")
    [result] = await service.enroll_all([enrollment(identity)], staff(chain))
    assert (result.problem.code, result.problem.field) == ("INVALID_IDENTITY", "profile.identities.0.kind")


async def test_a_payers_hash_is_shown_to_nobody(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    [(member, _)] = await enroll(service, [payer("li")], points(chain))
    guest = replace(staff(chain), kind=Caller.MEMBER, id=member)
    for by in (staff(chain), till(chain, store), guest, points(chain)):
        [shown] = await service.get([member], by)
        assert (list(shown.profile.identities), shown.provisional) == ([], True)


async def test_no_hash_is_kept_in_clear(service: MembersService, chain: str) -> None:
    """What outlives an erased member names no payment account, not even by the hash that points knows."""
    await enroll(service, [payer("li")], points(chain))
    held = await service.everything()
    assert hash_of("li") not in repr(held)
    assert repr(bytes.fromhex(hash_of("li"))) not in repr(held)


async def test_chains_share_no_payer(service: MembersService, chain: str, other_chain: str) -> None:
    [(here, _)] = await enroll(service, [payer("li")], points(chain))
    [(there, enrolled)] = await enroll(service, [payer("li")], points(other_chain))
    assert enrolled
    assert here != there
    request = pb.EnrollPayersRequest(payers=[payer("li")])
    for by in (points("chn_nowhere"), GATEWAY):
        refused = await service.refusal(service.members.EnrollPayers, request, by)
        assert (refused.kind, refused.code) == (Kind.NOT_FOUND, "CHAIN_NOT_FOUND")


async def test_who_was_enrolled_by_hand_is_not_provisional(service: MembersService, chain: str) -> None:
    member = (await service.enroll(enrollment(external("A-1")), staff(chain))).member
    assert not member.provisional
    [row] = await service.database.collection(OUTBOX).find({"chain": chain}).to_list()
    assert not events_pb2.MemberEnrolled.FromString(row["body"]).provisional
