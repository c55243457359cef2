"""What other systems tell of guests, over the graph."""

from dataclasses import replace
from typing import Any

from services.kit.principal import Caller, Principal
from tests.contract.members.test_graph import answer, ask
from tests.support.members_service import MembersService, enrollment, phone, staff, till

RECORD = """mutation ($input: RecordActivitiesInput!) { recordActivities(input: $input) {
    userErrors { code } results { activityId outcome status userErrors { code field } } } }"""
SHOWN = """query ($id: ID!, $span: ActivitySpan) { member(id: $id) { activities(span: $span, first: 1) {
    nodes { id source externalId kind status plannedFor occurredAt store { code } partySize itemCount
        amount { amountMinor currency } channel text changedAt revision }
    pageInfo { hasNextPage } } } }"""
TIMELINE = "query ($id: ID!) { timeline(id: $id) { nodes { kind ref at storeId amount currency detail } } }"


async def test_bookings_are_recorded_and_shown(service: MembersService, chain: str) -> None:
    store, by = await service.store(chain), staff(chain)
    member = (await service.enroll(enrollment(phone("+8613800138000")), by)).member.id
    partner = Principal(chain=chain, kind=Caller.PARTNER, id="key_partner", scopes=frozenset({"activities:write"}))
    booked: dict[str, Any] = {
        "source": "tables",
        "externalId": "B-1",
        "identity": {"kind": "PHONE", "value": "138 0013 8000"},
        "kind": "BOOKING",
        "status": "PLANNED",
        "plannedFor": "2026-03-01T19:00:00+08:00",
        "storeId": store,
        "partySize": 4,
        "amountMinor": 80_000,
        "currency": "CNY",
        "channel": "web",
        "text": "by the window",
        "changedAt": "2026-02-28T12:00:00.000Z",
    }
    ordered = {
        **{key: booked[key] for key in ("source", "storeId", "changedAt")},
        "externalId": "O-1",
        "memberId": member,
        "kind": "PRE_ORDER",
        "status": "HAPPENED",
        "itemCount": 3,
        "occurredAt": "2026-03-01T03:00:00.000Z",
        "revision": 7,
    }
    nobody = {**booked, "externalId": "B-2", "identity": {"kind": "PHONE", "value": "138 0013 8001"}}
    recorded = (await ask(service, partner, RECORD, input={"activities": [booked, ordered, nobody]}))[
        "recordActivities"
    ]
    first, second, third = recorded["results"]
    added = {"outcome": "ADDED", "userErrors": []}
    assert recorded["userErrors"] == []
    assert (first, second) == (
        {"activityId": first["activityId"], "status": "PLANNED", **added},
        {"activityId": second["activityId"], "status": "HAPPENED", **added},
    )
    assert (third["activityId"], third["userErrors"]) == (
        None,
        [{"code": "MEMBER_NOT_FOUND", "field": "activities.2.identity"}],
    )
    upcoming = (await ask(service, by, SHOWN, id=member, span="UPCOMING"))["member"]["activities"]
    assert upcoming == {
        "nodes": [
            {
                **{key: booked[key] for key in ("source", "externalId", "kind", "status", "partySize", "channel")},
                "id": first["activityId"],
                "text": "by the window",
                "changedAt": booked["changedAt"],
                "plannedFor": "2026-03-01T11:00:00.000Z",
                "occurredAt": None,
                "store": {"code": "bund"},
                "itemCount": None,
                "amount": {"amountMinor": 80_000, "currency": "CNY"},
                "revision": None,
            }
        ],
        "pageInfo": {"hasNextPage": False},
    }
    [past] = (await ask(service, by, SHOWN, id=member, span="PAST"))["member"]["activities"]["nodes"]
    assert (past["id"], past["itemCount"], past["revision"], past["text"]) == (second["activityId"], 3, 7, None)
    assert (await ask(service, by, SHOWN, id=member))["member"]["activities"]["pageInfo"] == {"hasNextPage": True}
    about = {"storeId": store}
    assert (await ask(service, by, TIMELINE, id=member))["timeline"]["nodes"] == [
        {
            **about,
            "kind": "booking",
            "ref": first["activityId"],
            "at": "2026-03-01T11:00:00.000Z",
            "amount": 80_000,
            "currency": "CNY",
            "detail": "planned",
        },
        {
            **about,
            "kind": "pre_order",
            "ref": second["activityId"],
            "at": "2026-03-01T03:00:00.000Z",
            "amount": None,
            "currency": None,
            "detail": "happened",
        },
    ]
    desk = replace(till(chain, await service.store(chain, "park")), scopes=frozenset({"activities:write"}))
    [denied] = (await ask(service, desk, RECORD, input={"activities": [booked]}))["recordActivities"]["results"]
    assert denied["userErrors"] == [{"code": "DENIED", "field": "activities.0.storeId"}]
    many = (await ask(service, by, RECORD, input={"activities": [booked] * 501}))["recordActivities"]
    assert many == {"userErrors": [{"code": "TOO_MANY"}], "results": []}
    _, errors = await answer(service, till(chain, store), RECORD, input={"activities": [booked]})
    assert errors == ["DENIED"]
