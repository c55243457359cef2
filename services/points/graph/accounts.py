"""Accounts and tiers in the graph."""

from typing import Annotated

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
    SafeInt,
    allow,
    field,
    instant,
    loader,
)
from services.points.graph.balances import PointsBalance, PointsCurrency, balance_of, word_of
from services.points.graph.journals import (
    JOURNAL_READERS,
    Entry,
    LedgerMoment,
    balances_at,
    journals,
    statement,
)
from services.points.graph.tiers import Tier, tier_of

READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="points:read")

PAYER_PREFIX = "pay_"
"""Before the account of a guest whom members could not be asked about yet: nobody whom the graph knows."""

At = Annotated[Instant, strawberry.argument(description="The moment.")]
By = Annotated[LedgerMoment, strawberry.argument(description="Which of an entry's two moments counts.")]
Since = Annotated[
    Instant | None, strawberry.argument(name="from", description="Booked then or later; null: from the beginning.")
]
Until = Annotated[Instant | None, strawberry.argument(description="Booked before; null: until now.")]


@strawberry.type(description="What expires next.")
class PointsExpiry:
    """The next expiry."""

    currency: PointsCurrency = strawberry.field(description="What the amount is counted in.")
    amount: SafeInt = strawberry.field(description="How much goes then.")
    expires_at: Instant = strawberry.field(description="When.")


@strawberry.type(description="What a member holds.")
class Points:
    """A member's points."""

    member_id: strawberry.Private[str]
    expiries: strawberry.Private[list[pb.NextExpiry]]
    balance: SafeInt = strawberry.field(description="Points that can be spent.")
    lifetime: SafeInt = strawberry.field(
        description="Points earned since the member joined, less what refunds took back."
    )
    pending: SafeInt = strawberry.field(description="Points that are granted, and not available yet.")
    held: SafeInt = strawberry.field(description="Points that holds set aside.")
    debt: SafeInt = strawberry.field(description="Points that are owed: what is earned next pays them off.")
    frozen: bool = strawberry.field(description="The account can earn, not spend.")
    balances: list[PointsBalance] = strawberry.field(
        description="The same for each currency that ever had something; points always."
    )

    @field(READERS, description="What expires next; null when nothing will.")
    def next_expiry(
        self,
        currency: Annotated[
            PointsCurrency, strawberry.argument(description="In which currency.")
        ] = PointsCurrency.POINTS,
    ) -> PointsExpiry | None:
        """Find it in the account."""
        found = next((one for one in self.expiries if one.currency == word_of(currency)), None)
        return found and PointsExpiry(currency=currency, amount=found.amount, expires_at=instant(found.expires_at))

    @field(JOURNAL_READERS, description="The journal, the newest first.")
    async def entries(self, info: Info, first: First = 20, after: After = None) -> Connection[Entry]:
        """Load a page of the journal, together with those of the other members of this level."""
        return await journals.load(info, self.member_id, first=first, after=after)

    @field(JOURNAL_READERS, description="What the member had at a past moment, in each currency.")
    async def balances_at(self, info: Info, at: At, by: By = LedgerMoment.OCCURRED_AT) -> list[PointsBalance]:
        """Ask for the balances."""
        return await balances_at(info, self.member_id, at=at, by=by)

    @field(
        JOURNAL_READERS,
        description="The journal of a span as CSV (RFC 4180), the oldest first; at most 5 MB, else STATEMENT_TOO_LONG.",
    )
    async def statement_csv(self, info: Info, since: Since = None, until: Until = None) -> str:
        """Collect the statement."""
        return await statement(info, self.member_id, since=since, until=until)


@loader(most=1_000)
async def accounts(context: GraphContext, ids: list[str]) -> list[pb.Account | None]:
    """Fetch accounts; None for those that the caller may not see."""
    points = context.channel("points")
    answer = await points.ask(points.stub(PointsStub).GetAccounts, pb.GetAccountsRequest(member_ids=ids))
    found = {account.member_id: account for account in answer.accounts}
    return [found.get(id_) for id_ in ids]


@strawberry.federation.type(keys=["id"], description="A guest of the chain, wherever met.")
class Member:
    """What points knows of a member."""

    id: strawberry.ID = strawberry.field(description="`mem_…`.")

    @field(READERS, description="What the member holds.")
    async def points(self, info: Info) -> Points | None:
        """Load the account."""
        account = await accounts.load(info, self.id)
        return account and _points(account)

    @field(READERS, description="Where the member stands in the program.")
    async def tier(self, info: Info) -> Tier | None:
        """Load the account."""
        account = await accounts.load(info, self.id)
        return account and tier_of(account.tier)


def member_of(account_id: str) -> Member | None:
    """Return whose account it is; None for nobody, and for a payer who is not known as a member yet."""
    known = account_id and not account_id.startswith(PAYER_PREFIX)
    return Member(id=strawberry.ID(account_id)) if known else None


def _points(account: pb.Account) -> Points:
    own = next((one for one in account.balances if one.currency == "points"), pb.Balance())
    return Points(
        member_id=account.member_id,
        expiries=list(account.next_expiries),
        balance=account.available_points,
        lifetime=account.lifetime_points,
        pending=own.pending,
        held=own.held,
        debt=own.debt,
        frozen=account.frozen,
        balances=[balance_of(one) for one in account.balances],
    )
