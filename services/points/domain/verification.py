"""Comparing what is stored beside an account's journal with what the journal says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from services.points.domain.accounts import EMPTY, GENESIS, Account
from services.points.domain.dues import level_due_at, lot_due_at
from services.points.domain.findings import Findings, Invariant
from services.points.domain.holds import Hold
from services.points.domain.journal import Entry
from services.points.domain.lots import Lot
from services.points.domain.programs import Programs
from services.points.domain.replaying import Replay, ReplayedHold, base_of, held_parts, open_lots

LOT_FIELDS = tuple(one.name for one in fields(Lot) if one.name not in {"id", "reminded_for"})


@dataclass(frozen=True, slots=True)
class Stored:
    """An account with its open lots and holds, all of one version; `last` is the journal's last version then.

    `unreadable` says what of it could not be read: each a line.
    """

    account: Account
    lots: Sequence[Lot] = ()
    holds: Sequence[Hold] = ()
    last: int = 0
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedReceipt:
    """What a receipt says of its purchase's entry."""

    entry: str
    purchase: str
    member: str


def compare(replay: Replay, stored: Stored) -> None:
    """Add to the replay's findings where the account, its lots and holds are not what its whole journal says."""
    findings, account = replay.findings, stored.account
    for why in stored.unreadable:
        findings.add(Invariant.ACCOUNT, 0, why)
    last = max(stored.last, replay.version) if stored.last > account.version else replay.version
    if last != account.version:
        findings.add(
            Invariant.VERSION, 0, f"the journal ends at version {last}, the account stands at {account.version}"
        )
        return
    _compare_account(replay, account)
    if replay.is_blind:
        return
    _compare_lots(replay, stored.lots)
    _compare_holds(replay, stored.holds)
    _compare_due(findings, stored, replay.programs)


def _compare_account(replay: Replay, account: Account) -> None:
    findings = replay.findings
    head = GENESIS if account.version == 0 else replay.head
    if head is not None and account.head != head:
        findings.add(Invariant.ACCOUNT, 0, "its head is not the hash of its last posting")
    for currency in sorted({*account.balances, *replay.balances}):
        has, follows = account.balance(currency), replay.balances.get(currency)
        if follows is None and replay.is_blind:
            continue
        if has != (follows or EMPTY):
            findings.add(Invariant.ACCOUNT, 0, f"it has {has} {currency}; {follows or EMPTY} after its last posting")
    said = (account.frozen, account.merged_into, account.booked_at)
    level = account.standing.reached[-1].level if account.standing.reached else ""
    if not replay.is_blind and level != replay.level:
        findings.add(
            Invariant.ACCOUNT, 0, f"its level is {level or 'the first'}; {replay.level or 'the first'} by its journal"
        )
    if not replay.is_blind and said != (replay.frozen, replay.merged_into, replay.booked_at):
        findings.add(
            Invariant.ACCOUNT,
            0,
            f"frozen, merged into and booked at are {said}; its journal says "
            f"{(replay.frozen, replay.merged_into, replay.booked_at)}",
        )
    ties = (set(account.ties.joined), set(account.ties.been_in))
    if not replay.is_blind and ties != (replay.joined, replay.been_in):
        findings.add(
            Invariant.ACCOUNT,
            0,
            f"accounts that went into it and that it went into are {ties}; by its journal "
            f"{(replay.joined, replay.been_in)}",
        )


def _compare_lots(replay: Replay, stored: Sequence[Lot]) -> None:
    findings, due = replay.findings, open_lots(replay.lots)
    seen: set[str] = set()
    for lot in stored:
        follows = due.get(lot.id)
        if lot.id in seen:
            findings.add(Invariant.LOTS, 0, f"lot {lot.id} is there twice")
        elif follows is None:
            findings.add(Invariant.LOTS, 0, f"lot {lot.id} is open, and nothing is left of it by the journal")
        elif replace(lot, reminded_for=None) != follows:  # of a reminder there is no entry
            wrong = [
                f"{name} {getattr(lot, name)} instead of {getattr(follows, name)}"
                for name in LOT_FIELDS
                if getattr(lot, name) != getattr(follows, name)
            ]
            findings.add(Invariant.LOTS, 0, f"lot {lot.id} has {', '.join(wrong)}")
        seen.add(lot.id)
    for id_ in sorted(due.keys() - seen):
        findings.add(Invariant.LOTS, 0, f"lot {id_} is missing: {due[id_].free} free, {due[id_].held} held")


def _compare_holds(replay: Replay, stored: Sequence[Hold]) -> None:
    findings, due = replay.findings, dict(replay.holds)
    for hold in stored:
        follows = due.pop(hold.id, None)
        if follows is None:
            findings.add(Invariant.HOLDS, 0, f"hold {hold.id} is open, and is not by the journal")
            continue
        said = (hold.currency, hold.amount, dict(hold.parts), dict(hold.taken), hold.pinned)
        if said != _of_journal(hold, follows):
            findings.add(
                Invariant.HOLDS,
                0,
                f"hold {hold.id} has {hold.left} left of {hold.amount} {hold.currency}, pinned: {hold.pinned}; "
                f"by the journal {sum(follows.parts.values())} of {follows.amount} {follows.currency}, "
                f"pinned: {follows.pinned}, or of other lots",
            )
    for id_ in sorted(due):
        findings.add(Invariant.HOLDS, 0, f"hold {id_} is missing: it sets {sum(due[id_].parts.values())} aside")
    held = {lot.id: lot.held for lot in open_lots(replay.lots).values() if lot.held}
    if held != held_parts([hold.parts for hold in replay.holds.values()]):
        findings.add(Invariant.HOLDS, 0, "what is held of its lots is not the sum of its open holds")


def _of_journal(hold: Hold, follows: ReplayedHold) -> tuple[object, ...]:
    """Return what the journal says of a hold; of one that came it does not say what was captured before."""
    amount, taken = follows.amount, follows.taken
    if follows.came:
        amount, taken = hold.left + hold.captured, dict(hold.taken)
        if any(taken.get(lot, 0) < part for lot, part in follows.taken.items()):
            taken = follows.taken
    return follows.currency, amount, follows.parts, taken, follows.pinned


def _compare_due(findings: Findings, stored: Stored, programs: Programs) -> None:
    moments = [lot_due_at(lot, stored.account, programs) for lot in stored.lots]
    moments += [hold.due_at for hold in stored.holds]
    moments.append(level_due_at(stored.account, programs))
    first = min((moment for moment in moments if moment is not None), default=None)
    due_at = stored.account.due_at
    if first is not None and (due_at is None or due_at > first):
        findings.add(Invariant.ACCOUNT, 0, f"something falls due at {first.isoformat()}, and it says {_said(due_at)}")


def _said(moment: datetime | None) -> str:
    return "never" if moment is None else moment.isoformat()


class Keys:
    """The receipts and refunds that one account's journal has booked so far: 64 bits of each are kept."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def check_purchase(self, entry: Entry, receipt: NamedReceipt | None, findings: Findings) -> None:
        """Check that the receipt of a purchase's entry names this entry, and that it was not there before."""
        key, posting = entry.key, entry.postings[0]
        if receipt is None:
            message = f"it was booked for {key}, and there is no such receipt"
        elif receipt.entry != entry.id and base_of(receipt.entry) != base_of(entry.id):
            message = f"{key} was booked by {receipt.entry} already"
        elif receipt.member != posting.account or receipt.purchase != entry.reference:
            message = f"{key} is {receipt.purchase} of {receipt.member}, not {entry.reference}"
        elif self._is_second(entry, key):
            message = f"{key} is booked twice in {posting.currency}"
        else:
            return
        findings.add(Invariant.RECEIPT, posting.version, message)

    def check_refund(self, entry: Entry, refunds: Mapping[str, str], findings: Findings) -> None:
        """Check the same of a refund, given the accounts of those that are booked under its key, by id."""
        refund, posting = entry.reference, entry.postings[0]
        account = refunds.get(refund)
        if account is None:
            message = f"it was booked for {refund}, and {entry.key} has no such refund"
        elif account != posting.account:
            message = f"{refund} is a refund of {account}"
        elif self._is_second(entry, refund):
            message = f"{refund} is booked twice in {posting.currency}"
        else:
            return
        findings.add(Invariant.RECEIPT, posting.version, message)

    def _is_second(self, entry: Entry, key: str) -> bool:
        name = hash((key, entry.postings[0].currency, entry.kind.value))
        if name in self._seen:
            return True
        self._seen.add(name)
        return False
