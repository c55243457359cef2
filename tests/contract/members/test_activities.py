"""What other systems tell of guests: once, in the source's order, and gone with whom it was told of."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from protos.common.v1.money_pb2 import Money
from protos.members.v1 import activities_pb2 as pb
from protos.members.v1 import cards_pb2, members_pb2
from services.kit.principal import Caller, Principal
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.domain.cards import code_of
from services.members.store.activities import ACTIVITIES
from services.members.store.timeline import TIMELINE
from tests.contract.members.test_erasing import again, restore
from tests.support.clock import START, FixedClock
from tests.support.members_service import MembersService, enrollment, phone, staff, till

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LI = phone("+8613800138000")
PLANNED, HAPPENED = pb.ACTIVITY_STATUS_PLANNED, pb.ACTIVITY_STATUS_HAPPENED
CANCELLED, NO_SHOW = pb.ACTIVITY_STATUS_CANCELLED, pb.ACTIVITY_STATUS_NO_SHOW
ADDED, CHANGED = "ADDED", "CHANGED"
UNCHANGED, OUTDATED = "UNCHANGED", "OUTDATED"
NOTE = "window table, nut allergy"


def at(moment: datetime) -> Timestamp:
    return to_timestamp(moment)


def booking(member: str = "", *, store: str, ago: timedelta = DAY, **said: Any) -> pb.ActivityInput:
    """Return a version, made so long `ago`, of a booking for four at the hour after START."""
    about: dict[str, Any] = {
        "source": "tables",
        "external_id": "B-1",
        "kind": pb.ACTIVITY_KIND_BOOKING,
        "status": PLANNED,
        "planned_for": at(START + HOUR),
        "store_id": store,
        "party_size": 4,
        "changed_at": at(START - ago),
    }
    named = {"member_id": member} if member else {}
    return pb.ActivityInput(**(about | named | said))


async def record(service: MembersService, by: Principal, *told: pb.ActivityInput) -> list[str]:
    """Return each one's outcome, or its refusal's code and field."""
    request = pb.RecordActivitiesRequest(activities=told)
    answer = await service.call(service.activities.RecordActivities, request, by)
    return [
        f"{one.problem.code} {one.problem.field}"
        if one.WhichOneof("result") == "problem"
        else pb.ActivityOutcome.Name(one.recorded.outcome).removeprefix("ACTIVITY_OUTCOME_")
        for one in answer.results
    ]


async def listed(
    service: MembersService, by: Principal, member: str, span: pb.ActivitySpan.ValueType = pb.ACTIVITY_SPAN_UNSPECIFIED
) -> list[pb.Activity]:
    """Return all of it, read in pages of two."""
    request = pb.ListActivitiesRequest(member_id=member, span=span)
    request.page.first = 2
    found: list[pb.Activity] = []
    while not found or request.page.after:
        answer = await service.call(service.activities.ListActivities, request, by)
        assert len(answer.activities) <= 2
        found += answer.activities
        request.page.after = answer.end_cursor
        if not answer.activities:
            break
    return found


async def timeline(service: MembersService, chain: str, member: str) -> list[tuple[str, str, str, datetime]]:
    """Return kind, store, status and time of all that happened, read one by one."""
    request = members_pb2.GetTimelineRequest(member_id=member)
    request.page.first = 1
    found: list[members_pb2.Happening] = []
    while not found or request.page.after:
        answer = await service.call(service.members.GetTimeline, request, staff(chain))
        found += answer.happenings
        request.page.after = answer.end_cursor
        if not answer.happenings:
            break
    return [(one.kind, one.store_id, one.detail, from_timestamp(one.at)) for one in found]


async def kept(service: MembersService, chain: str) -> tuple[int, int]:
    """Return how many activities and how many happenings the chain has."""
    return (
        await service.database.collection(ACTIVITIES).count_documents({"chain": chain}),
        await service.database.collection(TIMELINE).count_documents({"chain": chain}),
    )


async def enrolled(service: MembersService, chain: str, *identities: members_pb2.Identity) -> str:
    return str((await service.enroll(enrollment(*identities), staff(chain))).member.id)


async def erase(service: MembersService, chain: str, member: str) -> None:
    request = members_pb2.EraseMemberRequest(key=f"erase-{member}", member_id=member)
    await service.call(service.members.EraseMember, request, staff(chain))


async def test_two_replicas_record_the_same_once(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    store = await service.store(chain)
    member = await enrolled(service, chain, LI)
    every = [booking(store=store, identity=LI, external_id=f"B-{number}") for number in range(20)]
    for told in every:
        outcomes = await asyncio.gather(record(service, staff(chain), told), record(other_replica, staff(chain), told))
        assert sorted(outcomes) == [[ADDED], [UNCHANGED]]
    assert await kept(service, chain) == (20, 20)
    before = await service.everything()
    assert await record(service, staff(chain), *every) == [UNCHANGED] * 20
    assert await service.everything() == before
    assert await timeline(service, chain, member) == [("booking", store, "planned", START + HOUR)] * 20


async def test_versions_hold_in_the_sources_order(service: MembersService, chain: str) -> None:
    store, by = await service.store(chain), staff(chain)
    member = await enrolled(service, chain)
    arrived = booking(
        member, store=store, ago=HOUR, status=HAPPENED, occurred_at=at(START - HOUR), planned_for=at(START - HOUR)
    )
    # The booking comes after the arrival, and a cancellation of another between two of its versions.
    assert await record(service, by, arrived, booking(member, store=store)) == [ADDED, OUTDATED]
    assert await timeline(service, chain, member) == [("booking", store, "happened", START - HOUR)]
    told = [
        booking(member, store=store, external_id="B-2", revision=2, ago=3 * HOUR),
        booking(member, store=store, external_id="B-2", revision=1, ago=2 * HOUR, status=CANCELLED),
        booking(member, store=store, external_id="B-2", revision=3, ago=3 * HOUR, status=NO_SHOW),
        booking(member, store=store, external_id="B-2", revision=3, ago=3 * HOUR, status=NO_SHOW),
    ]
    assert await record(service, by, *told) == [ADDED, OUTDATED, CHANGED, UNCHANGED]
    assert [(one.external_id, one.status) for one in await listed(service, by, member)] == [
        ("B-2", NO_SHOW),
        ("B-1", HAPPENED),
    ]
    before = await service.everything()
    assert await record(service, by, replace_said(told[3], party_size=5)) == ["ACTIVITY_DIFFERS changedAt"]
    assert await record(service, by, *reversed(told)) == [UNCHANGED, UNCHANGED, OUTDATED, OUTDATED]
    assert await service.everything() == before


async def test_of_two_versions_at_once_the_later_holds(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    store, member = await service.store(chain), await enrolled(service, chain)
    for number in range(20):
        about: dict[str, Any] = {"store": store, "external_id": f"B-{number}"}
        first, second = booking(member, **about), booking(member, ago=HOUR, status=CANCELLED, **about)
        await asyncio.gather(record(service, staff(chain), first), record(other_replica, staff(chain), second))
    assert await timeline(service, chain, member) == [("booking", store, "cancelled", START + HOUR)] * 20


def replace_said(told: pb.ActivityInput, **said: Any) -> pb.ActivityInput:
    changed = pb.ActivityInput()
    changed.CopyFrom(told)
    changed.MergeFrom(pb.ActivityInput(**said))
    return changed


async def test_each_row_is_answered_apart(service: MembersService, chain: str, other_chain: str) -> None:
    store, by = await service.store(chain), staff(chain)
    member = await enrolled(service, chain, LI)
    stranger, elsewhere = await enrolled(service, other_chain), await service.store(other_chain)
    good = booking(store=store, identity=LI, external_id="good")
    refused = {
        "MEMBER_NOT_FOUND memberId": booking(stranger, store=store),
        "MEMBER_NOT_FOUND identity": booking(store=store, identity=phone("+8613800138001")),
        "INVALID_IDENTITY identity.value": booking(store=store, identity=phone("12")),
        "STORE_NOT_FOUND storeId": booking(member, store=elsewhere),
        "INVALID_ACTIVITY storeId": booking(member, store=""),
        "INVALID_ACTIVITY kind": booking(member, store=store, kind=pb.ACTIVITY_KIND_UNSPECIFIED),
        "INVALID_ACTIVITY status": booking(member, store=store, status=pb.ACTIVITY_STATUS_UNSPECIFIED),
        "INVALID_ACTIVITY changedAt": booking(member, store=store, ago=-HOUR),
        "INVALID_ACTIVITY source": booking(member, store=store, source="Tables Inc"),
        "INVALID_ACTIVITY externalId": booking(member, store=store, external_id="\n"),
        "INVALID_ACTIVITY plannedFor": booking(member, store=store, planned_for=at(START + 800 * DAY)),
        "INVALID_ACTIVITY occurredAt": booking(member, store=store, occurred_at=at(START + DAY)),
        "INVALID_ACTIVITY partySize": booking(member, store=store, party_size=-1),
        "INVALID_ACTIVITY amount.currency": booking(member, store=store, amount=Money(amount_minor=1)),
        "INVALID_ACTIVITY text": booking(member, store=store, text="x" * 2_001),
    }
    assert await record(service, by, *refused.values(), good) == [*refused, ADDED]
    assert await kept(service, chain) == (1, 1)
    assert await kept(service, other_chain) == (0, 0)
    many = pb.RecordActivitiesRequest(activities=[good] * 501)
    assert (await service.refusal(service.activities.RecordActivities, many, by)).code == "TOO_MANY"


async def test_what_is_known_stays_with_whom_it_was_when_nobody_is_named(service: MembersService, chain: str) -> None:
    store, by = await service.store(chain), staff(chain)
    member = await enrolled(service, chain, LI)
    new = booking(store=store, external_id="B-2")
    told = booking(store=store, identity=LI)
    assert await record(service, by, told, new) == [ADDED, "MEMBER_NOT_FOUND identity"]
    gone = phone("+8613800138009")
    later = booking(store=store, identity=gone, ago=HOUR, status=CANCELLED)
    assert await record(service, by, later, booking(store=store, ago=timedelta(), status=NO_SHOW)) == [CHANGED] * 2
    assert [one.status for one in await listed(service, by, member)] == [NO_SHOW]
    other = await enrolled(service, chain, gone)
    assert await record(service, by, booking(store=store, identity=gone, revision=1)) == [
        CHANGED
    ]  # it is another's now
    assert await timeline(service, chain, member) == []
    assert await timeline(service, chain, other) == [("booking", store, "planned", START + HOUR)]


async def test_a_cards_code_names_the_member(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    member = await enrolled(service, chain)
    guest = Principal(chain=chain, kind=Caller.MEMBER, id=member)
    card = await service.call(service.cards.GetCard, cards_pb2.GetCardRequest(), guest)
    shown = members_pb2.Identity(
        kind=members_pb2.IDENTITY_KIND_CARD_CODE, value=code_of(card.number, card.secret, START)
    )
    by = replace(till(chain, store), scopes=frozenset({"activities:write"}))
    about: dict[str, Any] = {"kind": pb.ACTIVITY_KIND_VISIT, "status": HAPPENED, "identity": shown}
    told = booking(store="", occurred_at=at(START), **about)
    wrong = booking(
        store="",
        external_id="B-2",
        **(about | {"identity": members_pb2.Identity(kind=members_pb2.IDENTITY_KIND_CARD_CODE, value="1")}),
    )
    assert await record(service, by, told, wrong) == [ADDED, "MEMBER_NOT_FOUND identity"]
    assert await timeline(service, chain, member) == [("visit", store, "happened", START)]


async def test_an_erasure_takes_it_all_and_nothing_comes_after(service: MembersService, chain: str) -> None:
    store, by = await service.store(chain), staff(chain)
    member, other = await enrolled(service, chain, LI), await enrolled(service, chain)
    await record(service, by, booking(member, store=store, text=NOTE), booking(other, store=store, external_id="B-2"))
    await erase(service, chain, member)
    assert await kept(service, chain) == (1, 1)
    before = await service.everything()
    late = [
        booking(member, store=store, ago=HOUR, status=CANCELLED),
        booking(store=store, ago=HOUR, identity=LI, status=CANCELLED),
        booking(store=store, ago=HOUR, status=CANCELLED),
    ]
    assert await record(service, by, *late) == [
        "MEMBER_NOT_FOUND memberId",
        "MEMBER_NOT_FOUND identity",
        "MEMBER_NOT_FOUND identity",
    ]
    assert await service.everything() == before


async def test_a_restored_backup_forgets_them_again(service: MembersService, chain: str) -> None:
    store, by = await service.store(chain), staff(chain)
    member, other = await enrolled(service, chain, LI), await enrolled(service, chain)
    await record(service, by, booking(member, store=store, text=NOTE), booking(other, store=store, external_id="B-2"))
    backup = await service.everything()
    await erase(service, chain, member)
    await restore(service, backup)
    later = booking(store=store, ago=HOUR, status=CANCELLED)
    assert await record(service, by, later, booking(member, store=store, external_id="B-3")) == [
        "MEMBER_NOT_FOUND identity",
        "MEMBER_NOT_FOUND memberId",
    ]
    assert await kept(service, chain) == (2, 2)
    assert await again(service, chain) == 1
    assert await kept(service, chain) == (1, 1)
    assert [one.external_id for one in await listed(service, by, other)] == ["B-2"]


async def test_nothing_stays_behind_an_erasure_at_the_same_moment(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    store = await service.store(chain)
    for number in range(20):
        member = await enrolled(service, chain)
        told = [booking(member, store=store, external_id=f"B-{number}-{each}") for each in range(20)]
        _, outcomes = await asyncio.gather(erase(service, chain, member), record(other_replica, staff(chain), *told))
        assert set(outcomes) in ({ADDED}, {"MEMBER_NOT_FOUND memberId"})
        assert await kept(service, chain) == (0, 0)


async def test_after_a_merge_it_is_read_by_all_ids(service: MembersService, chain: str, clock: FixedClock) -> None:
    store, by = await service.store(chain), staff(chain)
    older = await enrolled(service, chain)
    clock.move(HOUR)
    younger = await enrolled(service, chain, LI)
    told = [booking(older, store=store), booking(store=store, identity=LI, external_id="B-2", text=NOTE)]
    assert await record(service, by, *told) == [ADDED, ADDED]
    request = members_pb2.MergeMembersRequest(key="merge-0001", member_id=older, other_member_id=younger)
    merge = (await service.call(service.members.MergeMembers, request, by)).merge_id
    later = booking(younger, store=store, external_id="B-2", status=CANCELLED, ago=HOUR, text=NOTE)
    new = booking(younger, store=store, external_id="B-3", planned_for=at(START + 2 * HOUR))
    assert await record(service, by, told[1], later, new) == [UNCHANGED, CHANGED, ADDED]
    for member in (older, younger):
        found = await listed(service, by, member)
        assert {(one.external_id, one.member_id, one.status, one.text) for one in found} == {
            ("B-3", older, PLANNED, ""),
            ("B-2", younger, CANCELLED, NOTE),
            ("B-1", older, PLANNED, ""),
        }
        assert [one[2] for one in await timeline(service, chain, member)] in (
            ["planned", "cancelled", "planned"],
            ["planned", "planned", "cancelled"],
        )
    await service.call(
        service.members.SplitMembers, members_pb2.SplitMembersRequest(key="split-0001", merge_id=merge), by
    )
    assert [one.external_id for one in await listed(service, by, younger)] == ["B-2"]


async def test_spans_begin_and_end_now(service: MembersService, chain: str) -> None:
    store, by = await service.store(chain), staff(chain)
    member = await enrolled(service, chain)
    hours = {"past": -2, "just past": -1, "next": 1, "after": 2, "last": 3}
    told = [
        booking(member, store=store, external_id=name, planned_for=at(START + hour * HOUR))
        for name, hour in hours.items()
    ]
    called_off = booking(member, store=store, external_id="called off", status=CANCELLED)
    await record(service, by, *told, called_off)
    upcoming = await listed(service, by, member, pb.ACTIVITY_SPAN_UPCOMING)
    past = await listed(service, by, member, pb.ACTIVITY_SPAN_PAST)
    assert [one.external_id for one in upcoming] == ["next", "after", "last"]
    assert [one.external_id for one in past] == ["just past", "past"]
    assert len(await listed(service, by, member)) == 6


async def test_texts_are_sealed_and_for_those_who_look_after_guests(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    member, other = await enrolled(service, chain), await enrolled(service, chain)
    await record(service, staff(chain), booking(member, store=store, text=NOTE))
    assert NOTE not in repr(await service.everything())
    guest = Principal(chain=chain, kind=Caller.MEMBER, id=member)
    assert [one.text for one in await listed(service, guest, member)] == [NOTE]
    assert [one.text for one in await listed(service, replace(staff(chain), role="marketer"), member)] == [""]
    looks = members_pb2.ListLooksRequest(member_id=member)
    assert not (await service.call(service.members.ListLooks, looks, staff(chain))).looks
    assert [one.text for one in await listed(service, replace(staff(chain), role="cashier"), member)] == [NOTE]
    [look] = (await service.call(service.members.ListLooks, looks, staff(chain))).looks
    assert (look.by, look.role, list(look.fields)) == ("staff:key_staff", "cashier", ["activities"])
    request = pb.ListActivitiesRequest(member_id=other)
    assert (await service.refusal(service.activities.ListActivities, request, guest)).code == "MEMBER_NOT_FOUND"


async def test_a_key_writes_what_it_may(service: MembersService, chain: str, other_chain: str) -> None:
    bund, park = await service.store(chain, "bund"), await service.store(chain, "park")
    member = await enrolled(service, chain)
    writer = frozenset({"activities:write"})
    desk = replace(till(chain, bund), scopes=writer)
    partner = Principal(chain=chain, kind=Caller.PARTNER, id="key_partner", scopes=writer)
    assert await record(service, partner, booking(member, store=park)) == [ADDED]
    own = booking(member, store="", external_id="B-2")
    at_park = booking(member, store=park, external_id="B-3")
    moved = booking(member, store=bund, ago=HOUR)  # a booking at the park, which this till has no say in
    assert await record(service, desk, own, at_park, moved) == [ADDED, "DENIED storeId", "DENIED storeId"]
    assert {one.store_id for one in await listed(service, staff(chain), member)} == {bund, park}
    for by in (till(chain, bund), replace(staff(chain), scopes=frozenset({"members:write"}))):
        said = pb.RecordActivitiesRequest(activities=[own])
        assert (await service.refusal(service.activities.RecordActivities, said, by)).code == "DENIED"
    request = pb.ListActivitiesRequest(member_id=member)
    for by, code in ((partner, "DENIED"), (staff(other_chain), "MEMBER_NOT_FOUND")):
        assert (await service.refusal(service.activities.ListActivities, request, by)).code == code


async def test_what_is_planned_is_counted_by_the_stores_hours(
    service: MembersService, chain: str, other_chain: str
) -> None:
    store, other = await service.store(chain, "bund"), await service.store(chain, "park")
    by, member = staff(chain), await enrolled(service, chain)
    night = START.replace(hour=15, minute=50)  # 23:50 in Shanghai
    about: list[dict[str, Any]] = [
        {"party_size": 4},
        {"party_size": 0},  # not said: one
        {"party_size": 2, "status": HAPPENED},
        {"party_size": 9, "status": CANCELLED},
        {"party_size": 9, "status": NO_SHOW},
        {"party_size": 0, "kind": pb.ACTIVITY_KIND_PRE_ORDER, "item_count": 7},
        {"party_size": 3, "kind": pb.ACTIVITY_KIND_EVENT, "planned_for": at(night + timedelta(minutes=10))},
        {"party_size": 5, "planned_for": at(night + 2 * DAY)},
        {"party_size": 9, "kind": pb.ACTIVITY_KIND_SOCIAL},
        {"party_size": 9, "store_id": other},
    ]
    told = [
        replace_said(booking(member, store=store, external_id=str(number), planned_for=at(night), party_size=0), **one)
        for number, one in enumerate(about)
    ]
    assert await record(service, by, *told) == [ADDED] * len(told)
    points = Principal(chain=chain, kind=Caller.SERVICE, id="points")
    today, tomorrow = "2026-03-01", "2026-03-02"
    request = pb.CountPlannedRequest(store_id=store, from_day=today, until_day=tomorrow)
    answer = await service.call(service.activities.CountPlanned, request, points)
    assert [(one.day, one.hour, one.activities, one.guests, one.items) for one in answer.hours] == [
        (today, 23, 4, 7, 7),
        (tomorrow, 0, 1, 3, 0),
    ]
    for wrong, code in (
        (pb.CountPlannedRequest(store_id=store, from_day=tomorrow, until_day=today), "INVALID_ACTIVITY"),
        (pb.CountPlannedRequest(store_id=store, from_day="2026-03-01", until_day="2026-04-01"), "INVALID_ACTIVITY"),
        (pb.CountPlannedRequest(store_id=store, from_day="1.3.2026", until_day=today), "INVALID_ACTIVITY"),
        (pb.CountPlannedRequest(store_id="sto_none", from_day=today, until_day=today), "STORE_NOT_FOUND"),
    ):
        assert (await service.refusal(service.activities.CountPlanned, wrong, points)).code == code
    elsewhere = replace(points, chain=other_chain)
    assert (await service.refusal(service.activities.CountPlanned, request, elsewhere)).code == "STORE_NOT_FOUND"
    assert (await service.refusal(service.activities.CountPlanned, request, by)).code == "DENIED"
