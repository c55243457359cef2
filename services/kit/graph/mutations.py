"""Mutations: one `input`, one payload, and what the caller can mend comes back in it as `userErrors`."""

import dataclasses
import inspect
import logging
from collections.abc import Callable
from enum import Enum
from typing import Any, NoReturn, TypeVar, cast

import strawberry
from graphql import GraphQLResolveInfo, GraphQLSchema
from strawberry.types.base import StrawberryList, get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

from protos.common.v1 import problem_pb2
from services.kit.errors import BUSINESS, Problem
from services.kit.graph.errors import words
from services.kit.graph.rules import fields
from services.kit.rpc.problems import from_proto

logger = logging.getLogger(__name__)


class MutationShapeError(TypeError):
    """A mutation is not written as the house writes them."""


@strawberry.type
class UserError:
    """The base of each mutation's error type, which adds `code`, an enum of its own."""

    field: str | None = strawberry.field(
        description='The input field at fault, as a path: "lines.0.quantity"; null: none in particular.'
    )
    message: str = strawberry.field(description="One sentence that says what is wrong and what to do.")


Error = TypeVar("Error", bound=UserError)


def user_error(error: type[Error], problem: Problem | problem_pb2.Problem, *, at: str = "") -> Error:
    """Make an item of `userErrors` of a problem; `at` is the path of the batch's item, like "purchases.3".

    The code is the problem's own or, where the error type's enum does not have it, its kind. A problem that the
    caller cannot mend is raised, unless the enum has its kind.
    """
    problem = problem if isinstance(problem, Problem) else from_proto(problem)
    codes = _codes(error)
    code = problem.code if problem.code in codes.__members__ else problem.kind.name
    if code not in codes.__members__:
        raise problem
    if code != problem.code and problem.kind in BUSINESS:
        logger.warning("%s has no %s, and its kind is shown instead", codes.__name__, problem.code)
    path = ".".join(part for part in (at, problem.field) if part)
    # `code` is a field of the subclass, which mypy cannot see here.
    return error(code=codes[code], field=path or None, message=words(problem))  # type: ignore[call-arg]


def _codes(error: type[UserError]) -> type[Enum]:
    definition = get_object_definition(error, strict=True)
    code = next(field for field in definition.fields if field.python_name == "code")
    if not isinstance(code.type, StrawberryEnumDefinition):
        message = f"{definition.name}.code is an enum of its own"
        raise MutationShapeError(message)
    return cast("type[Enum]", code.type.wrapped_cls)  # declared as the metaclass


def enforce_shape(schema: GraphQLSchema) -> None:
    """Make every mutation answer refusals in its payload and forget what was loaded.

    Raises `MutationShapeError` for one that takes more than `input` or whose payload cannot show a refusal.
    """
    root = schema.mutation_type
    for type_, name, definition in fields(schema):
        if type_ is root:
            if [*type_.fields[name].args] != ["input"]:
                _refuse(name, "takes one argument, `input`")
            resolve = type_.fields[name].resolve
            if resolve is not None:
                type_.fields[name].resolve = _mutating(resolve, _refusal(name, definition))


def _refusal(name: str, definition: StrawberryField) -> Callable[[Problem], Any]:
    """Return what makes the payload of a problem."""
    payload = get_object_definition(definition.type)
    if payload is None:
        _refuse(name, "returns a payload, an object type that is never null")
    errors = next((field.type for field in payload.fields if field.python_name == "user_errors"), None)
    error = errors.of_type if isinstance(errors, StrawberryList) else None
    if not (isinstance(error, type) and issubclass(error, UserError)):
        _refuse(name, f"needs {payload.name}.user_errors: list[…], of a subclass of UserError")
    bare = [f.name for f in dataclasses.fields(payload.origin) if f.init and _has_no_default(f)]
    if bare != ["user_errors"]:
        _refuse(name, f"gives every field of {payload.name} but user_errors a default, for a refusal has no more")
    if lacking := [kind.name for kind in sorted(BUSINESS) if kind.name not in _codes(error).__members__]:
        _refuse(name, f"lacks {', '.join(lacking)} in {_codes(error).__name__}, for codes that are newer than it")
    make = payload.origin
    return lambda problem: make(user_errors=[user_error(error, problem)])


def _has_no_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _refuse(name: str, rule: str) -> NoReturn:
    message = f"Mutation.{name}: a mutation {rule}"
    raise MutationShapeError(message)


def _mutating(resolve: Callable[..., Any], refusal: Callable[[Problem], Any]) -> Callable[..., Any]:
    async def resolver(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        try:
            value = resolve(source, info, **arguments)
            return await value if inspect.isawaitable(value) else value
        except Problem as problem:
            if problem.kind not in BUSINESS:
                raise
            return refusal(problem)
        finally:
            # What the resolver itself or an earlier payload loaded may be stale now.
            info.context.forget()

    return resolver
