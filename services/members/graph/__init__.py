"""What members adds to the graph."""

from services.kit.graph import Subgraph
from services.members.graph.members import Member
from services.members.graph.mutations import Mutation
from services.members.graph.queries import Query

subgraph = Subgraph("members", query=Query, mutation=Mutation, types=[Member])
