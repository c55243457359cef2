"""Stores and menu items saved over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import chains_pb2 as pb
from protos.members.v1.chains_pb2_grpc import ChainsStub
from services.kit.graph import INPUT, Caller, Info, SafeInt, UserError, allow, mutation
from services.members.graph.chains import MenuItem, Store, menu_item, store
from services.members.graph.places import (
    AddressInput,
    OpeningHoursInput,
    PositionInput,
    address_proto,
    hours_proto,
    position_proto,
)

WRITERS = allow(Caller.STAFF, scope="chain:write")
STOCK_KEEPERS = allow(Caller.STAFF, Caller.TILL, scope="stock:write")

STAYS = "Left out: stays as it is"


@strawberry.input(
    description="A store as it should be. Name, zone and region are as they are said each time; of the rest, what is "
    "left out stays as it is (in a new store: none), and null takes it away."
)
class StoreInput:
    """A store."""

    code: str = strawberry.field(description="The chain's own short code; a known one changes that store.")
    name: str = strawberry.field(description="As people call it.")
    time_zone: str | None = strawberry.field(default=None, description="IANA name; null: the chain's.")
    region: str | None = strawberry.field(
        default=None,
        description="The chain's own code of the region, by which reports sum; null: none. A chain that has saved "
        "regions names those only; one that has saved none uses whatever codes it likes.",
    )
    brand: str | None = strawberry.field(
        default=strawberry.UNSET, description=f"The code of a saved brand. {STAYS}; null: none."
    )
    address: AddressInput | None = strawberry.field(
        default=strawberry.UNSET, description=f"Where it is. {STAYS}; null: not known."
    )
    position: PositionInput | None = strawberry.field(
        default=strawberry.UNSET, description=f"By which it is found. {STAYS}; null: not known."
    )
    hours: OpeningHoursInput | None = strawberry.field(
        default=strawberry.UNSET, description=f"When it is open. {STAYS}; null: not known."
    )
    closed: bool | None = strawberry.field(
        default=strawberry.UNSET, description=f"Closed for good. {STAYS}; null: it is not."
    )


@strawberry.input(description="Stores as they should be.")
class SaveStoresInput:
    """Stores."""

    stores: list[StoreInput] = strawberry.field(description="Up to 1,000, all or none.")


@strawberry.input(description="A menu item as it should be.")
class MenuItemInput:
    """A menu item."""

    code: str = strawberry.field(description="The chain's own code; a known one changes that item.")
    name: str = strawberry.field(description="As the guest reads it.")
    price_minor: SafeInt = strawberry.field(description="In the minor unit of the chain's currency.")
    category: str | None = strawberry.field(default=None, description='Like "noodles"; null: none.')
    launched_on: str | None = strawberry.field(
        default=None, description='Since which local day it is sold, like "2026-03-01"; null: not known.'
    )
    cost_minor: SafeInt | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"What it costs the chain, in the same unit as the price. {STAYS}; null: not known.",
    )
    on_sale: bool | None = strawberry.field(
        default=strawberry.UNSET, description=f"Can be ordered at all. {STAYS}, and is true in a new item; null: true."
    )
    in_stock: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="The chain has it; another value than before clears what single stores have said. "
        f"{STAYS}, and is true in a new item; null: true.",
    )
    brand: str | None = strawberry.field(
        default=strawberry.UNSET, description=f"The code of a saved brand. {STAYS}; null: none."
    )


@strawberry.input(description="Whether a store has an item.")
class SetStockInput:
    """Stock."""

    code: str = strawberry.field(description="The menu item's code.")
    in_stock: bool = strawberry.field(description="The store has it.")
    store_id: strawberry.ID | None = strawberry.field(
        default=None, description="Which store; null: the whole chain, for a till its own store."
    )


@strawberry.input(description="Menu items as they should be.")
class SaveMenuItemsInput:
    """Menu items."""

    items: list[MenuItemInput] = strawberry.field(description="Up to 1,000, all or none.")


@strawberry.enum(description="Why nothing was saved.")
class SaveErrorCode(Enum):
    """Codes of `SaveError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_STORE = strawberry.enum_value("INVALID_STORE", description="No store can be like that.")
    INVALID_MENU_ITEM = strawberry.enum_value("INVALID_MENU_ITEM", description="No menu item can be like that.")
    INVALID_HOURS = strawberry.enum_value("INVALID_HOURS", description="No store can be open like that.")
    INVALID_PLACE = strawberry.enum_value("INVALID_PLACE", description="No store can be there.")
    BRAND_NOT_FOUND = strawberry.enum_value("BRAND_NOT_FOUND", description="Nobody saved this brand.")
    REGION_NOT_FOUND = strawberry.enum_value("REGION_NOT_FOUND", description="Nobody saved this region.")
    REGION_CYCLE = strawberry.enum_value("REGION_CYCLE", description="A region would lie within itself.")
    STORE_NOT_FOUND = strawberry.enum_value("STORE_NOT_FOUND", description="There is no such store.")
    MENU_ITEM_NOT_FOUND = strawberry.enum_value("MENU_ITEM_NOT_FOUND", description="There is no such menu item.")
    TOO_MANY_STOCK_EXCEPTIONS = strawberry.enum_value(
        "TOO_MANY_STOCK_EXCEPTIONS", description="Say it for the whole chain instead."
    )
    TOO_MANY_IN_CHAIN = strawberry.enum_value("TOO_MANY_IN_CHAIN", description="More than a chain can have.")
    TOO_MANY_STORES = strawberry.enum_value("TOO_MANY_STORES", description="More than a chain can have.")
    TOO_MANY_MENU_ITEMS = strawberry.enum_value("TOO_MANY_MENU_ITEMS", description="More than a chain can have.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why nothing was saved.")
class SaveError(UserError):
    """An item of `userErrors`."""

    code: SaveErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The stores, or why none was saved.")
class SaveStoresPayload:
    """Saved stores."""

    user_errors: list[SaveError] = strawberry.field(description="Empty: they are as they should be.")
    stores: list[Store] = strawberry.field(default_factory=list, description="In the order of the input.")


@strawberry.type(description="The menu items, or why none was saved.")
class SaveMenuItemsPayload:
    """Saved menu items."""

    user_errors: list[SaveError] = strawberry.field(description="Empty: they are as they should be.")
    items: list[MenuItem] = strawberry.field(default_factory=list, description="In the order of the input.")


@strawberry.type(description="The menu item, or why nothing was noted.")
class SetStockPayload:
    """What a store has."""

    user_errors: list[SaveError] = strawberry.field(description="Empty: it is noted.")
    item: MenuItem | None = strawberry.field(default=None, description="As it is now; null when nothing was noted.")


@strawberry.type
class SavingMutation:
    """Saving. To save the same again changes nothing, so these go as calls that may be repeated."""

    @mutation(WRITERS, description="Adds or changes stores, by their code.")
    async def save_stores(self, info: Info, wish: Annotated[SaveStoresInput, INPUT]) -> SaveStoresPayload:
        """Save stores."""
        wanted = [_store_of(one) for one in wish.stores]
        members = info.context.channel("members")
        answer = await members.ask(members.stub(ChainsStub).SaveStores, pb.SaveStoresRequest(stores=wanted))
        return SaveStoresPayload(user_errors=[], stores=[store(one) for one in answer.stores])

    @mutation(WRITERS, description="Adds or changes menu items, by their code.")
    async def save_menu_items(self, info: Info, wish: Annotated[SaveMenuItemsInput, INPUT]) -> SaveMenuItemsPayload:
        """Save menu items."""
        wanted = [_item_of(one) for one in wish.items]
        members = info.context.channel("members")
        answer = await members.ask(members.stub(ChainsStub).SaveMenuItems, pb.SaveMenuItemsRequest(items=wanted))
        return SaveMenuItemsPayload(user_errors=[], items=[menu_item(one) for one in answer.items])

    @mutation(STOCK_KEEPERS, description="Says whether a store has a menu item, or has run out of it.")
    async def set_stock(self, info: Info, wish: Annotated[SetStockInput, INPUT]) -> SetStockPayload:
        """Note what a store has."""
        members = info.context.channel("members")
        request = pb.SetStockRequest(code=wish.code, store_id=wish.store_id or "", in_stock=wish.in_stock)
        answer = await members.ask(members.stub(ChainsStub).SetStock, request)
        return SetStockPayload(user_errors=[], item=menu_item(answer.item))


def _store_of(wish: StoreInput) -> pb.StoreInput:
    """Return the store as the service takes it: what is unset stays, what is set and empty is taken away."""
    made = pb.StoreInput(code=wish.code, name=wish.name, time_zone=wish.time_zone or "", region=wish.region or "")
    if wish.brand is not strawberry.UNSET:
        made.brand = wish.brand or ""
    if wish.address is not strawberry.UNSET:
        made.address.CopyFrom(address_proto(wish.address))
    if wish.position is not strawberry.UNSET:
        made.position.CopyFrom(position_proto(wish.position))
    if wish.hours is not strawberry.UNSET:
        made.hours.CopyFrom(hours_proto(wish.hours))
    if wish.closed is not strawberry.UNSET:
        made.closed = bool(wish.closed)
    return made


def _item_of(wish: MenuItemInput) -> pb.MenuItem:
    made = pb.MenuItem(
        code=wish.code,
        name=wish.name,
        category=wish.category or "",
        price_minor=wish.price_minor,
        launched_on=wish.launched_on or "",
    )
    if wish.cost_minor is not strawberry.UNSET:
        made.cost.CopyFrom(pb.MenuItemCost(minor=wish.cost_minor))
    if wish.on_sale is not strawberry.UNSET:
        made.on_sale = wish.on_sale is not False
    if wish.in_stock is not strawberry.UNSET:
        made.in_stock = wish.in_stock is not False
    if wish.brand is not strawberry.UNSET:
        made.brand = wish.brand or ""
    return made
