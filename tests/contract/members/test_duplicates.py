"""Who may be the same person is proposed, until somebody merges the two or says that they are two."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import bson
import pytest

from protos.members.v1 import duplicates_pb2 as pb
from protos.members.v1 import members_pb2
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Conflict, Session
from services.kit.principal import Principal
from services.kit.timestamps import to_timestamp
from services.members.domain.api_keys import SCOPES
from services.members.domain.likeness import COMMON
from services.members.store.chains import MongoChains
from services.members.store.duplicates import MongoLikenessUnit, MongoLikenessUnits
from services.members.store.erasures import erase_again
from services.members.store.likenesses import DUPLICATES, LIKENESSES, mark_everybody
from services.members.usecases.duplicates import Step, find_duplicates, step_within, take_step
from tests.contract.members.test_erasing import restore
from tests.contract.members.test_graph import ask
from tests.support.clock import START, FixedClock
from tests.support.members_service import MembersService, enrollment, phone, staff, vault_of

BIRTHDAY, PHONE, EMAIL = (
    pb.DUPLICATE_REASON_NAME_AND_BIRTHDAY,
    pb.DUPLICATE_REASON_NAME_AND_PHONE_END,
    pb.DUPLICATE_REASON_EMAIL_NAME,
)
LI, MING = "+8613800138000", "+8613900138000"


async def join(
    service: MembersService,
    chain: str,
    *identities: members_pb2.Identity,
    name: str = "Zhang Wei",
    birthday: str = "1990-05-17",
    days_ago: int = 0,
) -> str:
    request = enrollment(*identities, name=name)
    request.member.profile.birthday = birthday
    request.member.enrolled_at.CopyFrom(to_timestamp(START - timedelta(days=days_ago)))
    return str((await service.enroll(request, staff(chain))).member.id)


def email(value: str) -> members_pb2.Identity:
    return members_pb2.Identity(kind=members_pb2.IDENTITY_KIND_EMAIL, value=value)


async def look_for(service: MembersService, clock: FixedClock) -> None:
    """Do as the job does."""
    clocks = MongoChainClocks(service.database, system=clock)
    vault = vault_of(service.database)
    units, chains = MongoLikenessUnits(service.database, vault), MongoChains(service.database, vault)
    while await find_duplicates(units=units, chains=chains, now=clocks.now):
        pass


async def found(
    service: MembersService, by: Principal, clock: FixedClock | None = None
) -> list[tuple[set[str], int, list[int]]]:
    if clock is not None:
        await look_for(service, clock)
    answer = await service.call(service.duplicates.ListDuplicates, pb.ListDuplicatesRequest(), by)
    return [({one.first.id, one.second.id}, one.score, list(one.reasons)) for one in answer.duplicates]


async def dismiss(service: MembersService, chain: str, one: str, other: str) -> None:
    request = pb.DismissDuplicateRequest(member_id=one, other_member_id=other)
    await service.call(service.duplicates.DismissDuplicate, request, staff(chain))


async def merge(service: MembersService, chain: str, one: str, other: str) -> str:
    request = members_pb2.MergeMembersRequest(key=uuid4().hex, member_id=one, other_member_id=other)
    return str((await service.call(service.members.MergeMembers, request, staff(chain))).merge_id)


async def split(service: MembersService, chain: str, merge_id: str) -> None:
    request = members_pb2.SplitMembersRequest(key=uuid4().hex, merge_id=merge_id)
    await service.call(service.members.SplitMembers, request, staff(chain))


async def rename(service: MembersService, chain: str, member: str, name: str) -> None:
    request = members_pb2.UpdateProfileRequest(
        key=uuid4().hex, member_id=member, profile=members_pb2.Profile(name=name), fields=["name"]
    )
    await service.call(service.members.UpdateProfile, request, staff(chain))


async def test_who_is_alike_is_proposed_the_most_alike_first(
    service: MembersService, chain: str, other_chain: str, clock: FixedClock
) -> None:
    first = await join(service, chain, phone(LI), email("zhang.wei@example.com"))
    same = await join(service, chain, phone(MING), name="wei ZHANG")
    mail = await join(service, chain, email("zhangwei@example.org"), name="W", birthday="")
    await join(service, chain, name="Li Ming")
    await join(service, other_chain, phone(LI))
    assert await found(service, staff(chain), clock) == [
        ({first, same}, 90, [BIRTHDAY, PHONE]),
        ({first, mail}, 30, [EMAIL]),
    ]
    assert await found(service, staff(other_chain)) == []
    before = await service.everything()
    await look_for(service, clock)
    assert await service.everything() == before


async def test_pairs_follow_what_changes(service: MembersService, chain: str, clock: FixedClock) -> None:
    one, other = await join(service, chain, phone(LI)), await join(service, chain, name="Zhang Wen")
    assert await found(service, staff(chain), clock) == []
    await rename(service, chain, other, "Zhang Wei")
    assert await found(service, staff(chain), clock) == [({one, other}, 50, [BIRTHDAY])]
    proved = members_pb2.AddIdentityRequest(key=uuid4().hex, member_id=other, identity=phone(MING))
    await service.call(service.members.AddIdentity, proved, staff(chain))
    assert await found(service, staff(chain), clock) == [({one, other}, 90, [BIRTHDAY, PHONE])]
    await rename(service, chain, one, "Zhang Wen")
    assert await found(service, staff(chain), clock) == []


async def test_a_dismissed_pair_does_not_come_back(service: MembersService, chain: str, clock: FixedClock) -> None:
    one, other = await join(service, chain, phone(LI)), await join(service, chain, phone(MING))
    third = await join(service, chain, name="Somebody")
    await look_for(service, clock)
    await dismiss(service, chain, other, one)
    before = await service.everything()
    await dismiss(service, chain, one, other)
    assert await service.everything() == before
    assert await found(service, staff(chain)) == []
    for name in ("Zhang Wen", "Zhang Wei"):
        await rename(service, chain, one, name)
        assert await found(service, staff(chain), clock) == []
    for pair in ((one, third), (one, one), (one, "mem_nobody")):
        request = pb.DismissDuplicateRequest(member_id=pair[0], other_member_id=pair[1])
        refused = await service.refusal(service.duplicates.DismissDuplicate, request, staff(chain))
        assert refused.code == "DUPLICATE_NOT_FOUND"


async def test_a_merge_lets_it_vanish_at_once_and_a_split_brings_it_back(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    old, young = await join(service, chain, phone(LI), days_ago=3), await join(service, chain, phone(MING))
    third = await join(service, chain)
    everybody = [({old, young}, 90), ({old, third}, 50), ({young, third}, 50)]
    assert sorted((sorted(each[0]), each[1]) for each in await found(service, staff(chain), clock)) == sorted(
        (sorted(pair), score) for pair, score in everybody
    )
    merge_id = await merge(service, chain, old, young)
    assert await found(service, staff(chain)) == [({old, third}, 50, [BIRTHDAY])]
    assert [set(one["member"]) for one in (await service.everything())[DUPLICATES.name]] == [{old, third}]
    assert await found(service, staff(chain), clock) == [({old, third}, 50, [BIRTHDAY])]
    await split(service, chain, merge_id)
    again = await found(service, staff(chain), clock)
    assert sorted((sorted(each[0]), each[1]) for each in again) == sorted(
        (sorted(pair), score) for pair, score in everybody
    )


async def test_what_was_said_of_a_former_id_holds_for_who_has_it(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    old = await join(service, chain, name="Li Ming", days_ago=3)
    young, third = await join(service, chain), await join(service, chain)
    await look_for(service, clock)
    await dismiss(service, chain, young, third)
    await merge(service, chain, old, young)
    await rename(service, chain, old, "Zhang Wei")
    assert await found(service, staff(chain), clock) == []


async def test_what_was_said_of_a_former_id_holds_when_the_other_changes(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    old = await join(service, chain, name="Li Ming", days_ago=3)
    young, third = await join(service, chain), await join(service, chain)
    await look_for(service, clock)
    await dismiss(service, chain, young, third)
    await merge(service, chain, old, young)
    await look_for(service, clock)
    await rename(service, chain, third, "Li Ming")
    assert await found(service, staff(chain), clock) == []


async def test_nothing_is_left_of_an_erased_person(service: MembersService, chain: str, clock: FixedClock) -> None:
    one, other = await join(service, chain, phone(LI)), await join(service, chain, phone(MING))
    kept = await join(service, chain)
    await look_for(service, clock)
    backup = await service.everything()
    await dismiss(service, chain, one, other)
    erase = members_pb2.EraseMemberRequest(key=uuid4().hex, member_id=one)
    await service.call(service.members.EraseMember, erase, staff(chain))
    assert await found(service, staff(chain)) == [({other, kept}, 50, [BIRTHDAY])]
    assert await ids_kept(service) == {other, kept}
    assert await found(service, staff(chain), clock) == [({other, kept}, 50, [BIRTHDAY])]
    assert await ids_kept(service) == {other, kept}
    await restore(service, backup)
    assert await ids_kept(service) == {one, other, kept}
    await erase_again(service.database, vault_of(service.database), chain, now=START)
    assert await ids_kept(service) == {other, kept}


async def ids_kept(service: MembersService) -> set[str]:
    held = await service.everything()
    pairs = {id_ for one in held[DUPLICATES.name] for id_ in one["member"]}
    return pairs | {one["member"] for one in held[LIKENESSES.name]}


async def test_nothing_can_be_read_where_it_lies(service: MembersService, chain: str, clock: FixedClock) -> None:
    await join(service, chain, phone(LI), email("zhang.wei@example.com"))
    await join(service, chain, phone(MING), email("zhang.wei@example.org"))
    await look_for(service, clock)
    held = await service.everything()
    content = b"".join(bson.encode(one) for name in (LIKENESSES.name, DUPLICATES.name) for one in held[name]).lower()
    assert not [trace for trace in (b"zhang", b"1990", b"8000", b"13800", b"example") if trace in content]


@pytest.mark.parametrize("leaves", ["erased", "merged"])
async def test_who_leaves_while_the_job_looks_is_not_paired(
    service: MembersService, chain: str, clock: FixedClock, leaves: str
) -> None:
    """Not the one that the job looks for, but the one that it finds."""
    older, one = await join(service, chain, name="Somebody", days_ago=9), await join(service, chain, phone(LI))
    await look_for(service, clock)
    other = await join(service, chain, phone(MING))
    vault = vault_of(service.database)
    its_chain = await MongoChains(service.database, vault_of(service.database)).find(chain)
    assert its_chain is not None
    await take_step(its_chain, [other], Step.HASH, now=START, units=MongoLikenessUnits(service.database, vault))

    async def slower(session: Session) -> None:
        unit = MongoLikenessUnit(service.database, vault, session, chain=chain, now=START)
        await unit.pairs([other])  # what is seen from here on is of this moment
        if leaves == "merged":
            await merge(service, chain, older, one)
        else:
            erase = members_pb2.EraseMemberRequest(key=uuid4().hex, member_id=one)
            await service.call(service.members.EraseMember, erase, staff(chain))
        await step_within(unit, its_chain, [other], Step.PAIR, now=START)

    with pytest.raises(Conflict):
        await service.database.once_in_transaction(slower)
    assert await found(service, staff(chain), clock) == []


async def test_two_replicas_that_look_at_the_same_time_find_each_other(
    service: MembersService, other_replica: MembersService, chain: str, clock: FixedClock
) -> None:
    pairs = [
        {
            await join(service, chain, name=f"Guest {number}"),
            await join(other_replica, chain, name=f"guest {number}"),
        }
        for number in range(8)
    ]
    await asyncio.gather(*(look_for(each, clock) for each in (service, other_replica, service)))
    assert sorted(map(sorted, pairs)) == sorted(sorted(each[0]) for each in await found(service, staff(chain), clock))


async def test_what_many_share_is_no_sign(service: MembersService, chain: str, clock: FixedClock) -> None:
    requests = [enrollment(name="Guest") for _ in range(COMMON)]
    for request in requests:
        request.member.profile.birthday = "1990-01-01"
    await service.enroll_all(requests, staff(chain))
    odd = await join(service, chain, phone(LI), name="Guest", birthday="1990-01-01")
    same = await join(service, chain, phone(MING), name="Guest", birthday="1990-01-02")
    assert await found(service, staff(chain), clock) == [({odd, same}, 40, [PHONE])]


async def test_members_from_before_are_found_too(service: MembersService, chain: str, clock: FixedClock) -> None:
    one, other = await join(service, chain), await join(service, chain)
    await service.database.collection(LIKENESSES).delete_many({"chain": chain})
    assert await found(service, staff(chain), clock) == []
    await mark_everybody(service.database)
    assert await found(service, staff(chain), clock) == [({one, other}, 50, [BIRTHDAY])]
    before = await service.everything()
    await mark_everybody(service.database)
    assert await service.everything() == before


async def test_pairs_come_in_pages(service: MembersService, chain: str, clock: FixedClock) -> None:
    for number in range(3):
        name = f"Guest {number}"
        await join(service, chain, phone(f"+861380013800{number}"), name=name)
        await join(service, chain, phone(f"+861390013800{number}"), name=name)
    for number in range(3, 5):
        await join(service, chain, name=f"Guest {number}")
        await join(service, chain, name=f"Guest {number}")
    await look_for(service, clock)
    seen: list[tuple[int, str, str]] = []
    request = pb.ListDuplicatesRequest()
    request.page.first = 2
    for _ in range(3):
        page = await service.call(service.duplicates.ListDuplicates, request, staff(chain))
        seen += [(-one.score, one.first.id, one.second.id) for one in page.duplicates]
        request.page.after = page.end_cursor
    assert (len(seen), seen, request.page.after) == (5, sorted(seen), "")
    request.page.after = "nonsense"
    assert (await service.refusal(service.duplicates.ListDuplicates, request, staff(chain))).code == "CURSOR"


LIST = """{ likelyDuplicates { nodes { score reasons foundAt members { id profile { name birthday } } } } }"""
DISMISS = """mutation ($input: DismissDuplicateInput!) { dismissDuplicate(input: $input) {
  userErrors { code field } } }"""


async def test_each_role_sees_what_it_may_and_it_is_on_record(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    one, other = sorted([await join(service, chain), await join(service, chain)])
    await look_for(service, clock)
    marketer = Principal(**{name: getattr(staff(chain), name) for name in Principal.__slots__} | {"role": "marketer"})
    shown = [{"id": id_, "profile": {"name": "Zhang", "birthday": "05-17"}} for id_ in (one, other)]
    pair = {"score": 50, "reasons": ["NAME_AND_BIRTHDAY"], "foundAt": "2026-03-01T04:00:00.000Z", "members": shown}
    assert (await ask(service, marketer, LIST))["likelyDuplicates"]["nodes"] == [pair]
    request = members_pb2.ListLooksRequest(member_id=one)
    looks = (await service.call(service.members.ListLooks, request, staff(chain))).looks
    assert [(look.by, look.role) for look in looks] == [("staff:key_staff", "marketer")]
    wish = {"memberId": one, "otherMemberId": other}
    assert (await ask(service, staff(chain), DISMISS, input=wish))["dismissDuplicate"] == {"userErrors": []}
    assert (await ask(service, staff(chain), LIST))["likelyDuplicates"]["nodes"] == []
    nobody = (await ask(service, staff(chain), DISMISS, input={**wish, "memberId": "mem_nobody"}))["dismissDuplicate"]
    assert nobody["userErrors"] == [{"code": "DUPLICATE_NOT_FOUND", "field": "otherMemberId"}]


async def test_only_who_may_merge(service: MembersService, chain: str) -> None:
    requests: Sequence[tuple[Any, Any]] = (
        (service.duplicates.ListDuplicates, pb.ListDuplicatesRequest()),
        (service.duplicates.DismissDuplicate, pb.DismissDuplicateRequest()),
    )
    for method, request in requests:
        without = staff(chain, scopes=SCOPES - {"members:merge"})
        assert (await service.refusal(method, request, without)).code == "DENIED"
