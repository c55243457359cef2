"""What campaigns keeps of one person, for the person: the registry. Who adds such a collection adds a section."""

from services.campaigns.store.collections import COUPONS
from services.kit.member_records import Section
from services.kit.mongo.database import Database
from services.kit.mongo.member_records import of_documents


def sections(database: Database) -> tuple[Section, ...]:
    """Return all sections."""
    return (of_documents(database, COUPONS, "coupons", order=("-member", "coupon"), hidden=("events",)),)
