"""Account managers: who takes care of a member, and by what rules somebody is found; and its favourite store."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.kit.errors import Kind, Problem
from services.members.domain.chains import MAX_CODE_LENGTH, is_code

MAX_RULES = 100
MAX_POOL = 200
MAX_NAMED = 500
"""Tags, regions and stores of one rule, of each."""


class InvalidRuleError(Problem):
    """The rule is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_RULE"


class RulesChangedError(Problem):
    """The rules are at version {version} by now, not {wanted}. Look at them again."""

    kind = Kind.CONFLICT
    code = "RULES_CHANGED"


@dataclass(frozen=True, slots=True)
class ManagerRule:
    """Who takes care of which members: those with one of the tags, and of one of the regions, and of the stores.

    What is empty asks for nothing. `of_store`: the staff of the store of enrollment; else the pool takes turns.
    """

    code: str
    tags: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    pool: tuple[str, ...] = ()
    of_store: bool = False

    def fits(self, one: "Subject") -> bool:
        """Tell whether the rule is for this member."""
        asked = ((self.tags, one.tags), (self.regions, one.regions), (self.stores, {one.store}))
        return all(not wanted or wanted & has for wanted, has in asked) and not (self.of_store and not one.store)


@dataclass(frozen=True, slots=True)
class ManagerRules:
    """A chain's rules, in the order in which they are tried. `version` is 0 until they are saved."""

    rules: tuple[ManagerRule, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules look at of a member: its tags, its store of enrollment (empty: none), and the regions of that."""

    member: str
    tags: frozenset[str]
    store: str
    regions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pool:
    """Those who take turns; turns of one `key` are counted together."""

    key: str
    staff: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Care:
    """Who takes care of a member and where it likes to be, under one of its ids.

    None: nothing was ever said under this id. `managed_by` is who decided, like "staff:key_…" or "rule:vip".
    """

    member: str
    manager: str | None = None
    managed_by: str = ""
    managed_at: datetime | None = None
    favourite_store: str | None = None
    version: int = 0


def check_rules(rules: Sequence[ManagerRule]) -> None:
    """Refuse, with the field at fault, what no rules can be."""
    if len(rules) > MAX_RULES:
        raise InvalidRuleError(field="rules", why=f"there are at most {MAX_RULES}")
    codes = [one.code for one in rules]
    for number, one in enumerate(rules):
        path = f"rules.{number}"
        if not is_code(one.code) or one.code in codes[:number]:
            why = f"its code has 1 to {MAX_CODE_LENGTH} visible characters, and stands once"
            raise InvalidRuleError(field=f"{path}.code", why=why)
        if one.of_store == bool(one.pool):
            raise InvalidRuleError(field=f"{path}.pool", why="name either a pool or the staff of the store")
        if len(one.pool) > MAX_POOL or len(set(one.pool)) < len(one.pool):
            raise InvalidRuleError(field=f"{path}.pool", why=f"a pool has at most {MAX_POOL} people, each once")
        for name, named in (("tags", one.tags), ("regions", one.regions), ("storeIds", one.stores)):
            if len(named) > MAX_NAMED:
                raise InvalidRuleError(field=f"{path}.{name}", why=f"there are at most {MAX_NAMED}")


def effective(ids: Sequence[str], care: Mapping[str, Care]) -> Care:
    """Return what holds of one person: under its own id what was said there, else what a merged one had."""
    said = [care[id_] for id_ in ids if id_ in care]
    managed = next((one for one in said if one.manager is not None), Care(ids[0]))
    favourite = next((one.favourite_store for one in said if one.favourite_store is not None), None)
    version = care[ids[0]].version if ids[0] in care else 0
    return Care(ids[0], managed.manager, managed.managed_by, managed.managed_at, favourite, version)


def pool_for(
    one: Subject, rules: Iterable[ManagerRule], *, active: Collection[str], of_stores: Mapping[str, tuple[str, ...]]
) -> Pool | None:
    """Return who may take care of the member: of the first rule that fits and has somebody who is active."""
    for rule in rules:
        if rule.fits(one):
            asked = of_stores.get(one.store, ()) if rule.of_store else rule.pool
            staff = tuple(person for person in asked if person in active)
            if staff:
                return Pool(f"{rule.code}\0{one.store}" if rule.of_store else rule.code, staff)
    return None


def dealt(pools: Mapping[str, Pool], first: Mapping[str, int]) -> dict[str, str]:
    """Return by member who takes care of it: each pool goes on with its turn number `first`."""
    turn = dict(first)
    chosen = {}
    for member, pool in pools.items():
        chosen[member] = pool.staff[turn[pool.key] % len(pool.staff)]
        turn[pool.key] += 1
    return chosen


def within(region: str, parent: Callable[[str], str]) -> frozenset[str]:
    """Return a region's code and those of all that it lies in."""
    found: set[str] = set()
    while region and region not in found:
        found.add(region)
        region = parent(region)
    return frozenset(found)
