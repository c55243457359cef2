"""The parts of the graph."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from services.campaigns.graph import subgraph as campaigns
from services.feedback.graph import subgraph as feedback
from services.kit.graph import MergedSchema, Subgraph
from services.kit.graph.schema import ServedSchema
from services.members.graph import subgraph as members
from services.points.graph import subgraph as points

SUBGRAPHS: Sequence[Subgraph] = (members, points, campaigns, feedback)


def schemas(subgraphs: Sequence[Subgraph] = SUBGRAPHS) -> Mapping[str, ServedSchema]:
    """Return the schema served at each path: all subgraphs merged, and each alone for a federation router."""
    alone = {f"/subgraphs/{subgraph.name}": subgraph.schema() for subgraph in subgraphs}
    return MappingProxyType({"/graphql": MergedSchema(subgraphs), **alone})
