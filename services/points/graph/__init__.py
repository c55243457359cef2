"""What points adds to the graph."""

from services.kit.graph import Subgraph
from services.points.graph.accounts import Member
from services.points.graph.roots import Mutation, Query

subgraph = Subgraph("points", query=Query, mutation=Mutation, types=[Member])
