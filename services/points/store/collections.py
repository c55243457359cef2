"""The collections of points and their indexes."""

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.kit.mongo.collections import Keyed

ACCOUNTS = Keyed("accounts", ("chain", "account"))
ENTRIES = Keyed("entries", ("chain", "account"))
RECEIPTS = Keyed("receipts", ("chain", "key"))
"""Keyed by "store/receipt number" in one field: see docs/decisions/0003."""
STORES = Keyed("stores", ("chain", "store"))
"""Copies of members' stores."""

INDEXES = {
    ACCOUNTS: [IndexModel([("chain", ASCENDING), ("account", ASCENDING)], unique=True)],
    ENTRIES: [IndexModel([("chain", ASCENDING), ("account", ASCENDING), ("version", DESCENDING)], unique=True)],
    RECEIPTS: [IndexModel([("chain", ASCENDING), ("key", ASCENDING)], unique=True)],
    STORES: [IndexModel([("chain", ASCENDING), ("store", ASCENDING)], unique=True)],
}
