"""The collections of points and their indexes."""

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.kit.mongo.collections import Keyed

ACCOUNTS = Keyed("accounts", ("chain", "account"))
ENTRIES = Keyed("entries", ("chain", "account"))
"""A document for each posting."""
LOTS = Keyed("lots", ("chain", "account"))
HOLDS = Keyed("holds", ("chain", "account"))
NOTES = Keyed("notes", ("chain", "account"))
"""Free texts that entries keep a commitment of; these alone are erased."""
RECEIPTS = Keyed("receipts", ("chain", "key"))
"""Keyed by "store/receipt number" in one field: see docs/decisions/0003."""
REFUNDS = Keyed("refunds", ("chain", "key"))
"""Keyed by "store/refund number"; one that has its receipt stands in the receipt's document too."""
ADJUSTMENTS = Keyed("adjustments", ("chain", "adjustment"))
STORES = Keyed("stores", ("chain", "store"))
"""Copies of members' stores."""
MENU_ITEMS = Keyed("menu_items", ("chain", "code"))
"""Copies of members' menu items."""
PAYERS = Keyed("payers", ())
"""Accounts of payers whom members could not be asked about, of all chains, until they are moved: few, or none."""
MERGE_WISHES = Keyed("merge_wishes", ())
"""Merges and their undoing, of all chains, until the ledger has carried them out: few, or none."""
ERASURES = Keyed("erasures", ("chain", "account"))
"""Whose free texts were erased, so that the same can be done to a backup that was restored."""
DAYS = Keyed("ledger_days", ("chain", "day"))
"""Sums of the journal, a document for each day that has ended: reports add them up."""
SEALS = Keyed("seals", ("chain", "day"))
PROGRAMS = Keyed("programs", ("chain", "version"))
"""Published versions; the one that every chain starts with is not among them."""
PROGRAM_DRAFTS = Keyed("program_drafts", ("chain", "name"))
PROGRAM_REVIEWS = Keyed("program_reviews", ())
"""Versions, of all chains, after which accounts must be looked at again: few, or none."""
CHAINS = Keyed("chains", ("chain",))
"""In which zone each chain counts its days, as members told once."""
SALES_NEWS = Keyed("sales_news", ("chain",))
"""What was sold and is not in the sums yet: a document for each batch that was heard of."""
SALES = Keyed("sales", ("chain", "store"))
"""Sums of a store's day, or month, by weekday, hour and channel."""
ITEM_SALES = Keyed("item_sales", ("chain", "store"))
"""The same by item."""
GUEST_MONTHS = Keyed("guest_months", ("chain", "account"))
"""How often a member bought in a month, so that it is known who did again."""
SALES_GENERATIONS = Keyed("sales_generations", ("chain",))
"""Which counting of a chain's sales reports read, and how far another one is; none: number 0, from events alone."""

PLACE = [("chain", ASCENDING), ("store", ASCENDING), ("generation", ASCENDING), ("span", ASCENDING)]

INDEXES = {
    ACCOUNTS: [
        IndexModel([("chain", ASCENDING), ("account", ASCENDING)], unique=True),
        IndexModel(
            [("chain", ASCENDING), ("due_at", ASCENDING)],
            name="due",
            partialFilterExpression={"due_at": {"$type": "date"}},
        ),
    ],
    ENTRIES: [
        IndexModel([("chain", ASCENDING), ("account", ASCENDING), ("version", DESCENDING)], unique=True),
        IndexModel([("chain", ASCENDING), ("booked_at", ASCENDING)]),
    ],
    LOTS: [
        IndexModel([("chain", ASCENDING), ("account", ASCENDING), ("open", ASCENDING), ("lot", ASCENDING)]),
        IndexModel(
            [("chain", ASCENDING), ("expires_at", ASCENDING)],
            partialFilterExpression={"open": True, "expires_at": {"$type": "date"}},
        ),
    ],
    HOLDS: [
        IndexModel([("chain", ASCENDING), ("account", ASCENDING), ("hold", ASCENDING)], unique=True),
        IndexModel([("chain", ASCENDING), ("hold", ASCENDING)]),
    ],
    NOTES: [IndexModel([("chain", ASCENDING), ("account", ASCENDING), ("note", ASCENDING)])],
    RECEIPTS: [
        IndexModel([("chain", ASCENDING), ("key", ASCENDING)], unique=True),
        IndexModel([("chain", ASCENDING), ("store", ASCENDING), ("occurred_at", ASCENDING)]),
        # For the person whose they are: of most receipts of most chains nobody knows who bought.
        IndexModel(
            [("chain", ASCENDING), ("member", ASCENDING), ("occurred_at", ASCENDING)],
            name="buyers",
            partialFilterExpression={"member": {"$gt": ""}},
        ),
    ],
    REFUNDS: [
        IndexModel([("chain", ASCENDING), ("key", ASCENDING)], unique=True),
        IndexModel([("chain", ASCENDING), ("store", ASCENDING), ("occurred_at", ASCENDING)]),
        IndexModel(
            [("chain", ASCENDING), ("booked_at", ASCENDING)],
            name="waiting",
            partialFilterExpression={"state": "waiting"},
        ),
    ],
    ADJUSTMENTS: [
        IndexModel([("chain", ASCENDING), ("adjustment", ASCENDING)], unique=True),
        IndexModel(
            [("chain", ASCENDING), ("asked_at", ASCENDING)],
            name="waiting",
            partialFilterExpression={"state": "waiting"},
        ),
    ],
    STORES: [IndexModel([("chain", ASCENDING), ("store", ASCENDING)], unique=True)],
    MENU_ITEMS: [IndexModel([("chain", ASCENDING), ("code", ASCENDING)], unique=True)],
    PAYERS: [IndexModel([("chain", ASCENDING), ("account", ASCENDING)], unique=True)],
    MERGE_WISHES: [IndexModel([("chain", ASCENDING), ("member", ASCENDING), ("sequence", ASCENDING)], unique=True)],
    ERASURES: [IndexModel([("chain", ASCENDING), ("account", ASCENDING)], unique=True)],
    DAYS: [IndexModel([("chain", ASCENDING), ("day", ASCENDING)], unique=True)],
    SEALS: [IndexModel([("chain", ASCENDING), ("day", ASCENDING)], unique=True)],
    PROGRAMS: [IndexModel([("chain", ASCENDING), ("version", ASCENDING)], unique=True)],
    PROGRAM_DRAFTS: [IndexModel([("chain", ASCENDING), ("name", ASCENDING)], unique=True)],
    PROGRAM_REVIEWS: [IndexModel([("chain", ASCENDING), ("version", ASCENDING)], unique=True)],
    CHAINS: [IndexModel([("chain", ASCENDING)], unique=True)],
    SALES_NEWS: [IndexModel([("chain", ASCENDING), ("_id", ASCENDING)])],
    SALES: [IndexModel(PLACE, unique=True)],
    ITEM_SALES: [IndexModel(PLACE, unique=True)],
    GUEST_MONTHS: [
        IndexModel(
            [("chain", ASCENDING), ("account", ASCENDING), ("generation", ASCENDING), ("month", ASCENDING)],
            unique=True,
        )
    ],
    SALES_GENERATIONS: [IndexModel([("chain", ASCENDING)], unique=True)],
}
