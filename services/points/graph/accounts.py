"""Balances, journals and tiers in the graph."""

import strawberry

from protos.points.v1 import points_pb2 as pb
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.graph import (
    After,
    Caller,
    Connection,
    First,
    GraphContext,
    Info,
    Instant,
    Money,
    Page,
    SafeInt,
    allow,
    field,
    instant,
    loader,
    page_loader,
)

READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="points:read")
JOURNAL_READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, scope="points:read")


@strawberry.type(description="Why points moved. Entries are never changed.")
class Entry:
    """A journal entry, seen from the member's account."""

    id: strawberry.ID = strawberry.field(description="`ent_…`.")
    kind: str = strawberry.field(description='What moved them: "purchase".')
    points: SafeInt = strawberry.field(description="What the account got; negative: what was taken.")
    balance: SafeInt = strawberry.field(description="Points that could be spent afterwards.")
    version: SafeInt = strawberry.field(description="The account's entries are numbered from 1 without gaps.")
    occurred_at: Instant = strawberry.field(description="When it happened: for a purchase, when the guest paid.")
    booked_at: Instant = strawberry.field(description="When it was written.")
    reference: strawberry.ID = strawberry.field(description="What it was for: a purchase's id.")


@strawberry.type(description="What a member holds.")
class Points:
    """A member's points."""

    member_id: strawberry.Private[str]
    balance: SafeInt = strawberry.field(description="Points that can be spent.")
    lifetime: SafeInt = strawberry.field(description="Points earned since the member joined.")

    @field(JOURNAL_READERS, description="The journal, the newest first.")
    async def entries(self, info: Info, first: First = 20, after: After = None) -> Connection[Entry]:
        """Load a page of the journal, together with those of the other members of this level."""
        return await journals.load(info, self.member_id, first=first, after=after)


@strawberry.type(description="Where a member stands in the program.")
class Tier:
    """A member's tier."""

    level: str = strawberry.field(description="The level's code in the chain's program, like \"silver\".")
    since: Instant | None = strawberry.field(description="From when on purchases earn by it; null on the first level.")
    qualifying_spend: Money | None = strawberry.field(description="What counts so far; null before the first purchase.")
    next_level: str | None = strawberry.field(description="The next level up; null at the top.")
    missing_minor: SafeInt = strawberry.field(
        description="What is still to be spent for the next level, in the currency's minor unit; 0 at the top."
    )


@loader(most=1_000)
async def accounts(context: GraphContext, ids: list[str]) -> list[pb.Account | None]:
    """Fetch accounts; None for those that the caller may not see."""
    points = context.channel("points")
    answer = await points.ask(points.stub(PointsStub).GetAccounts, pb.GetAccountsRequest(member_ids=ids))
    found = {account.member_id: account for account in answer.accounts}
    return [found.get(id_) for id_ in ids]


@page_loader()
async def journals(context: GraphContext, ids: list[str], page: Page) -> list[Connection[Entry]]:
    """Fetch a page of each journal."""
    points = context.channel("points")
    request = pb.ListEntriesRequest(member_ids=ids, page=page.to_proto())
    answer = await points.ask(points.stub(PointsStub).ListEntries, request)
    return [
        Connection.of([_entry(e) for e in found.entries], page, end_cursor=found.end_cursor) for found in answer.pages
    ]


@strawberry.federation.type(keys=["id"], description="A guest of the chain, wherever met.")
class Member:
    """What points knows of a member."""

    id: strawberry.ID = strawberry.field(description="`mem_…`.")

    @field(READERS, description="What the member holds.")
    async def points(self, info: Info) -> Points | None:
        """Load the account."""
        account = await accounts.load(info, self.id)
        return account and Points(
            member_id=account.member_id, balance=account.available_points, lifetime=account.lifetime_points
        )

    @field(READERS, description="Where the member stands in the program.")
    async def tier(self, info: Info) -> Tier | None:
        """Load the account."""
        account = await accounts.load(info, self.id)
        return account and _tier(account.tier)


def _tier(tier: pb.Tier) -> Tier:
    return Tier(
        level=tier.level,
        since=instant(tier.since) if tier.HasField("since") else None,
        qualifying_spend=Money.of(tier.qualifying_spend) if tier.HasField("qualifying_spend") else None,
        next_level=tier.next_level or None,
        missing_minor=tier.missing_minor,
    )


def _entry(entry: pb.Entry) -> Entry:
    return Entry(
        id=strawberry.ID(entry.id),
        kind=entry.kind,
        points=entry.points,
        balance=entry.balance_points,
        version=entry.version,
        occurred_at=instant(entry.occurred_at),
        booked_at=instant(entry.booked_at),
        reference=strawberry.ID(entry.reference),
    )
