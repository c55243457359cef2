"""What the ledger says of the past and the future, in the graph: months, liability, seals."""

from typing import Annotated

import strawberry

from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1.ledger_pb2_grpc import LedgerStub
from services.kit.graph import (
    After,
    Caller,
    Connection,
    First,
    Info,
    Instant,
    Page,
    SafeInt,
    allow,
    field,
    instant,
)
from services.points.graph.balances import PointsCurrency, word_of

LEDGER_READERS = allow(Caller.STAFF, scope="ledger:read")

REPORT_S = 20.0
"""A report goes over all of a chain's journal."""

FromMonth = Annotated[str, strawberry.argument(description='The first, like "2026-01", in UTC.')]
UntilMonth = Annotated[str, strawberry.argument(description="The last, itself included; up to 36 months in all.")]
In = Annotated[PointsCurrency, strawberry.argument(description="What is counted.")]


@strawberry.type(description="A month of the program, in whole points or stamps, by when they were booked.")
class LedgerMonth:
    """A month."""

    month: str = strawberry.field(description='Like "2026-01", in UTC.')
    issued: SafeInt = strawberry.field(description="Granted by purchases and openings, less what refunds took back.")
    redeemed: SafeInt = strawberry.field(description="Spent, less what was reversed.")
    expired: SafeInt = strawberry.field(description="Expired.")
    adjusted: SafeInt = strawberry.field(description="By hand; negative: taken.")
    debt: SafeInt = strawberry.field(
        description="What members owe more (negative: less) than at the month's beginning."
    )
    outstanding: SafeInt = strawberry.field(description="What the program owed at the month's end.")


@strawberry.type(description="What expires in a month.")
class LiabilityMonth:
    """A month to come."""

    month: str | None = strawberry.field(description='Like "2026-01", in UTC; null: never expires.')
    amount: SafeInt = strawberry.field(description="How much, in whole points or stamps.")


@strawberry.type(description="What the program owes its members.")
class Liability:
    """The liability."""

    outstanding: SafeInt = strawberry.field(description="In all, in whole points or stamps.")
    months: list[LiabilityMonth] = strawberry.field(description="By the month in which it expires.")


@strawberry.type(
    description="The heads of all accounts as they were at the end of a day, under one signature: whoever has it can "
    "prove that the past was not changed."
)
class Seal:
    """A sealed root."""

    day: str = strawberry.field(description='Like "2026-03-01", in UTC: what was booked before its end.')
    root: str = strawberry.field(description="Merkle root (RFC 6962, SHA-256) over the accounts by id; hexadecimal.")
    accounts: SafeInt = strawberry.field(description="How many accounts.")
    postings: SafeInt = strawberry.field(description="How many postings they had by then.")
    sealed_at: Instant = strawberry.field(description="When it was signed.")
    signature: str = strawberry.field(description="Ed25519; hexadecimal.")
    key_id: str = strawberry.field(description="With which key.")


@strawberry.type(description="What the ledger says of the whole chain.")
class Ledger:
    """Reports."""

    @field(LEDGER_READERS, description="What was issued, redeemed, expired and adjusted, and what is outstanding.")
    async def months(
        self,
        info: Info,
        from_month: FromMonth,
        until_month: UntilMonth,
        currency: In = PointsCurrency.POINTS,
    ) -> list[LedgerMonth]:
        """Ask for the months."""
        points = info.context.channel("points")
        request = pb.GetMonthsRequest(from_month=from_month, until_month=until_month, currency=word_of(currency))
        answer = await points.ask(points.stub(LedgerStub).GetMonths, request, timeout_s=REPORT_S)
        return [_month(one) for one in answer.months]

    @field(LEDGER_READERS, description="What is outstanding now, by the month in which it expires.")
    async def liability(self, info: Info, currency: In = PointsCurrency.POINTS) -> Liability:
        """Ask for the liability."""
        points = info.context.channel("points")
        request = pb.GetLiabilityRequest(currency=word_of(currency))
        answer = await points.ask(points.stub(LedgerStub).GetLiability, request, timeout_s=REPORT_S)
        months = [LiabilityMonth(month=one.month or None, amount=one.amount) for one in answer.months]
        return Liability(outstanding=answer.outstanding, months=months)

    @field(LEDGER_READERS, description="Sealed roots, the newest first.")
    async def seals(self, info: Info, first: First = 20, after: After = None) -> Connection[Seal]:
        """Ask for a page of them."""
        page = Page.checked(first=first, after=after)
        points = info.context.channel("points")
        answer = await points.ask(points.stub(LedgerStub).ListSeals, pb.ListSealsRequest(page=page.to_proto()))
        return Connection.of([_seal(one) for one in answer.seals], page, end_cursor=answer.end_cursor)


@strawberry.type
class LedgerQuery:
    """The way to the reports."""

    @field(LEDGER_READERS, description="What the ledger says of the whole chain. For staff.")
    def ledger(self) -> Ledger:
        """Lead to the reports, each of which is asked for by itself."""
        return Ledger()


def _month(month: pb.Month) -> LedgerMonth:
    return LedgerMonth(
        month=month.month,
        issued=month.issued,
        redeemed=month.redeemed,
        expired=month.expired,
        adjusted=month.adjusted,
        debt=month.debt,
        outstanding=month.outstanding,
    )


def _seal(seal: pb.Seal) -> Seal:
    return Seal(
        day=seal.day,
        root=seal.root.hex(),
        accounts=seal.accounts,
        postings=seal.postings,
        sealed_at=instant(seal.sealed_at),
        signature=seal.signature.hex(),
        key_id=seal.key_id,
    )
