"""The fold against a model in which each point is a token: random commands, duplicates, refunds, clock moves."""

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from services.kit.errors import Problem
from services.points.domain.accounts import Account
from services.points.domain.batches import Answer
from services.points.domain.commands import AnyCommand
from services.points.domain.holds import Hold
from services.points.domain.lots import Lot
from services.points.domain.programs import Programs
from tests.support.ledger_machine import CHAIN, LedgerMachine
from tests.support.paper_ledger import PaperLedger, findings


class PaperMachine(LedgerMachine):
    """The fold alone."""

    def begin(self, programs: Programs) -> None:
        self.ledger = PaperLedger(programs)

    def commit(self, commands: Sequence[AnyCommand]) -> Sequence[Answer | Problem]:
        return self.ledger.commit(commands)

    def read(self, member: str) -> tuple[Account, dict[str, Lot], dict[str, Hold]]:
        key = CHAIN, member
        return self.ledger.books.accounts[key], self.ledger.books.lots[key], self.ledger.books.holds[key]

    def teardown(self) -> None:
        """What a verification finds in the journals, which is nothing."""
        if hasattr(self, "ledger"):
            assert [str(one) for one in findings(self.ledger, CHAIN)] == []


def test_the_fold_does_what_the_model_does() -> None:
    run_state_machine_as_test(
        PaperMachine,
        settings=settings(
            max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
