"""Members that are one have one voice, and two again when that was wrong; who is forgotten has said nothing."""

from datetime import timedelta

from protos.events.v1.members_pb2 import MemberErased, MemberMerged, MemberSplit
from services.feedback.store.collections import ANSWERS, CASES, INVITATIONS
from services.kit.outbox.events import Event
from tests.contract.feedback.conftest import STAFF, Feedback, bought, enrolled
from tests.support.clock import START

ADA, BOB, CYD = "mem_ada", "mem_bob", "mem_cyd"
DAY = timedelta(days=1)


def event(body: MemberMerged | MemberSplit | MemberErased, sequence: int) -> Event:
    return Event(
        id=f"chn_1/{body.member_id}/{sequence}",
        chain="chn_1",
        stream="members.member",
        aggregate=body.member_id,
        sequence=sequence,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
    )


def merged(member: str, into: str, merge: str = "mrg_1") -> Event:
    return event(MemberMerged(member_id=member, into_id=into, merge_id=merge), 2)


def split(member: str, of: str, merge: str = "mrg_1") -> Event:
    return event(MemberSplit(member_id=member, from_id=of, merge_id=merge), 3)


def erased(member: str) -> Event:
    return event(MemberErased(member_id=member), 4)


async def waiting(feedback: Feedback, *members: str) -> list[list[str]]:
    return [[one.purchase_id for one in some] for some in await feedback.invitations(*members)]


async def test_invitations_of_both_are_the_survivors(feedback: Feedback) -> None:
    await feedback.hear(bought(1, member=ADA), bought(2, member=BOB))
    await feedback.hear(merged(BOB, ADA), enrolled(ADA), enrolled(BOB))
    assert [sorted(one) for one in await waiting(feedback, ADA, BOB)] == [["pur_1", "pur_2"], ["pur_1", "pur_2"]]
    [found] = [one for one in (await feedback.invitations(ADA))[0] if one.member_id == BOB]
    await feedback.answer(invitation_id=found.id)
    assert await waiting(feedback, ADA, BOB) == [["pur_1"], ["pur_1"]]
    answered = await feedback.refusal(lambda: feedback.answer("answer-key-2", invitation_id=found.id))
    assert answered.code == "INVITATION_ANSWERED"
    await feedback.hear(split(BOB, ADA))
    assert await waiting(feedback, ADA, BOB) == [["pur_1"], []]


async def test_who_was_asked_under_one_id_is_not_asked_under_the_other(feedback: Feedback) -> None:
    await feedback.hear(bought(1, member=BOB))
    await feedback.hear(merged(BOB, ADA), bought(2, member=ADA, at=START + DAY))
    assert len(await feedback.rows(INVITATIONS)) == 1
    await feedback.hear(split(BOB, ADA), bought(3, member=ADA, at=START + DAY))
    assert len(await feedback.rows(INVITATIONS)) == 2


async def test_in_one_batch_too(feedback: Feedback) -> None:
    await feedback.hear(merged(BOB, ADA), bought(1, member=BOB), bought(2, member=ADA))
    assert len(await feedback.rows(INVITATIONS)) == 1


async def test_cases_follow_through_chains_of_merges(feedback: Feedback) -> None:
    await feedback.hear(enrolled(ADA), enrolled(BOB), enrolled(CYD))
    for number, member in enumerate((ADA, BOB, CYD)):
        await feedback.answer(f"answer-key-{number}", member_id=member, caller=STAFF)
    await feedback.hear(merged(BOB, ADA, "mrg_2"))
    await feedback.hear(merged(CYD, BOB, "mrg_1"))
    assert [len(await feedback.cases(one)) for one in (ADA, BOB, CYD)] == [3, 3, 3]
    await feedback.hear(split(BOB, ADA, "mrg_2"))
    assert [len(await feedback.cases(one)) for one in (ADA, BOB, CYD)] == [1, 2, 2]


async def test_what_was_said_is_erased_and_what_is_said_later_is_not_kept(feedback: Feedback) -> None:
    await feedback.hear(enrolled(ADA), enrolled(BOB))
    await feedback.answer()
    await feedback.answer("answer-key-2", member_id=BOB, caller=STAFF)
    for _ in range(2):
        await feedback.hear(erased(ADA))
    later = await feedback.answer("answer-key-3", comment="my name is Ada")
    assert later.case.comment == ""
    for keyed in (ANSWERS, CASES):
        rows = {(row["member"], row["comment"], row["score"]) for row in await feedback.rows(keyed)}
        assert rows == {(ADA, "", 3), (BOB, "cold soup", 3)}
    assert "Ada" not in repr(await feedback.everything()).replace("mem_ada", "")
