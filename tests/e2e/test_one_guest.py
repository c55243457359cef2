"""One guest over the whole platform: two members become one under fire, come apart, and are forgotten."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import bson
import httpx
from pymongo import MongoClient

from services.kit.principal import Caller
from tests.e2e.guests import ENROLL, RECORD, receipt
from tests.e2e.test_ledger import AUTHORISE, REFUND, huitou
from tests.support.eventually import eventually
from tests.support.platform import OpenedChain, Platform

MERGE = """mutation ($input: MergeMembersInput!) { mergeMembers(input: $input) {
  memberId mergeId userErrors { code message } } }"""
SPLIT = """mutation ($input: SplitMembersInput!) { splitMembers(input: $input) {
  memberId freedId userErrors { code message } } }"""
ERASE = """mutation ($input: EraseMemberInput!) { eraseMember(input: $input) {
  memberIds erasedAt userErrors { code message } } }"""
ADD = """mutation ($input: AddIdentityInput!) { addIdentity(input: $input) {
  mergeId member { id } userErrors { code message } } }"""
CAPTURE = """mutation ($input: CaptureHoldInput!) { captureHold(input: $input) {
  hold { state } userErrors { code message } } }"""
ACTIVITIES = """mutation ($input: RecordActivitiesInput!) { recordActivities(input: $input) {
  results { outcome userErrors { code } } userErrors { code message } } }"""
EXPORT = """mutation ($input: StartExportInput!) { startExport(input: $input) {
  export { id } userErrors { code message } } }"""
EXPORTED = "query ($id: ID!) { export(id: $id) { state path failure } }"
ANSWER = """mutation ($input: AnswerSurveyInput!) { answerSurvey(input: $input) { case { id } userErrors { code } } }"""
SHOW = """query ($id: ID!) { member(id: $id) { id provisional formerIds erasedAt profile { name }
  points { balance debt } visits { count } cases { nodes { comment } } } }"""

PAID = 10_000
POINTS = 100  # for each of these receipts, and a fifth more from silver on
TRACES = (b"13800138000", b"Zhang Wei", b"zhang.wei@example.com", b"nanjing-road")


async def join(platform: Platform, chain: OpenedChain, name: str, *identities: dict[str, str], since: str) -> str:
    wish = {
        "key": uuid4().hex,
        "profile": {"name": name, "identities": list(identities)},
        "channel": "APP",
        "enrolledAt": f"{since}T00:00:00Z",
    }
    payload = (await platform.graphql(ENROLL, {"input": wish}, key=chain.staff_key))["enrollMember"]
    assert payload["userErrors"] == []
    return str(payload["member"]["id"])


async def do(platform: Platform, chain: OpenedChain, mutation: str, **wish: Any) -> dict[str, Any]:
    [payload] = (await platform.graphql(mutation, {"input": wish}, key=chain.staff_key)).values()
    assert payload["userErrors"] == []
    return dict(payload)


async def shown(platform: Platform, chain: OpenedChain, member: str) -> dict[str, Any]:
    answer = await platform.graphql(SHOW, {"id": member}, key=chain.staff_key)
    return dict(answer["member"])


@dataclass
class Fire:
    """Guests that buy, return, and pay with points for as long as it burns; what it all came to."""

    platform: Platform
    chain: OpenedChain
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    earned: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    spent: list[int] = field(default_factory=list)
    ended: bool = False

    @property
    def left(self) -> int:
        """What the guests must have in all."""
        return sum(self.earned) - sum(self.spent) - sum(self.taken)

    async def buys(self, member: str) -> None:
        while not self.ended:
            number = f"F{next(self.numbers)}"
            done = await do(self.platform, self.chain, RECORD, **receipt(self.chain, number, member, paid_minor=PAID))
            self.earned.append(done["purchase"]["points"])
            if len(self.earned) % 3 == 0:
                await self._returns(number)

    async def _returns(self, number: str) -> None:
        back = {
            "storeId": self.chain.stores["A"],
            "refundNumber": f"C{number}",
            "receiptNumber": number,
            "occurredAt": "2026-03-20T04:00:00Z",
        }
        refund = (await do(self.platform, self.chain, REFUND, **back))["refund"]
        self.taken.append(sum(one["taken"] + one["debt"] for one in refund["taken"]))

    async def pays_with_points(self, member: str) -> None:
        while not self.ended:
            key = f"hold-{next(self.numbers):06}"
            wish = {"key": key, "memberId": member, "currency": "POINTS", "amount": 10}
            answer = await self.platform.graphql(AUTHORISE, {"input": wish}, key=self.chain.staff_key)
            if (hold := answer["authoriseHold"]["hold"]) is not None:  # None: not enough at this moment
                await do(self.platform, self.chain, CAPTURE, key=f"c-{key}", holdId=hold["id"])
                self.spent.append(10)

    async def merges(self, one: str, other: str, *, times: int) -> None:
        for number in range(times):
            done = await do(
                self.platform, self.chain, MERGE, key=f"merge-{number:03}", memberId=one, otherMemberId=other
            )
            await self._goes_on()
            await do(self.platform, self.chain, SPLIT, key=f"split-{number:03}", mergeId=done["mergeId"])
            await self._goes_on()
        await do(self.platform, self.chain, MERGE, key="merge-last", memberId=one, otherMemberId=other)
        self.ended = True

    async def _goes_on(self) -> None:
        seen = len(self.earned)

        async def grown() -> bool:
            return len(self.earned) >= seen + 5

        await eventually(grown)


async def test_two_members_are_merged_and_split_while_both_buy_and_pay_with_points(
    platform: Platform, tmp_path: Path
) -> None:
    chain = await platform.open_chain("merge-under-fire", stores={"A": "Bund"})
    old = await join(platform, chain, "Old", since="2020-01-01")
    young = await join(platform, chain, "Young", since="2024-01-01")
    fire = Fire(platform, chain)
    await asyncio.gather(
        fire.buys(old),
        fire.buys(young),
        fire.pays_with_points(old),
        fire.pays_with_points(young),
        fire.merges(young, old, times=4),
    )

    async def settled() -> bool:
        both = [await shown(platform, chain, one) for one in (old, young)]
        assert both[0] == both[1]
        assert both[0]["points"]["balance"] - both[0]["points"]["debt"] == fire.left
        return True

    await eventually(settled, within_s=30)
    assert (await shown(platform, chain, young))["formerIds"] == [young]
    assert (await huitou(platform, "verify-ledger", "--chain", chain.id, "--state", str(tmp_path)))[0] == 0
    with MongoClient[dict[str, Any]](platform.servers.mongo_url) as client:
        held = client[f"{platform.namespace}huitou_points"]["receipts"].count_documents({"chain": chain.id})
    assert held == len(fire.earned)


async def test_who_paid_and_proves_a_phone_is_one_member(platform: Platform) -> None:
    chain = await platform.open_chain("payer-proves", stores={"A": "Bund"})
    phone = {"kind": "PHONE", "value": "+8613900139000"}
    member = await join(platform, chain, "Li", phone, since="2024-01-01")
    unknown = receipt(chain, "P1", "") | {"payment": {"kind": "wechat", "payerId": "openid-7"}}
    del unknown["memberId"]
    bought = await platform.graphql(
        "mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) { purchase { memberId } } }",
        {"input": unknown},
        key=chain.staff_key,
    )
    payer = bought["recordPurchase"]["purchase"]["memberId"]
    assert (await shown(platform, chain, payer))["provisional"]
    proved = await do(platform, chain, ADD, key="prove-phone", memberId=payer, identity=phone)
    assert proved["member"]["id"] == member

    async def points_followed() -> bool:
        return bool((await shown(platform, chain, member))["points"]["balance"] == POINTS)

    await eventually(points_followed)
    account = {"paymentKind": "wechat", "account": "openid-7"}
    again = await do(platform, chain, ADD, key="same-account", memberId=member, paymentAccount=account)
    assert (again["mergeId"], again["member"]["id"]) == (None, member)
    assert (await shown(platform, chain, payer))["id"] == member


async def test_of_an_erased_guest_nothing_is_left_anywhere(platform: Platform, tmp_path: Path) -> None:
    chain = await platform.open_chain("erased-guest", stores={"A": "Bund"})
    identities = [
        {"kind": "PHONE", "value": "+86 138 0013 8000"},
        {"kind": "EMAIL", "value": "zhang.wei@example.com"},
        {"kind": "EXTERNAL", "value": "nanjing-road"},
    ]
    guest = await join(platform, chain, "Zhang Wei", *identities, since="2024-01-01")
    by_phone = receipt(chain, "E1", "") | {"identity": {"kind": "PHONE", "value": "13800138000"}}
    del by_phone["memberId"]
    await do(platform, chain, RECORD, **by_phone)
    said = {"key": "answer-0009", "memberId": guest, "score": 2, "comment": "I am Zhang Wei, call 13800138000"}
    await platform.graphql(ANSWER, {"input": said | {"storeId": chain.stores["A"]}}, key=chain.staff_key)

    async def counted() -> bool:
        return bool((await shown(platform, chain, guest))["visits"]["count"] == 1)

    await eventually(counted)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    told = {"source": "tables", "externalId": "B-1", "memberId": guest, "kind": "BOOKING", "status": "PLANNED"}
    booked = {"plannedFor": tomorrow, "storeId": chain.stores["A"], "text": "Zhang Wei, by the window"}
    activities = [told | booked | {"changedAt": "2026-01-01T00:00:00Z"}]
    recorded = await do(platform, chain, ACTIVITIES, activities=activities)
    assert recorded["results"] == [{"outcome": "ADDED", "userErrors": []}]
    export = (await do(platform, chain, EXPORT, key="export-0001", list="MEMBERS", format="CSV"))["export"]["id"]

    async def written() -> str | None:
        answer = await platform.graphql(EXPORTED, {"id": export}, key=chain.staff_key)
        return str(answer["export"]["path"]) if answer["export"]["state"] == "DONE" else None

    exported = f"{await eventually(written)}", chain.staff_key
    own = f"/members/{guest}/export", await platform.api_key(chain.id, Caller.MEMBER, subject=guest)
    for path, key in (exported, own):
        status, content = await fetched(platform, path, key)
        assert (status, b"Zhang Wei" in content, b"+8613800138000" in content) == (200, True, True)
    assert traces(platform) != []
    await do(platform, chain, ERASE, key="erase-guest", memberId=guest)
    assert (await fetched(platform, *exported))[0] in {404, 409}

    async def forgotten() -> bool:
        return traces(platform) == []

    await eventually(forgotten)
    assert [trace for trace in TRACES if trace in (await fetched(platform, *own))[1]] == []
    found = await shown(platform, chain, guest)
    assert (found["profile"], found["points"]["balance"]) == ({"name": ""}, POINTS)
    assert [case["comment"] for case in found["cases"]["nodes"]] in ([""], [None])
    assert (await huitou(platform, "verify-ledger", "--chain", chain.id, "--state", str(tmp_path)))[0] == 0
    assert [trace for trace in TRACES for name in SERVICES if trace.decode() in platform.log(name)] == []


async def fetched(platform: Platform, path: str, key: str) -> tuple[int, bytes]:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=platform.graphql_url.removesuffix("/graphql"), trust_env=False) as http:
        answer = await http.get(path, headers=headers)
    return answer.status_code, answer.content


SERVICES = ("members", "points", "campaigns", "feedback", "gateway")


def traces(platform: Platform) -> list[tuple[str, bytes]]:
    """Return where in all databases of this platform something of the person stands; what is on its way is an outbox
    row before it is a message, and a row or a parked event again where it waits."""
    found = []
    with MongoClient[dict[str, Any]](platform.servers.mongo_url) as client:
        for name in client.list_database_names():
            if not name.startswith(f"{platform.namespace}huitou_"):
                continue
            for collection in client[name].list_collection_names():
                for document in client[name][collection].find():
                    content = bson.encode(document)
                    found += [(f"{name}.{collection}", trace) for trace in TRACES if trace in content]
    return found
