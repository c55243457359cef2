"""The ledger as a child would keep it: each point is a token on the table. Slow, and too simple to be wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from services.points.domain.commands import (
    Adjust,
    Authorise,
    BookPurchase,
    BookRefund,
    Capture,
    Extend,
    Freeze,
    Pin,
    Reverse,
    Reward,
    Side,
    Void,
)
from services.points.domain.lots import NEVER
from services.points.domain.programs import Program, TakeBack
from services.points.domain.purchases import Line
from services.points.domain.rules import POINTS
from tests.support.ledger_merges import Merges
from tests.support.ledger_tokens import (
    EXPIRED,
    FREE,
    HELD,
    SPENT,
    TAKEN,
    Member,
    ModelHold,
    Token,
    copy_as_of,
    days_after,
)


@dataclass(slots=True)
class ModelReceipt:
    purchase: BookPurchase | None = None
    member: str = ""
    silver: bool = False
    granted: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    left: list[tuple[int, int]] = field(default_factory=list)  # pieces and money of each line
    redeemed: list[tuple[str, str, list[Token], int]] = field(default_factory=list)  # hold, currency, tokens, debt
    waiting: list[BookRefund] = field(default_factory=list)
    returned: bool = False


class Model(Merges):
    """Members and receipts; each command returns None or the code of its refusal."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.receipts: dict[str, ModelReceipt] = {}
        self.refunds: dict[str, bytes] = {}

    def purchase(self, command: BookPurchase) -> str | None:
        purchase = command.purchase
        receipt = self.receipts.setdefault(purchase.key, ModelReceipt())
        if receipt.purchase is not None:
            first = receipt.purchase.purchase
            same = first.fingerprint() == purchase.fingerprint() and self.ever_one(receipt.member, purchase.member)
            return None if same else "RECEIPT_REUSED"
        member = self.members[purchase.member]
        member.advance(purchase.occurred_at)
        receipt.purchase, receipt.member = command, self.where(purchase.member)
        self._pay(member, receipt, command)
        receipt.silver = member.is_silver(purchase.occurred_at)
        receipt.left = [(line.quantity, line.paid_minor) for line in purchase.lines]
        receipt.granted = self._earns(purchase.lines, receipt.left, silver=receipt.silver)
        for currency, amount in receipt.granted.items():
            self._grant(member, command.purchase_id, currency, amount, purchase.occurred_at)
        member.spend += purchase.paid_minor
        self._review(member)
        assert member.as_of is not None
        member.settle(member.as_of)
        waiting, receipt.waiting = receipt.waiting, []
        for refund in sorted(waiting, key=lambda one: (one.refund.occurred_at, one.refund.key)):
            self._refund(receipt, refund)
        return None

    def refund(self, command: BookRefund) -> str | None:
        refund = command.refund
        if (first := self.refunds.get(refund.key)) is not None:
            return None if first == refund.fingerprint() else "REFUND_REUSED"
        receipt = self.receipts.setdefault(refund.purchase_key, ModelReceipt())
        if receipt.purchase is None:
            receipt.waiting.append(command)
        elif not self._refund(receipt, command):
            return "REFUND_EXCEEDS"
        self.refunds[refund.key] = refund.fingerprint()
        return None

    def _refund(self, receipt: ModelReceipt, command: BookRefund) -> bool:
        refund = command.refund
        left = list(receipt.left)
        if not refund.lines:
            left = [(0, 0) for _ in left]
        for line in refund.lines:
            if line.line > len(left):
                return False
            pieces, money = left[line.line - 1]
            if line.quantity > pieces:
                return False
            amount = line.amount_minor
            if amount is None:
                amount = money * line.quantity // pieces
            if amount > money:
                return False
            left[line.line - 1] = (pieces - line.quantity, money - amount)
        assert receipt.purchase is not None
        member = self.members[receipt.member]
        member.advance(refund.occurred_at)
        spent = sum(money for _, money in receipt.left) - sum(money for _, money in left)
        receipt.left = left
        if not any(pieces or money for pieces, money in left) and not receipt.returned:
            receipt.returned = True
            self._return_redeemed(member, receipt, command)
        stands = self._earns(receipt.purchase.purchase.lines, left, silver=receipt.silver)
        for currency, granted in receipt.granted.items():
            source = receipt.purchase.purchase_id
            own = [one for one in self.all_tokens() if (one.source, one.currency) == (source, currency)]
            lapsed = sum(1 for one in own if one.state == EXPIRED)
            due = granted - lapsed - receipt.taken.get(currency, 0) - stands.get(currency, 0)
            taken = self._take_back(member, receipt.purchase.purchase_id, currency, max(0, due))
            receipt.taken[currency] = receipt.taken.get(currency, 0) + taken
            self.less_brought(receipt.member, currency, taken)
        member.spend -= spent
        self.less_brought_spend(receipt.member, spent)
        self._review(member)
        assert member.as_of is not None
        member.settle(member.as_of)
        return True

    def _review(self, member: Member) -> None:
        assert member.as_of is not None
        is_silver = member.spend >= self.program.tiers.levels[1].needs[0].at_least
        if is_silver != member.is_silver(member.as_of):
            member.silver.append((member.as_of, is_silver))

    def _take_back(self, member: Member, source: str, currency: str, due: int) -> int:
        pending = member.some(currency, state=FREE, pending=True)
        free = member.free(currency)
        own = [one for one in pending + free if one.source == source]
        if self.program.take_back is TakeBack.KEEP_AVAILABLE:
            free, pending, own = [], [], [one for one in own if one.pending_until is not None]
        order = own + [one for one in pending if one not in own]
        if self.program.take_back is not TakeBack.PENDING_ONLY:
            order += [one for one in free if one not in own]
        gone = order[:due]
        for token in gone:
            token.state = TAKEN
        taken = len(gone)
        if self.program.take_back is TakeBack.DEBT:
            member.debt[currency] = member.debt.get(currency, 0) + due - taken
            taken = due
        member.lifetime[currency] = member.lifetime.get(currency, 0) - taken
        return taken

    def _return_redeemed(self, member: Member, receipt: ModelReceipt, command: BookRefund) -> None:
        for hold, currency, tokens, debt in receipt.redeemed:
            self.give_back(member, tokens, holder=receipt.member)
            forgiven = min(debt, member.debt.get(currency, 0))
            if forgiven:
                member.debt[currency] -= forgiven
            for _ in range(debt - forgiven):
                moment = command.refund.occurred_at
                member.tokens.append(Token(currency, f"{command.refund_id}/{hold}", moment, NEVER, None))
            member.expire(command.refund.occurred_at)

    def _pay(self, member: Member, receipt: ModelReceipt, command: BookPurchase) -> None:
        for id_ in command.purchase.holds:
            hold = self.hold_of(member, id_)
            if hold is None:
                continue
            if hold.state == "captured" and not hold.purchase:
                hold.purchase = command.purchase.key
                receipt.redeemed.append((id_, hold.currency, list(hold.taken), 0))
            elif hold.state == "open":
                for token in (one for one in member.tokens if one.hold == id_ and one.state == HELD):
                    token.state = SPENT
                    hold.taken.append(token)
                hold.state, hold.purchase = "captured", command.purchase.key
                receipt.redeemed.append((id_, hold.currency, list(hold.taken), 0))
            else:
                gone = member.free(hold.currency)[: hold.amount]
                for token in gone:
                    token.state = SPENT
                short = hold.amount - len(gone)
                member.debt[hold.currency] = member.debt.get(hold.currency, 0) + short
                receipt.redeemed.append((id_, hold.currency, gone, short))

    def _earns(self, lines: Iterable[Line], left: list[tuple[int, int]], *, silver: bool) -> dict[str, int]:
        paid = sum(money for _, money in left)
        points = paid * (120 if silver else 100) // 100 // 100
        stamps = sum(pieces for line, (pieces, _) in zip(lines, left, strict=True) if line.category == "coffee")
        return {POINTS: points, **({"stamps": stamps} if stamps else {})}

    def _grant(self, member: Member, source: str, currency: str, amount: int, at: datetime) -> None:
        member.lifetime[currency] = member.lifetime.get(currency, 0) + amount
        paid = min(amount, member.debt.get(currency, 0))
        if paid:
            member.debt[currency] -= paid
        expires_at = days_after(at, self.program.expiry.life.days) or NEVER
        pending_until = days_after(at, self.program.release.days)
        member.tokens += [Token(currency, source, at, expires_at, pending_until) for _ in range(amount - paid)]

    def authorise(self, command: Authorise) -> str | None:
        member = self.members[command.account]
        if member.frozen:
            return "ACCOUNT_FROZEN"
        now = copy_as_of(member, command.at)
        if len(now.free(command.currency)) < command.amount:
            return "INSUFFICIENT_POINTS"
        member.advance(command.at)
        for token in member.free(command.currency)[: command.amount]:
            token.state, token.hold = HELD, command.hold
        member.holds[command.hold] = ModelHold(command.currency, command.amount, command.expires_at)
        return None

    def hold_command(self, command: Capture | Void | Reverse | Extend | Pin) -> str | None:
        keeper = self.keeper(command.hold)
        if keeper is None:
            return "HOLD_NOT_FOUND"
        member = self.members[keeper]
        before = copy_as_of(member, command.at)
        hold = before.holds.get(command.hold) or self.members.own(keeper).holds[command.hold]
        refused = self._refused(before, hold, command)
        if refused is None:
            member.advance(command.at)
            self._do(member, self.members.own(keeper).holds[command.hold], command, keeper)
        return refused

    def _refused(self, member: Member, hold: ModelHold, command: Capture | Void | Reverse | Extend | Pin) -> str | None:
        if isinstance(command, Reverse) and hold.purchase:
            return "HOLD_PAID"
        if hold.state != ("captured" if isinstance(command, Reverse) else "open"):
            return "HOLD_CLOSED"
        if isinstance(command, Capture):
            if member.frozen and not hold.pinned:
                return "ACCOUNT_FROZEN"
            left = len([one for one in member.tokens if one.hold == command.hold and one.state == HELD])
            return "HOLD_EXCEEDED" if command.amount is not None and command.amount > left else None
        if isinstance(command, Extend) and command.expires_at <= hold.ends_at:
            return "INVALID_HOLD"
        return None

    def _do(
        self, member: Member, hold: ModelHold, command: Capture | Void | Reverse | Extend | Pin, keeper: str
    ) -> None:
        held = [one for one in member.tokens if one.hold == command.hold and one.state == HELD]
        match command:
            case Capture():
                held.sort(key=lambda one: one.order)
                for token in held[: command.amount]:
                    token.state = SPENT
                    hold.taken.append(token)
                rest = len(held) - (len(held) if command.amount is None else command.amount)
                if rest == 0 or not command.keep_rest:
                    hold.state, hold.pinned = "captured", False
                    member.let_go(command.hold, command.at)
            case Void():
                hold.state, hold.pinned = ("captured" if hold.taken else "voided"), False
                member.let_go(command.hold, command.at)
            case Reverse():
                self.give_back(member, hold.taken, holder=keeper)
                hold.state, hold.taken = "reversed", []
                member.expire(command.at)
            case Extend():
                hold.ends_at = command.expires_at
            case Pin():
                hold.pinned = True

    def adjust(self, command: Adjust) -> str | None:
        member = self.members[command.account]
        if abs(command.amount) > self.program.adjustment_limit:
            return None
        if -command.amount > len(copy_as_of(member, command.at).free(command.currency)):
            return "INSUFFICIENT_POINTS"
        member.advance(command.at)
        if command.amount > 0:
            self._give(member, command.currency, command.adjustment, command.amount, command.at)
        for token in member.free(command.currency)[: max(0, -command.amount)]:
            token.state = TAKEN
        return None

    def _give(self, member: Member, currency: str, source: str, amount: int, at: datetime) -> None:
        member.lifetime[currency] = member.lifetime.get(currency, 0) + amount
        paid = min(amount, member.debt.get(currency, 0))
        if paid:
            member.debt[currency] -= paid
        expires_at = days_after(at, self.program.expiry.life.days) or NEVER
        member.tokens += [Token(currency, source, at, expires_at, None) for _ in range(amount - paid)]

    def reward(self, command: Reward) -> str | None:
        if self.where(command.account) == self.where(command.other):
            return "NO_REWARD"
        terms = self.program.referral
        amount = terms.referrer_points if command.side is Side.REFERRER else terms.referred_points
        member = self.members[command.account]
        member.advance(command.at)
        self._give(member, POINTS, command.author.entry_id, amount, command.at)
        member.advance(command.at)  # what comes late may have expired since
        return None

    def freeze(self, command: Freeze) -> str | None:
        member = self.members[command.account]
        if member.frozen is not command.frozen:
            member.advance(command.at)
            member.frozen = command.frozen
        return None
