"""What campaigns adds to the graph."""

import strawberry

from services.campaigns.graph import offers, redemptions
from services.campaigns.graph.coupons import Member
from services.kit.graph import Subgraph


@strawberry.type
class Mutation(offers.Mutation, redemptions.Mutation):
    """What can be told to campaigns."""


subgraph = Subgraph("campaigns", mutation=Mutation, types=[Member])
