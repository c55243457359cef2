"""The collections of feedback and their indexes."""

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.kit.mongo.collections import Keyed

INVITATIONS = Keyed("invitations", ("chain", "member"))
ANSWERS = Keyed("answers", ("chain", "member"))
CASES = Keyed("cases", ("chain", "member"))
KNOWN_MEMBERS = Keyed("known_members", ("chain", "member"))


def _by(field: str) -> IndexModel:
    """Ids are time-ordered, so an index of a member's things by id also lists them, the newest first."""
    return IndexModel([("chain", ASCENDING), ("member", ASCENDING), (field, DESCENDING)], unique=True)


INDEXES = {
    INVITATIONS: [_by("invitation"), _by("purchase")],
    ANSWERS: [_by("answer")],
    CASES: [_by("case")],
    KNOWN_MEMBERS: [IndexModel([("chain", ASCENDING), ("member", ASCENDING)], unique=True)],
}
