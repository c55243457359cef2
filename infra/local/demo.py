"""Opens the demo chain through the same doors as any chain: the operators' gRPC and the public GraphQL API.

Every step has a command key or a business key, so a seeding that was interrupted is simply done again: what was done
is answered as before. Only API keys cannot be asked for twice; each is noted as soon as it is made.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from infra.local.demo_chain import CHAIN_NAME, CURRENCY, MENU, STORES, TIME_ZONE
from infra.local.demo_history import HERO, Answer, Guest, History, Receipt, history
from infra.local.demo_notes import DemoNotes
from infra.local.graphql import GraphQL
from infra.local.operator import Operator
from protos.members.v1 import chains_pb2
from services.kit.principal import Caller

T = TypeVar("T")

BATCH = 400
AT_ONCE = 8
SEEN_WITHIN_S = 60.0
"""For the events of the last purchase to reach all services; milliseconds on an idle machine."""

ENROLL = """mutation ($members: [EnrollMemberInput!]!) {
  enrollMembers(input: {members: $members}) { results { member { id } userErrors { message } } userErrors { message } }
}"""
RECORD = """mutation ($purchases: [RecordPurchaseInput!]!) {
  recordPurchases(input: {purchases: $purchases}) {
    results { purchase { id } userErrors { message } } userErrors { message }
  }
}"""
ANSWER = """mutation ($input: AnswerSurveyInput!) {
  answerSurvey(input: $input) { userErrors { message } }
}"""
SHOW = """{
  member(id: "MEMBER") {
    profile { name }
    tier { level since nextLevel missingMinor }
    points { balance lifetime entries(first: 3) { nodes { occurredAt points balance } } }
    visits { count last usualGapDays }
    coupons { nodes { title valueMinor state } }
    cases { nodes { state score comment dueAt } }
  }
}"""

TILL_SCOPES = (
    *("members:read", "members:write", "purchases:read", "purchases:write", "points:read", "points:spend"),
    *("coupons:read", "coupons:redeem", "feedback:write"),
)
PARTNER_SCOPES = (
    *("members:read", "members:write", "purchases:read", "purchases:write", "points:read", "points:spend"),
    "coupons:read",
)
STAFF_SCOPES = (
    *("members:read", "members:write", "purchases:read", "purchases:write", "points:read", "points:spend"),
    *("ledger:read", "ledger:adjust", "ledger:approve", "ledger:freeze", "ledger:open", "ledger:level"),
    *("program:read", "program:write", "insight:read", "coupons:read", "coupons:redeem"),
    *("campaigns:write", "feedback:read", "feedback:write", "chain:write", "stock:write", "keys:write"),
    *("staff:read", "staff:write", "members:merge", "members:erase", "members:audit", "consents:write"),
    *("members:import", "members:export", "members:disclose", "reviews:read", "reviews:write"),
    *("activities:write", "care:read", "care:write"),
)


class SeedingError(Exception):
    """The platform refused a part of the demo chain."""


@dataclass(frozen=True, slots=True)
class Doors:
    """How the demo chain gets in."""

    graphql_url: str
    operator: Callable[[], Operator]


def show_query(notes: DemoNotes) -> str:
    """Return the query that shows the hero from all four sides."""
    return SHOW.replace("MEMBER", notes.hero)


async def open_demo_chain(notes: DemoNotes, doors: Doors, *, today: date, say: Callable[[str], None]) -> None:
    """See to it that the demo chain is there, with its months of history, and is shown by `show_query`."""
    if notes.done:
        if await _is_there(notes, doors):
            return
        say("the demo chain is not in this database: it is opened anew")
        notes.forget(today=today)
    story = history(date.fromisoformat(notes.today))
    async with doors.operator() as operator:
        stores = await _open(notes, operator)
        async with GraphQL(doors.graphql_url, key=notes.keys["staff"]) as graph:
            members = await _enroll(graph, story, stores)
            say(f"demo chain: {len(members)} members enrolled")
            await _record(graph, story, stores, members, say)
            await _answer(graph, story, stores, members)
            say(f"demo chain: {len(story.answers)} survey answers taken")
            notes.hero = members[HERO]
            await _until_seen(graph, notes)
        await _key(notes, operator, Caller.MEMBER, subject=notes.hero)
    notes.done = True
    notes.save()


async def _is_there(notes: DemoNotes, doors: Doors) -> bool:
    async with GraphQL(doors.graphql_url, key=notes.keys["staff"]) as graph:
        answer = await graph.answer('{ member(id: "MEMBER") { id } }'.replace("MEMBER", notes.hero))
    codes = {error.get("extensions", {}).get("code") for error in answer.get("errors", ())}
    if codes - {"UNAUTHENTICATED"}:
        message = f"the demo chain cannot be asked for: {answer['errors'][0]['message']}"
        raise SeedingError(message)
    return not codes and answer["data"]["member"] is not None


async def _open(notes: DemoNotes, operator: Operator) -> dict[str, str]:
    """Open the chain and return its stores, code → id."""
    notes.chain = await operator.open_chain(
        f"demo-chain-{notes.today}", name=CHAIN_NAME, currency=CURRENCY, time_zone=TIME_ZONE
    )
    notes.save()
    stores = await operator.save_stores(notes.chain, STORES)
    dishes = [
        chains_pb2.MenuItem(code=dish.code, name=dish.name, category=dish.category, price_minor=dish.price_minor)
        for dish in MENU
    ]
    await operator.save_menu_items(notes.chain, dishes)
    # Before the first purchase: nobody gets a coupon for a level that was reached before the offer.
    await operator.save_tier_offer(
        notes.chain,
        "demo-offer-silver",
        level="silver",
        title="银卡礼 立减15元",
        value_minor=1500,
        valid_days=90,
    )
    await _key(notes, operator, Caller.STAFF, subject="Demo manager", scopes=STAFF_SCOPES)
    till = [next(iter(stores.values()))]
    await _key(notes, operator, Caller.TILL, subject="Till 1", scopes=TILL_SCOPES, store_ids=till)
    await _key(notes, operator, Caller.PARTNER, subject="Cinema next door", scopes=PARTNER_SCOPES)
    return stores


async def _key(
    notes: DemoNotes,
    operator: Operator,
    kind: Caller,
    *,
    subject: str,
    scopes: Sequence[str] = (),
    store_ids: Sequence[str] = (),
) -> None:
    if kind.value not in notes.keys:
        secret = await operator.create_api_key(notes.chain, kind, subject=subject, scopes=scopes, store_ids=store_ids)
        notes.keys[kind.value] = secret
        notes.save()


async def _enroll(graph: GraphQL, story: History, stores: Mapping[str, str]) -> dict[int, str]:
    """Return the members' ids by the guests' numbers."""
    ids: dict[int, str] = {}
    for guests in _batches(story.guests, BATCH):
        data = await graph.data(ENROLL, {"members": [_new_member(guest, stores) for guest in guests]})
        results = _accepted(data["enrollMembers"])
        ids |= {guest.number: result["member"]["id"] for guest, result in zip(guests, results, strict=True)}
    return ids


def _new_member(guest: Guest, stores: Mapping[str, str]) -> dict[str, object]:
    return {
        "key": f"demo-guest-{guest.number:05}",
        "profile": {
            "name": guest.name,
            "identities": [
                {"kind": "PHONE", "value": guest.phone},
                {"kind": "EXTERNAL", "value": f"demo-{guest.number:05}"},
            ],
        },
        "enrolledAt": _instant(guest.enrolled_at),
        "channel": guest.channel,
        "storeId": stores[guest.store],
    }


async def _record(
    graph: GraphQL, story: History, stores: Mapping[str, str], members: Mapping[int, str], say: Callable[[str], None]
) -> None:
    booked = 0
    for receipts in _batches(story.receipts, BATCH):
        data = await graph.data(RECORD, {"purchases": [_purchase(receipt, stores, members) for receipt in receipts]})
        booked += len(_accepted(data["recordPurchases"]))
        say(f"demo chain: {booked:,} of {len(story.receipts):,} purchases booked")


def _purchase(receipt: Receipt, stores: Mapping[str, str], members: Mapping[int, str]) -> dict[str, object]:
    lines = [
        {
            "itemCode": dish.code,
            "quantity": quantity,
            "grossMinor": dish.price_minor * quantity,
            "discountMinor": discount,
        }
        for dish, quantity, discount in receipt.lines
    ]
    return {
        "storeId": stores[receipt.store],
        "receiptNumber": receipt.number,
        "memberId": members[receipt.guest],
        "occurredAt": _instant(receipt.paid_at),
        "currency": CURRENCY,
        "lines": lines,
    }


async def _answer(graph: GraphQL, story: History, stores: Mapping[str, str], members: Mapping[int, str]) -> None:
    for answers in _batches(story.answers, AT_ONCE):
        await asyncio.gather(*(_answer_one(graph, answer, stores, members) for answer in answers))


async def _answer_one(graph: GraphQL, answer: Answer, stores: Mapping[str, str], members: Mapping[int, str]) -> None:
    survey = {
        "key": f"demo-answer-{answer.guest:05}",
        "memberId": members[answer.guest],
        "score": answer.score,
        "comment": answer.comment,
        "storeId": stores[answer.store],
    }
    _accept((await graph.data(ANSWER, {"input": survey}))["answerSurvey"])


async def _until_seen(graph: GraphQL, notes: DemoNotes) -> None:
    """Wait until the hero's purchases have reached all four services."""
    async with asyncio.timeout(SEEN_WITHIN_S):
        while True:
            member = (await graph.data(show_query(notes)))["member"]
            if member and member["visits"]["count"] and member["coupons"]["nodes"] and member["cases"]["nodes"]:
                return
            await asyncio.sleep(0.2)


def _accepted(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a batch's results, all of them good, or raise `SeedingError`."""
    _accept(payload)
    results: list[dict[str, Any]] = payload["results"]
    for result in results:
        _accept(result)
    return results


def _accept(payload: dict[str, Any]) -> None:
    if payload["userErrors"]:
        raise SeedingError(payload["userErrors"][0]["message"])


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
