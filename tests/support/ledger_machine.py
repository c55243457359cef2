"""Random commands against the ledger and the model beside it; what they say and hold must agree after each step."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.kit.errors import Problem
from services.points.domain.accounts import Account
from services.points.domain.batches import Answer, Settled
from services.points.domain.books import Posted
from services.points.domain.commands import (
    Adjust,
    AnyCommand,
    Authorise,
    BookPurchase,
    BookRefund,
    Capture,
    Extend,
    Freeze,
    Merge,
    Open,
    OpeningLot,
    Pin,
    Reverse,
    Reward,
    Side,
    Split,
    Void,
)
from services.points.domain.drafts import Author
from services.points.domain.holds import Hold
from services.points.domain.journal import Note
from services.points.domain.lots import NEVER, Lot
from services.points.domain.programs import Program, Programs, TakeBack
from services.points.domain.purchases import Line, Purchase
from services.points.domain.referral_terms import Referral
from services.points.domain.refunds import Refund, RefundLine
from services.points.domain.rules import POINTS, STAMPS
from services.points.domain.views import shown_at
from tests.support.ledger_model import Model
from tests.support.ledger_tokens import Member, Token, copy_as_of
from tests.support.programs import program_with, two_levels

CHAIN = "chn_1"
MEMBERS = ("mem_1", "mem_2", "mem_3")
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

PROGRAMS = [
    program_with(
        expires_days=expires_days,
        pending_days=pending_days,
        stamped=("coffee",),
        tiers=two_levels(4_000),
        take_back=take_back,
        referral=Referral(referrer_points=6, referred_points=4),
    )
    for expires_days in (0, 10)
    for pending_days in (0, 2)
    for take_back in TakeBack
]

LINES = st.lists(
    st.builds(
        Line,
        item_code=st.just("A1"),
        quantity=st.integers(1, 3),
        gross_minor=st.integers(0, 12).map(lambda amount: amount * 150),
        category=st.sampled_from(["", "coffee"]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)

REFUND_LINES = st.lists(
    st.builds(
        RefundLine,
        line=st.integers(1, 3),
        quantity=st.integers(0, 2),
        amount_minor=st.one_of(st.none(), st.integers(1, 900)),
    ).filter(lambda line: line.quantity or line.amount_minor),
    max_size=2,
    unique_by=lambda line: line.line,
).map(tuple)


class LedgerMachine(RuleBasedStateMachine):
    """What a subclass says is `commit`, and how an account is read back."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = CHAIN
        self.now = START
        self.sent: list[AnyCommand] = []
        self.holds: list[tuple[str, str]] = []  # member and hold
        self.merges: list[tuple[str, str]] = []  # member and merge
        self.number = 0

    # What the subclass does. Not abstract methods: a machine has a metaclass of its own, which would not look at them.

    def begin(self, programs: Programs) -> None:
        """Start with an empty ledger."""
        raise NotImplementedError

    def commit(self, commands: Sequence[AnyCommand]) -> Sequence[Answer | Problem]:
        """Carry out a batch."""
        raise NotImplementedError

    def read(self, member: str) -> tuple[Account, dict[str, Lot], dict[str, Hold]]:
        """Return an account as it is stored, with its open lots and holds."""
        raise NotImplementedError

    @initialize(program=st.sampled_from(PROGRAMS))
    def start(self, program: Program) -> None:
        self.program, self.model = program, Model(program)
        self.begin(Programs((program,)))
        lots = (OpeningLot(5, START, START + 3 * DAY), OpeningLot(7, START, None))
        for member in MEMBERS:
            opening = Open(
                author=self.author(f"opening/{member}"),
                account=member,
                fingerprint=b"",
                at=START,
                currency=POINTS,
                lots=lots,
                opens_account=True,
            )
            [answer] = self.commit([opening])
            assert not isinstance(answer, Problem)
            self.model.members[member] = self._opened(opening)

    def _opened(self, opening: Open) -> Member:
        member = Member(lifetime={POINTS: 12})
        for number, lot in enumerate(opening.lots, start=1):
            source = f"{opening.author.entry_id}.{number}"
            member.tokens += [Token(POINTS, source, START, lot.expires_at or NEVER, None) for _ in range(lot.amount)]
        member.advance(START)
        return member

    def author(self, key: str) -> Author:
        self.number += 1
        return Author(self.chain, f"ent_{self.number:06}", self.now, "till:t1", key)

    def keyed(self, member: str) -> dict[str, Any]:
        key = f"key-{self.number}"
        return {"author": self.author(key), "account": member, "fingerprint": key.encode(), "at": self.now}

    # The rules.

    @rule(days=st.sampled_from([0.1, 1, 2, 5, 11]))
    def time_passes(self, days: float) -> None:
        self.now += days * DAY

    @rule(
        member=st.sampled_from(MEMBERS),
        number=st.integers(1, 8),
        lines=LINES,
        late=st.sampled_from([0, 0, 0, 1, 3, 15]),
        holds=st.lists(st.integers(0, 20), max_size=2),
    )
    def purchase(self, member: str, number: int, lines: tuple[Line, ...], late: int, holds: list[int]) -> None:
        named = {self.holds[one % len(self.holds)][1]: None for one in holds} if self.holds else {}
        purchase = Purchase(
            store="sto_1",
            receipt_number=str(number),
            member=member,
            occurred_at=self.now - late * DAY,
            currency="CNY",
            lines=lines,
            holds=tuple(named),
        )
        author = self.author(purchase.key)
        self.send(BookPurchase(author=author, purchase=purchase, time_zone="UTC", purchase_id=f"pur_{self.number:06}"))

    @rule(number=st.integers(1, 8), refund=st.integers(1, 6), lines=REFUND_LINES, late=st.sampled_from([0, 0, 2]))
    def refund(self, number: int, refund: int, lines: tuple[RefundLine, ...], late: int) -> None:
        taken = Refund("sto_1", f"r{refund}", str(number), self.now - late * DAY, lines)
        author = self.author(taken.key)
        self.send(BookRefund(author=author, refund=taken, refund_id=f"ref_{self.number:06}"))

    @rule(
        member=st.sampled_from(MEMBERS),
        currency=st.sampled_from([POINTS, POINTS, STAMPS]),
        amount=st.integers(1, 15),
        days=st.sampled_from([0.5, 3, 20]),
    )
    def authorise(self, member: str, currency: str, amount: int, days: float) -> None:
        keyed = self.keyed(member)
        hold = f"hold_{self.number:06}"
        expires_at = self.now + days * DAY
        answer = self.send(Authorise(**keyed, hold=hold, currency=currency, amount=amount, expires_at=expires_at))
        self._keep_hold(answer)

    def _keep_hold(self, answer: Answer | Problem) -> None:
        """Remember whose hold it is: the account's in which the member is now."""
        if isinstance(answer, Posted) and answer.hold is not None:
            self.holds.append((answer.hold.account, answer.hold.id))

    @rule(member=st.sampled_from(MEMBERS), keep=st.integers(0, 2))
    def spend_all(self, member: str, keep: int) -> None:
        """Spend all but a little, so that what is to be taken back later is not there."""
        account, lots, holds = self.read(self.model.where(member))
        shown = shown_at(account, self.now, Programs((self.program,)), lots=lots, holds=holds)
        amount = shown.account.balance(POINTS).available - keep
        if amount < 1:
            return
        keyed = self.keyed(member)
        hold = f"hold_{self.number:06}"
        expires_at = self.now + DAY
        answer = self.send(Authorise(**keyed, hold=hold, currency=POINTS, amount=amount, expires_at=expires_at))
        if not isinstance(answer, Problem):
            self._keep_hold(answer)
            self.send(Capture(**self.keyed(member), hold=hold))

    @rule(which=st.integers(0, 20))
    def regret(self, which: int) -> None:
        """Take a receipt back whole."""
        booked = [one for one in self.sent if isinstance(one, BookPurchase)]
        if booked:
            purchase = booked[which % len(booked)].purchase
            self.number += 1
            taken = Refund(purchase.store, f"w{self.number}", purchase.receipt_number, self.now)
            author = self.author(taken.key)
            self.send(BookRefund(author=author, refund=taken, refund_id=f"ref_{self.number:06}"))

    @rule(
        which=st.integers(0, 20),
        what=st.sampled_from([Capture, Capture, Void, Reverse, Extend, Pin]),
        amount=st.one_of(st.none(), st.integers(1, 8)),
        keep_rest=st.booleans(),
    )
    def change_hold(self, which: int, what: type[AnyCommand], amount: int | None, keep_rest: bool) -> None:  # noqa: FBT001 - hypothesis names it
        if not self.holds:
            return
        member, hold = self.holds[which % len(self.holds)]
        more: dict[str, Any] = {"hold": hold}
        if what is Capture:
            more |= {"amount": amount, "keep_rest": keep_rest}
        if what is Extend:
            more |= {"expires_at": self.now + 5 * DAY}
        self.send(what(**self.keyed(member), **more))

    @rule(member=st.sampled_from(MEMBERS), currency=st.sampled_from([POINTS, STAMPS]), amount=st.integers(-12, 12))
    def adjust(self, member: str, currency: str, amount: int) -> None:
        if amount:
            keyed = self.keyed(member)
            adjustment = f"adj_{self.number:06}"
            reason = Note(bytes(32), "because")
            self.send(Adjust(**keyed, adjustment=adjustment, currency=currency, amount=amount, reason=reason))

    @rule(member=st.sampled_from(MEMBERS), frozen=st.booleans())
    def freeze(self, member: str, frozen: bool) -> None:  # noqa: FBT001 - hypothesis names it
        self.send(Freeze(**self.keyed(member), frozen=frozen, reason=Note(bytes(32), "because")))

    @rule(
        referrer=st.sampled_from(MEMBERS),
        referred=st.sampled_from(MEMBERS),
        side=st.sampled_from(Side),
        late=st.sampled_from([0, 0, 15]),
    )
    def reward(self, referrer: str, referred: str, side: Side, late: int) -> None:
        account, other = (referrer, referred) if side is Side.REFERRER else (referred, referrer)
        keyed = self.keyed(account) | {"at": self.now - late * DAY}
        self.send(Reward(**keyed, side=side, other=other, referral=f"rfl_{self.number:06}"))

    @rule(account=st.sampled_from(MEMBERS), into=st.sampled_from(MEMBERS))
    def merge(self, account: str, into: str) -> None:
        merge = f"mrg_{self.number:06}"
        before = self.totals()
        self.send(Merge(**self.keyed(account), into=into, merge=merge))
        self.merges.append((account, merge))
        assert self.totals() == before

    @rule(which=st.integers(0, 20))
    def split(self, which: int) -> None:
        """Undo a merge, or one that was undone already, or never was."""
        if self.merges:
            account, merge = self.merges[which % len(self.merges)]
            before = self.totals()
            self.send(Split(**self.keyed(account), merge=merge))
            assert self.totals() == before

    def totals(self) -> tuple[int, ...]:
        """Return what all have together as of now, less their debt, in each currency."""
        found = [_at(self.model.members.own(name), self.now) for name in self.model.members]
        sums = [[member.balances(currency) for member in found] for currency in (POINTS, STAMPS)]
        return tuple(sum(sum(one[:3]) - one[3] for one in each) for each in sums)

    @rule(which=st.lists(st.integers(0, 100), min_size=1, max_size=4))
    def send_again(self, which: list[int]) -> None:
        """Repeat what was carried out: the answer is the first one, and nothing else happens."""
        if not self.sent:
            return
        again = [self.sent[one % len(self.sent)] for one in which]
        for answer in self.commit(again):
            assert not isinstance(answer, Problem), answer
            assert not isinstance(answer, Settled)
            assert answer.repeated_call

    @rule(seeds=st.lists(st.integers(1, 9), min_size=2, max_size=5), amount=st.integers(1, 12))
    def batch(self, seeds: list[int], amount: int) -> None:
        """Commit several commands at once, one of which is a copy of another."""
        commands: list[AnyCommand] = []
        for seed in seeds:
            member = MEMBERS[seed % 3]
            purchase = Purchase(
                "sto_2", str(seed + 100 * (self.number // 40)), member, self.now, "CNY", (Line("B", 1, amount * 100),)
            )
            author = self.author(purchase.key)
            commands.append(
                BookPurchase(author=author, purchase=purchase, time_zone="UTC", purchase_id=f"pur_{self.number:06}")
            )
        keyed = self.keyed(MEMBERS[amount % 3])
        hold = f"hold_{self.number:06}"
        commands.append(Authorise(**keyed, hold=hold, currency=POINTS, amount=amount, expires_at=self.now + DAY))
        commands += commands[:1]
        answers = self.commit(commands)
        for command, answer in zip(commands[:-1], answers, strict=False):
            self.compare(command, answer)
        self._keep_hold(answers[-2])
        first, last = answers[0], answers[-1]
        assert isinstance(first, Problem) == isinstance(last, Problem)

    def send(self, command: AnyCommand) -> Answer | Problem:
        [answer] = self.commit([command])
        self.compare(command, answer)
        return answer

    def compare(self, command: AnyCommand, answer: Answer | Problem) -> None:
        expected = self._tell_model(command)
        assert (answer.code if isinstance(answer, Problem) else None) == expected, command
        if expected is None:
            self.sent.append(command)

    def _tell_model(self, command: AnyCommand) -> str | None:
        tell: dict[type[Any], Callable[[Any], str | None]] = {
            BookPurchase: self.model.purchase,
            BookRefund: self.model.refund,
            Authorise: self.model.authorise,
            Adjust: self.model.adjust,
            Freeze: self.model.freeze,
            Reward: self.model.reward,
            Merge: self.model.merge,
            Split: self.model.split,
        }
        return tell.get(type(command), self.model.hold_command)(command)

    @invariant()
    def balances_agree(self) -> None:
        for name, member in getattr(self, "model", Model(PROGRAMS[0])).members.items():
            account, lots, holds = self.read(name)
            if account.id != name:  # read by the name of one that was taken over
                assert account.id == self.model.where(name)
                continue
            for moment in (account.as_of or self.now, self.now):
                shown = shown_at(account, moment, Programs((self.program,)), lots=lots, holds=holds).account
                expected = _at(member, moment)
                for currency in (POINTS, STAMPS):
                    held = shown.balance(currency)
                    found = (held.available, held.pending, held.held, held.debt, held.lifetime)
                    assert found == expected.balances(currency), (name, currency, moment)
            assert account.spend_minor == member.spend
            assert account.frozen is member.frozen


def _at(member: Member, moment: datetime) -> Member:
    return copy_as_of(member, moment)
