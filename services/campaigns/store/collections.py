"""The collections of campaigns and their indexes."""

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.kit.mongo.collections import Keyed

TIER_OFFERS = Keyed("tier_offers", ("chain", "level"))
COUPONS = Keyed("coupons", ("chain", "member"))
MERGED_MEMBERS = Keyed("merged_members", ("chain", "member"))
"""Members that went into another, until that is undone; their coupons stay where they are."""
ERASURES = Keyed("erasures", ("chain", "member"))
"""Who was forgotten, so that the same can be done to a backup that was restored."""

INDEXES = {
    MERGED_MEMBERS: [
        IndexModel([("chain", ASCENDING), ("member", ASCENDING)], unique=True),
        IndexModel([("chain", ASCENDING), ("into", ASCENDING)]),
    ],
    ERASURES: [IndexModel([("chain", ASCENDING), ("member", ASCENDING)], unique=True)],
    TIER_OFFERS: [IndexModel([("chain", ASCENDING), ("level", ASCENDING), ("version", DESCENDING)], unique=True)],
    COUPONS: [
        # Ids are time-ordered, so this one also lists a member's coupons, the newest first.
        IndexModel([("chain", ASCENDING), ("member", ASCENDING), ("coupon", DESCENDING)], unique=True),
        IndexModel([("chain", ASCENDING), ("member", ASCENDING), ("grant", ASCENDING)], unique=True),
        # To tell somebody else's coupon from one that does not exist.
        IndexModel([("chain", ASCENDING), ("coupon", ASCENDING)]),
    ],
}
