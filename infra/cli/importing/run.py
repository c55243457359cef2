"""One import's work with the platform: find the stores, enroll the members, book the purchases."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.cli.importing.mapping import Mapping
from infra.cli.importing.platform import Platform
from infra.cli.importing.progress import Progress
from infra.cli.importing.requests import Chain, Store, ask_chain, enroll, open_store, record
from infra.cli.importing.sending import Lanes
from infra.cli.importing.staging import Outcome, StagedMember, StagedPurchase, Staging, State
from services.kit.errors import Kind, Problem


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
        """Send the first `members` (None: all) and their purchases; return how many rows that were."""
        self._staging.forgive()
        up_to_row = self._staging.row_of_member(members) if members else None
        to_enroll, to_book = self._staging.waiting(up_to_row=up_to_row)
        if to_enroll:
            self._progress.start("members", total=to_enroll)
            enrolling: Lanes[StagedMember] = Lanes(
                count=lanes, batch=batch, key=lambda one: one.external_id, weight=lambda one: len(one.content)
            )
            await enrolling.send(self._staging.waiting_members(up_to_row=up_to_row), self._enroll)
            self._progress.finish()
        if to_book:
            self._progress.start("purchases", total=to_book)
            booking: Lanes[StagedPurchase] = Lanes(
                count=lanes, batch=batch, key=lambda one: one.member, weight=lambda one: len(one.lines)
            )
            await booking.send(self._staging.waiting_purchases(up_to_row=up_to_row), self._book)
            self._progress.finish()
        return to_enroll + to_book

    async def _enroll(self, members: Sequence[StagedMember]) -> None:
        fields = self._mapping.members
        assert fields is not None  # noqa: S101 - there are members
        self._staging.settle_members(await enroll(self._platform, members), file=fields.source.name)
        self._progress.advance(len(members))

    async def _book(self, purchases: Sequence[StagedPurchase]) -> None:
        fields, stores = self._mapping.purchases, self._target.stores
        assert fields is not None  # noqa: S101 - there are purchases
        known = [one for one in purchases if one.store in stores]
        outcomes = await record(self._platform, known, stores=stores, currency=fields.currency) if known else []
        outcomes += [_homeless(one) for one in purchases if one.store not in stores]
        self._staging.settle_purchases(outcomes, file=fields.source.name)
        self._progress.advance(len(purchases))


def _homeless(purchase: StagedPurchase) -> Outcome:
    reason = f"there is no store with the code {purchase.store!r} in this chain"
    return Outcome(purchase.row, State.REJECTED, path="storeId", reason=reason)
