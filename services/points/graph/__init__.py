"""What points adds to the graph."""

from services.kit.graph import Subgraph
from services.points.graph.accounts import Member
from services.points.graph.purchases import Mutation

subgraph = Subgraph("points", mutation=Mutation, types=[Member])
