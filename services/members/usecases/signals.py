"""Look for signs of fraud in what the portraits have just taken in, and raise reviews. Never in a purchase's way."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from services.members.domain.facts import ReviewRaised
from services.members.domain.places import Position
from services.members.domain.portraits import InChain
from services.members.domain.review_rules import ReviewRule, SignalKind
from services.members.domain.reviews import Finding, Review, gather
from services.members.domain.signals import HISTORY, REMOTE, Receipt, suspicious
from services.members.domain.timeline import Happening, HappeningKind
from services.members.usecases.portraits import TakenIn

Named = tuple[str, str]
"""(chain, a code or an id in it)."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where in a person's time receipts are looked for: from `since` to `until`, under all of its ids."""

    person: InChain
    ids: tuple[str, ...]
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Raised:
    """What is written: new reviews and changed ones, by chain, and what is told of the new ones."""

    new: Sequence[tuple[str, Review]]
    changed: Sequence[tuple[str, Review]]
    told: Sequence[tuple[str, ReviewRaised, str]]  # with its traceparent


class Signals(Protocol):
    """Where rules, receipts and reviews are kept: one transaction's view of them."""

    async def rules(self, chains: Collection[str]) -> Mapping[str, Sequence[ReviewRule]]:
        """Return each chain's rules, the usual ones where it has not said."""

    async def own_cards(self, codes: Collection[Named]) -> Mapping[Named, str]:
        """Return the members of those staff who have a card of their own, by the chain's codes."""

    async def receipts(self, reaches: Sequence[Reach]) -> Mapping[InChain, Sequence[Receipt]]:
        """Return the latest receipts of each person within its reach, at least."""

    async def positions(self, stores: Collection[Named]) -> Mapping[Named, Position]:
        """Return where those stores are that have a position."""

    async def reviews(self, reaches: Sequence[Reach]) -> Mapping[InChain, Sequence[Review]]:
        """Return each person's reviews that ended within its reach or later."""

    async def keep(self, raised: Raised, *, now: Mapping[str, datetime]) -> None:
        """Write and tell it; `Conflict` when somebody else was faster."""


@dataclass(slots=True)
class _Suspect:
    """A person with new receipts, the codes that it has among the staff, and what is known of its receipts."""

    person: InChain
    ids: tuple[str, ...]
    last: datetime | None  # its latest receipt before these
    new: list[Receipt] = field(default_factory=list)
    rules: list[ReviewRule] = field(default_factory=list)
    own_codes: set[str] = field(default_factory=set)
    receipts: Sequence[Receipt] = ()

    @property
    def chain(self) -> str:
        return self.person[0]

    @property
    def window(self) -> timedelta:
        return max(rule.window for rule in self.rules)

    def is_alone(self) -> bool:
        """Tell whether no other receipt can lie near the only new one, as for most guests on most days."""
        return len(self.new) == 1 and (self.last is None or self.last < self.new[0].at - self.window)

    def reach(self, windows: int = 1) -> Reach:
        moments = [one.at for one in self.new]
        return Reach(self.person, self.ids, min(moments) - windows * self.window, max(moments) + self.window)


async def look_at(
    taken: TakenIn,
    *,
    now: Mapping[str, datetime],
    traces: Mapping[Named, str],
    new_id: Callable[[datetime], str],
    signals: Signals,
) -> None:
    """Look at the new purchases of a batch: a question for each kind of thing, and most only where there is a doubt.

    `now` is each chain's time, `traces` the traceparents of purchases by chain and id. What the portraits have written
    of each of these members makes two who look at one person at the same time take turns.
    """
    suspects = _suspects(taken, now)
    if not suspects:
        return
    rules = await signals.rules({one.chain for one in suspects})
    await _apply_rules(suspects, rules, signals)
    suspects = [one for one in suspects if one.rules]
    await _gather_receipts(suspects, signals)
    findings = await _findings(suspects, signals)
    if findings:
        await _raise(findings, now=now, traces=traces, new_id=new_id, signals=signals)


def _suspects(taken: TakenIn, now: Mapping[str, datetime]) -> list[_Suspect]:
    found: dict[InChain, _Suspect] = {}
    before = taken.before
    for one in taken.new:
        if one.kind is not HappeningKind.PURCHASE or one.at < now[one.chain] - HISTORY:
            continue
        named = one.chain, one.member
        key = before.gone_to.get(named, named)
        person = before.persons[key]
        if person.erased:
            continue
        if key not in found:
            found[key] = _Suspect(key, person.ids, before.portraits[key].visits.last)
        found[key].new.append(receipt_of(one))
    return list(found.values())


def receipt_of(one: Happening) -> Receipt:
    """Return the receipt of a purchase in a timeline."""
    return Receipt(one.at, one.ref, one.store, one.staff, remote=one.detail in REMOTE)


async def _apply_rules(
    suspects: Sequence[_Suspect], rules: Mapping[str, Sequence[ReviewRule]], signals: Signals
) -> None:
    on = {chain: [rule for rule in some if rule.on] for chain, some in rules.items()}
    watched = {chain for chain, some in on.items() if any(rule.kind is SignalKind.STAFF_OWN_CARD for rule in some)}
    codes = {(one.chain, each.staff) for one in suspects for each in one.new if each.staff and one.chain in watched}
    cards = await signals.own_cards(codes) if codes else {}
    for one in suspects:
        one.own_codes = {each.staff for each in one.new if cards.get((one.chain, each.staff)) in one.ids}
        one.rules = [rule for rule in on[one.chain] if one.own_codes or rule.kind is not SignalKind.STAFF_OWN_CARD]


async def _gather_receipts(suspects: Sequence[_Suspect], signals: Signals) -> None:
    doubtful = [one for one in suspects if not one.is_alone()]
    found = await signals.receipts([one.reach() for one in doubtful]) if doubtful else {}
    for one in suspects:
        one.receipts = found.get(one.person, one.new)


async def _findings(suspects: Sequence[_Suspect], signals: Signals) -> list[tuple[_Suspect, Finding]]:
    travelled = {
        (one.chain, each.store)
        for one in suspects
        if any(rule.kind is SignalKind.IMPOSSIBLE_TRAVEL for rule in one.rules)
        and len({each.store for each in one.receipts if not each.remote}) > 1
        for each in one.receipts
        if not each.remote
    }
    positions = await signals.positions(travelled) if travelled else {}
    by_chain: dict[str, dict[str, Position]] = defaultdict(dict)
    for (chain, store), position in positions.items():
        by_chain[chain][store] = position
    findings = []
    for one in suspects:
        for rule in one.rules:
            found = suspicious(rule, one.receipts, own_codes=one.own_codes, positions=by_chain[one.chain])
            if rule.kind is SignalKind.STAFF_OWN_CARD:
                staff = {code: [each for each in found if each.staff == code] for code in sorted(one.own_codes)}
            else:
                staff = {"": found}
            findings += [(one, Finding(one.person[1], rule, some, code)) for code, some in staff.items() if some]
    return findings


async def _raise(
    findings: Sequence[tuple[_Suspect, Finding]],
    *,
    now: Mapping[str, datetime],
    traces: Mapping[Named, str],
    new_id: Callable[[datetime], str],
    signals: Signals,
) -> None:
    concerned = {one.person: one for one, _ in findings}
    # A receipt of a window ago may belong to a review that ended a window before that.
    reviews = await signals.reviews([one.reach(windows=2) for one in concerned.values()])
    new: list[tuple[str, Review]] = []
    changed: list[tuple[str, Review]] = []
    told: list[tuple[str, ReviewRaised, str]] = []
    for one, finding in findings:
        moment = now[one.chain]
        of_rule = [
            each
            for each in reviews.get(one.person, ())
            if (each.rule, each.staff) == (finding.rule.code, finding.staff)
        ]
        raised, more = gather(finding, of_rule, new_id=partial(new_id, moment), now=moment)
        new += [(one.chain, each) for each in raised]
        changed += [(one.chain, each) for each in more]
        trace = next((traces[one.chain, each.purchase] for each in one.new if (one.chain, each.purchase) in traces), "")
        told += [(one.chain, _fact(each), trace) for each in raised]
    if new or changed:
        await signals.keep(Raised(new, changed, told), now=now)


def _fact(review: Review) -> ReviewRaised:
    return ReviewRaised(
        review.member, review.id, review.rule, review.kind, review.severity, review.staff, review.raised_at
    )
