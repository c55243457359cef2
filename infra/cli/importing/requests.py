"""What is asked of the platform, and what its answers mean for the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import orjson

from infra.cli.importing.convert import written
from infra.cli.importing.mapping import NewStore
from infra.cli.importing.platform import Platform
from infra.cli.importing.staging import Outcome, StagedMember, StagedOpening, StagedPurchase, StagedRefund, State
from services.kit.errors import Kind, Problem

CHAIN = "{ chain { id name } stores { id code currency } }"

SAVE_STORES = """mutation ($input: SaveStoresInput!) {
  saveStores(input: $input) { userErrors { code field message } stores { id code currency } }
}"""

ENROLL = """mutation ($input: EnrollMembersInput!) {
  enrollMembers(input: $input) {
    userErrors { code field message }
    results { userErrors { code field message } repeatedCall member { id } }
  }
}"""

RECORD = """mutation ($input: RecordPurchasesInput!) {
  recordPurchases(input: $input) {
    userErrors { code field message }
    results { userErrors { code field message } repeatedCall purchase { points levelBefore levelAfter } }
  }
}"""

REFUND = """mutation ($input: RecordRefundsInput!) {
  recordRefunds(input: $input) {
    userErrors { code field message }
    results { userErrors { code field message } repeatedCall refund { state why taken { currency taken debt } } }
  }
}"""

OPEN = """mutation ($input: OpenBalancesInput!) {
  openBalances(input: $input) {
    userErrors { code field message }
    results { userErrors { code field message } repeatedCall }
  }
}"""


class BatchRefusedError(Problem):
    """The platform refused a whole batch: {message} ({code})."""

    kind = Kind.REFUSED
    code = "BATCH_REFUSED"


@dataclass(frozen=True, slots=True)
class Store:
    """A store of the chain."""

    id: str
    code: str
    currency: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain that the key belongs to, and its stores by their code."""

    id: str
    name: str
    stores: Mapping[str, Store]


async def ask_chain(platform: Platform) -> Chain:
    """Return the key's chain."""
    data = await platform.ask(CHAIN)
    return Chain(data["chain"]["id"], data["chain"]["name"], _stores(data["stores"]))


async def open_store(platform: Platform, code: str, new: NewStore) -> Store:
    """Return a new store, or raise `BatchRefusedError`."""
    wish = {"code": code, "name": new.name, "timeZone": new.time_zone}
    payload = (await platform.ask(SAVE_STORES, {"input": {"stores": [wish]}}))["saveStores"]
    _check(payload)
    return _stores(payload["stores"])[code]


async def enroll(platform: Platform, members: Sequence[StagedMember]) -> list[Outcome]:
    """Enroll members and return what became of each."""
    wishes = [{"key": _key(member), **orjson.loads(member.content)} for member in members]
    payload = (await platform.ask(ENROLL, {"input": {"members": wishes}}))["enrollMembers"]
    _check(payload)
    return [_enrolled(*pair) for pair in zip(members, payload["results"], strict=True)]


async def record(
    platform: Platform, purchases: Sequence[StagedPurchase], *, stores: Mapping[str, Store], currency: str
) -> list[Outcome]:
    """Book purchases in their order and return what became of each; their stores are in `stores`."""
    wishes = [_wish(purchase, stores[purchase.store], currency) for purchase in purchases]
    payload = (await platform.ask(RECORD, {"input": {"purchases": wishes}}))["recordPurchases"]
    _check(payload)
    return [_booked(*pair) for pair in zip(purchases, payload["results"], strict=True)]


async def refund(platform: Platform, refunds: Sequence[StagedRefund], *, stores: Mapping[str, Store]) -> list[Outcome]:
    """Book refunds in their order and return what became of each; their stores are in `stores`."""
    wishes = [_refund_wish(one, stores) for one in refunds]
    payload = (await platform.ask(REFUND, {"input": {"refunds": wishes}}))["recordRefunds"]
    _check(payload)
    return [_refunded(*pair) for pair in zip(refunds, payload["results"], strict=True)]


async def open_balances(platform: Platform, openings: Sequence[StagedOpening]) -> list[Outcome]:
    """Open balances and return what became of each."""
    wishes = [_opening_wish(one) for one in openings]
    payload = (await platform.ask(OPEN, {"input": {"balances": wishes}}))["openBalances"]
    _check(payload)
    return [_opened(*pair) for pair in zip(openings, payload["results"], strict=True)]


def _key(member: StagedMember) -> str:
    """Return the command key: the same for the same member with the same facts, in every run."""
    return f"import-{sha256(member.content).hexdigest()[:40]}"


def _wish(purchase: StagedPurchase, store: Store, currency: str) -> dict[str, Any]:
    lines = [
        {"itemCode": code, "quantity": quantity, "grossMinor": gross, "discountMinor": discount}
        for code, quantity, gross, discount in orjson.loads(purchase.lines)
    ]
    wish: dict[str, Any] = {
        "storeId": store.id,
        "receiptNumber": purchase.receipt_number,
        "occurredAt": written(purchase.at),
        "currency": currency or store.currency,
        "lines": lines,
    }
    if purchase.member_id:
        wish["memberId"] = purchase.member_id
    else:
        wish["identity"] = {"kind": "EXTERNAL", "value": purchase.member}
    return wish


def _refund_wish(refund: StagedRefund, stores: Mapping[str, Store]) -> dict[str, Any]:
    return {
        "storeId": stores[refund.store].id,
        "refundNumber": refund.number,
        "receiptStoreId": stores[refund.receipt_store].id,
        "receiptNumber": refund.receipt_number,
        "occurredAt": written(refund.at),
        "lines": [
            {"line": line, "quantity": quantity, "amountMinor": amount}
            for line, quantity, amount in orjson.loads(refund.lines)
        ],
    }


def _opening_wish(opening: StagedOpening) -> dict[str, Any]:
    lots = [
        {"amount": amount, "earnedAt": written(earned), "expiresAt": None if expires is None else written(expires)}
        for amount, earned, expires in orjson.loads(opening.lots)
    ]
    wish: dict[str, Any] = {"key": opening.key, "currency": opening.currency.upper(), "lots": lots}
    if opening.member_id:
        wish["memberId"] = opening.member_id
    else:
        wish["identity"] = {"kind": opening.kind.upper(), "value": opening.member}
    return wish


def _enrolled(member: StagedMember, result: Mapping[str, Any]) -> Outcome:
    if not (errors := result["userErrors"]):
        state = State.THERE_ALREADY if result["repeatedCall"] else State.DONE
        return Outcome(member.row, state, member_id=result["member"]["id"])
    # The first identity is the chain's own id. Who has it already is the same member, whatever else is known; a phone
    # or an e-mail address of somebody else is not.
    if errors[0]["code"] == "IDENTITY_TAKEN" and (errors[0]["field"] or "").endswith("identities.0"):
        return Outcome(member.row, State.THERE_ALREADY)
    return _rejected(member.row, errors)


def _booked(purchase: StagedPurchase, result: Mapping[str, Any]) -> Outcome:
    if errors := result["userErrors"]:
        return _rejected(purchase.row, errors)
    booked = result["purchase"]
    reached = booked["levelAfter"] if booked["levelAfter"] != booked["levelBefore"] else ""
    state = State.THERE_ALREADY if result["repeatedCall"] else State.DONE
    return Outcome(purchase.row, state, points=booked["points"], reached=reached)


def _refunded(refund: StagedRefund, result: Mapping[str, Any]) -> Outcome:
    if errors := result["userErrors"]:
        refused = _rejected(refund.row, errors)
        # In a file of purchases the mapping's receipt_number is the refund's own.
        return replace(refused, path="refundedReceipt") if refused.path == "receiptNumber" else refused
    booked = result["refund"]
    if booked["state"] == "REFUSED":
        return Outcome(refund.row, State.REJECTED, reason=booked["why"] or "it was refused")
    state = State.THERE_ALREADY if result["repeatedCall"] else State.DONE
    taken = sum(one["taken"] + one["debt"] for one in booked["taken"] if one["currency"] == "POINTS")
    return Outcome(refund.row, state, points=taken)


def _opened(opening: StagedOpening, result: Mapping[str, Any]) -> Outcome:
    if errors := result["userErrors"]:
        return _rejected(opening.row, errors)
    return Outcome(opening.row, State.THERE_ALREADY if result["repeatedCall"] else State.DONE)


def _rejected(row: int, errors: Sequence[Mapping[str, Any]]) -> Outcome:
    # The path begins with the place in the batch: "purchases.17.lines.0.grossMinor".
    path = ".".join((errors[0]["field"] or "").split(".")[2:])
    reason = "; ".join(f"{error['message']} ({error['code']})" for error in errors)
    return Outcome(row, State.REJECTED, path=path, reason=reason)


def _check(payload: Mapping[str, Any]) -> None:
    for error in payload["userErrors"]:
        raise BatchRefusedError(message=error["message"], code=error["code"])


def _stores(found: Sequence[Mapping[str, str]]) -> dict[str, Store]:
    return {store["code"]: Store(store["id"], store["code"], store["currency"]) for store in found}
