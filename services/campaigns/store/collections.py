"""The collections of campaigns and their indexes."""

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.kit.mongo.collections import Keyed

TIER_OFFERS = Keyed("tier_offers", ("chain", "level"))
COUPONS = Keyed("coupons", ("chain", "member"))

INDEXES = {
    TIER_OFFERS: [IndexModel([("chain", ASCENDING), ("level", ASCENDING), ("version", DESCENDING)], unique=True)],
    COUPONS: [
        # Ids are time-ordered, so this one also lists a member's coupons, the newest first.
        IndexModel([("chain", ASCENDING), ("member", ASCENDING), ("coupon", DESCENDING)], unique=True),
        IndexModel([("chain", ASCENDING), ("member", ASCENDING), ("grant", ASCENDING)], unique=True),
        # To tell somebody else's coupon from one that does not exist.
        IndexModel([("chain", ASCENDING), ("coupon", ASCENDING)]),
    ],
}
