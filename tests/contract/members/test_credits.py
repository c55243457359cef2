"""Credits, within a transaction on the real database, as a consumer gives them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from google.protobuf.message import Message

from protos.common.v1.money_pb2 import Money
from protos.common.v1.page_pb2 import Page
from protos.events.v1 import members_pb2 as events_pb2
from protos.events.v1 import points_pb2
from protos.members.v1 import chains_pb2
from protos.members.v1 import staff_pb2 as pb
from services.kit.mongo.database import Session
from services.kit.outbox.events import Event
from services.kit.outbox.outbox import OUTBOX
from services.kit.timestamps import to_timestamp
from services.members.consumers import CreditHandler, Handlers
from services.members.store.credits import MongoCredits
from services.members.usecases.credits import (
    EnrolledByStaff,
    Visited,
    credit_all,
    credit_enrollment,
    credit_visit,
)
from tests.support.clock import START
from tests.support.members_service import MembersService, enrollment, portrait_handler, staff

MARCH = datetime(2026, 3, 10, 12, tzinfo=UTC)


async def tell(service: MembersService, *told: EnrolledByStaff | Visited) -> None:
    async def once(session: Session) -> None:
        await credit_all(told, credits_=MongoCredits(service.database, session))

    await service.database.in_transaction(once)


async def board(service: MembersService, chain: str, store: str, month: str = "2026-03") -> list[tuple[str, int, int]]:
    asked = pb.GetLeaderboardRequest(store_id=store, month=month)
    answer = await service.call(service.staff.GetLeaderboard, asked, staff(chain))
    return [(one.staff.id, one.enrollments, one.repeat_visits) for one in answer.places]


async def people(service: MembersService, chain: str, store: str, *codes: str) -> Sequence[str]:
    wanted = [pb.StaffMember(code=code, name=code, active=True, store_ids=[store]) for code in codes]
    answer = await service.call(service.staff.SaveStaff, pb.SaveStaffRequest(staff=wanted), staff(chain))
    return [one.id for one in answer.staff]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_the_same_told_twice_counts_once(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    [li] = await people(service, chain, store, "li")

    async def once(session: Session) -> None:
        credits_ = MongoCredits(service.database, session)
        await credit_enrollment(chain, li, store, "mem_1", MARCH, credits_=credits_)
        await credit_visit(chain, store, "mem_1", at("2026-03-12T12:00:00Z"), credits_=credits_)

    await service.database.in_transaction(once)
    assert await board(service, chain, store) == [(li, 1, 1)]
    before = await service.everything()
    await service.database.in_transaction(once)
    assert await service.everything() == before


async def test_a_day_is_the_stores_and_late_receipts_find_theirs(service: MembersService, chain: str) -> None:
    [shanghai, paris] = [
        one.id
        for one in await service.save_stores(
            chain,
            chains_pb2.StoreInput(code="s", name="Shanghai"),
            chains_pb2.StoreInput(code="p", name="Paris", time_zone="Europe/Paris"),
        )
    ]
    [li] = await people(service, chain, shanghai, "li")
    # In Shanghai it is 11 March already, so that a receipt of its 11th is no visit after the enrollment.
    await tell(service, EnrolledByStaff(chain, li, shanghai, "mem_1", at("2026-03-10T16:30:00Z")))
    receipts = [
        Visited(chain, shanghai, "mem_1", at("2026-03-31T15:59:00Z")),
        Visited(chain, shanghai, "mem_1", at("2026-03-31T16:00:00Z")),  # April in Shanghai
        Visited(chain, shanghai, "mem_1", at("2026-03-11T15:59:00Z")),
        Visited(chain, paris, "mem_1", at("2026-03-20T22:59:00Z")),
        Visited(chain, paris, "mem_1", at("2026-03-20T12:00:00Z")),
        Visited(chain, shanghai, "mem_1", at("2026-03-09T12:00:00Z")),  # before it was enrolled
        Visited(chain, shanghai, "mem_2", at("2026-03-20T12:00:00Z")),  # by nobody
        Visited(chain, "sto_x", "mem_1", at("2026-03-21T12:00:00Z")),  # in no store of the chain
        Visited(chain, shanghai, "mem_1", at("2026-03-12T12:00:00Z")),  # late
    ]
    await tell(service, *receipts[:4])
    await tell(service, *receipts[3:])
    assert await board(service, chain, shanghai) == [(li, 1, 2)]
    assert await board(service, chain, shanghai, "2026-04") == [(li, 0, 1)]
    assert await board(service, chain, paris) == [(li, 0, 1)]


async def test_visits_count_for_as_long_as_the_chain_says(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    [li] = await people(service, chain, store, "li")
    enrolled = EnrolledByStaff(chain, li, store, "mem_1", at("2025-03-10T12:00:00Z"))
    await tell(service, enrolled, *(Visited(chain, store, "mem_1", at(f"2026-03-{day}T12:00:00Z")) for day in (10, 11)))
    assert await board(service, chain, store) == [(li, 0, 1)]
    settings = pb.SaveStaffSettingsRequest(settings=pb.StaffSettings(credit_months=13))
    await service.call(service.staff.SaveStaffSettings, settings, staff(chain))
    await tell(service, Visited(chain, store, "mem_1", at("2026-03-11T12:00:00Z")))
    assert await board(service, chain, store) == [(li, 0, 2)]


async def test_an_enrollment_outside_of_stores_is_of_the_chains_calendar(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    [li] = await people(service, chain, store, "li")
    await tell(service, EnrolledByStaff(chain, li, "", "mem_1", at("2026-02-28T16:00:00Z")))
    await tell(service, Visited(chain, store, "mem_1", at("2026-03-01T12:00:00Z")))
    assert await board(service, chain, store) == [(li, 0, 0)]
    await tell(service, Visited(chain, store, "mem_1", at("2026-03-02T12:00:00Z")))
    assert await board(service, chain, store) == [(li, 0, 1)]


async def test_what_comes_at_once_is_counted_once_and_all(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    [li] = await people(service, chain, store, "li")
    enrolled = [EnrolledByStaff(chain, li, store, f"mem_{number}", MARCH) for number in range(4)]
    await asyncio.gather(*(tell(service, one) for one in enrolled * 2))
    visits = [Visited(chain, store, f"mem_{number}", at("2026-03-12T12:00:00Z")) for number in range(4)]
    await asyncio.gather(*(tell(service, one) for one in visits * 2))
    assert await board(service, chain, store) == [(li, 4, 4)]


async def test_the_best_stand_first_and_equals_beside_each_other(service: MembersService, chain: str) -> None:
    store, other = await service.store(chain), await service.store(chain, "park")
    a, b, c, d = await people(service, chain, store, "a", "b", "c", "d")
    [guest] = await people(service, chain, other, "guest")
    told = [
        EnrolledByStaff(chain, who, store, f"mem_{number}", MARCH) for number, who in enumerate((b, b, a, c, guest))
    ]
    await tell(service, *told, Visited(chain, store, "mem_4", at("2026-03-12T12:00:00Z")))

    async def page(after: str) -> pb.GetLeaderboardResponse:
        asked = pb.GetLeaderboardRequest(store_id=store, month="2026-03", page=Page(first=3, after=after))
        answer: pb.GetLeaderboardResponse = await service.call(service.staff.GetLeaderboard, asked, staff(chain))
        return answer

    first = await page("")
    assert [(one.rank, one.staff.id) for one in first.places] == [(1, b), (2, guest), (3, min(a, c))]
    assert (first.enrollments, first.repeat_visits, first.end_cursor) == (5, 1, "3")
    second = await page("3")
    assert [(one.rank, one.staff.id) for one in second.places] == [(3, max(a, c)), (5, d)]
    assert second.end_cursor == ""


async def test_what_is_heard_is_credited_in_any_order(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    [li] = await people(service, chain, store, "li")
    request = enrollment()
    request.member.source.staff_id, request.member.source.store_id = li, store
    request.member.enrolled_at.CopyFrom(to_timestamp(START))
    member = (await service.enroll(request, staff(chain))).member.id
    rows = await service.database.collection(OUTBOX).find({"chain": chain, "aggregate": member}).to_list()
    enrolled = told(events_pb2.MemberEnrolled.FromString(rows[0]["body"]), chain, "members.member", member, 1)
    visits = [
        told(
            points_pb2.PurchaseBooked(
                purchase_id=f"pur_{day}",
                member_id=member,
                store_id=store,
                occurred_at=to_timestamp(at(f"2026-03-{day:02}T12:00:00Z")),
                paid=Money(amount_minor=1_000, currency="CNY"),
                time_zone="Asia/Shanghai",
            ),
            chain,
            "points.account",
            member,
            day,
        )
        for day in (1, 12, 13)
    ]
    await hear(service, *visits[:2])
    assert await board(service, chain, store) == [(li, 0, 0)]
    await hear(service, visits[2], enrolled)
    assert await board(service, chain, store) == [(li, 1, 2)]


async def hear(service: MembersService, *events: Event) -> None:
    handle = Handlers(
        portrait_handler(service.database),
        CreditHandler(partial(MongoCredits, service.database)),
    )

    async def once(session: Session) -> None:
        await handle(events, session)

    await service.database.in_transaction(once)


def told(body: Message, chain: str, stream: str, aggregate: str, sequence: int) -> Event:
    return Event(
        id=f"{chain}/{aggregate}/{stream}/{sequence}",
        chain=chain,
        stream=stream,
        aggregate=aggregate,
        sequence=sequence,
        type=body.DESCRIPTOR.full_name,
        at=MARCH,
        body=body.SerializeToString(),
    )
