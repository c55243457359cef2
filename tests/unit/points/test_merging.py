"""Two members' accounts become one, and two again: to the point."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.points.domain.accounts import Account
from services.points.domain.commands import (
    Adjust,
    Decide,
    Extend,
    Freeze,
    GrantLevel,
    Merge,
    Pin,
    Reverse,
    Split,
    Void,
)
from services.points.domain.dues import level_due_at
from services.points.domain.holds import HoldState
from services.points.domain.journal import Note
from services.points.domain.merging import TooManyMergesError
from services.points.domain.programs import Programs
from tests.support.paper_ledger import PaperLedger, findings
from tests.support.programs import program_with
from tests.unit.points.receipts import (
    NOON,
    authorise,
    capture,
    command,
    keyed,
    one,
    posted,
    purchase,
    recorded,
    refund,
    refunded,
)

NOTE = Note(bytes(32), "because")
ADA, BOB, CYD = "mem_ada", "mem_bob", "mem_cyd"


def of(ledger: PaperLedger, member: str) -> Account:
    return ledger.books.accounts["chn_1", member]


def has(ledger: PaperLedger, member: str) -> tuple[int, int, int, int, int]:
    """Return what is available, pending, held, owed and was earned."""
    held = of(ledger, member).balance("points")
    return held.available, held.pending, held.held, held.debt, held.lifetime


def two(**terms: Any) -> PaperLedger:
    """Return a ledger in which Ada has 100 points, and Bob 200."""
    ledger = PaperLedger(Programs((program_with(**terms),)))
    one(ledger, command(purchase("A1")))
    one(ledger, command(purchase("B1", paid_minor=20_000, member=BOB)))
    return ledger


def merge(ledger: PaperLedger, account: str = ADA, into: str = BOB, *, day: int = 1, name: str = "m1") -> None:
    posted(one(ledger, Merge(**keyed(f"merge-{name}", member=account, day=day), into=into, merge=name)))
    assert findings(ledger, "chn_1") == []


def split(ledger: PaperLedger, account: str = ADA, *, day: int = 2, name: str = "m1") -> None:
    posted(one(ledger, Split(**keyed(f"split-{name}", member=account, day=day), merge=name)))
    assert findings(ledger, "chn_1") == []


def test_everything_goes_over_and_comes_back() -> None:
    ledger = two()
    merge(ledger)
    assert (has(ledger, ADA), has(ledger, BOB)) == ((0, 0, 0, 0, 0), (300, 0, 0, 0, 300))
    assert (of(ledger, BOB).spend_minor, of(ledger, ADA).spend_minor) == (30_000, 0)
    closing, opening = [entry for entry in ledger.entries if entry.kind in {"merged_into", "merged_from"}]
    assert (closing.reference, opening.reference) == (BOB, ADA)
    assert (closing.postings[0].amount, opening.postings[0].amount) == (-100, 100)
    split(ledger)
    assert (has(ledger, ADA), has(ledger, BOB)) == ((100, 0, 0, 0, 100), (200, 0, 0, 0, 200))
    assert (of(ledger, ADA).spend_minor, of(ledger, BOB).spend_minor) == (10_000, 20_000)
    assert (of(ledger, ADA).merged_into, of(ledger, ADA).counts.visits) == ("", 1)


def test_what_was_spent_stays_spent_and_what_came_since_stays_there() -> None:
    ledger = two(expires_days=300)
    merge(ledger)
    one(ledger, command(purchase("A2", paid_minor=5_000, day=1, member=ADA)))  # a till that knows the old id
    one(ledger, authorise("h1", 130, day=1))  # Ada's hundred lapses first of what was granted at the same moment
    one(ledger, capture("h1", day=1))
    split(ledger)
    assert has(ledger, ADA) == (0, 0, 0, 0, 100)
    assert has(ledger, BOB) == (220, 0, 0, 0, 250)
    assert of(ledger, BOB).spend_minor == 25_000


def test_twice_is_once_and_into_itself_is_nothing() -> None:
    ledger = two()
    merge(ledger)
    entries = len(ledger.entries)
    again = Merge(**keyed("other", member=ADA, day=3), into=BOB, merge="m1")
    assert posted(one(ledger, again)).repeated_call
    one(ledger, Merge(**keyed("back", member=BOB, day=3), into=ADA, merge="m2"))
    one(ledger, Split(**keyed("wrong", member=ADA, day=3), merge="m9"))
    assert len(ledger.entries) == entries
    split(ledger)
    split(ledger, name="m1", day=3)
    one(ledger, Split(**keyed("late", member=ADA, day=4), merge="m1"))
    assert has(ledger, ADA) == (100, 0, 0, 0, 100)


def test_an_account_that_nobody_knew_leads_to_the_other() -> None:
    ledger = two()
    merge(ledger, "mem_new", BOB)
    one(ledger, command(purchase("N1", member="mem_new", day=2)))
    assert has(ledger, BOB) == (300, 0, 0, 0, 300)
    merge(ledger, BOB, "mem_older", name="m2")
    assert has(ledger, "mem_older") == (300, 0, 0, 0, 300)


def test_pending_points_go_over_pending_and_become_available_there() -> None:
    ledger = two(pending_days=5)
    merge(ledger)
    assert has(ledger, BOB) == (0, 300, 0, 0, 300)
    one(ledger, command(purchase("B2", paid_minor=0, member=BOB, day=8)))
    assert has(ledger, BOB) == (300, 0, 0, 0, 300)
    split(ledger, day=9)
    assert (has(ledger, ADA), has(ledger, BOB)) == ((100, 0, 0, 0, 100), (200, 0, 0, 0, 200))


def test_debt_goes_over_and_comes_back_as_far_as_it_stands() -> None:
    ledger = two()
    one(ledger, authorise("h1", 100))
    one(ledger, capture("h1"))
    one(ledger, refund("C1", "A1"))  # 100 are owed
    merge(ledger)
    assert has(ledger, BOB) == (200, 0, 0, 100, 200)
    one(ledger, command(purchase("B2", paid_minor=6_000, member=BOB, day=1)))  # pays off 60 of it
    split(ledger)
    assert (has(ledger, ADA), has(ledger, BOB)) == ((0, 0, 0, 40, 0), (200, 0, 0, 0, 260))


def test_open_holds_go_over_and_work_under_either_name() -> None:
    ledger = two()
    for name in ("pinned", "voided", "captured", "extended"):
        one(ledger, authorise(name, 20, days=9))
    one(ledger, Pin(**keyed("pin"), hold="hold_pinned"))
    merge(ledger)
    assert has(ledger, BOB) == (220, 0, 80, 0, 300)
    assert ledger.books.holds["chn_1", ADA]["hold_voided"].state is HoldState.MOVED
    one(ledger, Void(**keyed("void", member=BOB, day=1), hold="hold_voided"))
    one(ledger, capture("captured", day=1))
    until = NOON + timedelta(days=20)
    extended = Extend(**keyed("extend", day=1), hold="hold_extended", expires_at=until)
    held = posted(one(ledger, extended)).hold
    assert held is not None
    assert (held.account, held.left, held.expires_at) == (BOB, 20, until)
    assert has(ledger, BOB) == (240, 0, 40, 0, 300)
    one(ledger, authorise("later", 210, day=1, days=9))  # 180 and more are gone, whosever they are
    split(ledger)
    # Both holds are Ada's again; of her free 40, the later hold has what it took.
    held_by_ada = {hold.id: hold.pinned for hold in ledger.books.holds["chn_1", ADA].values() if hold.is_open}
    assert held_by_ada == {"hold_pinned": True, "hold_extended": False}
    assert (has(ledger, ADA)[2], has(ledger, BOB)[2]) == (40, 210)
    assert has(ledger, ADA)[0] + has(ledger, BOB)[0] == 30


def test_what_was_captured_before_is_reversed_after() -> None:
    ledger = two()
    one(ledger, authorise("h1", 100))
    one(ledger, capture("h1"))
    merge(ledger)
    assert has(ledger, BOB) == (200, 0, 0, 0, 300)
    one(ledger, Reverse(**keyed("reverse", member=BOB, day=1), hold="hold_h1"))
    assert has(ledger, BOB) == (300, 0, 0, 0, 300)
    split(ledger)  # these were Ada's
    assert (has(ledger, ADA), has(ledger, BOB)) == ((100, 0, 0, 0, 100), (200, 0, 0, 0, 200))


def test_a_receipt_from_before_is_refunded_after() -> None:
    ledger = two()
    one(ledger, authorise("h1", 100))
    one(ledger, command(purchase("A2", day=0, holds=("hold_h1",))))
    merge(ledger)
    assert has(ledger, BOB) == (300, 0, 0, 0, 400)
    back = refunded(one(ledger, refund("C2", "A2", day=1)))
    assert (back.booked.member, back.booked.taken[0].taken, back.booked.given[0].amount) == (BOB, 100, 100)
    assert has(ledger, BOB) == (300, 0, 0, 0, 300)
    split(ledger)
    assert (has(ledger, ADA), has(ledger, BOB)) == ((100, 0, 0, 0, 100), (200, 0, 0, 0, 200))
    assert (of(ledger, ADA).spend_minor, of(ledger, BOB).spend_minor) == (10_000, 20_000)


def test_what_lapsed_while_merged_is_not_taken_back_after() -> None:
    ledger = two(expires_days=10)
    merge(ledger)
    one(ledger, command(purchase("B2", paid_minor=5_000, member=BOB, day=15)))
    split(ledger, day=16)
    taken = refunded(one(ledger, refund("C1", "A1", day=17))).booked.taken
    assert (taken, has(ledger, ADA)) == ((), (0, 0, 0, 0, 100))


def test_a_receipt_sent_again_after_the_split_is_the_same() -> None:
    ledger = two()
    merge(ledger)
    bought = purchase("A2", day=1, member=ADA)
    assert recorded(one(ledger, command(bought))).booked.purchase.member == BOB
    split(ledger)
    assert recorded(one(ledger, command(bought))).repeated_call


def test_the_higher_level_stands_and_goes_back() -> None:
    ledger = two()
    for member, level, days in ((ADA, "gold", 30), (BOB, "silver", 90)):
        until = NOON + timedelta(days=days)
        one(ledger, GrantLevel(**keyed(f"grant-{level}", member=member), level=level, until=until, reason=NOTE))
    merge(ledger)
    standing = of(ledger, BOB).standing
    assert (standing.now(""), standing.grant and standing.grant.until) == ("gold", NOON + timedelta(days=30))
    split(ledger)
    levels = [(one.standing.now(""), one.standing.grant and one.standing.grant.level) for one in both(ledger)]
    assert levels == [("gold", "gold"), ("silver", "silver")]


def both(ledger: PaperLedger) -> tuple[Account, Account]:
    return of(ledger, ADA), of(ledger, BOB)


def test_counts_together_reach_a_level_and_apart_lose_it() -> None:
    ledger = PaperLedger(Programs((program_with(),)))
    silver = program_with().tiers.levels[1].needs[0].at_least
    one(ledger, command(purchase("A1", paid_minor=silver // 2)))
    one(ledger, command(purchase("B1", paid_minor=silver - silver // 2, member=BOB)))
    merge(ledger)
    assert of(ledger, BOB).standing.now("") == "silver"
    split(ledger)
    assert [one.standing.now("regular") for one in both(ledger)] == ["regular", "regular"]


def test_frozen_if_either_is() -> None:
    ledger = two()
    one(ledger, Freeze(**keyed("freeze"), frozen=True, reason=NOTE))
    merge(ledger)
    assert of(ledger, BOB).frozen
    one(ledger, command(purchase("B2", member=BOB, day=1)))  # a paid sale is never refused
    split(ledger)
    assert (of(ledger, ADA).frozen, of(ledger, BOB).frozen) == (True, False)


def test_an_adjustment_that_waits_is_booked_where_the_account_is() -> None:
    ledger = two()
    limit = program_with().adjustment_limit
    asked = Adjust(**keyed("adj", by="staff:1"), adjustment="adj_1", currency="points", amount=limit + 1, reason=NOTE)
    one(ledger, asked)
    merge(ledger)
    one(ledger, Decide(**keyed("yes", by="staff:2", day=1), adjustment="adj_1", approve=True))
    assert has(ledger, BOB)[0] == 300 + limit + 1


def test_undone_from_within() -> None:
    """A into B, B into C; A leaves first, and then B."""
    ledger = two()
    one(ledger, command(purchase("C1", paid_minor=40_000, member=CYD)))
    merge(ledger, ADA, BOB, name="m1")
    merge(ledger, BOB, CYD, name="m2")
    assert has(ledger, CYD) == (700, 0, 0, 0, 700)
    split(ledger, ADA, name="m1")
    assert (has(ledger, ADA), has(ledger, CYD)) == ((100, 0, 0, 0, 100), (600, 0, 0, 0, 600))
    split(ledger, BOB, name="m2", day=3)
    assert (has(ledger, BOB), has(ledger, CYD)) == ((200, 0, 0, 0, 200), (400, 0, 0, 0, 400))
    spent = [of(ledger, one).spend_minor for one in (ADA, BOB, CYD)]
    assert spent == [10_000, 20_000, 40_000]


@pytest.mark.parametrize("order", [("m1", "m2"), ("m2", "m1")])
def test_merges_and_splits_in_any_order(order: tuple[str, str]) -> None:
    """Of A into B and B into C either may be heard of first; C is left by B together with A."""
    ledger = two()
    one(ledger, command(purchase("C1", paid_minor=40_000, member=CYD)))
    pairs = {"m1": (ADA, BOB), "m2": (BOB, CYD)}
    for name in order:
        merge(ledger, *pairs[name], name=name)
    assert has(ledger, CYD) == (700, 0, 0, 0, 700)
    split(ledger, BOB, name="m2")
    assert (has(ledger, BOB), has(ledger, CYD)) == ((300, 0, 0, 0, 300), (400, 0, 0, 0, 400))
    split(ledger, ADA, name="m1", day=3)
    assert (has(ledger, ADA), has(ledger, BOB)) == ((100, 0, 0, 0, 100), (200, 0, 0, 0, 200))


def test_chains_of_merges_end_somewhere() -> None:
    ledger = two()
    names = [ADA, *(f"mem_{number}" for number in range(11))]
    for number, (account, into) in enumerate(pairwise(names[:11])):
        merge(ledger, account, into, name=f"m{number}")
    assert has(ledger, names[10])[0] == 100
    one(ledger, command(purchase("A2", day=2)))
    assert has(ledger, names[10])[0] == 200
    with pytest.raises(TooManyMergesError):
        one(ledger, Merge(**keyed("eleventh", member=names[10], day=2), into=names[11], merge="m11"))


def test_nothing_falls_due_in_an_account_that_has_gone() -> None:
    ledger = two()
    one(ledger, GrantLevel(**keyed("grant"), level="gold", until=NOON + timedelta(days=30), reason=NOTE))
    merge(ledger)
    gone = of(ledger, ADA)
    assert (gone.due_at, level_due_at(gone, ledger.programs)) == (None, None)
    split(ledger, day=40)  # it has ended meanwhile
    assert of(ledger, ADA).standing.now("") == "regular"


def test_merged_again_after_a_split() -> None:
    ledger = two()
    one(ledger, authorise("h1", 60, days=9))
    for number in range(3):
        merge(ledger, name=f"m{number}", day=number)
        split(ledger, name=f"m{number}", day=number)
    assert (has(ledger, ADA), has(ledger, BOB)) == ((40, 0, 60, 0, 100), (200, 0, 0, 0, 200))
    merge(ledger, name="last", day=3)
    one(ledger, capture("h1", day=3))
    assert has(ledger, BOB) == (240, 0, 0, 0, 300)


def test_the_traces_of_merges_are_verified() -> None:
    ledger = two()
    merge(ledger)
    right = of(ledger, BOB)
    ledger.books.accounts["chn_1", BOB] = replace(right, ties=replace(right.ties, joined=()))
    assert [one.account for one in findings(ledger, "chn_1")] == [BOB]
