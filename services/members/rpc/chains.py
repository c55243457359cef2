"""The Chains servicer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from protos.members.v1 import chains_pb2 as pb
from protos.members.v1 import chains_pb2_grpc
from services.kit.chain_clocks import SANDBOX_PREFIX, ChainClocks
from services.kit.clock import Clock
from services.kit.ids import MakeId
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import to_timestamp
from services.members.domain.api_keys import InvalidApiKeyError
from services.members.domain.places import Position
from services.members.rpc.places import item_proto, store_proto, wanted_item, wanted_store
from services.members.rpc.words import KEY_KIND_OF, KEY_KINDS, chain_proto
from services.members.usecases.api_keys import (
    KeyDesk,
    PartnerFinder,
    WantedKey,
    authenticate,
    create_api_key,
    revoke_api_key,
)
from services.members.usecases.chains import ChainFinder, ChainOpener, WantedChain, callers_chain, open_chain
from services.members.usecases.menu import Menu, get_menu_items, list_menu_items, save_menu_items, set_item_stock
from services.members.usecases.stores import Search, get_stores, nearest_stores, save_stores

SECRET_BYTES = 32


class Chains(ChainFinder, ChainOpener, Protocol):
    """Where chains are kept."""


@dataclass(frozen=True, slots=True)
class ChainsServicer(chains_pb2_grpc.ChainsServicer):
    """protos/members/v1/chains.proto. `random_bytes` returns so many bytes that nobody can guess.

    Chains are opened and keys made by the system's `clock`, which no sandbox moves; the rest is the chain's own.
    """

    chains: Chains
    menu: Menu
    partners: PartnerFinder
    keys: KeyDesk
    clock: Clock
    clocks: ChainClocks
    make_id: MakeId
    random_bytes: Callable[[int], bytes]

    async def OpenChain(self, request: pb.OpenChainRequest, _context: Any) -> pb.OpenChainResponse:  # noqa: N802 - gRPC's name
        """Open a chain."""
        now = self.clock()
        chain = await open_chain(
            WantedChain(request.name, request.currency, request.time_zone, request.sandbox),
            key=request.key,
            chain_id=self.make_id(SANDBOX_PREFIX if request.sandbox else "chn", now),
            identity_key=self.random_bytes(SECRET_BYTES),
            now=now,
            chains=self.chains,
        )
        return pb.OpenChainResponse(chain=chain_proto(chain))

    async def GetChain(self, _request: pb.GetChainRequest, _context: Any) -> pb.GetChainResponse:  # noqa: N802 - gRPC's name
        """Show the caller's chain."""
        return pb.GetChainResponse(chain=chain_proto(await callers_chain(caller(), chains=self.chains)))

    async def SaveStores(self, request: pb.SaveStoresRequest, _context: Any) -> pb.SaveStoresResponse:  # noqa: N802 - gRPC's name
        """Add or change stores."""
        who = caller()
        now = await self.clocks.now(who.chain)
        saved = await save_stores(
            [wanted_store(store, number=number) for number, store in enumerate(request.stores)],
            caller=who,
            now=now,
            chains=self.chains,
            stores=self.keys.stores,
            make_id=self.make_id,
            traceparent=current_traceparent(),
        )
        return pb.SaveStoresResponse(stores=[store_proto(store, now=now) for store in saved])

    async def GetStores(self, request: pb.GetStoresRequest, _context: Any) -> pb.GetStoresResponse:  # noqa: N802 - gRPC's name
        """Show stores."""
        who = caller()
        stores = await get_stores(request.ids, caller=who, stores=self.keys.stores)
        now = await self.clocks.now(who.chain)
        return pb.GetStoresResponse(stores=[store_proto(store, now=now) for store in stores])

    async def FindNearestStores(  # noqa: N802 - gRPC's name
        self, request: pb.FindNearestStoresRequest, _context: Any
    ) -> pb.FindNearestStoresResponse:
        """Find the nearest stores."""
        who = caller()
        now = await self.clocks.now(who.chain)
        near = Position(request.latitude, request.longitude)
        search = Search(near, request.first, within_m=request.max_distance_m, open_now=request.open_now)
        found = await nearest_stores(search, caller=who, now=now, stores=self.keys.stores)
        return pb.FindNearestStoresResponse(
            stores=[pb.NearStore(store=store_proto(one.store, now=now), distance_m=one.distance_m) for one in found]
        )

    async def SetStock(self, request: pb.SetStockRequest, _context: Any) -> pb.SetStockResponse:  # noqa: N802 - gRPC's name
        """Say whether a store has an item."""
        who = caller()
        item = await set_item_stock(
            request.code,
            store=request.store_id,
            in_stock=request.in_stock,
            caller=who,
            now=await self.clocks.now(who.chain),
            stores=self.keys.stores,
            menu=self.menu,
            traceparent=current_traceparent(),
        )
        return pb.SetStockResponse(item=item_proto(item))

    async def SaveMenuItems(self, request: pb.SaveMenuItemsRequest, _context: Any) -> pb.SaveMenuItemsResponse:  # noqa: N802 - gRPC's name
        """Add or change menu items."""
        who = caller()
        saved = await save_menu_items(
            [wanted_item(item) for item in request.items],
            caller=who,
            now=await self.clocks.now(who.chain),
            chains=self.chains,
            menu=self.menu,
            traceparent=current_traceparent(),
        )
        return pb.SaveMenuItemsResponse(items=[item_proto(item) for item in saved])

    async def GetMenuItems(self, request: pb.GetMenuItemsRequest, _context: Any) -> pb.GetMenuItemsResponse:  # noqa: N802 - gRPC's name
        """Show some of the menu."""
        items = await get_menu_items(request.codes, caller=caller(), menu=self.menu)
        return pb.GetMenuItemsResponse(items=[item_proto(item) for item in items])

    async def ListMenuItems(self, _request: pb.ListMenuItemsRequest, _context: Any) -> pb.ListMenuItemsResponse:  # noqa: N802 - gRPC's name
        """Show the menu."""
        items = await list_menu_items(caller=caller(), menu=self.menu)
        return pb.ListMenuItemsResponse(items=[item_proto(item) for item in items])

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, _context: Any) -> pb.CreateApiKeyResponse:  # noqa: N802 - gRPC's name
        """Make a key."""
        if (kind := KEY_KINDS.get(request.kind)) is None:
            raise InvalidApiKeyError(field="kind", why="it is for a member, a staff member, a partner or a till")
        now = self.clock()
        created = await create_api_key(
            WantedKey(kind, request.subject, frozenset(request.scopes), frozenset(request.store_ids), request.role),
            caller=caller(),
            key_id=self.make_id("key", now),
            randomness=self.random_bytes(SECRET_BYTES),
            now=now,
            desk=self.keys,
        )
        return pb.CreateApiKeyResponse(id=created.key.id, secret=created.secret)

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, _context: Any) -> pb.RevokeApiKeyResponse:  # noqa: N802 - gRPC's name
        """Revoke a key."""
        revoked_at = await revoke_api_key(request.id, caller=caller(), now=self.clock(), keys=self.keys.keys)
        return pb.RevokeApiKeyResponse(revoked_at=to_timestamp(revoked_at))

    async def Authenticate(self, request: pb.AuthenticateRequest, _context: Any) -> pb.AuthenticateResponse:  # noqa: N802 - gRPC's name
        """Tell whose a secret is."""
        key = await authenticate(
            request.secret_sha256, keys=self.keys.keys, members=self.keys.members, partners=self.partners
        )
        return pb.AuthenticateResponse(
            chain_id=key.chain,
            kind=KEY_KIND_OF[key.kind],
            id=key.caller_id,
            scopes=sorted(key.scopes),
            store_ids=sorted(key.stores),
            role=key.role,
        )
