"""What feedback keeps of one person, for the person: the registry. Who adds such a collection adds a section."""

from services.feedback.store.collections import ANSWERS, CASES, INVITATIONS
from services.kit.member_records import Section
from services.kit.mongo.database import Database
from services.kit.mongo.member_records import of_documents


def sections(database: Database) -> tuple[Section, ...]:
    """Return all sections."""
    return (
        of_documents(database, INVITATIONS, "invitations", order=("-member", "invitation")),
        of_documents(database, ANSWERS, "answers", order=("-member", "answer")),
        of_documents(database, CASES, "cases", order=("-member", "case"), hidden=("events",)),
    )
