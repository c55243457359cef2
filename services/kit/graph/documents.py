"""Documents: parsed, measured and validated once, then known by their text.

The measures come first, because validating is what a hostile document makes expensive. They walk each fragment once,
however often it is spread: a few hundred characters can spell a query of 2^30 fields.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    specified_rules,
)
from strawberry.schema.schema import validate_document

MOST_CHARACTERS = 100_000
MOST_TOKENS = 2_000
MOST_DEPTH = 16
"""GraphiQL's introspection is 15 deep; the house's own screens are at most 8."""

MOST_ALIASES = 50
"""Counted as they will be executed: an alias in a fragment that is spread twice is two."""

MOST_FIELDS = 500
"""Counted likewise. Validation compares each pair of fields that may be merged."""

KEPT = 256
KEPT_CHARACTERS = 5_000
"""A longer document is not kept: its tree takes a hundred times its text, and few are that long."""


class InvalidDocumentError(Exception):
    """The document cannot be run; `errors` says why, in GraphQL's own words."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        self.errors = list(errors)
        super().__init__(self.errors)


@dataclass(frozen=True)
class Document:
    """A document that the schema can run."""

    tree: DocumentNode

    @cached_property
    def operations(self) -> dict[str, OperationType]:
        """What kind each operation is, by its name ("" for the one without)."""
        found = [node for node in self.tree.definitions if isinstance(node, OperationDefinitionNode)]
        return {node.name.value if node.name else "": node.operation for node in found}

    def kind_of(self, operation_name: str | None) -> OperationType | None:
        """Return the kind of the operation that will run; None when the name does not say which."""
        if operation_name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        return self.operations.get(operation_name or "")


class Documents:
    """The documents that one schema has seen, the latest `KEPT` of them."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: OrderedDict[str, Document] = OrderedDict()

    def known(self, text: str) -> Document:
        """Return the document. Raises `InvalidDocumentError`."""
        if (document := self._known.get(text)) is not None:
            self._known.move_to_end(text)
            return document
        document = Document(self._checked(text))
        if len(text) <= KEPT_CHARACTERS:
            self._known[text] = document
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return document

    def _checked(self, text: str) -> DocumentNode:
        if len(text) > MOST_CHARACTERS:
            raise InvalidDocumentError([GraphQLError(f"The document has more than {MOST_CHARACTERS} characters.")])
        try:
            tree = parse(text, max_tokens=MOST_TOKENS)
            if errors := [error for error in (measured(tree),) if error]:
                raise InvalidDocumentError(errors)
            errors = validate_document(self._schema, tree, tuple(specified_rules))
        except RecursionError:
            raise InvalidDocumentError([_too_deep()]) from None
        except GraphQLError as error:
            raise InvalidDocumentError([error]) from error
        if errors:
            raise InvalidDocumentError(errors)
        return tree


@dataclass(frozen=True, slots=True)
class Size:
    """How much a selection asks for."""

    depth: int
    fields: int
    aliases: int


def measured(tree: DocumentNode) -> GraphQLError | None:
    """Return what is too large about the document, or None."""
    fragments = {node.name.value: node for node in tree.definitions if isinstance(node, FragmentDefinitionNode)}
    sizes: dict[str, Size] = {}
    for node in tree.definitions:
        if isinstance(node, OperationDefinitionNode):
            size = _size(node.selection_set, fragments, sizes)
            if size.depth > MOST_DEPTH:
                return _too_deep()
            if size.aliases > MOST_ALIASES:
                return GraphQLError(f"The operation has more than {MOST_ALIASES} aliases.", [node])
            if size.fields > MOST_FIELDS:
                return GraphQLError(f"The operation asks for more than {MOST_FIELDS} fields.", [node])
    return None


def _too_deep() -> GraphQLError:
    return GraphQLError(f"The document is nested more than {MOST_DEPTH} deep.")


def _size(
    selections: SelectionSetNode | None, fragments: dict[str, FragmentDefinitionNode], sizes: dict[str, Size]
) -> Size:
    depth = fields = aliases = 0
    for node in selections.selections if selections else ():
        if isinstance(node, FragmentSpreadNode):
            inner = _fragment(node.name.value, fragments, sizes)
        elif isinstance(node, FieldNode):
            inner = _size(node.selection_set, fragments, sizes)
            inner = Size(inner.depth + 1, inner.fields + 1, inner.aliases + (node.alias is not None))
        else:
            inner = _size(getattr(node, "selection_set", None), fragments, sizes)
        depth, fields, aliases = max(depth, inner.depth), fields + inner.fields, aliases + inner.aliases
    return Size(depth, fields, aliases)


def _fragment(name: str, fragments: dict[str, FragmentDefinitionNode], sizes: dict[str, Size]) -> Size:
    if name not in sizes:
        # While it is being walked it counts for nothing: validation refuses one that contains itself.
        sizes[name] = Size(0, 0, 0)
        fragment = fragments.get(name)
        sizes[name] = _size(fragment.selection_set if fragment else None, fragments, sizes)
    return sizes[name]
