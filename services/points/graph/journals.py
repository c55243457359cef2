"""The journal of an account in the graph: entries, past balances, statements."""

from datetime import datetime
from enum import Enum

import strawberry

from protos.points.v1 import ledger_pb2
from protos.points.v1 import points_pb2 as pb
from protos.points.v1.ledger_pb2_grpc import LedgerStub
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.graph import (
    Caller,
    Connection,
    GraphContext,
    Info,
    Instant,
    Kind,
    Page,
    Problem,
    SafeInt,
    allow,
    instant,
    page_loader,
    timestamp,
)
from services.points.graph.balances import PointsBalance, PointsCurrency, balance_of, currency_of

JOURNAL_READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, scope="points:read")

STATEMENT_BYTES = 5_000_000
"""About 40,000 entries; an answer is held in memory as a whole."""

STATEMENT_S = 20.0
"""For a whole statement, within the operation's own time."""


class StatementTooLongError(Problem):
    """The statement has more than {most_mb} MB: choose a shorter span."""

    kind = Kind.REFUSED
    code = "STATEMENT_TOO_LONG"


@strawberry.enum(description="Why points moved.")
class EntryKind(Enum):
    """Kinds of entry, named as in the proto."""

    PURCHASE = strawberry.enum_value("PURCHASE", description="A purchase earned them.")
    REFUND = strawberry.enum_value("REFUND", description="A refund took them back, or gave back what had been spent.")
    REDEMPTION = strawberry.enum_value("REDEMPTION", description="They were spent.")
    REVERSAL = strawberry.enum_value("REVERSAL", description="What had been spent came back.")
    HOLD = strawberry.enum_value("HOLD", description="They were set aside.")
    HOLD_VOIDED = strawberry.enum_value("HOLD_VOIDED", description="What had been set aside was given back.")
    HOLD_EXPIRED = strawberry.enum_value("HOLD_EXPIRED", description="A hold ran out, and what it held came back.")
    HOLD_EXTENDED = strawberry.enum_value("HOLD_EXTENDED", description="A hold runs out later.")
    HOLD_PINNED = strawberry.enum_value("HOLD_PINNED", description="A hold does not run out: its order is being paid.")
    HOLD_LEFT = strawberry.enum_value("HOLD_LEFT", description="A hold went to another account with what it holds.")
    HOLD_CAME = strawberry.enum_value("HOLD_CAME", description="A hold came from another account.")
    RELEASE = strawberry.enum_value("RELEASE", description="Pending ones became available.")
    EXPIRY = strawberry.enum_value("EXPIRY", description="They expired.")
    ADJUSTMENT = strawberry.enum_value("ADJUSTMENT", description="Somebody added or took them by hand.")
    OPENING = strawberry.enum_value("OPENING", description="They were brought from another system.")
    REFERRAL = strawberry.enum_value("REFERRAL", description="A guest who was brought bought for the first time.")
    FROZEN = strawberry.enum_value("FROZEN", description="The account was frozen.")
    UNFROZEN = strawberry.enum_value("UNFROZEN", description="The account was unfrozen.")
    MERGED_INTO = strawberry.enum_value(
        "MERGED_INTO", description="They moved to another account, and this one closed."
    )
    MERGED_FROM = strawberry.enum_value("MERGED_FROM", description="They came from another account.")
    SPLIT_OFF = strawberry.enum_value("SPLIT_OFF", description="A merge was undone: the other account got these back.")
    SPLIT_FROM = strawberry.enum_value("SPLIT_FROM", description="A merge was undone: this account got these back.")
    LEVEL = strawberry.enum_value("LEVEL", description="Another level holds: `reference` names it.")
    LEVEL_GRANTED = strawberry.enum_value("LEVEL_GRANTED", description="Somebody gave a level by hand.")
    LEVEL_WITHDRAWN = strawberry.enum_value("LEVEL_WITHDRAWN", description="Somebody took back a level that was given.")


@strawberry.enum(description="Which of an entry's two moments counts.")
class LedgerMoment(Enum):
    """Moments, named as in the proto."""

    OCCURRED_AT = strawberry.enum_value("OCCURRED_AT", description="When it happened.")
    BOOKED_AT = strawberry.enum_value("BOOKED_AT", description="When it was written: what a screen showed then.")


@strawberry.type(description="Why points moved. Entries are never changed.")
class Entry:
    """A journal entry, seen from the member's account."""

    id: strawberry.ID = strawberry.field(description="`ent_…`.")
    kind: EntryKind = strawberry.field(description="What moved them.")
    currency: PointsCurrency = strawberry.field(description="What the amounts are counted in.")
    points: SafeInt = strawberry.field(
        description="What the account got; negative: what was taken; 0 for a hold, which only sets aside."
    )
    balance: SafeInt = strawberry.field(description="What could be spent afterwards, in this currency.")
    after: PointsBalance = strawberry.field(description="All that the account had afterwards, in this currency.")
    version: SafeInt = strawberry.field(description="The account's entries are numbered from 1 without gaps.")
    occurred_at: Instant = strawberry.field(description="When it happened: for a purchase, when the guest paid.")
    booked_at: Instant = strawberry.field(description="When it was written.")
    booked_by: str = strawberry.field(
        description='Who booked it: "till:key_…", "staff:…"; "program" for what time brings.'
    )
    reference: strawberry.ID = strawberry.field(description="What it was for: the id of a purchase, refund, hold …")


@page_loader()
async def journals(context: GraphContext, ids: list[str], page: Page) -> list[Connection[Entry]]:
    """Fetch a page of each journal."""
    points = context.channel("points")
    request = pb.ListEntriesRequest(member_ids=ids, page=page.to_proto())
    answer = await points.ask(points.stub(PointsStub).ListEntries, request)
    return [
        Connection.of([_entry(e) for e in found.entries], page, end_cursor=found.end_cursor) for found in answer.pages
    ]


async def balances_at(info: Info, member_id: str, *, at: datetime, by: LedgerMoment) -> list[PointsBalance]:
    """Ask for an account's balances at a past moment."""
    points = info.context.channel("points")
    request = ledger_pb2.GetBalancesAtRequest(
        member_id=member_id, at=timestamp(at), by=ledger_pb2.Moment.Value(f"MOMENT_{by.name}")
    )
    answer = await points.ask(points.stub(LedgerStub).GetBalancesAt, request)
    return [balance_of(balance) for balance in answer.balances]


async def statement(info: Info, member_id: str, *, since: datetime | None, until: datetime | None) -> str:
    """Collect a statement's parts. Raises `StatementTooLongError`, without hearing the rest."""
    points = info.context.channel("points")
    request = ledger_pb2.GetStatementRequest(member_id=member_id)
    if since is not None:
        getattr(request, "from").CopyFrom(timestamp(since))  # a word of Python's own
    if until is not None:
        request.until.CopyFrom(timestamp(until))
    collected: list[str] = []
    size = 0
    method = points.stub(LedgerStub).GetStatement
    async with points.ask_stream(method, request, timeout_s=STATEMENT_S) as parts:
        async for part in parts:
            size += len(part.csv.encode())
            if size > STATEMENT_BYTES:
                raise StatementTooLongError(most_mb=STATEMENT_BYTES // 1_000_000)
            collected.append(part.csv)
    return "".join(collected)


def _entry(entry: pb.Entry) -> Entry:
    return Entry(
        id=strawberry.ID(entry.id),
        kind=EntryKind[entry.kind.upper()],
        currency=currency_of(entry.currency),
        points=entry.points,
        balance=entry.balance_points,
        after=balance_of(entry.balance),
        version=entry.version,
        occurred_at=instant(entry.occurred_at),
        booked_at=instant(entry.booked_at),
        booked_by=entry.booked_by,
        reference=strawberry.ID(entry.reference),
    )
