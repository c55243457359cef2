"""Values of the chain's own as protos, and back."""

from protos.common.v1 import access_pb2
from protos.members.v1 import chains_pb2
from services.members.domain.api_keys import KeyKind
from services.members.domain.chains import Chain
from services.members.domain.menu import MenuItem
from services.members.domain.stores import Store

KEY_KINDS = {access_pb2.CallerKind.Value(f"CALLER_KIND_{kind.name}"): kind for kind in KeyKind}
KEY_KIND_OF = {kind: number for number, kind in KEY_KINDS.items()}


def chain_proto(chain: Chain) -> chains_pb2.Chain:
    """Return the chain without its secret."""
    return chains_pb2.Chain(
        id=chain.id, name=chain.name, currency=chain.currency, time_zone=chain.time_zone, sandbox=chain.sandbox
    )


def store_proto(store: Store) -> chains_pb2.Store:
    """Return the store."""
    return chains_pb2.Store(
        id=store.id,
        code=store.code,
        name=store.name,
        time_zone=store.time_zone,
        currency=store.currency,
        version=store.version,
        region=store.region,
    )


def item_proto(item: MenuItem) -> chains_pb2.MenuItem:
    """Return the menu item."""
    return chains_pb2.MenuItem(
        code=item.code,
        name=item.name,
        category=item.category,
        price_minor=item.price_minor,
        version=item.version,
        launched_on=item.launched_on,
    )


def wanted_item(item: chains_pb2.MenuItem) -> MenuItem:
    """Return the menu item as the caller wants it."""
    return MenuItem(item.code, item.name, item.category, item.price_minor, launched_on=item.launched_on)
