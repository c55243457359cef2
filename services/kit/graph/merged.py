"""All subgraphs as one schema in this process, with no query plan and no HTTP between them.

An entity (a type with a @key that several subgraphs define) has the fields of all its parts. A field is resolved on
an instance of its own part, made from the key, just as `_entities` does it behind a router.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import strawberry
from graphql import GraphQLDirective, GraphQLObjectType, GraphQLResolveInfo
from strawberry.federation.schema_directives import External, FederationDirective, Key, Override, Requires
from strawberry.schema_directive import StrawberrySchemaDirective
from strawberry.types.base import StrawberryObjectDefinition, get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.union import StrawberryUnion

from services.kit.errors import Kind, Problem
from services.kit.graph.context import Info
from services.kit.graph.schema import ServedSchema
from services.kit.graph.subgraph import ROOTS, Subgraph
from services.kit.graph.types import config

Resolve = Callable[..., Any]
RawInfo = GraphQLResolveInfo[Any]


class MergeError(TypeError):
    """The subgraphs do not make one schema."""


class NoSuchEntityError(Problem):
    """There is no such {name}."""

    kind = Kind.NOT_FOUND
    code = "NOT_FOUND"


class MergedSchema(ServedSchema):
    """The subgraphs merged. Raises `MergeError`, `NoRuleError` and `MutationShapeError`."""

    def __init__(self, subgraphs: Sequence[Subgraph]) -> None:
        found = _definitions(subgraphs)
        parts = {name: several for name, several in found.items() if len(several) > 1}
        whole = {name: _merge(name, several) for name, several in parts.items()}
        whole |= {name: one.origin for name, (one, *more) in found.items() if not more and _can_be_named(one)}
        query = whole.get("Query")
        if query is None:
            message = "No subgraph has a query"
            raise MergeError(message)
        # The entities first: what comes after takes them by name, which _merge has made safe.
        every = [type_ for name, type_ in whole.items() if name not in ROOTS]
        options = config()
        options._unsafe_disable_same_type_validation = True  # noqa: SLF001 - _merge has validated it
        super().__init__(query, whole.get("Mutation"), whole.get("Subscription"), types=every, config=options)
        self._schema.directives = tuple(d for d in self._schema.directives if not _for_routers(d))
        for name in parts.keys() - set(ROOTS):
            entity = self._schema.type_map[name]
            if isinstance(entity, GraphQLObjectType):
                self._join(entity, parts[name])
        self.guard()

    def _join(self, entity: GraphQLObjectType, parts: Sequence[StrawberryObjectDefinition]) -> None:
        origins = tuple(part.origin for part in parts)
        entity.is_type_of = lambda value, _info: isinstance(value, origins)
        for part in parts:
            for own in part.fields:
                if own.python_name not in _key(part):
                    field = entity.fields[self.config.name_converter.get_graphql_name(own)]
                    if field.resolve is not None:
                        field.resolve = _Part(part, own, field.resolve, self.config.info_class).resolver

    def _warn_for_federation_directives(self) -> None:
        """They are wanted: the same types are served to a router too."""


class _Part:
    """One field of an entity, resolved on its own part: from another part it goes by the key, once for each object."""

    def __init__(
        self,
        part: StrawberryObjectDefinition,
        field: StrawberryField,
        resolve: Resolve,
        info_class: Callable[..., Info],
    ) -> None:
        self._part, self._field, self._resolve, self._info_class = part, field, resolve, info_class
        self._key = _key(part)
        self._slot = f"_as_{part.origin.__module__}"

    def resolver(self, source: Any, info: RawInfo, **arguments: Any) -> Any:
        """Resolve on `source`, an instance of any part."""
        if type(source) is self._part.origin:
            return self._resolve(source, info, **arguments)
        if (own := source.__dict__.get(self._slot)) is None:
            own = source.__dict__[self._slot] = self._own(source, info)
        if isinstance(own, asyncio.Future):
            if not own.done():
                return self._later(own, info, arguments)
            own = own.result()
        return self._on(own, info, arguments)

    def _own(self, source: Any, info: RawInfo) -> Any:
        """Return this part of `source`, or a future of it."""
        by_key = {name: getattr(source, name) for name in self._key}
        refer = getattr(self._part.origin, "resolve_reference", None)
        if refer is None:
            return self._part.origin(**by_key)
        own = refer(info=self._info_class(_raw_info=info, _field=self._field), **by_key)
        return asyncio.ensure_future(own) if inspect.isawaitable(own) else own

    def _on(self, own: Any, info: RawInfo, arguments: dict[str, Any]) -> Any:
        if own is None:
            raise NoSuchEntityError(name=self._part.name)
        return self._resolve(own, info, **arguments)

    async def _later(self, own: Awaitable[Any], info: RawInfo, arguments: dict[str, Any]) -> Any:
        value = self._on(await own, info, arguments)
        return await value if inspect.isawaitable(value) else value


def _definitions(subgraphs: Sequence[Subgraph]) -> dict[str, list[Any]]:
    """Return every different definition of each name."""
    found: dict[str, dict[Any, Any]] = {}
    for subgraph in subgraphs:
        for name, definition in subgraph.definitions().items():
            found.setdefault(name, {}).setdefault(_identity(definition), definition)
    return {name: list(several.values()) for name, several in found.items()}


def _can_be_named(definition: Any) -> bool:
    """Tell whether the schema can be given this type; it finds a generic's uses, enums and scalars by the fields."""
    return isinstance(definition, StrawberryObjectDefinition) and definition.concrete_of is None


def _merge(name: str, parts: Sequence[Any]) -> type:
    """Return one type with the fields of all parts. Raises `MergeError`."""
    where = " and ".join(str(getattr(part, "origin", None) or getattr(part, "wrapped_cls", part)) for part in parts)
    keys = [_key(part) for part in parts if isinstance(part, StrawberryObjectDefinition)]
    if name not in ROOTS and (len(keys) < len(parts) or not keys[0] or any(key != keys[0] for key in keys)):
        message = f"{where} each define {name}: share one definition, or make it an entity with one same @key"
        raise MergeError(message)
    names: set[str] = set()
    for part, key in zip(parts, keys, strict=True):
        for own in part.fields:
            _check_field(name, part, own, taken=names.difference(key))
            names.add(own.python_name)
    merged = type(name, tuple(part.origin for part in parts), {})
    return strawberry.type(merged, description=next((part.description for part in parts if part.description), None))


def _check_field(name: str, part: StrawberryObjectDefinition, own: StrawberryField, *, taken: set[str]) -> None:
    where = f"{part.origin.__module__}: {name}.{own.python_name}"
    if any(isinstance(directive, External | Override | Requires) for directive in own.directives):
        message = f"{where}: parts share keys alone, no @external, @override or @requires"
        raise MergeError(message)
    if own.python_name in taken:
        message = f"{where} is defined by another subgraph too"
        raise MergeError(message)


def _identity(definition: Any) -> object:
    """Return what two definitions of a name have in common when they are the same."""
    match definition:
        case StrawberryObjectDefinition():
            return definition.concrete_of or definition
        case StrawberryEnumDefinition():
            return definition.wrapped_cls
        case StrawberryUnion():
            return frozenset(get_object_definition(member, strict=True).name for member in definition.types)
    return definition.name  # a scalar: strawberry looks at these itself


def _for_routers(directive: GraphQLDirective) -> bool:
    definition = directive.extensions.get("strawberry-definition")
    return isinstance(definition, StrawberrySchemaDirective) and issubclass(
        definition.origin or object, FederationDirective
    )


def _key(definition: StrawberryObjectDefinition) -> list[str]:
    return next((str(d.fields).split() for d in definition.directives or () if isinstance(d, Key)), [])
