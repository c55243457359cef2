"""One import's work with the platform: find the stores, enroll the members, open balances, book what was bought and
taken back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from infra.cli.importing.mapping import Mapping
from infra.cli.importing.platform import Platform
from infra.cli.importing.progress import Progress
from infra.cli.importing.requests import (
    Chain,
    Store,
    ask_chain,
    close_job,
    create_job,
    grant_levels,
    import_rows,
    open_balances,
    open_store,
    record,
    refund,
)
from infra.cli.importing.sending import Lanes
from infra.cli.importing.staged import Document, Outcome, StagedJob, StagedOpening, StagedPurchase, StagedRefund, State
from infra.cli.importing.staging import Staging
from services.kit.errors import Kind, Problem

LEVELS_AT_ONCE = 20
"""Each is a command of its own."""


class NoStoreError(Problem):
    """The chain {chain} has no store with the code {code}; it has {known}. Create it first, or let the mapping do so:
    [store] with create = {{ name = "…" }}."""

    kind = Kind.NOT_FOUND
    code = "NO_STORE"


class CurrencyError(Problem):
    """The mapping says that amounts are {wanted}, but the store {code} sells in {found}."""

    kind = Kind.INVALID
    code = "CURRENCY"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the rows go. `stores` has what a staged purchase names: a code, or "" for the mapping's store."""

    chain: Chain
    stores: dict[str, Store]


async def prepare(platform: Platform, mapping: Mapping) -> Target:
    """Find the chain and its stores, and open the mapping's store where it is missing.

    Raises `NoStoreError`, `CurrencyError` and what `Platform.ask` raises.
    """
    chain = await ask_chain(platform)
    stores = dict(chain.stores)
    if (choice := mapping.store) is not None:
        store = stores.get(choice.code)
        if store is None and choice.create is not None:
            store = await open_store(platform, choice.code, choice.create)
        if store is None:
            known = ", ".join(sorted(stores)[:20]) or "none"
            raise NoStoreError(chain=chain.name, code=choice.code, known=known)
        stores |= {store.code: store, "": store}
    wanted = mapping.purchases.currency if mapping.purchases else ""
    for store in stores.values() if mapping.store is None else [stores[""]]:
        if wanted and store.currency != wanted:
            raise CurrencyError(wanted=wanted, code=store.code, found=store.currency)
    return Target(chain, stores)


class Import:
    """Sends what waits in a staging file."""

    def __init__(
        self, platform: Platform, staging: Staging, *, mapping: Mapping, target: Target, progress: Progress
    ) -> None:
        self._platform, self._staging, self._mapping = platform, staging, mapping
        self._target, self._progress = target, progress

    async def send(self, *, members: int | None, batch: int, lanes: int) -> int:
        """Send the first `members` (None: all) and what is theirs; return how many rows that were."""
        self._staging.forgive()
        up_to_row = self._staging.row_of_member(members) if members else None
        waiting = self._staging.waiting(up_to_row=up_to_row)
        if waiting.members or self._staging.job():
            self._progress.start("members", total=waiting.members)
            await self._import_members(batch, total=waiting.members, up_to_row=up_to_row)
            self._progress.finish()

        levels = await self._grant_levels()

        async def open_all() -> None:
            self._progress.start("opening balances", total=waiting.openings)
            opening: Lanes[StagedOpening] = Lanes(
                count=lanes, batch=batch, key=lambda one: one.key, weight=lambda one: len(one.lots)
            )
            await opening.send(self._staging.waiting_openings(up_to_row=up_to_row), self._open)
            self._progress.finish()

        fields = self._mapping.openings
        if waiting.openings and fields and not fields.after_purchases:
            await open_all()
        if to_book := waiting.purchases + waiting.refunds:
            self._progress.start("purchases and refunds" if waiting.refunds else "purchases", total=to_book)
            booking: Lanes[Document] = Lanes(
                count=lanes, batch=batch, key=lambda one: one.member, weight=lambda one: len(one.lines)
            )
            await booking.send(self._staging.waiting_documents(up_to_row=up_to_row), self._book)
            self._progress.finish()
        if waiting.openings and fields and fields.after_purchases:
            await open_all()
        return waiting.members + levels + waiting.openings + to_book

    async def _import_members(self, batch: int, *, total: int, up_to_row: int | None) -> None:
        """Feed the platform's import row by row in their order, each call on record before it is made.

        So a call that was made and not answered is made again with the same rows, whatever this run was asked for.
        """
        fields = self._mapping.members
        assert fields is not None  # noqa: S101 - there are members
        staging, file = self._staging, fields.source.name
        job = staging.job() or StagedJob(f"import-{uuid4().hex}", "", 0, ())
        if not job.id:
            staging.keep_job(job)
            id_ = await create_job(self._platform, job.key, file=file, rows=total, duplicates=fields.duplicates)
            job = replace(job, id=id_)
        while rows := job.sending or staging.next_members(batch, up_to_row=up_to_row):
            job = replace(job, sending=rows)
            staging.keep_job(job)
            members = staging.members_in(rows)
            outcomes = await import_rows(self._platform, job, members, stores=self._target.stores)
            job = replace(job, sent=job.sent + len(rows), sending=())
            staging.settle_members(outcomes, file=file, job=job)
            self._progress.advance(len(rows))
        if up_to_row is None:
            await close_job(self._platform, job)
            staging.keep_job(None)

    async def _grant_levels(self) -> int:
        """Give the levels of those who are in, and return how many that were."""
        fields, sent = self._mapping.members, 0
        while fields and (levels := self._staging.waiting_levels(LEVELS_AT_ONCE)):
            outcomes = await grant_levels(self._platform, levels, reason=fields.level_reason)
            self._staging.settle_levels(outcomes, file=fields.source.name)
            sent += len(levels)
        return sent

    async def _open(self, openings: Sequence[StagedOpening]) -> None:
        fields = self._mapping.openings
        assert fields is not None  # noqa: S101 - there are balances
        self._staging.settle_openings(await open_balances(self._platform, openings), file=fields.source.name)
        self._progress.advance(len(openings))

    async def _book(self, documents: Sequence[Document]) -> None:
        for purchases, refunds in rounds(documents):
            if purchases:
                await self._book_purchases(purchases)
            if refunds:
                await self._book_refunds(refunds)
        self._progress.advance(len(documents))

    async def _book_purchases(self, purchases: Sequence[StagedPurchase]) -> None:
        fields, stores = self._mapping.purchases, self._target.stores
        assert fields is not None  # noqa: S101 - there are purchases
        known = [one for one in purchases if one.store in stores]
        outcomes = await record(self._platform, known, stores=stores, currency=fields.currency) if known else []
        outcomes += [_homeless(one) for one in purchases if one.store not in stores]
        self._staging.settle_purchases(outcomes, file=fields.source.name)

    async def _book_refunds(self, refunds: Sequence[StagedRefund]) -> None:
        """Book those whose receipt is in the ledger: without it a refund would wait there for ever."""
        stores = self._target.stores
        booked = self._staging.booked([one.purchase for one in refunds])
        known = [one for one in refunds if one.purchase in booked and one.store in stores]
        outcomes = await refund(self._platform, known, stores=stores) if known else []
        settled = list(zip(known, outcomes, strict=True))
        for one in refunds:
            if one.purchase not in booked:
                reason = f"its receipt {one.receipt_number} was not booked"
                settled.append((one, Outcome(one.row, State.REJECTED, path="refundedReceipt", reason=reason)))
            elif one.store not in stores:
                settled.append((one, _homeless(one)))
        self._staging.settle_refunds(settled)


def rounds(documents: Sequence[Document]) -> list[tuple[list[StagedPurchase], list[StagedRefund]]]:
    """Part documents so that purchases of one round, then its refunds, then the next round keep each member's order."""
    found: list[tuple[list[StagedPurchase], list[StagedRefund]]] = []
    last: dict[str, tuple[int, bool]] = {}  # member → the latest round, and whether it has a refund of theirs
    for one in documents:
        place, refunded = last.get(one.member, (0, False))
        if isinstance(one, StagedPurchase) and refunded:
            place, refunded = place + 1, False
        while len(found) <= place:
            found.append(([], []))
        if isinstance(one, StagedPurchase):
            found[place][0].append(one)
        else:
            found[place][1].append(one)
            refunded = True
        last[one.member] = (place, refunded)
    return found


def _homeless(document: Document) -> Outcome:
    reason = f"there is no store with the code {document.store!r} in this chain"
    return Outcome(document.row, State.REJECTED, path="storeId", reason=reason)
