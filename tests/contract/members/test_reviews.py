"""What looks like fraud raises a review, once; nothing is held up, and somebody judges it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from protos.common.v1.money_pb2 import Money
from protos.events.v1 import members_pb2 as events_pb2
from protos.events.v1 import points_pb2
from protos.members.v1 import chains_pb2, members_pb2, staff_pb2
from protos.members.v1 import reviews_pb2 as pb
from services.kit.ids import make_id
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.kit.outbox.outbox import OUTBOX, Outbox
from services.kit.principal import Principal
from services.kit.rabbit import inbox
from services.kit.rabbit.inbox import Inbox
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.consumers import PortraitHandler, Watch
from services.members.domain.api_keys import SCOPES
from services.members.store.portraits import MongoPortraits
from services.members.store.signals import MongoSignals
from tests.contract.members.test_sandbox import opened
from tests.support.clock import START, FixedClock
from tests.support.members_service import MembersService, enrollment, staff

OPEN, CONFIRMED, DISMISSED = pb.REVIEW_STATE_OPEN, pb.REVIEW_STATE_CONFIRMED, pb.REVIEW_STATE_DISMISSED

SHANGHAI = chains_pb2.Position(latitude=31.23, longitude=121.47)
BEIJING = chains_pb2.Position(latitude=39.90, longitude=116.40)


def handler(service: MembersService, clock: FixedClock) -> PortraitHandler:
    signals = partial(MongoSignals, service.database, Outbox(service.database))
    clocks = MongoChainClocks(service.database, system=clock)
    return PortraitHandler(partial(MongoPortraits, service.database), Watch(signals, clocks, make_id))


def bought(
    chain: str,
    member: str,
    sequence: int,
    minute: float,
    store: str = "sto_1",
    *,
    served: str = "",
    channel: str = "dine_in",
) -> Event:
    """Return a receipt, so many minutes after yesterday's beginning."""
    body = points_pb2.PurchaseBooked(
        purchase_id=f"pur_{member[-8:]}_{sequence:03}",
        member_id=member,
        store_id=store,
        occurred_at=to_timestamp(START - timedelta(days=1) + timedelta(minutes=minute)),
        paid=Money(amount_minor=1_000, currency="CNY"),
        time_zone="Asia/Shanghai",
        channel=channel,
        staff_code=served,
    )
    return Event(
        id=f"{chain}/{member}/{sequence}",
        chain=chain,
        stream="points.account",
        aggregate=member,
        sequence=sequence,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
    )


async def hear(service: MembersService, clock: FixedClock, *events: Event) -> None:
    await service.database.in_transaction(partial(handler(service, clock), events))


async def join(service: MembersService, chain: str, days_ago: int = 9) -> str:
    request = enrollment()
    request.member.enrolled_at.CopyFrom(to_timestamp(START - timedelta(days=days_ago)))
    return str((await service.enroll(request, staff(chain))).member.id)


async def listed(service: MembersService, by: Principal, **wanted: Any) -> list[pb.Review]:
    answer = await service.call(service.reviews.ListReviews, pb.ListReviewsRequest(**wanted), by)
    return list(answer.reviews)


async def save_rules(
    service: MembersService, chain: str, *rules: pb.ReviewRule, version: int = 0
) -> pb.SaveReviewRulesResponse:
    request = pb.SaveReviewRulesRequest(rules=pb.ReviewRules(rules=rules, version=version))
    answer: pb.SaveReviewRulesResponse = await service.call(service.reviews.SaveReviewRules, request, staff(chain))
    return answer


async def resolve(
    service: MembersService, by: Principal, review: pb.Review, note: str = "", state: Any = DISMISSED
) -> pb.Review:
    request = pb.ResolveReviewRequest(review_id=review.id, version=review.version, state=state, note=note)
    answer = await service.call(service.reviews.ResolveReview, request, by)
    resolved: pb.Review = answer.review
    return resolved


def shown(review: pb.Review) -> tuple[str, str, list[int]]:
    return review.member_id, review.rule, [int(one.purchase_id[-3:]) for one in review.evidence]


async def told(service: MembersService, chain: str, member: str) -> list[events_pb2.ReviewRaised]:
    rows = (
        await service.database.collection(OUTBOX).find({"chain": chain, "aggregate": member}).sort("sequence").to_list()
    )
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    return [events_pb2.ReviewRaised.FromString(row["body"]) for row in rows if row["type"].endswith(".ReviewRaised")]


CROWD = pb.ReviewRule(
    code="crowd",
    kind=pb.SIGNAL_KIND_TOO_MANY_RECEIPTS,
    severity=pb.SEVERITY_LOW,
    window_minutes=60,
    most=2,
    on=True,
)


async def test_a_sixth_receipt_within_an_hour_raises_one_review_that_is_told_once(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    member, other = await join(service, chain), await join(service, chain)
    await hear(service, clock, *(bought(chain, member, number, 5 * number) for number in range(1, 6)))
    await hear(service, clock, *(bought(chain, other, number, 70 * number) for number in range(1, 8)))
    assert await listed(service, staff(chain)) == []
    await hear(service, clock, bought(chain, member, 6, 55))
    [review] = await listed(service, staff(chain))
    assert shown(review) == (member, "too-many-receipts", [1, 2, 3, 4, 5, 6])
    assert (review.kind, review.severity, review.state) == (
        pb.SIGNAL_KIND_TOO_MANY_RECEIPTS,
        pb.SEVERITY_MEDIUM,
        OPEN,
    )
    first = review.evidence[0]
    moment = START - timedelta(days=1) + timedelta(minutes=5)
    assert (first.store_id, from_timestamp(first.occurred_at)) == ("sto_1", moment)
    event = events_pb2.ReviewRaised(
        member_id=member,
        review_id=review.id,
        rule="too-many-receipts",
        kind="too_many_receipts",
        severity="medium",
        raised_at=to_timestamp(START),
    )
    assert await told(service, chain, member) == [event]
    await hear(service, clock, bought(chain, member, 7, 58))
    [more] = await listed(service, staff(chain))
    assert (more.id, more.version, shown(more)[2]) == (review.id, review.version + 1, [1, 2, 3, 4, 5, 6, 7])
    assert await told(service, chain, member) == [event]
    assert await told(service, chain, other) == []


async def test_receipts_that_come_late_and_in_any_order_count_by_when_they_happened(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    await save_rules(service, chain, CROWD)
    member = await join(service, chain)
    # A till that was offline delivers the middle last; an older hour and a later one stay out of it.
    for number, minute in enumerate((300, 40, 0, 500, 20), start=1):
        await hear(service, clock, bought(chain, member, number, minute))
    [review] = await listed(service, staff(chain))
    assert shown(review)[2] == [3, 5, 2]


async def test_an_import_of_years_is_no_fraud(service: MembersService, chain: str, clock: FixedClock) -> None:
    member = await join(service, chain)
    long_ago = -36 * 24 * 60
    await hear(service, clock, *(bought(chain, member, number, long_ago + number) for number in range(1, 20)))
    assert await listed(service, staff(chain)) == []


async def test_a_sandboxes_news_is_of_its_own_time(service: MembersService, clock: FixedClock) -> None:
    sandbox, real = await opened(service, sandbox=True), await opened(service, sandbox=False)
    await MongoChainClocks(service.database, system=clock).move(sandbox, START)
    members = [await join(service, chain) for chain in (sandbox, real)]
    clock.move(timedelta(days=60))
    for chain, member in zip((sandbox, real), members, strict=True):
        await hear(service, clock, *(bought(chain, member, number, number) for number in range(1, 7)))
    [review] = await listed(service, staff(sandbox))
    assert (review.member_id, review.raised_at) == (members[0], to_timestamp(START))
    assert await listed(service, staff(real)) == []


async def test_nobody_eats_in_two_cities_at_once(service: MembersService, chain: str, clock: FixedClock) -> None:
    bund, palace, nowhere = await service.save_stores(
        chain,
        at("bund", SHANGHAI),
        at("palace", BEIJING),
        chains_pb2.StoreInput(code="nowhere", name="Nowhere"),
    )
    fast, slow, hungry, unknown = [await join(service, chain) for _ in range(4)]
    await hear(
        service,
        clock,
        *(bought(chain, fast, 1, 0, bund.id), bought(chain, fast, 2, 120, palace.id)),
        *(bought(chain, slow, 1, 0, bund.id), bought(chain, slow, 2, 180, palace.id)),
        *(bought(chain, hungry, 1, 0, bund.id), bought(chain, hungry, 2, 5, palace.id, channel="delivery")),
        *(bought(chain, unknown, 1, 0, bund.id), bought(chain, unknown, 2, 5, nowhere.id)),
    )
    [review] = await listed(service, staff(chain))
    assert shown(review) == (fast, "impossible-travel", [1, 2])
    assert [one.store_id for one in review.evidence] == [bund.id, palace.id]


def at(code: str, position: chains_pb2.Position) -> chains_pb2.StoreInput:
    wanted = chains_pb2.StoreInput(code=code, name=code)
    wanted.position.CopyFrom(position)
    return wanted


async def test_staff_that_rings_up_its_own_card_is_noticed(
    service: MembersService, chain: str, other_chain: str, clock: FixedClock
) -> None:
    own, guest = await join(service, chain), await join(service, chain)
    people = [staff_pb2.StaffMember(code="li", name="Li", member_id=own, active=True)]
    await service.call(service.staff.SaveStaff, staff_pb2.SaveStaffRequest(staff=people), staff(chain))
    theirs = await join(service, other_chain)
    for whose, of in ((own, chain), (guest, chain), (theirs, other_chain)):
        for number in range(1, 4):
            await hear(service, clock, bought(of, whose, number, 400 * number, served="li"))
    await hear(service, clock, bought(chain, own, 4, 405, served="mei"))
    [review] = await listed(service, staff(chain))
    assert (*shown(review), review.staff_code, review.severity) == (
        own,
        "staff-own-card",
        [1, 2, 3],
        "li",
        pb.SEVERITY_HIGH,
    )
    assert [(one.rule, one.staff_code) for one in await told(service, chain, own)] == [("staff-own-card", "li")]
    assert await listed(service, staff(other_chain)) == []


async def test_a_person_is_watched_under_all_of_its_ids(service: MembersService, chain: str, clock: FixedClock) -> None:
    await save_rules(service, chain, CROWD)
    old, young = await join(service, chain, 9), await join(service, chain, 1)
    await hear(service, clock, bought(chain, old, 1, 0), bought(chain, young, 1, 10))
    request = members_pb2.MergeMembersRequest(key=uuid4().hex, member_id=old, other_member_id=young)
    await service.call(service.members.MergeMembers, request, staff(chain))
    assert await listed(service, staff(chain)) == []
    await hear(service, clock, bought(chain, young, 2, 20))
    [review] = await listed(service, staff(chain), member_id=young)
    assert (review.member_id, len(review.evidence)) == (old, 3)


async def test_what_comes_twice_or_to_two_replicas_counts_once(
    service: MembersService, other_replica: MembersService, chain: str, clock: FixedClock
) -> None:
    await inbox.set_up(service.database)
    await save_rules(service, chain, CROWD)
    members = [await join(service, chain) for _ in range(4)]
    events = [bought(chain, member, number, 5 * number) for member in members for number in range(1, 6)]
    replicas = [Inbox(each.database, handle=handler(each, clock)) for each in (service, other_replica)]
    await asyncio.gather(*(each.take(events[start : start + 7]) for each in replicas for start in range(0, 20, 7)))
    for each in replicas:
        await each.take(events)
    # Past the inbox as well: what the timelines know is not new.
    await hear(service, clock, *events)
    found = await listed(service, staff(chain))
    assert sorted(shown(one) for one in found) == [(member, "crowd", [1, 2, 3, 4, 5]) for member in sorted(members)]
    assert [len(await told(service, chain, member)) for member in members] == [1, 1, 1, 1]


async def test_two_at_once_raise_one_review_of_a_merged_person(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    """Its two accounts lie in different partitions: the slower transaction is done again and finds the review."""
    await save_rules(service, chain, CROWD)
    old, young = await join(service, chain, 9), await join(service, chain, 1)
    request = members_pb2.MergeMembersRequest(key=uuid4().hex, member_id=old, other_member_id=young)
    await service.call(service.members.MergeMembers, request, staff(chain))
    await hear(service, clock, bought(chain, old, 1, 0), bought(chain, old, 2, 1))
    entered: list[int] = []

    async def slower(session: Session) -> None:
        entered.append(1)
        await handler(service, clock)([bought(chain, old, 3, 2)], session)
        if len(entered) == 1:
            raced.append(asyncio.create_task(hear(service, clock, bought(chain, young, 1, 3))))
            await asyncio.sleep(0)

    raced: list[asyncio.Task[None]] = []
    await service.database.in_transaction(slower)
    await asyncio.gather(*raced)
    [review] = await listed(service, staff(chain))
    assert len(review.evidence) == 4
    assert len(await told(service, chain, old)) == 1


async def test_a_review_is_judged_by_who_has_seen_it(service: MembersService, chain: str, clock: FixedClock) -> None:
    await save_rules(service, chain, CROWD)
    member = await join(service, chain)
    await hear(service, clock, *(bought(chain, member, number, number) for number in range(1, 4)))
    [review] = await listed(service, staff(chain), state=OPEN)
    await hear(service, clock, bought(chain, member, 4, 4))
    stale = pb.ResolveReviewRequest(review_id=review.id, version=review.version, state=CONFIRMED)
    assert (await service.refusal(service.reviews.ResolveReview, stale, staff(chain))).code == "REVIEW_CHANGED"
    [review] = await listed(service, staff(chain), state=OPEN)
    done = await resolve(service, staff(chain), review, "he shares his card", CONFIRMED)
    assert (done.state, done.note, done.resolved_by, done.resolved_at) == (
        CONFIRMED,
        "he shares his card",
        "staff:key_staff",
        to_timestamp(START),
    )
    before = await service.everything()
    assert await resolve(service, staff(chain), review, "he shares his card", CONFIRMED) == done
    assert await service.everything() == before
    assert await listed(service, staff(chain), state=OPEN) == []
    assert await listed(service, staff(chain), state=CONFIRMED) == [done]
    await hear(service, clock, bought(chain, member, 5, 60))  # of the same window: what was judged
    [same] = await listed(service, staff(chain))
    assert (same.id, same.state, shown(same)[2]) == (review.id, CONFIRMED, [1, 2, 3, 4, 5])
    await hear(service, clock, *(bought(chain, member, number, 100 + number) for number in range(6, 9)))
    assert [shown(one)[2] for one in await listed(service, staff(chain), state=OPEN)] == [[6, 7, 8]]
    for request, code in (
        (pb.ResolveReviewRequest(review_id="rev_none", state=CONFIRMED), "REVIEW_NOT_FOUND"),
        (pb.ResolveReviewRequest(review_id=review.id, version=done.version, state=OPEN), "INVALID_REVIEW"),
        (pb.ResolveReviewRequest(review_id=review.id, version=done.version), "INVALID_REVIEW"),
        (
            pb.ResolveReviewRequest(review_id=review.id, version=same.version, state=DISMISSED, note="x" * 1_001),
            "INVALID_REVIEW",
        ),
    ):
        assert (await service.refusal(service.reviews.ResolveReview, request, staff(chain))).code == code


async def test_a_note_lies_sealed_and_nothing_is_left_of_an_erased_person(
    service: MembersService, chain: str, clock: FixedClock
) -> None:
    await save_rules(service, chain, CROWD)
    member = await join(service, chain)
    await hear(service, clock, *(bought(chain, member, number, number) for number in range(1, 4)))
    [review] = await listed(service, staff(chain))
    await resolve(service, staff(chain), review, "his cousin Wei")
    assert b"Wei" not in repr(await service.everything()).encode()
    erase = members_pb2.EraseMemberRequest(key="erase-0001", member_id=member)
    await service.call(service.members.EraseMember, erase, staff(chain))
    assert (await service.everything())["reviews"] == []
    assert await listed(service, staff(chain)) == []
    # What is still on its way is counted, but looked at no more.
    await hear(service, clock, *(bought(chain, member, number, 20 + number) for number in range(4, 8)))
    assert (await service.everything())["reviews"] == []
    gone = pb.ResolveReviewRequest(review_id=review.id, version=2, state=CONFIRMED)
    assert (await service.refusal(service.reviews.ResolveReview, gone, staff(chain))).code == "REVIEW_NOT_FOUND"


async def test_a_store_sees_and_judges_what_is_its_own(
    service: MembersService, chain: str, other_chain: str, clock: FixedClock
) -> None:
    await save_rules(service, chain, CROWD)
    here, both = await join(service, chain), await join(service, chain)
    await hear(service, clock, *(bought(chain, here, number, number, "sto_1") for number in range(1, 4)))
    await hear(service, clock, *(bought(chain, both, number, number, f"sto_{number}") for number in range(1, 4)))
    first, third, ninth = [staff(chain, stores=[store]) for store in ("sto_1", "sto_3", "sto_9")]
    assert [one.member_id for one in await listed(service, first)] == [both, here]
    assert [one.member_id for one in await listed(service, third)] == [both]
    assert await listed(service, ninth) == []
    assert await listed(service, staff(other_chain)) == []
    [shared, own] = await listed(service, first)
    refused = pb.ResolveReviewRequest(review_id=shared.id, version=shared.version, state=CONFIRMED)
    for by, code in ((third, "DENIED"), (ninth, "REVIEW_NOT_FOUND"), (staff(other_chain), "REVIEW_NOT_FOUND")):
        assert (await service.refusal(service.reviews.ResolveReview, refused, by)).code == code
    assert (await resolve(service, first, own)).state == DISMISSED
    elsewhere = pb.ListReviewsRequest(store_id="sto_1")
    assert (await service.refusal(service.reviews.ListReviews, elsewhere, third)).code == "DENIED"
    assert [one.member_id for one in await listed(service, staff(chain), store_id="sto_3")] == [both]
    whole = pb.SaveReviewRulesRequest(rules=pb.ReviewRules(version=1))
    assert (await service.refusal(service.reviews.SaveReviewRules, whole, first)).code == "DENIED"


async def test_reviews_come_in_pages(service: MembersService, chain: str, clock: FixedClock) -> None:
    await save_rules(service, chain, CROWD)
    members = [await join(service, chain) for _ in range(5)]
    for member in members:
        clock.move(timedelta(seconds=1))
        await hear(service, clock, *(bought(chain, member, number, number) for number in range(1, 4)))
    seen: list[str] = []
    request = pb.ListReviewsRequest()
    request.page.first = 2
    for _ in range(3):
        page = await service.call(service.reviews.ListReviews, request, staff(chain))
        seen += [one.member_id for one in page.reviews]
        request.page.after = page.end_cursor
    assert (seen, request.page.after) == (list(reversed(members)), "")


async def test_a_chain_says_what_it_wants_to_be_told(service: MembersService, chain: str, other_chain: str) -> None:
    usual = await service.call(service.reviews.GetReviewRules, pb.GetReviewRulesRequest(), staff(chain))
    assert [(one.code, one.on) for one in usual.rules.rules] == [
        ("staff-own-card", True),
        ("too-many-receipts", True),
        ("impossible-travel", True),
    ]
    assert usual.rules.version == 0
    saved = (await save_rules(service, chain, CROWD)).rules
    assert (list(saved.rules), saved.version) == ([CROWD], 1)
    assert (await save_rules(service, chain, CROWD, version=1)).rules == saved
    off = pb.ReviewRule()
    off.CopyFrom(CROWD)
    off.on = False
    stale = pb.SaveReviewRulesRequest(rules=pb.ReviewRules(rules=[off], version=0))
    refused = await service.refusal(service.reviews.SaveReviewRules, stale, staff(chain))
    assert (refused.code, refused.field) == ("REVIEW_RULES_CHANGED", "version")
    bad = pb.SaveReviewRulesRequest(rules=pb.ReviewRules(rules=[CROWD, pb.ReviewRule(code="b")], version=1))
    refused = await service.refusal(service.reviews.SaveReviewRules, bad, staff(chain))
    assert (refused.code, refused.field) == ("INVALID_REVIEW_RULE", "rules.1.kind")
    theirs = await service.call(service.reviews.GetReviewRules, pb.GetReviewRulesRequest(), staff(other_chain))
    assert theirs == usual


async def test_what_is_off_is_not_looked_at(service: MembersService, chain: str, clock: FixedClock) -> None:
    member = await join(service, chain)
    await save_rules(service, chain)
    await hear(service, clock, *(bought(chain, member, number, number) for number in range(1, 20)))
    off = pb.ReviewRule()
    off.CopyFrom(CROWD)
    off.on = False
    await save_rules(service, chain, off, version=1)
    await hear(service, clock, *(bought(chain, member, number, number) for number in range(20, 40)))
    assert await listed(service, staff(chain)) == []


async def test_only_who_may(service: MembersService, chain: str) -> None:
    requests: Sequence[tuple[Any, Any, str]] = (
        (service.reviews.GetReviewRules, pb.GetReviewRulesRequest(), "reviews:read"),
        (service.reviews.ListReviews, pb.ListReviewsRequest(), "reviews:read"),
        (service.reviews.SaveReviewRules, pb.SaveReviewRulesRequest(), "reviews:write"),
        (service.reviews.ResolveReview, pb.ResolveReviewRequest(), "reviews:write"),
    )
    for method, request, scope in requests:
        without = replace(staff(chain), scopes=SCOPES - {scope})
        assert (await service.refusal(method, request, without)).code == "DENIED"
