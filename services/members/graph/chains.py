"""The chain, its stores and its menu in the graph."""

import strawberry

from protos.members.v1 import chains_pb2 as pb
from protos.members.v1.chains_pb2_grpc import ChainsStub
from services.kit.graph import Caller, GraphContext, SafeInt, allow, loader
from services.members.graph.places import Address, OpeningHours, Position, address, hours, position

EVERYBODY = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL)


@strawberry.type(description="A chain of restaurants or shops.")
class Chain:
    """A chain."""

    id: strawberry.ID = strawberry.field(description="`chn_…`.")
    name: str = strawberry.field(description="As people call it.")
    currency: str = strawberry.field(description="ISO 4217; what its stores sell in.")
    time_zone: str = strawberry.field(description="IANA name; its stores' unless they have their own.")
    sandbox: bool = strawberry.field(description="For trying things out: has no real guests.")


@strawberry.type(description="A place where the chain sells.")
class Store:
    """A store."""

    id: strawberry.ID = strawberry.field(description="`sto_…`.")
    code: str = strawberry.field(description="The chain's own short code.")
    name: str = strawberry.field(description="As people call it.")
    time_zone: str = strawberry.field(description='IANA name, like "Asia/Shanghai".')
    currency: str = strawberry.field(description="ISO 4217; what it sells in.")
    region: str | None = strawberry.field(description="The chain's own code of the region; null: none.")
    version: SafeInt = strawberry.field(description="Grows by one with every change.")
    brand: str | None = strawberry.field(description="The chain's own code of the brand; null: none.")
    address: Address | None = strawberry.field(description="Null: not known.")
    position: Position | None = strawberry.field(description="Null: not known.")
    hours: OpeningHours | None = strawberry.field(description="When it is open; null: not known.")
    closed: bool = strawberry.field(description="Closed for good.")
    is_open: bool | None = strawberry.field(description="Open at this moment; null: its hours are not known.")


@strawberry.type(description="A store, and how far it is.")
class NearStore:
    """A store nearby."""

    store: Store = strawberry.field(description="The store.")
    distance_m: int = strawberry.field(description="Metres as the crow flies.")


@strawberry.type(description="Something that can be ordered.")
class MenuItem:
    """A menu item."""

    code: str = strawberry.field(description="The chain's own code.")
    name: str = strawberry.field(description="As the guest reads it.")
    category: str | None = strawberry.field(description='Like "noodles"; null: none.')
    price_minor: SafeInt = strawberry.field(description="In the minor unit of the chain's currency.")
    version: SafeInt = strawberry.field(description="Grows by one with every change.")
    launched_on: str | None = strawberry.field(
        description='Since which local day it is sold, like "2026-03-01"; null: not known.'
    )
    cost_minor: SafeInt | None = strawberry.field(
        description="What it costs the chain, in the same unit; null: not known, or not for the caller, who must be "
        "staff with the scope chain:write or insight:read."
    )
    on_sale: bool = strawberry.field(description="Can be ordered at all.")
    in_stock: bool = strawberry.field(description="The chain has it, but for `stockExceptions`.")
    stock_exceptions: list[strawberry.ID] = strawberry.field(
        description="The stores where it is the other way round than `inStock` says; up to 500."
    )
    brand: str | None = strawberry.field(description="The chain's own code of the brand; null: none.")


@loader(most=1_000)
async def stores(context: GraphContext, ids: list[str]) -> list[Store | None]:
    """Fetch stores; None where there is none of that id."""
    members = context.channel("members")
    answer = await members.ask(members.stub(ChainsStub).GetStores, pb.GetStoresRequest(ids=ids))
    found = {one.id: store(one) for one in answer.stores}
    return [found.get(id_) for id_ in ids]


def chain(one: pb.Chain) -> Chain:
    """Make it of the proto."""
    return Chain(
        id=strawberry.ID(one.id), name=one.name, currency=one.currency, time_zone=one.time_zone, sandbox=one.sandbox
    )


def store(one: pb.Store) -> Store:
    """Make it of the proto."""
    return Store(
        id=strawberry.ID(one.id),
        code=one.code,
        name=one.name,
        time_zone=one.time_zone,
        currency=one.currency,
        region=one.region or None,
        version=one.version,
        brand=one.brand or None,
        address=address(one.address) if one.HasField("address") else None,
        position=position(one.position) if one.HasField("position") else None,
        hours=hours(one.hours) if one.HasField("hours") else None,
        closed=one.closed,
        is_open=one.is_open if one.HasField("is_open") else None,
    )


def menu_item(one: pb.MenuItem) -> MenuItem:
    """Make it of the proto."""
    return MenuItem(
        code=one.code,
        name=one.name,
        category=one.category or None,
        price_minor=one.price_minor,
        version=one.version,
        launched_on=one.launched_on or None,
        cost_minor=one.cost.minor if one.HasField("cost") else None,
        on_sale=one.on_sale,
        in_stock=one.in_stock,
        stock_exceptions=[strawberry.ID(store_id) for store_id in one.stock_exception_store_ids],
        brand=one.brand or None,
    )
