"""Cards: hand one to its member's app, replace a lost one, and tell whose a scanned code is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.principal import Caller, NotAllowedError, Principal
from services.members.domain.cards import SECRET_BYTES, Card, Outcome, Scan, handed_out, new_card, number_from
from services.members.domain.members import NoMemberError
from services.members.usecases.chains import ChainFinder
from services.members.usecases.limits import check_count
from services.members.usecases.members import IdentityFinder, WrittenIdentity, resolve_identities

NUMBER_BYTES = 8

RandomBytes = Callable[[int], bytes]
"""Returns so many bytes that nobody can guess."""


class Holder(Protocol):
    """Who the member is by now, and all ids that it has had."""

    @property
    def id(self) -> str:
        """Its own."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Its own first."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose code was scanned: empty unless it is good."""

    member: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class WrittenScan:
    """A scanned code as a till sends it. `at` None means now, an empty `store` the till's own."""

    code: str
    at: datetime | None
    store: str


class Cards(Protocol):
    """Where cards are kept."""

    async def hold(
        self, chain: str, member_id: str, decide: Callable[[Card | None, Holder], Card], *, now: datetime
    ) -> Card:
        """Keep the member's card as `decide` makes it of the one that there is, and return it. Raises NoMemberError."""

    async def check(self, chain: str, scans: Sequence[Scan], *, now: datetime) -> Sequence[Whose]:
        """Check codes, and keep where they were used and how many were wrong."""


async def get_card(
    member_id: str, *, caller: Principal, now: datetime, random_bytes: RandomBytes, cards: Cards
) -> Card:
    """Return the member's card for its app: made at first asking, with a new secret when the old one ends soon."""
    return await _held(member_id, "", caller=caller, now=now, random_bytes=random_bytes, cards=cards)


async def replace_card(
    member_id: str, number: str, *, caller: Principal, now: datetime, random_bytes: RandomBytes, cards: Cards
) -> Card:
    """Make another card in the place of the one that has this `number`, if it still is the member's."""
    return await _held(member_id, number, caller=caller, now=now, random_bytes=random_bytes, cards=cards)


async def _held(
    member_id: str, lost: str, *, caller: Principal, now: datetime, random_bytes: RandomBytes, cards: Cards
) -> Card:
    wanted = member_id or (caller.id if caller.kind is Caller.MEMBER else "")

    def decide(card: Card | None, holder: Holder) -> Card:
        if caller.kind is Caller.MEMBER and caller.id not in holder.ids:
            raise NoMemberError(field="memberId", member=wanted)
        if card is None or (lost and card.number == lost):
            return new_card(number_from(random_bytes(NUMBER_BYTES)), random_bytes(SECRET_BYTES), now=now)
        return handed_out(card, new_key=random_bytes(SECRET_BYTES), now=now)

    return await cards.hold(caller.chain, wanted, decide, now=now)


async def verify_codes(
    written: Sequence[WrittenScan], *, caller: Principal, now: datetime, cards: Cards
) -> Sequence[Whose]:
    """Tell whose codes these are, in the order of the input. A till speaks for its own store only."""
    check_count(written, field="scans")
    scans = [Scan(one.code, one.at or now, _store(one.store, caller, number)) for number, one in enumerate(written)]
    return await cards.check(caller.chain, scans, now=now) if scans else []


async def resolve(
    written: Sequence[WrittenIdentity | WrittenScan],
    *,
    caller: Principal,
    now: datetime,
    chains: ChainFinder,
    identities: IdentityFinder,
    cards: Cards,
) -> list[str]:
    """Return who has each identity or shows each code, in the order of the input; empty where nobody does."""
    check_count(written, field="identities")
    known = [one for one in written if isinstance(one, WrittenIdentity)]
    scans = [one for one in written if isinstance(one, WrittenScan)]
    holders = iter(await resolve_identities(known, caller=caller, chains=chains, identities=identities))
    shown = iter(await verify_codes(scans, caller=caller, now=now, cards=cards))
    return [next(shown).member if isinstance(one, WrittenScan) else next(holders) for one in written]


def _store(wanted: str, caller: Principal, number: int) -> str:
    if not wanted and len(caller.stores) == 1:
        return next(iter(caller.stores))
    if not caller.may_use_store(wanted):
        raise NotAllowedError(field=f"scans.{number}.storeId", why="its key is for another store")
    return wanted
