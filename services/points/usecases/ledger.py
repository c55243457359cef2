"""The ledger's side of a batch: what the group commit calls."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from services.kit.errors import Problem
from services.points.domain.accounts import Account
from services.points.domain.batches import Folded, Key, Recorded, fold
from services.points.domain.booking import BookedPurchase, BookPurchase
from services.points.domain.programs import Program


class Fold(Protocol):
    """Commands folded through what was loaded for them."""

    def __call__(
        self,
        commands: Sequence[BookPurchase],
        *,
        accounts: Mapping[Key, Account],
        receipts: Mapping[Key, BookedPurchase],
    ) -> Folded:
        """Return the answers, and what to write."""


class Journal(Protocol):
    """Where accounts, receipts and entries are kept."""

    async def commit(self, commands: Sequence[BookPurchase], fold: Fold) -> Sequence[Recorded | Problem]:
        """Load, fold and write `commands` in one transaction; again from the load when somebody else was first."""


async def commit(
    commands: Sequence[BookPurchase], *, journal: Journal, program: Program
) -> Sequence[Recorded | Problem]:
    """Book a batch in one commit; each command gets its own answer."""
    return await journal.commit(commands, partial(fold, program=program))
