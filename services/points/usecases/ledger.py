"""The ledger's side of a batch: what the group commit calls, and what use cases hand it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from services.kit.errors import Kind, Problem
from services.kit.ids import MakeId
from services.kit.principal import Principal
from services.points.domain.batches import Answer, Folded, fold
from services.points.domain.books import Books, Needs, Posted
from services.points.domain.commands import AnyCommand, BookRefund, KeyedCommand, Release
from services.points.domain.drafts import Author
from services.points.domain.rules import CURRENCIES

MAX_KEY_LENGTH = 128


class InvalidKeyError(Problem):
    """A command's key has 1 to {most} characters."""

    kind = Kind.INVALID
    code = "INVALID_KEY"


class NoCurrencyError(Problem):
    """There is no currency {currency}: choose one of {known}."""

    kind = Kind.INVALID
    code = "INVALID_CURRENCY"


class Fold(Protocol):
    """Commands folded through what was loaded for them."""

    def __call__(self, commands: Sequence[AnyCommand], *, books: Books) -> Folded | Needs:
        """Return the answers and what to write, or what has to be loaded first."""


class Journal(Protocol):
    """Where accounts, receipts and entries are kept."""

    async def commit(self, commands: Sequence[AnyCommand], fold: Fold) -> Sequence[Answer | Problem]:
        """Load, fold and write `commands` in one transaction; again from the load when somebody else was first."""

    async def preview(self, commands: Sequence[AnyCommand], fold: Fold) -> Sequence[Answer | Problem]:
        """Load and fold `commands`, and write nothing."""


async def commit(commands: Sequence[AnyCommand], *, journal: Journal) -> Sequence[Answer | Problem]:
    """Book a batch in one commit; each command gets its own answer."""
    return await journal.commit(commands, fold)


def aggregate_of(command: AnyCommand) -> tuple[str, str]:
    """Return what a command changes first of all: an account, or, where that is not known yet, a receipt."""
    if isinstance(command, BookRefund):
        return command.chain, command.refund.purchase_key
    return command.chain, command.purchase if isinstance(command, Release) else command.account


class Ledger(Protocol):
    """The group commit."""

    def check_room(self, count: int) -> None:
        """Raise the Problem with which `count` more commands would be refused, before any work is put into them."""

    async def submit_all(self, commands: Sequence[AnyCommand]) -> Sequence[Answer | Problem]:
        """Carry out `commands` in their order; each has its own answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, when, and in which trace: what a use case needs of the edge to make commands."""

    caller: Principal
    now: datetime
    make_id: MakeId
    traceparent: str = ""

    @property
    def by(self) -> str:
        """How the journal names the caller."""
        return f"{self.caller.kind}:{self.caller.id}"

    def author(self, key: str, *, of: str = "") -> Author:
        """Return the author of a new entry under `key`, named like the thing `of` where that has an id."""
        return Author(
            chain=self.caller.chain,
            entry_id=f"ent_{of.partition('_')[2]}" if of else self.make_id("ent", self.now),
            booked_at=self.now,
            booked_by=self.by,
            key=key,
        )


async def submit(ledger: Ledger, command: KeyedCommand) -> Posted:
    """Carry out one command that has a key of its caller's; raise its Problem."""
    if not 1 <= len(command.author.key) <= MAX_KEY_LENGTH:
        raise InvalidKeyError(field="key", most=MAX_KEY_LENGTH)
    [answer] = await ledger.submit_all([command])
    if isinstance(answer, Problem):
        raise answer.with_traceback(None)
    assert isinstance(answer, Posted)  # noqa: S101 - narrows the type: that is what keyed commands are answered with
    return answer


def check_currency(currency: str) -> None:
    """Refuse what the program does not count in."""
    if currency not in CURRENCIES:
        raise NoCurrencyError(field="currency", currency=currency, known=", ".join(CURRENCIES))


def fingerprint(*asked: object) -> bytes:
    """Return the hash that tells two commands under one key apart; repr quotes strings, so nothing runs together."""
    return sha256(repr(asked).encode()).digest()[:16]
