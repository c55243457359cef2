"""What is asked of the platform, and what its answers mean for the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from infra.cli.importing.convert import written
from infra.cli.importing.mapping import NewStore
from infra.cli.importing.platform import Platform
from infra.cli.importing.staged import (
    Outcome,
    StagedJob,
    StagedLevel,
    StagedMember,
    StagedOpening,
    StagedPurchase,
    StagedRefund,
    State,
)
from services.kit.errors import Kind, Problem

CHAIN = "{ chain { id name } stores { id code currency } }"

SAVE_STORES = """mutation ($input: SaveStoresInput!) {
  saveStores(input: $input) { userErrors { code field message } stores { id code currency } }
}"""

CREATE_JOB = """mutation ($input: CreateImportJobInput!) {
  createImportJob(input: $input) { userErrors { code field message } job { id } }
}"""

IMPORT_ROWS = """mutation ($input: ImportRowsInput!) {
  importRows(input: $input) {
    userErrors { code field message }
    refusedRows { row code atField }
    members { row memberId outcome }
  }
}"""

GRANT = """grantLevel(input: $input) { userErrors { code field message } repeatedCall }"""

CLOSE_JOB = """mutation ($input: CloseImportJobInput!) {
  closeImportJob(input: $input) { userErrors { code field message } job { id } }
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


async def create_job(platform: Platform, key: str, *, file: str, rows: int, duplicates: str) -> str:
    """Open an import of members and return its id; the same key opens the same one."""
    wish = {"key": key, "fileName": file, "rowsExpected": rows, "duplicates": duplicates.upper()}
    payload = (await platform.ask(CREATE_JOB, {"input": wish}))["createImportJob"]
    _check(payload)
    return str(payload["job"]["id"])


async def import_rows(
    platform: Platform, job: StagedJob, members: Sequence[StagedMember], *, stores: Mapping[str, Store]
) -> list[Outcome]:
    """Send the next rows of an import, or those of its latest call again, and return what became of each."""
    rows = [_row(member, stores) for member in members]
    wish = {"jobId": job.id, "first": job.sent, "rows": rows}
    payload = (await platform.ask(IMPORT_ROWS, {"input": wish}))["importRows"]
    _check(payload)
    refused = {one["row"]: one for one in payload["refusedRows"]}
    told = {one["row"]: one for one in payload["members"]}
    return [_imported(member.row, refused.get(member.row), told.get(member.row)) for member in members]


async def grant_levels(platform: Platform, levels: Sequence[StagedLevel], *, reason: str) -> list[Outcome]:
    """Give levels by hand, all in one request, and return what became of each."""
    names = [f"input{number}" for number in range(len(levels))]
    asked = " ".join(f"l{number}: {GRANT.replace('$input', f'${name}')}" for number, name in enumerate(names))
    query = f"mutation ({', '.join(f'${name}: GrantLevelInput!' for name in names)}) {{ {asked} }}"
    wishes = {name: _level_wish(one, reason) for name, one in zip(names, levels, strict=True)}
    data = await platform.ask(query, wishes)
    return [_granted(one, data[f"l{number}"]) for number, one in enumerate(levels)]


async def close_job(platform: Platform, job: StagedJob) -> None:
    """End an import: it has all of its rows."""
    _check((await platform.ask(CLOSE_JOB, {"input": {"jobId": job.id}}))["closeImportJob"])


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


def _row(member: StagedMember, stores: Mapping[str, Store]) -> dict[str, Any]:
    row = {**orjson.loads(member.content), "row": member.row, "tellMember": True}
    if not member.store:
        return row
    if (store := stores.get(member.store)) is None:
        return row | {"unreadableField": "storeId"}
    return row | {"storeId": store.id}


def _level_wish(one: StagedLevel, reason: str) -> dict[str, Any]:
    until = None if one.until is None else written(one.until)
    return {"key": one.key, "memberId": one.member_id, "level": one.level, "until": until, "reason": reason}


def _granted(one: StagedLevel, result: Mapping[str, Any]) -> Outcome:
    if errors := result["userErrors"]:
        return replace(_rejected(one.row, errors), path="level")
    return Outcome(one.row, State.THERE_ALREADY if result["repeatedCall"] else State.DONE)


def _imported(row: int, refused: Mapping[str, Any] | None, told: Mapping[str, Any] | None) -> Outcome:
    if refused is not None:
        reason = f"the platform refuses it ({refused['code']})"
        return Outcome(row, State.REJECTED, path=refused["atField"] or "", reason=reason)
    assert told is not None  # noqa: S101 - whatever went in is told, as it was asked for
    state = State.DONE if told["outcome"] == "ENROLLED" else State.THERE_ALREADY
    return Outcome(row, state, member_id=told["memberId"])


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
