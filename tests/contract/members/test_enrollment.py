"""Enrolling, over a real connection and on the real database."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from protos.events.v1 import members_pb2 as events_pb2
from protos.members.v1 import directory_pb2
from protos.members.v1 import members_pb2 as pb
from services.kit.errors import Kind
from services.kit.outbox.outbox import OUTBOX
from services.kit.principal import Caller
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.store.collections import IDENTITIES
from tests.support.clock import START, FixedClock
from tests.support.members_service import MembersService, enrollment, external, phone, staff, till


def told(results: list[pb.EnrollResult]) -> list[str]:
    return [one.problem.code or f"enrolled {one.enrolled.repeated_call}" for one in results]


async def test_a_member_is_enrolled_told_and_found(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    enrolled = await service.enroll(enrollment(phone("138 0013 8000"), external("A-1"), store=store), staff(chain))
    member = enrolled.member
    assert (enrolled.repeated_call, member.profile.name, member.store_id) == (False, "Li", store)
    assert [identity.value for identity in member.profile.identities] == ["+8613800138000", "A-1"]
    assert (from_timestamp(member.enrolled_at), member.channel) == (START, pb.CHANNEL_POS)
    assert (member.visits.count, member.visits.HasField("last")) == (0, False)
    assert await service.member(chain, member.id) == member
    found = await service.resolve([external("A-1"), phone("nonsense"), phone("+86 13800138000")], staff(chain))
    assert found == [member.id, "", member.id]


async def test_an_enrollment_tells_its_event_in_the_same_commit(service: MembersService, chain: str) -> None:
    member = (await service.enroll(enrollment(), staff(chain))).member
    [row] = await service.database.collection(OUTBOX).find({"chain": chain}).to_list()
    assert (row["stream"], row["aggregate"], row["sequence"]) == ("members.member", member.id, 1)
    assert row["type"] == "huitou.events.v1.MemberEnrolled"
    body = events_pb2.MemberEnrolled.FromString(row["body"])
    assert (body.member_id, body.channel, from_timestamp(body.enrolled_at)) == (member.id, "pos", START)
    assert row["traceparent"].startswith("00-")


async def test_the_same_key_gets_the_same_answer(
    service: MembersService, other_replica: MembersService, chain: str, clock: FixedClock
) -> None:
    request = enrollment(phone("+8613800138000"))
    first = await service.enroll(request, staff(chain))
    clock.move(timedelta(days=1))
    again = await other_replica.enroll(request, staff(chain))
    assert (first.repeated_call, again.repeated_call) == (False, True)
    assert again.member == first.member
    assert await service.counts(chain) == (1, 1, 1, 1)


async def test_a_key_for_something_else_shows_the_first(service: MembersService, chain: str) -> None:
    request = enrollment(phone("+8613800138000"))
    member = (await service.enroll(request, staff(chain))).member
    request.member.profile.name = "Wang"
    refused = await service.refusal(service.members.EnrollMember, request, staff(chain))
    assert (refused.kind, refused.code, refused.field) == (Kind.CONFLICT, "KEY_REUSED", "key")
    assert member.id in refused.message


async def test_a_taken_identity_is_refused_at_its_field(service: MembersService, chain: str) -> None:
    await service.enroll(enrollment(phone("+8613800138000")), staff(chain))
    request = enrollment(external("A-1"), phone("0086 138 0013 8000"))
    refused = await service.refusal(service.members.EnrollMember, request, staff(chain))
    assert (refused.kind, refused.code) == (Kind.CONFLICT, "IDENTITY_TAKEN")
    assert refused.field == "profile.identities.1"


async def test_a_taken_external_id_names_its_member(service: MembersService, chain: str) -> None:
    member = (await service.enroll(enrollment(external("A-1")), staff(chain))).member
    refused = await service.refusal(service.members.EnrollMember, enrollment(external("A-1")), staff(chain))
    assert refused.code == "IDENTITY_TAKEN"
    assert member.id in refused.message


async def test_each_of_a_batch_has_its_own_answer(service: MembersService, chain: str) -> None:
    twice = enrollment(external("B"))
    unknown_channel = enrollment(external("C"))
    unknown_channel.member.channel = pb.CHANNEL_UNSPECIFIED
    results = await service.enroll_all(
        [
            enrollment(external("A")),
            enrollment(external("A")),
            twice,
            twice,
            unknown_channel,
            enrollment(phone("12")),
            enrollment(store="sto_nowhere"),
            enrollment(key="short"),
            enrollment(external("D")),
        ],
        staff(chain),
    )
    assert told(results) == [
        "enrolled False",
        "IDENTITY_TAKEN",
        "enrolled False",
        "enrolled True",
        "INVALID_MEMBER",
        "INVALID_IDENTITY",
        "STORE_NOT_FOUND",
        "INVALID_KEY",
        "enrolled False",
    ]
    assert results[3].enrolled.member == results[2].enrolled.member
    assert await service.counts(chain) == (3, 3, 3, 3)


async def test_a_thousand_are_enrolled_in_one_call_and_found_in_one(service: MembersService, chain: str) -> None:
    requests = [enrollment(external(f"E-{number}")) for number in range(1_000)]
    results = await service.enroll_all(requests, staff(chain))
    ids = [one.enrolled.member.id for one in results]
    assert len(set(ids)) == 1_000
    assert await service.resolve([external(f"E-{number}") for number in range(1_000)], staff(chain)) == ids
    assert [member.id for member in await service.get(ids, staff(chain))] == ids


async def test_a_call_for_too_many_is_refused_whole(service: MembersService, chain: str) -> None:
    request = pb.EnrollMembersRequest(enrollments=[enrollment() for _ in range(1_001)])
    refused = await service.refusal(service.members.EnrollMembers, request, staff(chain))
    assert (refused.code, refused.field) == ("TOO_MANY", "members")


async def test_nobody_joins_in_the_future(service: MembersService, chain: str) -> None:
    request = enrollment()
    request.member.enrolled_at.CopyFrom(to_timestamp(START + timedelta(minutes=6)))
    refused = await service.refusal(service.members.EnrollMember, request, staff(chain))
    assert (refused.code, refused.field) == ("INVALID_MEMBER", "enrolledAt")
    request.member.enrolled_at.FromJsonString("9999-12-31T23:59:59.999999999Z")
    assert (await service.refusal(service.members.EnrollMember, request, staff(chain))).field == "enrolledAt"
    request.member.enrolled_at.seconds = 2**62
    assert (await service.refusal(service.members.EnrollMember, request, staff(chain))).field == "enrolledAt"


async def test_somebody_who_joined_long_ago_keeps_the_day(service: MembersService, chain: str) -> None:
    request = enrollment()
    request.member.enrolled_at.FromJsonString("2013-07-15T00:00:00.123Z")
    member = (await service.enroll(request, staff(chain))).member
    assert (await service.member(chain, member.id)).enrolled_at.ToJsonString() == "2013-07-15T00:00:00.123Z"


async def test_a_till_enrolls_in_its_own_store_only(service: MembersService, chain: str, other_chain: str) -> None:
    own, other, foreign = [
        await service.store(chain),
        await service.store(chain, "park"),
        await service.store(other_chain),
    ]
    assert (await service.enroll(enrollment(), till(chain, own))).member.store_id == own
    refused = await service.refusal(service.members.EnrollMember, enrollment(store=other), till(chain, own))
    assert (refused.kind, refused.field) == (Kind.DENIED, "storeId")
    refused = await service.refusal(service.members.EnrollMember, enrollment(store=foreign), staff(chain))
    assert (refused.code, refused.field) == ("STORE_NOT_FOUND", "storeId")


async def test_tills_and_partners_see_four_digits(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    at_till = till(chain, store)
    request = enrollment(phone("+8613800138000"), external("A-1"), store=store)
    for by in (at_till, at_till, replace(at_till, kind=Caller.PARTNER)):
        member = (await service.enroll(request, by)).member
        assert [one.value for one in member.profile.identities] == ["***8000", "***"]
        [shown] = await service.get([member.id], by)
        assert shown == member


async def test_a_guest_sees_only_the_own(service: MembersService, chain: str) -> None:
    mine, other = [(await service.enroll(enrollment(), staff(chain))).member for _ in range(2)]
    guest = replace(staff(chain), kind=Caller.MEMBER, id=mine.id, scopes=frozenset())
    assert await service.get([other.id, mine.id], guest) == [mine]
    request = pb.ResolveIdentitiesRequest(identities=[phone("+8613800138000")])
    assert (await service.refusal(service.members.ResolveIdentities, request, guest)).kind is Kind.DENIED


async def test_chains_share_nothing(service: MembersService, chain: str, other_chain: str) -> None:
    request = enrollment(phone("+8613800138000"))
    here = (await service.enroll(request, staff(chain))).member
    assert await service.get([here.id], staff(other_chain)) == []
    assert await service.resolve([phone("+8613800138000")], staff(other_chain)) == [""]
    there = await service.enroll(request, staff(other_chain))
    assert there.repeated_call is False
    assert there.member.id != here.id
    hashes = {
        row["hash"]
        for one in (chain, other_chain)
        for row in await service.database.collection(IDENTITIES).find({"chain": one}).to_list()
    }
    assert len(hashes) == 2


async def test_a_chain_that_is_not_open_has_no_members(service: MembersService) -> None:
    refused = await service.refusal(service.members.EnrollMember, enrollment(), staff("chn_nowhere"))
    assert (refused.kind, refused.code) == (Kind.NOT_FOUND, "CHAIN_NOT_FOUND")


async def test_no_profile_is_kept_outside_the_member(service: MembersService, chain: str) -> None:
    """Keys, identities and events outlive an erased member, so they name nobody."""
    await service.enroll(enrollment(phone("+8613800138000"), external("Ext-77"), name="Oliphant"), staff(chain))
    held = await service.everything()
    held.pop("members")
    for word in ("13800138000", "Ext-77", "Oliphant"):
        assert word not in repr(held)


def by_code(code: str, *, key: str = "", store: str = "") -> pb.EnrollMemberRequest:
    request = enrollment(store=store)
    request.key = key or request.key
    request.member.source.qr_code = code
    return request


async def qr_code(service: MembersService, chain: str, store: str) -> str:
    table = directory_pb2.Place(spot=directory_pb2.SPOT_TABLE, label="12")
    request = directory_pb2.CreateQrCodesRequest(key=uuid4().hex, store_id=store, places=[table])
    [code] = (await service.call(service.directory.CreateQrCodes, request, staff(chain))).codes
    return str(code)


async def test_whoever_reads_a_code_joins_where_it_hangs(service: MembersService, chain: str, other_chain: str) -> None:
    store, other = await service.store(chain), await service.store(chain, "park")
    code = await qr_code(service, chain, store)
    first = await service.enroll(by_code(code, key="enroll-0001"), staff(chain))
    assert (first.member.store_id, first.member.source.link) == (store, code)
    for wrong, by, expected in (
        (by_code("none"), staff(chain), ("QR_CODE_NOT_FOUND", "source.qrCode")),
        (by_code(code), staff(other_chain), ("QR_CODE_NOT_FOUND", "source.qrCode")),
        (by_code(code, store=other), staff(chain), ("INVALID_MEMBER", "storeId")),
        (by_code(code), staff(chain, stores=[other]), ("DENIED", "storeId")),
    ):
        refused = await service.refusal(service.members.EnrollMember, wrong, by)
        assert (refused.code, refused.field) == expected
    revoke = directory_pb2.RevokeQrCodeRequest(code=code)
    await service.call(service.directory.RevokeQrCode, revoke, staff(chain))
    refused = await service.refusal(service.members.EnrollMember, by_code(code), staff(chain))
    assert (refused.code, refused.field) == ("QR_CODE_WORTHLESS", "source.qrCode")
    again = await service.enroll(by_code(code, key="enroll-0001"), staff(chain))
    assert (again.member.id, again.repeated_call) == (first.member.id, True)
