"""Two members that are one person become one, and two again when that was a mistake.

The older survives: its id stands on cards, in partners' systems and on receipts. What the survivor has not said is
filled in from the other. The other's document stays as it was, so that undoing needs nothing but the survivor's
profile of before.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime

from services.kit.errors import Kind, Problem
from services.members.domain.facts import MemberMerged, MemberSplit
from services.members.domain.identities import PROVING, Identity
from services.members.domain.members import MAX_ABSORBED, Member
from services.members.domain.profiles import MAX_IDENTITIES, MAX_PREFERENCES, Address, Profile

MOST_MERGES = 10
"""How many members may have gone into one another, one after the other: each is a step for whoever names the first."""


class CannotMergeError(Problem):
    """These members cannot become one: {why}."""

    kind = Kind.REFUSED
    code = "CANNOT_MERGE"


class CannotSplitError(Problem):
    """This merge cannot be undone: {why}."""

    kind = Kind.REFUSED
    code = "CANNOT_SPLIT"


class NoMergeError(Problem):
    """There is no merge {merge} in this chain."""

    kind = Kind.NOT_FOUND
    code = "MERGE_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Merge:
    """That two members became one. `before` is the survivor's profile of before, and `tags` its tags."""

    id: str
    survivor: str
    absorbed: str
    at: datetime
    by: str  # who decided it
    before: Profile
    tags: tuple[str, ...]
    provisional: bool  # whether the survivor was
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """Both members as they are from now on, and what to tell."""

    survivor: Member
    absorbed: Member
    merge: Merge
    fact: MemberMerged


@dataclass(frozen=True, slots=True)
class Split:
    """Both members as they are from now on, and what to tell."""

    survivor: Member
    freed: Member
    merge: Merge
    fact: MemberSplit


def older_first(one: Member, other: Member) -> tuple[Member, Member]:
    """Return the survivor and the other. A member of that very moment yields to the smaller id, as ids are in order."""
    first, second = sorted((one, other), key=lambda member: (member.enrolled_at, member.id))
    return first, second


def merge(survivor: Member, absorbed: Member, *, id_: str, by: str, at: datetime) -> Merged:
    """Make one of two members, neither of which was merged or erased before. Raises CannotMergeError."""
    for member in (survivor, absorbed):
        if member.erased_at:
            raise CannotMergeError(field="memberId", why=f"{member.id} was erased")
    ids = (*survivor.absorbed, *absorbed.ids)
    if len(ids) > MAX_ABSORBED:
        raise CannotMergeError(field="memberId", why=f"more than {MAX_ABSORBED} members would have become one")
    steps = max(survivor.steps, absorbed.steps + 1)
    if steps >= MOST_MERGES:
        raise CannotMergeError(field="memberId", why=f"more than {MOST_MERGES} merges would follow one another")
    profile = _joined(survivor.profile, absorbed.profile)
    if len(profile.identities) > MAX_IDENTITIES:
        raise CannotMergeError(field="memberId", why=f"it would have more than {MAX_IDENTITIES} identities")
    kept = Merge(id_, survivor.id, absorbed.id, at, by, survivor.profile, survivor.tags, survivor.provisional)
    return Merged(
        survivor=replace(
            survivor,
            profile=profile,
            tags=tuple(dict.fromkeys((*survivor.tags, *absorbed.tags))),
            open_attributes=survivor.open_attributes | absorbed.open_attributes,
            provisional=survivor.provisional and absorbed.provisional,
            absorbed=ids,
            steps=steps,
            version=survivor.version + 1,
        ),
        absorbed=replace(absorbed, merged_into=survivor.id, merge=id_, version=absorbed.version + 1),
        merge=kept,
        fact=MemberMerged(absorbed.id, survivor.id, id_, at),
    )


def split(
    survivor: Member, absorbed: Member, undone: Merge, *, came_along: tuple[Identity, ...], at: datetime
) -> Split:
    """Undo a merge. `came_along` are the identities of the absorbed that are still the survivor's.

    What the survivor has said since then stays its own; what it still has from the other only goes back.
    """
    if survivor.merged_into:
        raise CannotSplitError(field="mergeId", why=f"{survivor.id} has been merged itself since: undo that first")
    if survivor.erased_at or absorbed.erased_at:
        raise CannotSplitError(field="mergeId", why="the person was erased")
    ids = frozenset(absorbed.ids)
    given_back = frozenset(came_along)
    left = tuple(one for one in survivor.profile.identities if one not in given_back)
    profile = _parted(survivor.profile, undone.before, absorbed.profile)
    return Split(
        survivor=replace(
            survivor,
            profile=replace(profile, identities=left),
            tags=tuple(tag for tag in survivor.tags if tag in undone.tags or tag not in absorbed.tags),
            provisional=undone.provisional and not any(one.kind in PROVING for one in left),
            absorbed=tuple(one for one in survivor.absorbed if one not in ids),
            version=survivor.version + 1,
        ),
        freed=replace(
            absorbed,
            profile=replace(absorbed.profile, identities=came_along),
            merged_into="",
            merge="",
            version=absorbed.version + 1,
        ),
        merge=replace(undone, undone_at=at),
        fact=MemberSplit(absorbed.id, survivor.id, undone.id, at),
    )


def _joined(mine: Profile, others: Profile) -> Profile:
    """Fill in what `mine` does not say; of lists, take both."""
    said = {field.name: getattr(mine, field.name) or getattr(others, field.name) for field in fields(Profile)}
    said["address"] = mine.address if mine.address != Address() else others.address
    said["identities"] = tuple(dict.fromkeys((*mine.identities, *others.identities)))
    said["preferences"] = tuple(dict.fromkeys((*mine.preferences, *others.preferences)))[:MAX_PREFERENCES]
    said["attributes"] = {**others.attributes, **mine.attributes}
    return Profile(**said)


def _parted(now: Profile, before: Profile, others: Profile) -> Profile:
    """Take out of `now` what `before` did not say and is still as `others` said it."""
    empty = Profile()
    said = {}
    for field in fields(Profile):
        name = field.name
        is_theirs = getattr(now, name) == getattr(others, name) and getattr(before, name) == getattr(empty, name)
        said[name] = getattr(empty, name) if is_theirs else getattr(now, name)
    theirs = [one for one in others.preferences if one not in before.preferences]
    said["preferences"] = tuple(one for one in now.preferences if one not in theirs)
    said["attributes"] = {
        code: value
        for code, value in now.attributes.items()
        if code in before.attributes or others.attributes.get(code) != value
    }
    return Profile(**said)
