"""The collections of feedback and their indexes."""

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.kit.mongo.collections import Keyed

INVITATIONS = Keyed("invitations", ("chain", "member"))
ANSWERS = Keyed("answers", ("chain", "member"))
CASES = Keyed("cases", ("chain", "member"))
KNOWN_MEMBERS = Keyed("known_members", ("chain", "member"))
"""Who exists, and since when nothing that it says is kept in words."""
MERGED_MEMBERS = Keyed("merged_members", ("chain", "member"))
"""Members that went into another, until that is undone; what they have stays where it is."""


def _by(field: str) -> IndexModel:
    """Ids are time-ordered, so an index of a member's things by id also lists them, the newest first."""
    return IndexModel([("chain", ASCENDING), ("member", ASCENDING), (field, DESCENDING)], unique=True)


INDEXES = {
    INVITATIONS: [_by("invitation"), _by("purchase")],
    ANSWERS: [_by("answer")],
    CASES: [_by("case")],
    MERGED_MEMBERS: [
        IndexModel([("chain", ASCENDING), ("member", ASCENDING)], unique=True),
        IndexModel([("chain", ASCENDING), ("into", ASCENDING)]),
    ],
    KNOWN_MEMBERS: [IndexModel([("chain", ASCENDING), ("member", ASCENDING)], unique=True)],
}
