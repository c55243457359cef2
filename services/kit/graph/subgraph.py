"""A service's part of the graph: written once, served alone to a federation router or merged with the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry.types.base import get_object_definition

from services.kit.graph.schema import ServedSchema

FEDERATION_VERSION = "2.9"
"""The newest that every composition tool reads."""

ROOTS = ("Query", "Mutation", "Subscription")


class SubgraphSchema(ServedSchema, strawberry.federation.Schema):
    """One subgraph alone: an Apollo Federation v2 subgraph."""

    def federation_sdl(self) -> str:
        """Return the schema with its federation directives, as composition tools take it."""
        return self.as_str() + "\n"


@dataclass(frozen=True, slots=True)
class Subgraph:
    """What a service's `graph` room exports as `subgraph`."""

    name: str
    query: type | None = None
    mutation: type | None = None
    subscription: type | None = None
    types: Sequence[type] = ()  # the entities that no field of this subgraph returns

    def schema(self) -> SubgraphSchema:
        """Return this subgraph alone. Raises `NoRuleError` and `MutationShapeError`."""
        schema = self._bare()
        schema.guard()
        return schema

    def definitions(self) -> dict[str, Any]:
        """Return strawberry's definition of every type of this subgraph, by its name."""
        known = {name: type_.definition for name, type_ in self._bare().schema_converter.type_map.items()}
        given = {root: getattr(self, root.lower()) for root in ROOTS}
        roots = {root: get_object_definition(type_, strict=True) for root, type_ in given.items() if type_}
        return {name: one for name, one in known.items() if name not in ROOTS and name[0] != "_"} | roots

    def _bare(self) -> SubgraphSchema:
        return SubgraphSchema(
            self.query,
            self.mutation,
            self.subscription,
            types=self.types,
            federation_version=FEDERATION_VERSION,
        )
