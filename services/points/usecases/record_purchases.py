"""Record purchases: check the receipts, find out who bought, and book them in the ledger's next commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from services.kit.errors import BUSINESS, Kind, Problem
from services.kit.principal import Caller, NotAllowedError, Principal
from services.points.domain.accounts import NoAccountError
from services.points.domain.batches import Recorded
from services.points.domain.commands import BookPurchase
from services.points.domain.identities import IdentityHasher, payer_account
from services.points.domain.items import Item
from services.points.domain.purchases import InvalidPurchaseError, Purchase, check
from services.points.usecases.ledger import Call, Ledger
from services.points.usecases.programs import ProgramSource

MAX_PURCHASES = 5_000
"""Receipts in one call."""

AT_ONCE = 500
"""Of these, in one commit: those of one member stay in their order, since the next part waits for this one."""

CARD_CODE = "card_code"
"""The kind of identity that a till scans of a member's card."""

AWAY = frozenset({Kind.UNAVAILABLE, Kind.TIMED_OUT, Kind.OVERLOADED})
"""What members answers, or what is answered for it, when it cannot be asked."""


class TooManyError(Problem):
    """{count} {what} are too many for one call: send at most {most}."""

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
    """By what a till knows the guest: "phone", "email", "external" or a card's code, and the value.

    A card's code is good for a minute and at one store, so `at` and `store` say when and where it was scanned.
    """

    kind: str
    value: str
    at: datetime | None = None
    store: str = ""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who paid, as a keyed hash, and where that was seen."""

    hash: str
    payment_kind: str
    store: str
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it came: the buyer is a member's id, an identity, or, when empty, whoever paid."""

    content: Purchase  # its member only where that is the buyer; without buyer and payer
    buyer: str | Identity
    payer_id: str = ""


@dataclass(frozen=True, slots=True)
class Store:
    """What points must know of a store at once."""

    id: str
    version: int
    time_zone: str
    currency: str
    region: str = ""  # the chain's own code, empty: none


class Stores(Protocol):
    """The chain's stores: copies, asked for at members where one is missing."""

    async def stores(self, chain: str, ids: frozenset[str]) -> Mapping[str, Store]:
        """Return those of `ids` that exist, by id."""


class Items(Protocol):
    """The chain's menu: copies, asked for at members where one is missing."""

    async def items(self, chain: str, codes: frozenset[str]) -> Mapping[str, Item]:
        """Return those of `codes` that are on the menu, by code; those alone that are known when members is away."""


class Members(Protocol):
    """Who members are."""

    async def resolve(self, chain: str, identities: frozenset[Identity]) -> Mapping[Identity, str]:
        """Return the members' ids of those identities that somebody has."""

    async def enroll_payers(self, chain: str, payers: Sequence[Payer]) -> Mapping[str, str]:
        """Return the member of each payer by hash; whoever is new becomes a provisional member."""

    async def existing(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        """Return those of `ids` that are members."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """What recording needs from outside."""

    stores: Stores
    members: Members
    ledger: Ledger
    hasher: IdentityHasher
    programs: ProgramSource
    items: Items


@dataclass(slots=True)
class _Buyers:
    """Who the buyers are, as far as members could be asked."""

    by_identity: Mapping[Identity, str] = field(default_factory=dict)
    by_payer: Mapping[str, str] = field(default_factory=dict)
    away: Problem | None = None  # why members could not be asked


async def record_purchases(receipts: Sequence[Receipt], *, call: Call, recorder: Recorder) -> list[Recorded | Problem]:
    """Record `receipts` in their order; each has its own answer, and a bad one fails alone."""
    if len(receipts) > MAX_PURCHASES:
        raise TooManyError(field="purchases", count=len(receipts), what="purchases", most=MAX_PURCHASES)
    answers: list[Recorded | Problem] = []
    for start in range(0, len(receipts), AT_ONCE):
        answers += await _record_part(receipts[start : start + AT_ONCE], call, recorder)
    return answers


async def _record_part(receipts: Sequence[Receipt], call: Call, recorder: Recorder) -> list[Recorded | Problem]:
    stores = await recorder.stores.stores(call.caller.chain, frozenset(receipt.content.store for receipt in receipts))
    receipts = [_with_payer(receipt, call, recorder) for receipt in receipts]
    buyers = await _buyers(receipts, call, recorder)
    prepared: list[BookPurchase | Problem] = []
    for receipt in receipts:
        try:
            store = known_store(receipt.content.store, stores, call.caller)
            purchase, opens = _purchase(receipt, store, buyers, call, recorder)
        except Problem as problem:
            prepared.append(problem)
            continue
        id_ = call.make_id("pur", call.now)
        command = BookPurchase(
            author=call.author(purchase.key, of=id_),
            purchase=purchase,
            time_zone=store.time_zone,
            purchase_id=id_,
            region=store.region,
            opens_account=opens,
            traceparent=call.traceparent,
        )
        prepared.append(command)
    return await _book(await _with_items(prepared, recorder), recorder)


def known_store(store: str, stores: Mapping[str, Store], caller: Principal) -> Store:
    """Return the store if it exists and the caller may act there."""
    if (known := stores.get(store)) is None:
        raise NoStoreError(field="storeId", store=store)
    if not caller.may_use_store(store):
        raise NotAllowedError(field="storeId", why="its key is for another store")
    return known


async def _with_items(prepared: list[BookPurchase | Problem], recorder: Recorder) -> list[BookPurchase | Problem]:
    """Give each command what is known of the items on its receipt, asked for once for all of them."""
    commands = [one for one in prepared if isinstance(one, BookPurchase)]
    codes = frozenset(line.item_code for one in commands for line in one.purchase.lines if line.item_code)
    if not codes:
        return prepared
    chain = commands[0].chain
    if not (await recorder.programs.of([chain]))[chain].needs_items:
        return prepared
    known = await recorder.items.items(chain, codes)
    return [one if isinstance(one, Problem) else replace(one, items=_items_of(one, known)) for one in prepared]


def _items_of(command: BookPurchase, known: Mapping[str, Item]) -> Mapping[str, Item]:
    return {line.item_code: known[line.item_code] for line in command.purchase.lines if line.item_code in known}


def _with_payer(receipt: Receipt, call: Call, recorder: Recorder) -> Receipt:
    """Put the payer's hash into the content; from here on nobody sees the identity itself."""
    if not receipt.payer_id:
        return receipt
    hashed = recorder.hasher.hash(call.caller.chain, f"payer:{receipt.content.payment_kind}", receipt.payer_id)
    return replace(receipt, content=replace(receipt.content, payer=hashed), payer_id="")


async def _buyers(receipts: Sequence[Receipt], call: Call, recorder: Recorder) -> _Buyers:
    found = _Buyers()
    identities = frozenset(receipt.buyer for receipt in receipts if isinstance(receipt.buyer, Identity))
    payers = {
        one.content.payer: Payer(
            one.content.payer, one.content.payment_kind, one.content.store, one.content.occurred_at
        )
        for one in receipts
        if one.buyer == "" and one.content.payer
    }
    try:
        if identities:
            found.by_identity = await recorder.members.resolve(call.caller.chain, identities)
        if payers:
            found.by_payer = await recorder.members.enroll_payers(call.caller.chain, list(payers.values()))
    except Problem as problem:
        if problem.kind not in AWAY:
            raise
        found.away = problem
    return found


def _purchase(receipt: Receipt, store: Store, buyers: _Buyers, call: Call, recorder: Recorder) -> tuple[Purchase, bool]:
    """Return the receipt with its buyer, and whether that may be an account that does not exist yet."""
    content = receipt.content
    if content.currency != store.currency:
        raise InvalidPurchaseError(field="currency", why=f"this store sells in {store.currency}")
    buyer, opens = "", False
    if isinstance(receipt.buyer, Identity):
        kind, value = receipt.buyer.kind, receipt.buyer.value
        buyer = f"{kind}:{recorder.hasher.hash(call.caller.chain, kind, value)}"
        member = buyers.by_identity.get(receipt.buyer, "")
    elif receipt.buyer:
        member = receipt.buyer
    elif content.payer:
        buyer, opens = f"payer:{content.payer}", True
        member = buyers.by_payer.get(content.payer, "")
    else:
        raise InvalidPurchaseError(field="memberId", why="it must say who bought: a member, an identity or a payer")
    if not member and buyers.away is not None:
        if not content.payer:  # only who paid is known well enough to be found again
            raise buyers.away.with_traceback(None)
        # Members cannot be asked, and the guest has paid: it is booked under the payer, and moved when it is known who.
        member, opens = payer_account(content.payer), True
    if not member:
        assert isinstance(receipt.buyer, Identity)  # noqa: S101 - narrows the type: payers are always enrolled
        raise NobodyError(field="identity", kind=receipt.buyer.kind)
    # A partner sells in its own name, whatever it writes on the receipt.
    partner = call.caller.id if call.caller.kind is Caller.PARTNER else content.partner
    is_whole = content.member == member and content.partner == partner and not buyer
    purchase = content if is_whole else replace(content, member=member, buyer=buyer, partner=partner)
    check(purchase, now=call.now)
    return purchase, opens


async def _book(prepared: Sequence[BookPurchase | Problem], recorder: Recorder) -> list[Recorded | Problem]:
    commands = [command for command in prepared if isinstance(command, BookPurchase)]
    answers = await _submit(commands, recorder) if commands else []
    answers = await _open_accounts(commands, answers, recorder)
    booked = iter(answers)
    return [one if isinstance(one, Problem) else next(booked) for one in prepared]


async def _submit(commands: Sequence[BookPurchase], recorder: Recorder) -> list[Recorded | Problem]:
    """Book in one commit. When that failed as a whole the call fails with it: its receipts can all be sent again."""
    answers: list[Recorded | Problem] = []
    for answer in await recorder.ledger.submit_all(commands):
        if isinstance(answer, Problem) and answer.kind not in BUSINESS:
            raise answer
        assert isinstance(answer, Recorded | Problem)  # noqa: S101 - narrows the type: what purchases are answered with
        answers.append(answer)
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
