"""Who may ask for a field: a rule stands on every root field and on every field with a resolver.

The rule is data, carried by the field; building a schema (one subgraph's or all of them merged) puts it in front of
the resolver, and fails when one is missing. Attributes without a resolver have passed the rule of the field that led
to their object. Whether the caller may see this very object is the owning service's to check.
"""

from collections.abc import Callable, Iterator
from typing import Any

from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema
from strawberry.extensions import FieldExtension
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from services.kit.principal import Caller, NotAllowedError, NotBelievedError, Principal

SCOPED = frozenset({Caller.STAFF, Caller.PARTNER, Caller.TILL})
"""The kinds that need the rule's scope; the others are limited by what they are."""

Resolve = Callable[..., Any]


class NoRuleError(TypeError):
    """A field can be asked for by anyone, because nobody said who may."""


class Rule(FieldExtension):
    """Who may ask; see `allow`."""

    def __init__(self, kinds: frozenset[Caller], scope: str) -> None:
        self.kinds, self.scope = kinds, scope

    def check(self, caller: Principal | None) -> None:
        """Raise `NotBelievedError` without a caller, `NotAllowedError` when the caller may not."""
        if caller is None:
            raise NotBelievedError
        if caller.kind not in self.kinds:
            raise NotAllowedError(why=f"not as a {caller.kind.value}")
        if self.scope and caller.kind in SCOPED and self.scope not in caller.scopes:
            raise NotAllowedError(why=f"the key lacks the scope {self.scope}")


def allow(*kinds: Caller, scope: str = "") -> Rule:
    """Let these kinds of caller ask for the field; staff, partners and tills only with `scope`, when there is one."""
    if not kinds:
        message = "allow() names no kind of caller"
        raise NoRuleError(message)
    return Rule(frozenset(kinds), scope)


OPEN = {("Query", "_service"), ("_Service", "sdl")}
"""The SDL, which anyone may read as they may introspect."""

ANYONE_WITH_A_KEY = allow(*Caller)
"""For `_entities`: which of an entity's fields may be asked for is each field's own to say."""


def enforce(schema: GraphQLSchema) -> None:
    """Put each field's rule in front of its resolver. Raises `NoRuleError`, naming every field without one."""
    missing = []
    roots = {root.name for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root}
    for type_, name, definition in fields(schema):
        rule = rule_of(definition) or (ANYONE_WITH_A_KEY if name == "_entities" else None)
        field = type_.fields[name]
        if rule is not None and field.resolve is not None:
            field.resolve = _guarded(field.resolve, rule)
            if field.subscribe is not None:
                field.subscribe = _guarded(field.subscribe, rule)
        elif (type_.name in roots or definition.base_resolver) and (type_.name, name) not in OPEN:
            where = definition.origin.__module__ if definition.origin else "?"
            missing.append(f"{type_.name}.{name} ({where})")
    if missing:
        message = f"Say who may ask, extensions=[allow(...)], for {', '.join(sorted(missing))}"
        raise NoRuleError(message)


def fields(schema: GraphQLSchema) -> Iterator[tuple[GraphQLObjectType, str, StrawberryField]]:
    """Yield every field of every object type but GraphQL's own, with its definition."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for name, field in type_.fields.items():
                yield type_, name, field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]


def rule_of(definition: StrawberryField) -> Rule | None:
    """Return the rule that the field carries."""
    return next((extension for extension in definition.extensions if isinstance(extension, Rule)), None)


def _guarded(resolve: Resolve, rule: Rule) -> Resolve:
    def resolver(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        rule.check(info.context.caller)
        return resolve(source, info, **arguments)

    return resolver
