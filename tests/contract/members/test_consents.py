"""What members agree to: the latest word holds, at once, whoever they have become."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from protos.events.v1 import members_pb2 as events
from protos.members.v1 import care_pb2 as pb
from protos.members.v1 import members_pb2
from services.kit.outbox.outbox import OUTBOX
from services.kit.principal import Caller, Principal
from services.kit.timestamps import to_timestamp
from tests.support.clock import START, FixedClock
from tests.support.members_service import GATEWAY, MembersService, enrollment, external, phone, staff, till

HOUR = timedelta(hours=1)
SMS, EMAIL = pb.CONTACT_CHANNEL_SMS, pb.CONTACT_CHANNEL_EMAIL
MARKETING = pb.PURPOSE_MARKETING


def campaigns(chain: str) -> Principal:
    return Principal(chain=chain, kind=Caller.SERVICE, id="campaigns")


def guest(chain: str, member: str) -> Principal:
    return Principal(chain=chain, kind=Caller.MEMBER, id=member)


def said(
    member: str,
    *,
    granted: bool = True,
    channel: pb.ContactChannel.ValueType = SMS,
    ago: timedelta | None = None,
    source: pb.ConsentSource.ValueType = pb.CONSENT_SOURCE_UNSPECIFIED,
) -> pb.SaidConsent:
    at = None if ago is None else to_timestamp(START - ago)
    consent = pb.Consent(
        channel=channel, purpose=MARKETING, granted=granted, at=at, text_version="terms 3", source=source
    )
    return pb.SaidConsent(member_id=member, consent=consent)


async def record(
    service: MembersService, by: Principal, *consents: pb.SaidConsent, key: str = ""
) -> pb.RecordConsentsResponse:
    key = key or f"key-{len(await service.everything())}-{(await service.counts(by.chain))[2]}"
    request = pb.RecordConsentsRequest(key=key, consents=consents)
    answer: pb.RecordConsentsResponse = await service.call(service.care.RecordConsents, request, by)
    return answer


async def held(service: MembersService, by: Principal, member: str) -> dict[tuple[str, str], bool]:
    answer = await service.call(service.care.GetConsents, pb.GetConsentsRequest(member_ids=[member]), by)
    return {
        (pb.ContactChannel.Name(one.channel), pb.Purpose.Name(one.purpose)): one.granted
        for found in answer.members
        for one in found.consents
    }


async def reached(
    service: MembersService, chain: str, members: Sequence[str], channel: pb.ContactChannel.ValueType = SMS
) -> list[tuple[str, str, list[str]]]:
    request = pb.GetContactsRequest(member_ids=members, channel=channel, purpose=MARKETING)
    answer = await service.call(service.care.GetContacts, request, campaigns(chain))
    return [(one.asked_id, one.member_id, list(one.values)) for one in answer.contacts]


async def told(service: MembersService, chain: str, member: str) -> list[tuple[str, str, bool]]:
    condition = {"chain": chain, "aggregate": member}
    found = await service.database.collection(OUTBOX).find(condition).sort("sequence", 1).to_list(100)
    bodies = [events.ConsentChanged.FromString(one["body"]) for one in found if one["type"].endswith(".ConsentChanged")]
    assert {one.member_id for one in bodies} <= {member}
    return [(one.channel, one.purpose, one.granted) for one in bodies]


async def merge(service: MembersService, chain: str, one: str, other: str) -> str:
    request = members_pb2.MergeMembersRequest(key=f"merge-{one}", member_id=one, other_member_id=other)
    return str((await service.call(service.members.MergeMembers, request, staff(chain))).merge_id)


async def test_the_latest_word_holds_however_late_it_is_recorded(service: MembersService, chain: str) -> None:
    member = (await service.enroll(enrollment(), staff(chain))).member.id
    by = staff(chain)
    await record(service, by, said(member, ago=2 * HOUR), said(member, channel=EMAIL))
    await record(service, by, said(member, ago=3 * HOUR, granted=False))  # an older one that came late
    sms, email = ("CONTACT_CHANNEL_SMS", "PURPOSE_MARKETING"), ("CONTACT_CHANNEL_EMAIL", "PURPOSE_MARKETING")
    assert await held(service, by, member) == {sms: True, email: True}
    await record(service, by, said(member, ago=2 * HOUR, granted=False))  # at the same time: taking back wins
    await record(service, by, said(member, ago=2 * HOUR))
    assert await held(service, by, member) == {sms: False, email: True}
    assert await told(service, chain, member) == [
        ("email", "marketing", True),
        ("sms", "marketing", True),
        ("sms", "marketing", False),
    ]


async def test_a_batch_is_recorded_once_and_whole(service: MembersService, chain: str) -> None:
    member = (await service.enroll(enrollment(), staff(chain))).member.id
    by = staff(chain)
    assert not (await record(service, by, said(member), key="wish-0001")).repeated_call
    before = await service.everything()
    assert (await record(service, by, said(member), key="wish-0001")).repeated_call
    assert await service.everything() == before
    other = pb.RecordConsentsRequest(key="wish-0001", consents=[said(member, granted=False)])
    assert (await service.refusal(service.care.RecordConsents, other, by)).code == "KEY_REUSED"
    half = pb.RecordConsentsRequest(key="wish-0002", consents=[said(member, granted=False), said("mem_nobody")])
    assert (await service.refusal(service.care.RecordConsents, half, by)).code == "MEMBER_NOT_FOUND"
    many = pb.RecordConsentsRequest(key="wish-0003", consents=[said(member)] * 501)
    assert (await service.refusal(service.care.RecordConsents, many, by)).code == "TOO_MANY"


async def test_each_says_what_it_can_know(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    mine, other = [(await service.enroll(enrollment(), staff(chain))).member.id for _ in range(2)]
    own, desk = guest(chain, mine), replace(till(chain, store), scopes=frozenset({"consents:write", "members:read"}))
    await record(service, own, said(mine))
    await record(service, desk, said(mine, granted=False))
    listed = await service.call(service.care.ListConsents, pb.ListConsentsRequest(member_id=mine), own)
    assert {(one.recorded_by, one.source, one.text_version, one.granted) for one in listed.consents} == {
        ("till:key_till", pb.CONSENT_SOURCE_TILL, "terms 3", False),
        (f"member:{mine}", pb.CONSENT_SOURCE_APP, "terms 3", True),
    }
    for by, consent, code, field in (
        (own, said(other), "MEMBER_NOT_FOUND", "memberId"),
        (own, said(mine, source=pb.CONSENT_SOURCE_COMPLAINT), "INVALID_CONSENT", "consents.0.source"),
        (desk, said(mine, source=pb.CONSENT_SOURCE_IMPORT), "INVALID_CONSENT", "consents.0.source"),
        (campaigns(chain), said(mine), "INVALID_CONSENT", "consents.0.source"),
        (staff(chain), said(mine, ago=-HOUR), "INVALID_CONSENT", "consents.0.at"),
        (staff(chain), pb.SaidConsent(member_id=mine), "INVALID_CONSENT", "consents.0"),
    ):
        request = pb.RecordConsentsRequest(key="wish-0009", consents=[consent])
        refused = await service.refusal(service.care.RecordConsents, request, by)
        assert (refused.code, refused.field) == (code, field)
    others = pb.ListConsentsRequest(member_id=other)
    assert (await service.refusal(service.care.ListConsents, others, own)).code == "MEMBER_NOT_FOUND"
    assert await held(service, own, other) == {}


async def test_the_history_comes_in_pages(service: MembersService, chain: str, clock: FixedClock) -> None:
    member = (await service.enroll(enrollment(), staff(chain))).member.id
    for granted in (True, False, True):
        clock.move(HOUR)
        await record(service, staff(chain), said(member, granted=granted))
    seen: list[bool] = []
    request = pb.ListConsentsRequest(member_id=member)
    request.page.first = 2
    while not seen or request.page.after:
        page = await service.call(service.care.ListConsents, request, staff(chain))
        seen += [one.granted for one in page.consents]
        request.page.after = page.end_cursor
    assert seen == [True, False, True]


async def test_only_who_agrees_is_reached_and_it_is_on_record(service: MembersService, chain: str) -> None:
    agreeing, silent, leaving, without = [
        (await service.enroll(enrollment(identity), staff(chain))).member.id
        for identity in (phone("+8613800138000"), phone("+8613800138001"), phone("+8613800138002"), external("4"))
    ]
    await record(service, staff(chain), said(agreeing), said(leaving), said(without))
    await record(service, staff(chain), said(leaving, granted=False))
    everybody = [agreeing, silent, leaving, without, "mem_nobody"]
    assert await reached(service, chain, everybody) == [(agreeing, agreeing, ["+8613800138000"])]
    assert await reached(service, chain, everybody, EMAIL) == []
    looks = await service.call(
        service.members.ListLooks, members_pb2.ListLooksRequest(member_id=agreeing), staff(chain)
    )
    assert [(one.by, one.fields) for one in looks.looks] == [("service:campaigns", ["identities"])]
    nobody = pb.GetContactsRequest(member_ids=[agreeing], channel=SMS, purpose=MARKETING)
    assert (await service.refusal(service.care.GetContacts, nobody, staff(chain))).code == "DENIED"


async def test_consents_follow_a_merge_and_its_undoing(service: MembersService, chain: str, clock: FixedClock) -> None:
    old = (await service.enroll(enrollment(phone("+8613800138000")), staff(chain))).member.id
    clock.move(HOUR)
    new = (await service.enroll(enrollment(), staff(chain))).member.id
    await record(service, staff(chain), said(old, ago=2 * HOUR), said(new, ago=HOUR, granted=False))
    assert await reached(service, chain, [old, new]) == [(old, old, ["+8613800138000"])]
    merge_id = await merge(service, chain, old, new)
    assert await reached(service, chain, [old, new]) == []
    split = members_pb2.SplitMembersRequest(key="split-0001", merge_id=merge_id)
    await service.call(service.members.SplitMembers, split, staff(chain))
    assert await reached(service, chain, [old, new]) == [(old, old, ["+8613800138000"])]
    turns = [("sms", "marketing", True), ("sms", "marketing", False), ("sms", "marketing", True)]
    assert await told(service, chain, old) == turns
    await record(service, staff(chain), said(new, channel=EMAIL))
    clock.move(HOUR)
    await service.call(
        service.members.MergeMembers,
        members_pb2.MergeMembersRequest(key="merge-0002", member_id=old, other_member_id=new),
        staff(chain),
    )
    assert await told(service, chain, old) == [*turns, ("email", "marketing", True), ("sms", "marketing", False)]
    assert await told(service, chain, new) == [("email", "marketing", True)]


async def test_who_is_erased_is_reached_by_nobody(service: MembersService, chain: str) -> None:
    member = (await service.enroll(enrollment(phone("+8613800138000")), staff(chain))).member.id
    await record(service, staff(chain), said(member))
    erase = members_pb2.EraseMemberRequest(key="erase-0001", member_id=member)
    await service.call(service.members.EraseMember, erase, staff(chain))
    assert await reached(service, chain, [member]) == []
    assert (await service.everything())["consents"] == []
    request = pb.RecordConsentsRequest(key="wish-0002", consents=[said(member)])
    assert (await service.refusal(service.care.RecordConsents, request, staff(chain))).code == "MEMBER_NOT_FOUND"


async def test_a_link_takes_back_without_a_login(service: MembersService, chain: str, other_chain: str) -> None:
    member = (await service.enroll(enrollment(phone("+8613800138000")), staff(chain))).member.id
    await record(service, staff(chain), said(member))
    wanted = pb.MakeUnsubscribeTokenRequest(member_id=member, channel=SMS, purpose=MARKETING)
    token = (await service.call(service.care.MakeUnsubscribeToken, wanted, campaigns(chain))).token
    answer = await service.call(service.care.Unsubscribe, pb.UnsubscribeRequest(token=token), GATEWAY)
    assert (answer.channel, answer.purpose) == (SMS, MARKETING)
    assert await reached(service, chain, [member]) == []
    before = await service.everything()
    await service.call(service.care.Unsubscribe, pb.UnsubscribeRequest(token=token), GATEWAY)
    assert await service.everything() == before
    listed = await service.call(service.care.ListConsents, pb.ListConsentsRequest(member_id=member), staff(chain))
    assert (pb.CONSENT_SOURCE_LINK, "link", False) in [
        (one.source, one.recorded_by, one.granted) for one in listed.consents
    ]
    stranger = (await service.enroll(enrollment(), staff(other_chain))).member.id
    wanted = pb.MakeUnsubscribeTokenRequest(member_id=stranger, channel=SMS, purpose=MARKETING)
    theirs = (await service.call(service.care.MakeUnsubscribeToken, wanted, campaigns(other_chain))).token
    for forged in ("", "nonsense", token[:-8], theirs[:43] + token[43:], token[:-1] + "é"):
        request = pb.UnsubscribeRequest(token=forged)
        assert (await service.refusal(service.care.Unsubscribe, request, GATEWAY)).code == "UNSUBSCRIBE_TOKEN"
