from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.kit.errors import Problem
from services.points.domain.books import Posted
from services.points.domain.commands import Freeze, Merge, Reward, Side, Split
from services.points.domain.journal import EntryKind, Note
from services.points.domain.programs import DEFAULT_PROGRAM, Programs
from services.points.domain.referral_terms import Referral
from services.points.domain.rewarding import NoRewardError
from tests.support.paper_ledger import PaperLedger, findings
from tests.support.programs import program_with
from tests.unit.points.receipts import NOON, command, keyed, one, posted, purchase, refund

TERMS = Referral(referrer_points=300, referred_points=200, most_a_month=2)


def ledger_with(**terms: Any) -> PaperLedger:
    ledger = PaperLedger(Programs((program_with(**{"referral": TERMS, **terms}),), zone="Asia/Shanghai"))
    one(ledger, command(purchase("R1", member="mem_bob")))
    return ledger


def reward(name: str, side: Side, *, referrer: str = "mem_ada", referred: str = "mem_bob", day: int = 0) -> Reward:
    sides = (referrer, referred) if side is Side.REFERRER else (referred, referrer)
    return Reward(
        **keyed(f"{name}-{side}", member=sides[0], day=day),
        opens_account=True,
        side=side,
        other=sides[1],
        referral=f"rfl_{name}",
    )


def available(ledger: PaperLedger, member: str) -> int:
    account = ledger.books.accounts.get(("chn_1", member))
    return account.balance("points").available if account else -1


def test_both_sides_get_what_the_program_gives_and_the_lots_live_as_others_do() -> None:
    ledger = ledger_with(expires_days=10)
    first, second = (posted(one(ledger, reward("a", side))) for side in Side)
    assert (available(ledger, "mem_ada"), available(ledger, "mem_bob")) == (300, 300)
    assert [(entry.kind, entry.reference, entry.postings[0].amount) for entry in ledger.entries[1:]] == [
        (EntryKind.REFERRAL, "rfl_a", 300),
        (EntryKind.REFERRAL, "rfl_a", 200),
    ]
    assert [entry.id for entry in ledger.entries[1:]] == [first.entry, second.entry]
    [lot] = ledger.books.lots["chn_1", "mem_ada"].values()
    # The eleventh day after 1 March begins at midnight in Shanghai.
    assert (lot.granted_at, lot.expires_at) == (NOON, NOON + timedelta(days=10, hours=4))
    assert first.account.balance("points").lifetime == 300
    assert findings(ledger, "chn_1") == []


def test_the_same_reward_again_gives_the_same_answer_and_nothing_else() -> None:
    ledger = ledger_with()
    first = posted(one(ledger, reward("a", Side.REFERRER)))
    again = posted(one(ledger, reward("a", Side.REFERRER)))
    assert (again.entry, again.repeated_call, available(ledger, "mem_ada")) == (first.entry, True, 300)


def test_the_version_of_the_day_on_which_it_was_completed_decides() -> None:
    later = replace(program_with(referral=TERMS), version=2, effective_from=NOON + timedelta(days=1))
    ledger = PaperLedger(Programs((DEFAULT_PROGRAM, later)))
    for side in Side:
        with pytest.raises(NoRewardError, match="gives none"):
            one(ledger, reward("a", side))
    assert available(ledger, "mem_ada") == -1  # no account was opened for nothing
    one(ledger, reward("b", Side.REFERRER, day=1))
    assert available(ledger, "mem_ada") == 300


def test_a_referrer_gets_so_many_in_a_month_of_the_chains_zone_and_who_was_brought_always() -> None:
    ledger = ledger_with()
    for number in range(2):
        one(ledger, reward(f"a{number}", Side.REFERRER, referred=f"mem_{number}"))
    before = list(ledger.entries)
    with pytest.raises(NoRewardError, match="has had 2 in 2026-03"):
        one(ledger, reward("a2", Side.REFERRER, referred="mem_2"))
    # 1 March in Shanghai is still February in London: days and months are the chain's.
    with pytest.raises(NoRewardError, match="has had 2 in 2026-03"):
        one(ledger, replace(reward("a3", Side.REFERRER, referred="mem_3"), at=NOON.replace(month=2, day=28, hour=17)))
    assert ledger.entries == before
    one(ledger, reward("a4", Side.REFERRED, referred="mem_4"))
    one(ledger, reward("a5", Side.REFERRER, referred="mem_5", day=31))
    assert (available(ledger, "mem_ada"), available(ledger, "mem_4")) == (900, 200)
    assert findings(ledger, "chn_1") == []


def test_two_who_are_one_by_now_get_nothing_and_apart_again_they_would() -> None:
    ledger = ledger_with()
    one(ledger, Merge(**keyed("m", member="mem_bob"), into="mem_ada", merge="mrg_1"))
    for side in Side:
        with pytest.raises(NoRewardError, match="one member"):
            one(ledger, reward("a", side))
    assert available(ledger, "mem_ada") == 100
    one(ledger, Split(**keyed("s", member="mem_bob"), merge="mrg_1"))
    for side in Side:
        one(ledger, reward("a", side))
    assert (available(ledger, "mem_ada"), available(ledger, "mem_bob")) == (300, 300)
    assert findings(ledger, "chn_1") == []


def test_a_reward_reaches_whoever_the_member_has_gone_to() -> None:
    ledger = ledger_with()
    one(ledger, Merge(**keyed("m", member="mem_ada"), into="mem_eve", merge="mrg_1"))
    assert posted(one(ledger, reward("a", Side.REFERRER))).account.id == "mem_eve"
    assert available(ledger, "mem_eve") == 300


def test_a_frozen_account_earns_and_a_debt_is_paid_first() -> None:
    ledger = ledger_with()
    one(ledger, Freeze(**keyed("f", member="mem_bob"), frozen=True, reason=Note(bytes(32), "odd")))
    frozen = posted(one(ledger, reward("a", Side.REFERRED)))
    assert (frozen.account.frozen, available(ledger, "mem_bob")) == (True, 300)


def test_a_refund_of_the_first_purchase_leaves_the_reward() -> None:
    ledger = ledger_with()
    for side in Side:
        one(ledger, reward("a", side))
    one(ledger, refund("F1"))
    assert (available(ledger, "mem_ada"), available(ledger, "mem_bob")) == (300, 200)
    assert findings(ledger, "chn_1") == []


def test_what_comes_too_late_to_live_has_expired() -> None:
    ledger = ledger_with(expires_days=10)
    one(ledger, command(purchase("R2", member="mem_bob", day=40)))
    answer: Posted | Problem = one(ledger, reward("a", Side.REFERRED))
    assert isinstance(answer, Posted)
    assert available(ledger, "mem_bob") == 100
    assert findings(ledger, "chn_1") == []
