from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from services.points.domain.accounts import Account, Balances
from services.points.domain.booking import earned_by
from services.points.domain.drafts import Author, Draft
from services.points.domain.due import advance
from services.points.domain.findings import MOST_FINDINGS, Finding, Findings, Invariant
from services.points.domain.holds import Hold
from services.points.domain.journal import (
    ADJUSTED,
    DEBT,
    ISSUED,
    REDEEMED,
    Entry,
    EntryKind,
    Leg,
    Posting,
    link,
)
from services.points.domain.lots import Lot, LotChange
from services.points.domain.programs import Programs, TakeBack
from services.points.domain.replaying import Moved, Replay, base_of
from services.points.domain.verification import Keys, NamedReceipt, Stored, compare
from tests.support.programs import program_with

CHAIN = "chn_1"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICIES = {policy: Programs((program_with(take_back=policy),)) for policy in TakeBack}


def draft() -> Draft:
    return Draft(
        Author(CHAIN, "ent_1", NOON, "staff:1", "key"),
        Account("mem_ada"),
        lots={},
        holds={},
        numbers=count(),
        programs=Programs(),
    )


def grant(into: Draft, id_: str, amount: int, **terms: Any) -> None:
    lot = Lot(id=f"{id_}/points", currency="points", free=amount, granted_at=NOON, source=id_, **terms)
    earned_by(into, EntryKind.PURCHASE, lot, against=ISSUED, reference=id_)


def a_life() -> Draft:
    """Two lots, one of them pending for a day, a hold of 30, of which 10 were taken."""
    made = draft()
    grant(made, "pur_1", 100, expires_at=NOON + timedelta(days=9))
    grant(made, "pur_2", 50, pending_until=NOON + timedelta(days=1))
    made.post(
        EntryKind.HOLD,
        currency="points",
        occurred_at=NOON,
        reference="hld_1",
        lots=[LotChange("pur_1/points", -30, 30)],
    )
    made.put_hold(Hold("hld_1", "mem_ada", "points", 30, (("pur_1/points", 30),), NOON + timedelta(days=30)))
    made.post(
        EntryKind.REDEMPTION,
        currency="points",
        occurred_at=NOON,
        reference="hld_1",
        legs=[Leg(REDEEMED, 10)],
        lots=[LotChange("pur_1/points", 0, -10)],
    )
    hold = made.holds["hld_1"]
    made.put_hold(replace(hold, parts=(("pur_1/points", 20),), taken=(("pur_1/points", 10),)))
    advance(made, NOON + timedelta(days=2))
    made.post(
        EntryKind.ADJUSTMENT,
        currency="points",
        occurred_at=NOON,
        reference="adj_1",
        legs=[Leg(ADJUSTED, 5)],
        lots=[LotChange("pur_2/points", -5)],
    )
    return made


def replayed(entries: Sequence[Entry], policy: TakeBack = TakeBack.DEBT) -> Replay:
    replay = Replay(CHAIN, "mem_ada", POLICIES[policy])
    for entry in entries:
        replay.take(entry)
    return replay


def stored(made: Draft, **changed: Any) -> Stored:
    return Stored(
        replace(made.account, **changed),
        tuple(lot for lot in made.lots.values() if lot.is_open),
        tuple(hold for hold in made.holds.values() if hold.is_open),
        made.account.version,
    )


def found(replay: Replay, beside: Stored | None = None) -> list[tuple[str, int]]:
    if beside is not None:
        compare(replay, beside)
    return [(one.invariant.value, one.version) for one in replay.findings.all()]


def posting_changed(entry: Entry, **changed: Any) -> Entry:
    return replace(entry, postings=(replace(entry.postings[0], **changed),))


def relinked(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with right hashes: somebody who can compute them has been here."""
    made: list[Entry] = []
    head = bytes(32)
    for entry in entries:
        head = link(head, CHAIN, entry, entry.postings[0])
        made.append(posting_changed(entry, hash=head))
    return made


def test_what_was_booked_is_right() -> None:
    made = a_life()
    replay = replayed(made.entries)
    assert found(replay, stored(made)) == []
    assert replay.balances == made.account.balances
    assert replay.balances["points"] == Balances(available=115, held=20, lifetime=150)
    assert [kind.value for kind in (entry.kind for entry in made.entries)][-2:] == ["release", "adjustment"]


@pytest.mark.parametrize(
    ("number", "changed", "expected"),
    [
        (0, {"amount": 99}, {("sum", 1), ("lots", 1)}),
        (0, {"legs": (Leg(ISSUED, -99),)}, {("sum", 1), ("balances", 1)}),
        (3, {"legs": (Leg(REDEEMED, 11),)}, {("sum", 4)}),
        (0, {"balances": Balances(available=101, lifetime=100)}, {("balances", 1)}),
        (0, {"balances": Balances(available=100, lifetime=101)}, {("balances", 1)}),
        (
            2,
            {"balances": Balances(available=-70, pending=50, held=30, lifetime=150)},
            {("negative", 3), ("balances", 3)},
        ),
        (2, {"lots": (LotChange("pur_1/points", -31, 31),)}, {("balances", 3), ("holds", 0), ("lots", 0)}),
        (2, {"lots": (LotChange("pur_3/points", -30, 30),)}, {("lots", 3), ("lots", 4)}),
        (4, {"released": ("pur_1/points",)}, {("lots", 5), ("balances", 5)}),
        (1, {"grants": ()}, {("lots", 2), ("balances", 2)}),
    ],
)
def test_each_invariant_is_checked_also_where_the_hashes_are_right(
    number: int, changed: dict[str, Any], expected: set[tuple[str, int]]
) -> None:
    made = a_life()
    entries = list(made.entries)
    entries[number] = posting_changed(entries[number], **changed)
    head = relinked(entries)[-1].postings[0].hash
    assert expected <= set(found(replayed(relinked(entries)), stored(made, head=head)))
    assert ("chain", number + 1) in found(replayed(entries))


def test_one_error_is_one_finding() -> None:
    entries = a_life().entries
    assert found(replayed([posting_changed(entries[0], hash=bytes(32)), *entries[1:]])) == [("chain", 1)]
    assert found(replayed([replace(entries[0], booked_by="me"), *entries[1:]])) == [("chain", 1)]
    assert found(replayed([entries[0], *entries[2:]])) == [("version", 2)]
    assert found(replayed(entries[2:])) == [("version", 1)]


def test_what_cannot_be_read_is_passed_over() -> None:
    made = a_life()
    replay = replayed(made.entries[:1])
    replay.skip(2, "it cannot be read", made.entries[1].postings[0].hash)
    for entry in made.entries[2:]:
        replay.take(entry)
    assert found(replay, stored(made)) == [("chain", 2)]


def test_the_journal_and_its_account_end_at_the_same_version() -> None:
    made = a_life()
    assert found(replayed(made.entries[:-1]), stored(made)) == [("version", 0)]
    assert found(replayed(made.entries[:-1]), replace(stored(made), account=replace(made.account, version=5))) == [
        ("version", 0)
    ]
    assert found(replayed(()), Stored(Account("mem_ada"))) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"head": bytes(32)},
        {"frozen": True},
        {"merged_into": "mem_bob"},
        {"booked_at": NOON + timedelta(1)},
        {"due_at": NOON + timedelta(days=10)},
        {"balances": {}},
    ],
)
def test_the_account_says_what_its_journal_says(changed: dict[str, Any]) -> None:
    made = a_life()
    assert found(replayed(made.entries), stored(made, **changed)) == [("account", 0)]


def test_lots_and_holds_are_what_the_journal_leaves() -> None:
    made = a_life()
    right = stored(made)
    first, *rest = right.lots
    hold = right.holds[0]
    for lots in ([*rest], [first, *right.lots], [replace(first, policy_version=7), *rest]):
        assert ("lots", 0) in found(replayed(made.entries), replace(right, lots=lots))
    for holds in ((), (replace(hold, amount=31),), (replace(hold, pinned=True),), (hold, replace(hold, id="hld_2"))):
        assert found(replayed(made.entries), replace(right, holds=holds)) == [("holds", 0)]


@pytest.mark.parametrize(
    ("kind", "policy", "is_right"),
    [
        (EntryKind.REFUND, TakeBack.DEBT, True),
        (EntryKind.REFUND, TakeBack.WITHIN_BALANCE, False),
        (EntryKind.REDEMPTION, TakeBack.PENDING_ONLY, True),
        (EntryKind.ADJUSTMENT, TakeBack.DEBT, False),
    ],
)
def test_debt_is_there_only_where_somebody_may_owe(kind: EntryKind, policy: TakeBack, *, is_right: bool) -> None:
    made = draft()
    against = ISSUED if kind is EntryKind.REFUND else REDEEMED
    lifetime = -5 if kind is EntryKind.REFUND else 0
    grant(made, "pur_1", 7)
    made.post(
        kind,
        currency="points",
        occurred_at=NOON,
        reference="ref_1",
        legs=[Leg(against, 5), Leg(DEBT, -5)],
        lifetime=lifetime,
    )
    grant(made, "pur_2", 7)  # pays it off
    assert found(replayed(made.entries, policy), stored(made)) == ([] if is_right else [("negative", 2)])
    assert made.account.balance("points").debt == 0


def test_a_merge_looks_the_same_from_both_sides() -> None:
    moved = Moved("pay_1", "mem_ada", "points", 60, 5, "ent_1")
    out = Posting("pay_1", 4, "points", -60, (Leg("mem_ada", 55), Leg(DEBT, 5)), Balances())
    into = Posting("mem_ada", 9, "points", 60, (Leg("pay_1", -55), Leg(DEBT, -5)), Balances(available=60, debt=5))
    seen: list[Moved] = []
    for kind, posting, reference, entry in (
        (EntryKind.MERGED_INTO, out, "mem_ada", "ent_1"),
        (EntryKind.MERGED_FROM, into, "pay_1", "ent_1-1"),
    ):
        replay = Replay(CHAIN, posting.account, POLICIES[TakeBack.DEBT])
        replay.take(Entry(entry, kind, reference, NOON, NOON, "points", (posting,)))
        seen += [one for _, _, one in replay.moved]
    assert seen == [moved, moved]


def named(
    kind: EntryKind = EntryKind.PURCHASE, key: str = "sto_1/R1", reference: str = "pur_1", currency: str = "points"
) -> Entry:
    posting = Posting("mem_ada", 3, currency, 0, (), Balances())
    return Entry("ent_1-1", kind, reference, NOON, NOON, "till:key_1", (posting,), key)


@pytest.mark.parametrize(
    ("entry", "receipt", "words"),
    [
        (named(), NamedReceipt("ent_1", "pur_1", "mem_ada"), ""),
        (named(), None, "there is no such receipt"),
        (named(), NamedReceipt("ent_2", "pur_1", "mem_ada"), "was booked by ent_2 already"),
        (named(), NamedReceipt("ent_1", "pur_1", "mem_bob"), "is pur_1 of mem_bob"),
        (named(), NamedReceipt("ent_1", "pur_2", "mem_ada"), "is pur_2 of mem_ada"),
    ],
)
def test_a_receipt_names_its_entry(entry: Entry, receipt: NamedReceipt | None, words: str) -> None:
    findings = Findings("mem_ada")
    keys = Keys()
    keys.check_purchase(entry, receipt, findings)
    assert [one.message for one in findings.all() if words not in one.message] == []
    assert bool(findings) is bool(words)
    if not words:  # once in each currency
        keys.check_purchase(named(currency="stamps"), receipt, findings)
        assert not findings
        keys.check_purchase(entry, receipt, findings)
        assert [one.message for one in findings.all()] == ["sto_1/R1 is booked twice in points"]


def test_a_refund_is_booked_once() -> None:
    findings, keys = Findings("mem_ada"), Keys()
    entry = named(kind=EntryKind.REFUND, reference="ref_1", key="sto_1/F1")
    keys.check_refund(entry, {"ref_1": "mem_ada"}, findings)
    assert not findings
    keys.check_refund(entry, {"ref_1": "mem_ada"}, findings)
    keys.check_refund(entry, {"ref_2": "mem_ada"}, findings)
    keys.check_refund(entry, {"ref_1": "mem_bob"}, findings)
    assert [one.message.split(" ", 1)[1] for one in findings.all()] == [
        "is booked twice in points",
        "was booked for ref_1, and sto_1/F1 has no such refund",
        "is a refund of mem_bob",
    ]


def test_ids_of_one_command_share_their_base() -> None:
    assert [base_of(id_) for id_ in ("ent_1", "ent_1-12", "ent-x", "")] == ["ent_1", "ent_1", "ent-x", ""]


def test_findings_of_one_account_are_bounded() -> None:
    findings = Findings("mem_ada")
    for version in range(MOST_FINDINGS + 3):
        findings.add(Invariant.SUM, version, "wrong")
    assert len(findings.all()) == MOST_FINDINGS + 1
    assert findings.all()[-1] == Finding(Invariant.SUM, "mem_ada", 0, "3 more like these")
