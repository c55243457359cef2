'''GraphQL: how a service writes its part of the graph, and how the parts are served.

A service's `graph` room holds types, loaders, a query and a mutation, and exports `subgraph`:

    """What campaigns adds to the graph."""

    CALLERS = (Caller.MEMBER, Caller.STAFF)


    @strawberry.enum(description="What a coupon is at.")
    class CouponState(Enum):
        OPEN = strawberry.enum_value("OPEN", description="Can be used.")


    @strawberry.type(description="A promise that is worth money at the next visit.")
    class Coupon:
        id: strawberry.ID = strawberry.field(description="`cpn_…`.")
        expires_at: Instant = strawberry.field(description="Good until then.")
        value_minor: SafeInt = strawberry.field(description="In the minor unit of the chain's currency.")


    @page_loader()  # up to 100 keys and 1,000 rows to a call, unless told otherwise
    async def coupons_of(context: GraphContext, member_ids: list[str], page: Page) -> list[Connection[Coupon]]:
        campaigns = context.channel("campaigns")
        request = ListCouponsRequest(member_ids=member_ids, page=page.to_proto())
        answer = await campaigns.ask(campaigns.stub(CampaignsStub).ListCoupons, request)
        return [Connection.of([coupon(c) for c in p.coupons], page, end_cursor=p.end_cursor) for p in answer.pages]


    @strawberry.federation.type(keys=["id"], description=MEMBER)  # the entity that all four extend
    class Member:
        id: strawberry.ID = strawberry.field(description="`mem_…`.")

        @field(allow(*CALLERS, scope="coupons:read"), description="The newest first.")
        async def coupons(self, info: Info, first: First = 20, after: After = None) -> Connection[Coupon]:
            return await coupons_of.load(info, self.id, first=first, after=after)


    @strawberry.enum(description="Why a coupon was not redeemed.")
    class RedeemCouponErrorCode(Enum):  # the four kinds always, then the codes of the service's own errors
        INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
        NOT_FOUND = ...
        CONFLICT = ...
        REFUSED = ...
        COUPON_EXPIRED = ...


    @strawberry.type(description="Why a coupon was not redeemed.")
    class RedeemCouponError(UserError):
        code: RedeemCouponErrorCode = strawberry.field(description="For programs.")


    @strawberry.type(description="The redeemed coupon, or why it was not.")
    class RedeemCouponPayload:
        user_errors: list[RedeemCouponError] = strawberry.field(description="Empty: it was done.")
        coupon: Coupon | None = strawberry.field(default=None, description="Null when it was not redeemed.")


    @strawberry.type
    class Mutation:
        @mutation(allow(Caller.TILL, scope="coupons:redeem"), description="Uses a coupon up, once.")
        async def redeem_coupon(self, info: Info, wish: Annotated[RedeemCouponInput, INPUT]) -> RedeemCouponPayload:
            campaigns = info.context.channel("campaigns")
            answer = await campaigns.ask(campaigns.stub(CampaignsStub).RedeemCoupon, request_of(wish))
            return RedeemCouponPayload(user_errors=[], coupon=coupon(answer.coupon))


    subgraph = Subgraph("campaigns", mutation=Mutation, types=[Member])

- A problem of a business kind that a mutation's resolver raises (the service's, over gRPC) becomes its `userErrors`;
  for an item of a batch `user_error(RecordPurchasesError, result.problem, at="purchases.3")` makes one.
- Single things: `@loader(most=1_000)` over `async def (context, ids) -> list[X | None]`, then `.load(info, id)`.
- `resolve_reference` is only needed where the key alone does not make the object: a plain classmethod
  `def resolve_reference(cls, info: Info, id: strawberry.ID)` that returns the loader's future.
- A method with many answers: `async with points.ask_stream(method, request) as parts:`, then `async for part in parts`.
- Fields that a service did not set in a proto: `instant(message.since) if message.HasField("since") else None`.
'''

from services.kit.errors import Kind, Problem
from services.kit.graph.context import Calls, Channel, Channels, GraphContext, Info
from services.kit.graph.fields import BY_ID, INPUT, field, mutation
from services.kit.graph.loaders import Loader, PageLoader, loader, page_loader
from services.kit.graph.merged import MergedSchema, MergeError
from services.kit.graph.mutations import MutationShapeError, UserError, user_error
from services.kit.graph.rules import NoRuleError, Rule, allow
from services.kit.graph.subgraph import Subgraph
from services.kit.graph.types import (
    After,
    Connection,
    Edge,
    First,
    Instant,
    Money,
    Page,
    PageInfo,
    SafeInt,
)
from services.kit.principal import Caller
from services.kit.timestamps import from_timestamp as instant
from services.kit.timestamps import to_timestamp as timestamp

__all__ = [
    "BY_ID",
    "INPUT",
    "After",
    "Caller",
    "Calls",
    "Channel",
    "Channels",
    "Connection",
    "Edge",
    "First",
    "GraphContext",
    "Info",
    "Instant",
    "Kind",
    "Loader",
    "MergeError",
    "MergedSchema",
    "Money",
    "MutationShapeError",
    "NoRuleError",
    "Page",
    "PageInfo",
    "PageLoader",
    "Problem",
    "Rule",
    "SafeInt",
    "Subgraph",
    "UserError",
    "allow",
    "field",
    "instant",
    "loader",
    "mutation",
    "page_loader",
    "timestamp",
    "user_error",
]
