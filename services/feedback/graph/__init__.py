"""What feedback adds to the graph."""

from services.feedback.graph.answers import Mutation
from services.feedback.graph.voices import Member
from services.kit.graph import Subgraph

subgraph = Subgraph("feedback", mutation=Mutation, types=[Member])
