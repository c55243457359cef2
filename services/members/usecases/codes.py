"""QR codes: make them, tell where one hangs, revoke one."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.principal import NotAllowedError, Principal
from services.members.domain.codes import CODE_BYTES, NoQrCodeError, Place, QrCode, check_places, qr_code_of
from services.members.domain.enrollment import check_command_key
from services.members.domain.stores import NoStoreError, Store
from services.members.usecases.limits import check_count
from services.members.usecases.stores import Stores


class QrCodes(Protocol):
    """Where codes are kept."""

    async def add(self, codes: Sequence[QrCode], *, chain: str, key: str, now: datetime) -> list[QrCode]:
        """Keep new codes, or return those that the same command key made before, in their order.

        Raises KeyReusedError when those are for other places.
        """

    async def find(self, chain: str, code: str) -> QrCode | None:
        """Return the code, revoked or not."""

    async def find_all(self, chain: str, codes: Collection[str]) -> Sequence[QrCode]:
        """Return those of `codes` that exist, revoked or not."""

    async def of_store(self, chain: str, store: str, *, after: str, most: int) -> Sequence[QrCode]:
        """Return up to `most` codes of a store behind the code `after`, in the order of the codes."""

    async def revoke(self, chain: str, code: str, *, now: datetime) -> None:
        """Mark the code revoked, unless it is."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a code hangs. It is `good` until it is revoked or its store is closed for good."""

    code: QrCode
    store: Store
    good: bool


@dataclass(frozen=True, slots=True)
class CodeDesk:
    """What codes need from outside. `random_bytes` returns so many bytes that nobody can guess."""

    codes: QrCodes
    stores: Stores
    random_bytes: Callable[[int], bytes]


async def create_qr_codes(
    store: str, places: Sequence[Place], *, key: str, caller: Principal, now: datetime, desk: CodeDesk
) -> list[QrCode]:
    """Make a code for each of `places`, in their order. The same key gives the same codes."""
    check_command_key(key)
    check_count(places, field="places")
    check_places(places)
    _check_store(store, caller)
    if not await desk.stores.find(caller.chain, frozenset({store})):
        raise NoStoreError(field="storeId", store=store)
    codes = [QrCode(qr_code_of(desk.random_bytes(CODE_BYTES)), store, place, now) for place in places]
    return await desk.codes.add(codes, chain=caller.chain, key=key, now=now)


async def resolve_qr_code(code: str, *, caller: Principal, desk: CodeDesk) -> Resolved:
    """Return where the code hangs, and whether it is still good."""
    found = await desk.codes.find(caller.chain, code)
    stores = await desk.stores.find(caller.chain, frozenset({found.store})) if found else []
    if found is None or not stores:
        raise NoQrCodeError(field="code")
    return _resolved(found, stores[0])


async def resolve_qr_codes(codes: Collection[str], *, caller: Principal, desk: CodeDesk) -> Mapping[str, Resolved]:
    """Return where those of `codes` that exist hang, by code, and whether they are still good."""
    found = await desk.codes.find_all(caller.chain, codes) if codes else ()
    stores = await desk.stores.find(caller.chain, frozenset(one.store for one in found)) if found else ()
    by_id = {store.id: store for store in stores}
    return {one.code: _resolved(one, by_id[one.store]) for one in found if one.store in by_id}


async def list_qr_codes(
    store: str, *, first: int, after: str, caller: Principal, desk: CodeDesk
) -> tuple[list[Resolved], str]:
    """Return a page of a store's codes, revoked ones too, and behind which code the next begins; empty: no more."""
    _check_store(store, caller)
    stores = await desk.stores.find(caller.chain, frozenset({store}))
    if not stores:
        raise NoStoreError(field="storeId", store=store)
    found = await desk.codes.of_store(caller.chain, store, after=after, most=first + 1)
    page = [_resolved(one, stores[0]) for one in found[:first]]
    return page, page[-1].code.code if len(found) > first else ""


async def revoke_qr_code(code: str, *, caller: Principal, now: datetime, desk: CodeDesk) -> Resolved:
    """Make the code worthless, for ever; return it. The first time holds."""
    found = await resolve_qr_code(code, caller=caller, desk=desk)
    _check_store(found.store.id, caller)
    await desk.codes.revoke(caller.chain, code, now=now)
    return await resolve_qr_code(code, caller=caller, desk=desk)


def _resolved(code: QrCode, store: Store) -> Resolved:
    return Resolved(code, store, good=code.revoked_at is None and not store.closed)


def _check_store(store: str, caller: Principal) -> None:
    if not caller.may_use_store(store):
        raise NotAllowedError(field="storeId", why="its key is for other stores")
