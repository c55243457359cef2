"""A forecast with what is planned: points and the real members, from the booking to the guests of an hour."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from protos.members.v1 import activities_pb2, members_pb2
from protos.points.v1 import insight_pb2 as pb
from protos.points.v1.insight_pb2_grpc import InsightStub
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.rpc import RpcChannel
from services.kit.timestamps import to_timestamp
from services.points.clients import MembersClient, PlannedClient
from services.points.main import servicers
from services.points.store.stores import StoreCopies
from tests.contract.points.conftest import SIGNER
from tests.contract.points.desk import SCOPES, Points
from tests.support.clock import START, FixedClock
from tests.support.members_service import MembersService, enrollment, phone, staff
from tests.support.served import served
from tests.support.watched import Watched

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LI = phone("+8613800138000")
BOOKING, PRE_ORDER = activities_pb2.ACTIVITY_KIND_BOOKING, activities_pb2.ACTIVITY_KIND_PRE_ORDER
PLANNED, CANCELLED = activities_pb2.ACTIVITY_STATUS_PLANNED, activities_pb2.ACTIVITY_STATUS_CANCELLED


@dataclass
class Forecasts:
    """points' Insight service, which asks the members that run, and what it asks of them."""

    channel: RpcChannel
    asked: list[Any]

    async def known(self, chain: str, store: str) -> tuple[bool, list[tuple[str, int, float, float]]]:
        """Return whether it had to do without, and where something is known: day, hour, covers, items."""
        by = replace(staff(chain), scopes=SCOPES)
        request = pb.GetForecastRequest(store_id=store)
        answer = await self.channel.call(
            self.channel.stub(InsightStub).GetForecast, request, principal=by, timeout_s=30.0
        )
        assert len(answer.days) == 14
        return answer.without_known, [
            (day.day, hour.hour, hour.covers.known, hour.items.known)
            for day in answer.days
            for hour in day.hours
            if hour.covers.known or hour.items.known
        ]


@asynccontextmanager
async def forecasting(
    points: Points, members: MembersService, channel: Any, clock: FixedClock
) -> AsyncIterator[Forecasts]:
    """Serve points, which knows its stores from copies and asks over `channel` what is planned."""
    watched: Any = Watched(channel)
    stores = StoreCopies(points.database, source=MembersClient(members.channel, clock=clock), clock=clock)
    registrations = servicers(
        points.database,
        recorder=replace(points.recorder, stores=stores),
        programs=points.recorder.programs,
        signer=SIGNER,
        clocks=MongoChainClocks(points.database, system=clock),
        activities=PlannedClient(watched, clock=clock),
    )
    async with served(registrations) as to_points:
        yield Forecasts(to_points, watched.asked)


async def tell(members: MembersService, chain: str, store: str, name: str, **said: Any) -> None:
    about: dict[str, Any] = {
        "source": "tables",
        "external_id": name,
        "identity": LI,
        "kind": BOOKING,
        "status": PLANNED,
        "planned_for": to_timestamp(START + HOUR),  # 13:00 in Shanghai
        "store_id": store,
        "changed_at": to_timestamp(START),
    }
    request = activities_pb2.RecordActivitiesRequest(activities=[activities_pb2.ActivityInput(**(about | said))])
    [result] = (await members.call(members.activities.RecordActivities, request, staff(chain))).results
    assert result.WhichOneof("result") == "recorded"


async def test_bookings_and_pre_orders_are_known_in_the_forecast(
    points: Points, members: MembersService, clock: FixedClock
) -> None:
    chain = await members.open_chain()
    store, park = await members.store(chain), await members.store(chain, "park")
    await members.enroll(enrollment(LI), staff(chain))
    await tell(members, chain, store, "B-1", party_size=4)
    await tell(members, chain, store, "B-2", party_size=2)
    await tell(members, chain, store, "B-3", party_size=9, planned_for=to_timestamp(START + 14 * DAY))  # not any more
    await tell(members, chain, store, "O-1", kind=PRE_ORDER, item_count=7, planned_for=to_timestamp(START + 13 * DAY))
    await tell(members, chain, park, "B-4", party_size=9)
    first, last = "2026-03-01", "2026-03-14"
    async with forecasting(points, members, members.channel, clock) as forecasts:
        assert await forecasts.known(chain, store) == (False, [(first, 13, 6, 0), (last, 12, 0, 7)])
        await tell(members, chain, store, "B-1", party_size=4, status=CANCELLED, revision=1)
        # For half a minute it goes on with what was planned before.
        assert await forecasts.known(chain, store) == (False, [(first, 13, 6, 0), (last, 12, 0, 7)])
        clock.move(timedelta(seconds=31))
        assert await forecasts.known(chain, store) == (False, [(first, 13, 2, 0), (last, 12, 0, 7)])
        member = (await members.resolve([LI], staff(chain)))[0]
        erasing = members_pb2.EraseMemberRequest(key="erase-0001", member_id=member)
        await members.call(members.members.EraseMember, erasing, staff(chain))
        clock.move(timedelta(seconds=31))
        assert await forecasts.known(chain, store) == (False, [])
        assert [(one.store_id, one.from_day, one.until_day) for one in forecasts.asked] == [(store, first, last)] * 3


async def test_another_chains_bookings_are_not_known(
    points: Points, members: MembersService, clock: FixedClock
) -> None:
    chain, other = await members.open_chain(), await members.open_chain("Dumplings")
    store, elsewhere = await members.store(chain), await members.store(other)
    await members.enroll(enrollment(LI), staff(chain))
    await tell(members, chain, store, "B-1")
    async with forecasting(points, members, members.channel, clock) as forecasts:
        assert await forecasts.known(other, elsewhere) == (False, [])
        assert await forecasts.known(chain, store) == (False, [("2026-03-01", 13, 1, 0)])


async def test_without_members_it_is_forecast_without_bookings_and_says_so(
    points: Points, members: MembersService, clock: FixedClock
) -> None:
    chain = await members.open_chain()
    store = await members.store(chain)
    await members.enroll(enrollment(LI), staff(chain))
    await tell(members, chain, store, "B-1")
    nobody = RpcChannel("127.0.0.1:1", tokens=lambda _: "")  # nothing listens there
    async with forecasting(points, members, nobody, clock) as forecasts:
        assert await forecasts.known(chain, store) == (True, [])
    await nobody.close()
