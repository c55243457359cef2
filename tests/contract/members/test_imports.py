"""Imports of members, over a real connection and on the real database."""

from datetime import timedelta

import pytest

from protos.members.v1 import care_pb2, members_pb2
from protos.members.v1 import jobs_pb2 as pb
from services.kit.outbox.outbox import OUTBOX
from services.kit.timestamps import from_timestamp, to_timestamp
from tests.support.clock import START
from tests.support.imports import Importer, counts, refused, row
from tests.support.members_service import (
    MembersService,
    enrollment,
    external,
    phone,
    staff,
)

CHANGED = "huitou.events.v1.ConsentChanged"
LI, WANG, MA = phone("+8613800138000"), phone("+8613800138001"), phone("+8613800138002")


@pytest.fixture
def importer(service: MembersService, chain: str) -> Importer:
    return Importer(service, chain)


async def test_rows_are_enrolled_told_and_counted(importer: Importer, service: MembersService) -> None:
    job = await importer.open()
    answer = await importer.send(
        job, 0, row(2, LI, external("A-1"), tags=["vip"], tell_member=True), row(3, WANG), row(4, phone("none"))
    )
    assert refused(answer) == [(4, "INVALID_IDENTITY", "profile.identities.0.value")]
    [member] = await service.get(await importer.owners(external("A-1")), importer.by)
    assert [(one.row, one.member_id) for one in answer.members] == [(2, member.id)]
    assert (member.profile.name, list(member.tags), member.channel) == ("Li", ["vip"], members_pb2.CHANNEL_IMPORT)
    told = await service.database.collection(OUTBOX).find({"chain": importer.chain}).to_list()
    assert sorted(one["aggregate"] for one in told) == sorted(await importer.owners(LI, WANG))
    found = await importer.job(job)
    assert (counts(found), found.rows_done, found.latest_rows) == ((2, 0, 0, 1, 0), 3, 3)
    assert [(one.row, one.code) for one in found.refused_rows] == [(4, "INVALID_IDENTITY")]


async def test_a_row_with_a_referral_code_is_refused(importer: Importer, service: MembersService) -> None:
    """What is imported happened elsewhere: it is no reason to reward anybody now."""
    brought = row(2, LI)
    brought.source.referral_code = "ABCDEFGH"
    answer = await importer.send(await importer.open(), 0, brought)
    assert [(number, field) for number, _, field in refused(answer)] == [(2, "source.referralCode")]
    assert await service.resolve([LI], importer.by) == [""]


async def test_the_latest_rows_get_the_same_answer_again(importer: Importer, service: MembersService) -> None:
    job = await importer.open()
    rows = (row(2, LI, tell_member=True), row(3, name="nobody"))
    first = await importer.send(job, 0, *rows)
    before = await service.everything()
    assert await importer.send(job, 0, *rows) == first
    assert await service.everything() == before
    changed = importer.rows(job, 0, row(2, WANG))
    assert (await service.refusal(importer.stub.ImportRows, changed, importer.by)).code == "ROWS_CHANGED"
    ahead = importer.rows(job, 7, row(9, WANG))
    assert (await service.refusal(importer.stub.ImportRows, ahead, importer.by)).code == "WRONG_PLACE"


async def test_an_import_is_opened_once_closed_once_and_listed(importer: Importer, service: MembersService) -> None:
    job = await importer.open(key="open-once")
    assert await importer.open(key="open-once") == job
    other = await importer.open()
    assert (await importer.close(job)).HasField("closed_at")
    assert await importer.close(job) == await importer.job(job)
    late = importer.rows(job, 0, row(2, LI))
    assert (await service.refusal(importer.stub.ImportRows, late, importer.by)).code == "IMPORT_CLOSED"
    listed = await service.call(importer.stub.ListImportJobs, pb.ListImportJobsRequest(), importer.by)
    assert sorted(one.id for one in listed.jobs) == sorted([job, other])
    assert listed.end_cursor == ""


async def test_another_chain_does_not_see_it(importer: Importer, service: MembersService, other_chain: str) -> None:
    request = pb.GetImportJobRequest(job_id=await importer.open())
    unknown = await service.refusal(importer.stub.GetImportJob, request, staff(other_chain))
    assert unknown.code == "IMPORT_NOT_FOUND"
    denied = await service.refusal(
        importer.stub.GetImportJob, request, staff(importer.chain, scopes=frozenset({"members:write"}))
    )
    assert denied.code == "DENIED"


async def test_who_is_known_is_skipped_or_refused(importer: Importer, service: MembersService) -> None:
    member = (await service.enroll(enrollment(LI), importer.by)).member
    skipping, refusing = await importer.open("SKIP"), await importer.open("REFUSE")
    skipped = await importer.send(skipping, 0, row(2, LI, name="Other", tell_member=True))
    assert ([one.member_id for one in skipped.members], counts(skipped.job)) == ([member.id], (0, 0, 1, 0, 0))
    answer = await importer.send(refusing, 0, row(2, external("A-1"), LI))
    assert refused(answer) == [(2, "IDENTITY_TAKEN", "profile.identities.1")]
    assert await service.member(importer.chain, member.id) == member
    assert await importer.owners(external("A-1")) == [""]


async def test_who_is_known_is_updated_by_what_the_row_says(importer: Importer, service: MembersService) -> None:
    member = (await service.enroll(enrollment(LI, name="Li Lei"), importer.by)).member
    job = await importer.open("UPDATE")
    said = row(2, LI, external("A-1"), name="", tags=["vip"])
    said.profile.birthday = "1990-05-17"
    bad = row(3, LI)
    bad.profile.birthday = "1990-13-01"
    answer = await importer.send(job, 0, said, bad)
    assert (refused(answer), counts(answer.job)) == ([(3, "INVALID_MEMBER", "profile.birthday")], (0, 1, 0, 1, 0))
    now = await service.member(importer.chain, member.id)
    assert (now.profile.name, now.profile.birthday, list(now.tags), now.version) == ("Li Lei", "1990-05-17", ["vip"], 2)
    assert [one.value for one in now.profile.identities] == ["+8613800138000", "A-1"]
    assert await importer.owners(external("A-1")) == [member.id]


async def test_rows_of_several_members_are_refused_or_merge_them(importer: Importer, service: MembersService) -> None:
    older = (await service.enroll(enrollment(LI), importer.by)).member
    await service.enroll(enrollment(WANG), importer.by)
    answer = await importer.send(await importer.open("UPDATE"), 0, row(2, LI, WANG))
    assert refused(answer) == [(2, "SEVERAL_MEMBERS", "profile.identities")]
    # The second row is enrolled and taken over within the same call.
    answer = await importer.send(await importer.open("MERGE"), 0, row(2, MA), row(3, LI, WANG, MA, external("A-1")))
    assert counts(answer.job) == (1, 1, 0, 0, 1)
    assert await importer.owners(LI, WANG, MA, external("A-1")) == [older.id] * 4
    assert len((await service.member(importer.chain, older.id)).former_ids) == 2


@pytest.mark.parametrize("policy", ["SKIP", "UPDATE", "REFUSE", "MERGE"])
async def test_a_dry_run_tells_what_would_happen(importer: Importer, service: MembersService, policy: str) -> None:
    await service.enroll(enrollment(LI), importer.by)
    members = await service.counts(importer.chain)
    first = [row(2, LI, name="Lei"), row(3, WANG, household="H-1"), row(4, WANG, external("A-1"), household="H-1")]
    second = [row(5, external("A-1"), MA, household="H-2"), row(6, LI, MA), row(7, WANG)]
    dry, real = await importer.open(policy, dry_run=True), await importer.open(policy)
    would = [await importer.send(dry, 0, *first), await importer.send(dry, 3, *second)]
    assert (await service.counts(importer.chain))[:2] == members[:2]
    did = [await importer.send(real, 0, *first), await importer.send(real, 3, *second)]
    assert [refused(one) for one in would] == [refused(one) for one in did]
    assert [counts(one.job) for one in would] == [counts(one.job) for one in did]
    await importer.close(dry)
    assert (await service.everything())["rehearsals"] == []


async def test_a_household_comes_along(importer: Importer, service: MembersService) -> None:
    job = await importer.open("UPDATE")
    full = [row(10 + number, external(f"F-{number}"), household="full") for number in range(21)]
    answer = await importer.send(job, 0, row(2, LI, household="H-1"), row(3, WANG, household="H-1"), *full)
    assert refused(answer) == [(30, "HOUSEHOLD_FULL", "household")]
    answer = await importer.send(job, 23, row(40, LI, household="H-2"), row(41, MA, household="H-1"))
    assert refused(answer) == [(40, "IN_ANOTHER_HOUSEHOLD", "household")]
    ids = await importer.owners(LI, WANG, MA)
    found = await service.call(importer.stub.GetHouseholds, pb.GetHouseholdsRequest(member_ids=ids[:1]), importer.by)
    [household] = found.households
    assert (household.code, list(household.member_ids), list(found.asked_ids)) == ("H-1", ids, ids[:1])


async def test_members_come_to_a_household_and_leave_it(importer: Importer, service: MembersService) -> None:
    one, other = [(await service.enroll(enrollment(each), importer.by)).member.id for each in (LI, WANG)]
    for member, living in ((one, [one]), (other, [one, other]), (one, [one, other])):
        request = pb.HouseholdMemberRequest(code="H-1", member_id=member)
        household = await service.call(importer.stub.AddToHousehold, request, importer.by)
        assert list(household.member_ids) == living
    merge = members_pb2.MergeMembersRequest(key="merge-both", member_id=one, other_member_id=other)
    await service.call(service.members.MergeMembers, merge, importer.by)
    asked = pb.GetHouseholdsRequest(member_ids=[other])
    [found] = (await service.call(importer.stub.GetHouseholds, asked, importer.by)).households
    assert list(found.member_ids) == [one]
    request = pb.HouseholdMemberRequest(code="H-1", member_id=other)
    assert list((await service.call(importer.stub.RemoveFromHousehold, request, importer.by)).member_ids) == []
    assert (await service.everything())["homes"] == []


async def test_an_erased_member_has_no_home(importer: Importer, service: MembersService) -> None:
    await importer.send(await importer.open(), 0, row(2, LI, household="H-1"))
    [member] = await importer.owners(LI)
    erase = members_pb2.EraseMemberRequest(key="erase-it", member_id=member)
    await service.call(service.members.EraseMember, erase, importer.by)
    assert (await service.everything())["homes"] == []


def agreed(channel: str = "sms", *, granted: bool = True, days_ago: int | None = None) -> pb.ImportedConsent:
    at = None if days_ago is None else to_timestamp(START - timedelta(days=days_ago))
    return pb.ImportedConsent(channel=channel, purpose="marketing", granted=granted, text_version="3", at=at)


async def consents_of(importer: Importer, *identities: members_pb2.Identity) -> list[list[tuple[int, bool, str, int]]]:
    """Return what each agrees to: channel, yes or no, the text's version, and how many days ago it was said."""
    service, ids = importer.service, await importer.owners(*identities)
    request = care_pb2.GetConsentsRequest(member_ids=ids)
    answer = await service.call(service.care.GetConsents, request, importer.by)
    by_member = {
        of.member_id: [
            (one.channel, one.granted, one.text_version, (START - from_timestamp(one.at)).days) for one in of.consents
        ]
        for of in answer.members
    }
    return [by_member[id_] for id_ in ids]


async def test_consents_come_along(importer: Importer, service: MembersService) -> None:
    job = await importer.open("UPDATE")
    joined = to_timestamp(START - timedelta(days=30))
    first = row(2, LI, enrolled_at=joined, consents=[agreed(), agreed("email", days_ago=5)])
    answer = await importer.send(job, 0, first, row(3, WANG, consents=[agreed(granted=False, days_ago=1)]))
    assert refused(answer) == []
    of_li = [(care_pb2.CONTACT_CHANNEL_EMAIL, True, "3", 5), (care_pb2.CONTACT_CHANNEL_SMS, True, "3", 30)]
    assert await consents_of(importer, LI, WANG) == [of_li, [(care_pb2.CONTACT_CHANNEL_SMS, False, "3", 1)]]
    told = await service.database.collection(OUTBOX).find({"chain": importer.chain}).to_list()
    assert sorted(one["type"] for one in told if one["type"].endswith("ConsentChanged")) == [CHANGED, CHANGED]
    # What was said later holds, whatever an older file has; and the latest rows are not done twice.
    again = [row(4, WANG, consents=[agreed(days_ago=2)]), row(5, LI, consents=[agreed(granted=False, days_ago=3)])]
    await importer.send(job, 2, *again)
    before = await service.everything()
    await importer.send(job, 2, *again)
    assert await service.everything() == before
    of_li[1] = (care_pb2.CONTACT_CHANNEL_SMS, False, "3", 3)
    assert await consents_of(importer, LI, WANG) == [of_li, [(care_pb2.CONTACT_CHANNEL_SMS, False, "3", 1)]]


async def test_a_row_with_a_consent_that_nobody_can_have_given_is_refused_whole(importer: Importer) -> None:
    job = await importer.open()
    wrong = [agreed("pigeon"), agreed(days_ago=-1), pb.ImportedConsent(channel="sms", purpose="x", granted=True)]
    answer = await importer.send(job, 0, *(row(number, LI, consents=[one]) for number, one in enumerate(wrong)))
    assert refused(answer) == [
        (0, "INVALID_CONSENT", "consents.0"),
        (1, "INVALID_CONSENT", "consents.0.at"),
        (2, "INVALID_CONSENT", "consents.0"),
    ]
    assert await importer.owners(LI) == [""]


async def test_a_dry_run_records_no_consent(importer: Importer, service: MembersService) -> None:
    await importer.send(await importer.open(dry_run=True), 0, row(2, LI, consents=[agreed()]))
    assert (await service.everything())["consents"] == []


async def test_a_row_with_an_own_id_that_nobody_has_is_nobody_known(importer: Importer) -> None:
    job = await importer.open("SKIP")
    await importer.send(job, 0, row(2, LI, external("A-1")), row(3, WANG))
    new, known = row(4, external("A-2"), WANG), row(5, LI, MA)
    answer = await importer.send(job, 2, new, row(6, external("A-1"), WANG, tell_member=True), known)
    assert refused(answer) == [(4, "IDENTITY_TAKEN", "profile.identities.1")]
    [told] = answer.members
    assert (told.row, told.outcome) == (6, pb.ROW_OUTCOME_SKIPPED)
    assert await importer.owners(external("A-2"), MA) == ["", ""]
