"""What a subgraph's schema and the merged one have in common: rules, refusals as data, masked errors."""

import inspect
from typing import Any, cast

import strawberry
from graphql import ExecutionResult, build_schema, execute, lexicographic_sort_schema, print_schema
from strawberry.execution import optimized_is_awaitable

from services.kit.graph.context import GraphContext
from services.kit.graph.documents import Document, Documents
from services.kit.graph.errors import shown
from services.kit.graph.mutations import enforce_shape
from services.kit.graph.rules import enforce
from services.kit.graph.types import config


class ServedSchema(strawberry.Schema):
    """A schema that is fit to be shown to strangers."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("config", config())
        super().__init__(*args, **options)
        self.documents = Documents(self._schema)

    def guard(self) -> None:
        """Put the rules in front of the resolvers. Raises `NoRuleError` and `MutationShapeError`."""
        enforce_shape(self._schema)
        enforce(self._schema)

    def sdl(self) -> str:
        """Return the schema as callers see it, sorted by name."""
        # Read back first: sorting makes plain enums, which do not know a default that is a strawberry enum's member.
        plain = build_schema(print_schema(self._schema))
        return print_schema(lexicographic_sort_schema(plain)) + "\n"

    async def answer(
        self,
        document: Document,
        *,
        context: GraphContext,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
    ) -> ExecutionResult:
        """Run one operation of a document of `self.documents`. The errors in the result are fit to be shown.

        Strawberry's own `execute` would run the extensions' machinery, of which nothing is needed here.
        """
        running = execute(
            self._schema,
            document.tree,
            variable_values=variables,
            operation_name=operation_name,
            context_value=context,
            executor_class=self.execution_context_class,
            is_awaitable=cast("Any", optimized_is_awaitable),
            operation_extensions=None,
        )
        result = await running if inspect.isawaitable(running) else running
        if result.errors:
            result.errors = shown(result.errors, trace_id=context.trace_id)
        return result
