"""Fields with a resolver: each says who may ask and what it is, and mypy keeps the resolver's types."""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

from services.kit.graph.rules import Rule

Resolver = TypeVar("Resolver", bound=Callable[..., Any])

INPUT = strawberry.argument(name="input")
"""For a mutation's one argument, `wish: Annotated[EnrollMemberInput, INPUT]`: Python has an `input` already."""

BY_ID = strawberry.argument(name="id")
"""The same for `id`: `member_id: Annotated[strawberry.ID, BY_ID]`."""


def field(
    rule: Rule, *, description: str, name: str | None = None, deprecation_reason: str | None = None
) -> Callable[[Resolver], Resolver]:
    """Make a field of a resolver; `rule` is what `allow` returns."""
    made: Callable[[Resolver], Resolver] = strawberry.field(
        extensions=[rule], description=description, name=name, deprecation_reason=deprecation_reason
    )
    return made


def mutation(
    rule: Rule, *, description: str, name: str | None = None, deprecation_reason: str | None = None
) -> Callable[[Resolver], Resolver]:
    """Make a mutation of a resolver that takes one `input` and returns a payload with `user_errors`."""
    return field(rule, description=description, name=name, deprecation_reason=deprecation_reason)
