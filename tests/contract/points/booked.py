"""Real bookings for tests of the audit: commands by hand, straight into the store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.kit.errors import Problem
from services.kit.keys import OwnKey
from services.kit.mongo import command_keys
from services.kit.mongo.database import Database, create_indexes
from services.kit.outbox import outbox
from services.kit.outbox.outbox import Outbox
from services.points.domain.batches import Answer
from services.points.domain.commands import (
    Adjust,
    AnyCommand,
    Authorise,
    BookPurchase,
    BookRefund,
    Capture,
    Freeze,
    Open,
    OpeningLot,
    Pin,
    Void,
)
from services.points.domain.drafts import Author
from services.points.domain.findings import Finding
from services.points.domain.journal import Note
from services.points.domain.programs import Programs
from services.points.domain.purchases import Line, Purchase
from services.points.domain.refunds import Refund, RefundLine
from services.points.store.collections import INDEXES
from services.points.store.journal import MongoJournal
from services.points.store.seals import MongoSeals
from services.points.store.verification import MongoLedgerReader
from services.points.usecases.ledger import commit
from services.points.usecases.seal_ledger import seal_chain
from services.points.usecases.verify_ledger import Progress, verify_ledger
from tests.support.programs import OneProgram, program_with, two_levels

CHAIN = "chn_1"
START = datetime(2026, 3, 1, 4, tzinfo=UTC)
PROGRAMS = OneProgram(Programs((program_with(expires_days=364, stamped=("coffee",), tiers=two_levels(50_000)),)))
KEY = OwnKey("points/test", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def day(number: float) -> datetime:
    """Return a moment of the test's calendar: day 0 is 2026-03-01, 04:00 UTC."""
    return START + timedelta(days=number)


class Booker:
    """Books commands at moments of its own."""

    def __init__(self, database: Database, *, chain: str = CHAIN) -> None:
        self.database, self.chain = database, chain
        self._journal = MongoJournal(database, Outbox(database), PROGRAMS)
        self._numbers = count(1)

    async def book(self, *commands: AnyCommand) -> list[Answer]:
        """Book `commands` in one commit; a Problem is raised."""
        answers = await commit(commands, journal=self._journal)
        for answer in answers:
            if isinstance(answer, Problem):
                raise answer
        return [answer for answer in answers if not isinstance(answer, Problem)]

    def author(self, at: datetime, key: str = "") -> Author:
        number = next(self._numbers)
        return Author(self.chain, f"ent_{number:04}", at, "staff:sta_1", key or f"key_{number}")

    def purchase(
        self,
        number: str,
        *,
        at: datetime,
        member: str = "mem_ada",
        paid_minor: int = 10_000,
        coffees: int = 0,
        holds: tuple[str, ...] = (),
        booked_at: datetime | None = None,
        store: str = "sto_1",
    ) -> BookPurchase:
        lines: tuple[Line, ...] = (Line("noodles", 1, paid_minor),)
        if coffees:
            lines += (Line("latte", coffees, 0, category="coffee"),)
        bought = Purchase(
            store=store,
            receipt_number=number,
            member=member,
            occurred_at=at,
            currency="CNY",
            lines=lines,
            holds=holds,
        )
        author = self.author(booked_at or at, bought.key)
        return BookPurchase(
            author=author,
            purchase=bought,
            time_zone="Asia/Shanghai",
            purchase_id=f"pur_{number}",
            opens_account=True,
        )

    def refund(
        self,
        number: str,
        *,
        of: str,
        at: datetime,
        amount_minor: int | None = None,
        booked_at: datetime | None = None,
    ) -> BookRefund:
        lines = () if amount_minor is None else (RefundLine(1, 0, amount_minor),)
        wanted = Refund(store="sto_1", number=number, receipt_number=of, occurred_at=at, lines=lines)
        return BookRefund(author=self.author(booked_at or at, wanted.key), refund=wanted, refund_id=f"ref_{number}")

    def hold(self, id_: str, amount: int, *, at: datetime, member: str = "mem_ada", hours: float = 24) -> Authorise:
        return Authorise(
            author=self.author(at),
            account=member,
            fingerprint=b"",
            at=at,
            hold=id_,
            currency="points",
            amount=amount,
            expires_at=at + timedelta(hours=hours),
        )

    def capture(self, id_: str, *, at: datetime, member: str = "mem_ada", amount: int | None = None) -> Capture:
        return Capture(
            author=self.author(at), account=member, fingerprint=b"", at=at, hold=id_, amount=amount, keep_rest=True
        )

    def pin(self, id_: str, *, at: datetime, member: str = "mem_ada") -> Pin:
        return Pin(author=self.author(at), account=member, fingerprint=b"", at=at, hold=id_)

    def void(self, id_: str, *, at: datetime, member: str = "mem_ada") -> Void:
        return Void(author=self.author(at), account=member, fingerprint=b"", at=at, hold=id_)

    def adjust(self, amount: int, *, at: datetime, member: str = "mem_ada") -> Adjust:
        author = self.author(at)
        return Adjust(
            author=author,
            account=member,
            fingerprint=b"",
            at=at,
            adjustment=f"adj_{author.entry_id}",
            currency="points",
            amount=amount,
            reason=Note(bytes(32), "for waiting so long"),
            opens_account=True,
        )

    def freeze(self, *, at: datetime, frozen: bool = True, member: str = "mem_ada") -> Freeze:
        author = self.author(at)
        reason = Note(author.entry_id.encode(), "asked for")
        return Freeze(author=author, account=member, fingerprint=b"", at=at, frozen=frozen, reason=reason)

    def open(self, amount: int, *, at: datetime, expires_at: datetime | None, member: str) -> Open:
        return Open(
            author=self.author(at),
            account=member,
            fingerprint=b"",
            at=at,
            opens_account=True,
            currency="points",
            lots=(OpeningLot(amount, at, expires_at),),
        )


@asynccontextmanager
async def booker_on(database: Database) -> AsyncIterator[Booker]:
    """Set the database up."""
    await outbox.set_up(database)
    await command_keys.set_up(database)
    for keyed, indexes in INDEXES.items():
        await create_indexes(database, keyed, indexes)
    yield Booker(database)


async def verified(database: Database, *, chain: str = CHAIN, cursor: str = "") -> list[Finding]:
    """Return what a verification finds."""
    return [finding for progress in await progresses(database, chain=chain, cursor=cursor) for finding in progress[1]]


async def progresses(
    database: Database, *, chain: str = CHAIN, cursor: str = ""
) -> list[tuple[str, list[Finding], int, int, bool]]:
    """Return each step's cursor, findings, accounts, postings, and whether it was the last."""
    reader = MongoLedgerReader(database)
    steps = verify_ledger(chain, cursor=cursor, reader=reader, programs=PROGRAMS, keys=KEY)
    return [_step(progress) async for progress in steps]


def _step(progress: Progress) -> tuple[str, list[Finding], int, int, bool]:
    position = progress.position
    return position.cursor(), progress.findings, position.accounts, position.postings, progress.done


async def seal_until(database: Database, now: datetime) -> int:
    """Seal what has ended by then."""
    return await seal_chain(CHAIN, seals=MongoSeals(database), key=KEY, now=now)
