"""Stores and menu items saved over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import chains_pb2 as pb
from protos.members.v1.chains_pb2_grpc import ChainsStub
from services.kit.graph import INPUT, Caller, Info, SafeInt, UserError, allow, mutation
from services.members.graph.chains import MenuItem, Store, menu_item, store

WRITERS = allow(Caller.STAFF, scope="chain:write")


@strawberry.input(description="A store as it should be.")
class StoreInput:
    """A store."""

    code: str = strawberry.field(description="The chain's own short code; a known one changes that store.")
    name: str = strawberry.field(description="As people call it.")
    time_zone: str | None = strawberry.field(default=None, description="IANA name; null: the chain's.")
    region: str | None = strawberry.field(
        default=None, description="The chain's own code of the region, by which reports sum; null: none."
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


@strawberry.type
class ConfigurationMutation:
    """Saving. To save the same again changes nothing, so these go as calls that may be repeated."""

    @mutation(WRITERS, description="Adds or changes stores, by their code.")
    async def save_stores(self, info: Info, wish: Annotated[SaveStoresInput, INPUT]) -> SaveStoresPayload:
        """Save stores."""
        wanted = [
            pb.StoreInput(code=one.code, name=one.name, time_zone=one.time_zone or "", region=one.region or "")
            for one in wish.stores
        ]
        members = info.context.channel("members")
        answer = await members.ask(members.stub(ChainsStub).SaveStores, pb.SaveStoresRequest(stores=wanted))
        return SaveStoresPayload(user_errors=[], stores=[store(one) for one in answer.stores])

    @mutation(WRITERS, description="Adds or changes menu items, by their code.")
    async def save_menu_items(self, info: Info, wish: Annotated[SaveMenuItemsInput, INPUT]) -> SaveMenuItemsPayload:
        """Save menu items."""
        wanted = [
            pb.MenuItem(
                code=one.code,
                name=one.name,
                category=one.category or "",
                price_minor=one.price_minor,
                launched_on=one.launched_on or "",
            )
            for one in wish.items
        ]
        members = info.context.channel("members")
        answer = await members.ask(members.stub(ChainsStub).SaveMenuItems, pb.SaveMenuItemsRequest(items=wanted))
        return SaveMenuItemsPayload(user_errors=[], items=[menu_item(one) for one in answer.items])
