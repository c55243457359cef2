"""Record purchases: check the receipts, find out who bought, and book them in the ledger's next commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.kit.errors import BUSINESS, Kind, Problem
from services.kit.ids import MakeId
from services.kit.principal import NotAllowedError, Principal
from services.points.domain.batches import NoAccountError, Recorded
from services.points.domain.booking import BookPurchase
from services.points.domain.purchases import InvalidPurchaseError, Line, Purchase, check

MAX_PURCHASES = 500
"""Receipts in one call. They go into one commit together, so that those of one member stay in their order."""


class TooManyPurchasesError(Problem):
    """{count} purchases are too many for one call: send at most {most}."""

    kind = Kind.INVALID
    code = "TOO_MANY"


class NoStoreError(Problem):
    """There is no store {store} in this chain."""

    kind = Kind.NOT_FOUND
    code = "STORE_NOT_FOUND"


class NobodyError(Problem):
    """No member has this {kind}."""

    kind = Kind.NOT_FOUND
    code = "MEMBER_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Identity:
    """By what a till knows the guest: "phone", "email" or "external", and the value."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it came: the buyer is a member's id or an identity."""

    store: str
    receipt_number: str
    buyer: str | Identity
    occurred_at: datetime
    currency: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """What points must know of a store at once."""

    id: str
    version: int
    time_zone: str
    currency: str


class Stores(Protocol):
    """The chain's stores: copies, asked for at members where one is missing."""

    async def stores(self, chain: str, ids: frozenset[str]) -> Mapping[str, Store]:
        """Return those of `ids` that exist, by id."""


class Members(Protocol):
    """Who members are."""

    async def resolve(self, chain: str, identities: frozenset[Identity]) -> Mapping[Identity, str]:
        """Return the members' ids of those identities that somebody has."""

    async def existing(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        """Return those of `ids` that are members."""


class Ledger(Protocol):
    """The group commit."""

    async def submit_all(self, commands: Sequence[BookPurchase]) -> Sequence[Recorded | Problem]:
        """Book `commands` in their order; each has its own answer."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """What recording needs from outside."""

    stores: Stores
    members: Members
    ledger: Ledger
    make_id: MakeId


async def record_purchases(
    receipts: Sequence[Receipt], *, caller: Principal, now: datetime, recorder: Recorder, traceparent: str = ""
) -> list[Recorded | Problem]:
    """Record `receipts` in their order; each has its own answer, and a bad one fails alone."""
    if len(receipts) > MAX_PURCHASES:
        raise TooManyPurchasesError(field="purchases", count=len(receipts), most=MAX_PURCHASES)
    stores = await recorder.stores.stores(caller.chain, frozenset(receipt.store for receipt in receipts))
    identities = frozenset(receipt.buyer for receipt in receipts if isinstance(receipt.buyer, Identity))
    buyers = await recorder.members.resolve(caller.chain, identities) if identities else {}
    prepared: list[BookPurchase | Problem] = []
    for receipt in receipts:
        try:
            store = _store(receipt, stores, caller)
            purchase = _purchase(receipt, store, buyers, now)
        except Problem as problem:
            prepared.append(problem)
            continue
        command = BookPurchase(
            chain=caller.chain,
            purchase=purchase,
            time_zone=store.time_zone,
            purchase_id=recorder.make_id("pur", now),
            entry_id=recorder.make_id("ent", now),
            booked_at=now,
            booked_by=f"{caller.kind}:{caller.id}",
            traceparent=traceparent,
        )
        prepared.append(command)
    return await _book(prepared, recorder)


def _store(receipt: Receipt, stores: Mapping[str, Store], caller: Principal) -> Store:
    if (store := stores.get(receipt.store)) is None:
        raise NoStoreError(field="storeId", store=receipt.store)
    if not caller.may_use_store(receipt.store):
        raise NotAllowedError(field="storeId", why="its key is for another store")
    return store


def _purchase(receipt: Receipt, store: Store, buyers: Mapping[Identity, str], now: datetime) -> Purchase:
    member = receipt.buyer if isinstance(receipt.buyer, str) else buyers.get(receipt.buyer)
    if member is None:
        assert isinstance(receipt.buyer, Identity)  # noqa: S101 - narrows the type: an id is never None
        raise NobodyError(field="identity", kind=receipt.buyer.kind)
    if receipt.currency != store.currency:
        raise InvalidPurchaseError(field="currency", why=f"this store sells in {store.currency}")
    purchase = Purchase(
        receipt.store, receipt.receipt_number, member, receipt.occurred_at, receipt.currency, receipt.lines
    )
    check(purchase, now=now)
    return purchase


async def _book(prepared: Sequence[BookPurchase | Problem], recorder: Recorder) -> list[Recorded | Problem]:
    commands = [command for command in prepared if isinstance(command, BookPurchase)]
    answers = await _submit(commands, recorder) if commands else []
    answers = await _open_accounts(commands, answers, recorder)
    booked = iter(answers)
    return [one if isinstance(one, Problem) else next(booked) for one in prepared]


async def _submit(commands: Sequence[BookPurchase], recorder: Recorder) -> list[Recorded | Problem]:
    """Book in one commit. When that failed as a whole the call fails with it: its receipts can all be sent again."""
    answers = list(await recorder.ledger.submit_all(commands))
    for answer in answers:
        if isinstance(answer, Problem) and answer.kind not in BUSINESS:
            raise answer
    return answers


async def _open_accounts(
    commands: Sequence[BookPurchase], answers: list[Recorded | Problem], recorder: Recorder
) -> list[Recorded | Problem]:
    """Book again, with leave to open accounts, for members whose MemberEnrolled has not come here yet."""
    missing = [number for number, answer in enumerate(answers) if isinstance(answer, NoAccountError)]
    if not missing:
        return answers
    asked = frozenset(commands[number].purchase.member for number in missing)
    existing = await recorder.members.existing(commands[missing[0]].chain, asked)
    opening = [number for number in missing if commands[number].purchase.member in existing]
    again = await _submit([replace(commands[number], opens_account=True) for number in opening], recorder)
    for number, answer in zip(opening, again, strict=True):
        answers[number] = answer
    return answers
