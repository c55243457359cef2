"""The collections of members and their indexes."""

from pymongo import ASCENDING, IndexModel

from services.kit.mongo.collections import Keyed

CHAINS = Keyed("chains", ("chain",))
STORES = Keyed("stores", ("chain", "store"))
MENU_ITEMS = Keyed("menu_items", ("chain", "code"))
API_KEYS = Keyed("api_keys", ("secret_sha256",))
"""Keyed by the secret's hash, for whoever shows a secret has not yet said of which chain it is."""

API_KEY_PLACES = Keyed("api_key_places", ("chain", "key"))
"""Where a chain's keys lie in the other collection, by their ids."""

MEMBERS = Keyed("members", ("chain", "member"))
IDENTITIES = Keyed("identities", ("chain", "hash"))
"""Who has an identity. The unique index is what keeps it to one member, whatever else goes wrong."""

MERGES = Keyed("merges", ("chain", "merge"))

INDEXES = {
    CHAINS: [IndexModel([("chain", ASCENDING)], name="by_chain", unique=True)],
    # No unique index on the code: it cannot begin with the shard key. Saving takes turns by the chain's document.
    STORES: [
        IndexModel([("chain", ASCENDING), ("store", ASCENDING)], name="by_store", unique=True),
        IndexModel([("chain", ASCENDING), ("code", ASCENDING)], name="by_code"),
    ],
    MENU_ITEMS: [IndexModel([("chain", ASCENDING), ("code", ASCENDING)], name="by_code", unique=True)],
    API_KEYS: [IndexModel([("secret_sha256", ASCENDING)], name="by_secret", unique=True)],
    API_KEY_PLACES: [IndexModel([("chain", ASCENDING), ("key", ASCENDING)], name="by_key", unique=True)],
    MEMBERS: [IndexModel([("chain", ASCENDING), ("member", ASCENDING)], name="by_member", unique=True)],
    IDENTITIES: [IndexModel([("chain", ASCENDING), ("hash", ASCENDING)], name="by_hash", unique=True)],
}

MERGING_INDEXES = {
    IDENTITIES: [IndexModel([("chain", ASCENDING), ("member", ASCENDING)], name="by_member")],
    MERGES: [
        IndexModel([("chain", ASCENDING), ("merge", ASCENDING)], name="by_merge", unique=True),
        IndexModel([("chain", ASCENDING), ("absorbed", ASCENDING)], name="by_absorbed"),
    ],
}
