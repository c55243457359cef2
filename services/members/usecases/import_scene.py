"""What the rows of one call meet: who has their identities, who lives where, which stores there are.

In a dry run also what earlier rows of the same import would have given to whom.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.members.domain.households import Household
from services.members.domain.identities import IdentityKind
from services.members.domain.imports import ImportJob, Policy
from services.members.domain.merging import MOST_MERGES
from services.members.usecases.import_consents import WrittenConsent
from services.members.usecases.imports import ImportRow, ImportUnit
from services.members.usecases.units import Held

ALIAS, HOME, HOUSE, ONLY = b"alias\0", b"home\0", b"house\0", b"only\0"
"""How the notes of a dry run begin that are no identity's hash: who a member went into, in which household it is,
who lives in one, and who exists in the dry run only."""


@dataclass
class Scene:
    """All that exists of what the rows touch, kept up to date while they are done."""

    held: dict[bytes, Held] = field(default_factory=dict)
    stores: frozenset[str] = frozenset()
    households: dict[str, Household] = field(default_factory=dict)  # as they were, or new and empty
    homes: dict[str, str] = field(default_factory=dict)  # the code of the household that an id is in
    joined: dict[str, list[str]] = field(default_factory=dict)  # who came by these rows, by code
    consents: list[tuple[str, Sequence[WrittenConsent]]] = field(default_factory=list)
    rehearsed_members: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)  # who went into whom by these rows

    def is_only_rehearsed(self, member: str) -> bool:
        """Tell whether only this dry run knows the member."""
        return member in self.rehearsed_members

    def end_of(self, member: str) -> str:
        """Return whom the id means after these rows."""
        while member in self.aliases:
            member = self.aliases[member]
        return member

    def merge(self, members: Collection[str], survivor: str) -> None:
        """Let all these be the survivor from now on."""
        gone = {id_ for id_ in members if id_ != survivor}
        self.aliases |= dict.fromkeys(gone, survivor)
        for hashed, held in self.held.items():
            if held.member in gone:
                self.held[hashed] = replace(held, member=survivor)
        for id_ in gone & self.homes.keys():
            self.homes.setdefault(survivor, self.homes[id_])

    def household(self, code: str, *, make_id: Callable[[], str]) -> Household:
        """Return the household with who came by these rows; a new one when there is none."""
        if code not in self.households:
            self.households[code] = Household(make_id(), code)
        known = self.households[code]
        return replace(known, members=(*known.members, *self.joined.get(code, ())))

    def move_in(self, member: str, code: str) -> None:
        """Let the member be in the household; it has room, and the member is in no other."""
        if member not in self.homes:
            self.homes[member] = code
            self.joined.setdefault(code, []).append(member)

    def notes(self, taken: Iterable[bytes]) -> dict[bytes, str]:
        """Return what a dry run is to remember of these rows, `taken` being the identities that they were given."""
        found = {hashed: self.held[hashed].member for hashed in taken}
        found |= {ALIAS + gone.encode(): into for gone, into in self.aliases.items()}
        for code, members in self.joined.items():
            found |= {HOME + member.encode(): code for member in members}
            found[HOUSE + code.encode()] = " ".join((*self.households[code].members, *members))
        return found | {ONLY + member.encode(): member for member in self.rehearsed_members}


async def load_scene(
    unit: ImportUnit, hashes: Collection[bytes], rows: Sequence[ImportRow], *, job: ImportJob
) -> Scene:
    """Load what the rows touch, in a few queries however many they are."""
    scene = Scene(held=dict(await unit.held(hashes)))
    scene.stores = await unit.known_stores({row.source.store for row in rows} - {""})
    codes = {row.household for row in rows} - {""}
    scene.households = dict(await unit.households(codes)) if codes else {}
    noted = await unit.rehearsed(job.id, hashes) if job.dry_run else {}
    scene.held |= {hashed: Held(hashed, IdentityKind.EXTERNAL, member) for hashed, member in noted.items()}
    holders = {one.member for one in scene.held.values()}
    if job.dry_run:
        holders |= await _rehearsed(unit, scene, holders, codes, job=job)
    if job.policy in (Policy.UPDATE, Policy.MERGE) and holders - scene.rehearsed_members:
        members = await unit.members(holders - scene.rehearsed_members)
        if codes:
            ids = {id_ for member in members.values() for id_ in member.ids}
            scene.homes |= await unit.homes(ids)
    return scene


async def _rehearsed(
    unit: ImportUnit, scene: Scene, holders: Collection[str], codes: Collection[str], *, job: ImportJob
) -> set[str]:
    """Bring the scene to where the dry run is, and return who the holders are by now."""
    known: dict[bytes, str] = {}
    wanted, asked = set(holders), set[str]()
    for _ in range(MOST_MERGES + 1):
        fresh = wanted - asked
        if not fresh:
            break
        known |= await unit.rehearsed(job.id, [mark + id_.encode() for mark in (ALIAS, HOME, ONLY) for id_ in fresh])
        asked |= fresh
        wanted = {known.get(ALIAS + id_.encode(), id_) for id_ in asked}
    earlier = {id_: known[ALIAS + id_.encode()] for id_ in asked if ALIAS + id_.encode() in known}
    for hashed, held in scene.held.items():
        scene.held[hashed] = replace(held, member=_end(held.member, earlier))
    scene.homes |= {id_: known[HOME + id_.encode()] for id_ in asked if HOME + id_.encode() in known}
    scene.rehearsed_members |= {id_ for id_ in asked if ONLY + id_.encode() in known}
    houses = await unit.rehearsed(job.id, [HOUSE + code.encode() for code in codes]) if codes else {}
    for code in codes:
        if living := houses.get(HOUSE + code.encode()):
            known_as = scene.households.get(code, Household("", code))
            scene.households[code] = replace(known_as, members=tuple(living.split(" ")))
    return {one.member for one in scene.held.values()}


def _end(member: str, aliases: Mapping[str, str]) -> str:
    while member in aliases:
        member = aliases[member]
    return member
