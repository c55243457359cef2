"""The ledger without a database: the fold, and books that hold everything."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from services.kit.errors import Problem
from services.points.domain.batches import Answer, Folded, fold, further_needs, needs
from services.points.domain.books import Books, Needs
from services.points.domain.commands import AnyCommand
from services.points.domain.facts import LedgerEvent
from services.points.domain.findings import Finding
from services.points.domain.journal import Entry
from services.points.domain.programs import Programs
from services.points.domain.replaying import Moved, Replay
from services.points.domain.verification import Stored, compare

MOST_ROUNDS = 40
BOTH_SIDES = 2


class PaperLedger:
    """Commits like the store does: what a fold finds missing is looked for, and the fold done again."""

    def __init__(self, programs: Programs | None = None) -> None:
        self.programs = programs or Programs()
        self.books = Books(programs=defaultdict(lambda: self.programs))
        self.entries: list[Entry] = []
        self.told: list[LedgerEvent] = []

    def commit(self, commands: Sequence[AnyCommand]) -> Sequence[Answer | Problem]:
        """Carry out a batch."""
        self._look_for(needs(commands))
        self._look_for(further_needs(commands, self.books))
        folded = fold(commands, books=self.books)
        for _ in range(MOST_ROUNDS):
            if isinstance(folded, Folded):
                self._take_over(folded)
                return folded.answers
            self._look_for(folded)
            folded = fold(commands, books=self.books)
        raise AssertionError(folded)

    def _look_for(self, wanted: Needs) -> None:
        self.books.asked |= wanted.accounts | wanted.whole
        self.books.asked_single |= wanted.lots | wanted.holds
        for key in wanted.whole:
            self.books.lots.setdefault(key, {})
            self.books.holds.setdefault(key, {})

    def _take_over(self, folded: Folded) -> None:
        changes, books = folded.changes, self.books
        books.accounts |= changes.accounts
        for key in changes.accounts:
            books.lots.setdefault(key, {})
            books.holds.setdefault(key, {})
        for (key, id_), lot in changes.lots.items():
            books.lots[key][id_] = lot
        for (key, id_), hold in changes.holds.items():
            books.holds[key][id_] = hold
        books.receipts |= changes.receipts
        books.refunds |= changes.refunds
        books.adjustments |= changes.adjustments
        books.kept |= changes.kept
        self.entries += [entry for _, entry in changes.entries]
        self.told += [event for _, event, _ in changes.told]


def findings(ledger: PaperLedger, chain: str) -> list[Finding]:
    """Return what is not right with any account, given its journal."""
    found: list[Finding] = []
    moved: list[Moved] = []
    for (of, name), account in ledger.books.accounts.items():
        replay = Replay(of, name, ledger.programs)
        for entry in ledger.entries:
            if entry.postings[0].account == name:
                replay.take(entry)
        lots = [lot for lot in ledger.books.lots[chain, name].values() if lot.is_open]
        holds = [hold for hold in ledger.books.holds[chain, name].values() if hold.is_open]
        compare(replay, Stored(account, lots, holds, account.version))
        found += replay.findings.all()
        moved += [one for _, _, one in replay.moved]
    assert all(count == BOTH_SIDES for count in Counter(moved).values())
    return found
