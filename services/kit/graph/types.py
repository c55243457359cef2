"""Types that every subgraph shares: scalars, money, pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Generic, NewType, Self, TypeAlias, TypeVar

import strawberry
from graphql import GraphQLError, IntValueNode, ValueNode
from strawberry.schema.config import StrawberryConfig

from protos.common.v1 import money_pb2, page_pb2
from services.kit.errors import Kind, Problem

MOST_PER_PAGE = 100
SAFE = 2**53 - 1

T = TypeVar("T")

# For mypy the scalars are what they hold, so that `balance=account.available_points` needs no wrapping.
if TYPE_CHECKING:
    SafeInt: TypeAlias = int
    Instant: TypeAlias = datetime
else:
    SafeInt = NewType("SafeInt", int)
    Instant = NewType("Instant", datetime)


class PageSizeError(Problem):
    """`first` is {first}, and must be from 1 to {most}."""

    kind = Kind.INVALID
    code = "PAGE_SIZE"


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: at most `first` (1 to 100) after the cursor `after` ("": from the start)."""

    first: int
    after: str

    @classmethod
    def checked(cls, *, first: int, after: str | None) -> Self:
        """Make a page of a field's arguments. Raises `PageSizeError`."""
        if not 1 <= first <= MOST_PER_PAGE:
            raise PageSizeError(field="first", first=first, most=MOST_PER_PAGE)
        return cls(first, after or "")

    def to_proto(self) -> page_pb2.Page:
        """Return it as the services take it."""
        return page_pb2.Page(first=self.first, after=self.after)


First = Annotated[int, strawberry.argument(description="How many at most; 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Go on after this `endCursor` of an earlier answer.")]


@strawberry.federation.type(shareable=True, description="Where a page of a list stands.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(description="There is more after this page.")
    has_previous_page: bool = strawberry.field(description="There is something before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge, where it is known.")
    end_cursor: str | None = strawberry.field(description="For `after`, to get the next page; null on the last one.")


@strawberry.type(description="An item of a list, and where it stands.")
class Edge(Generic[T]):
    """Relay's Edge."""

    node: T = strawberry.field(description="The item.")
    cursor: str | None = strawberry.field(description="For `after`, to go on behind this item, where it is known.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    """Relay's Connection: `Connection[Entry]` is `EntryConnection` in GraphQL."""

    edges: list[Edge[T]] = strawberry.field(description="The items of this page, each with its cursor.")
    nodes: list[T] = strawberry.field(description="The items of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")

    @classmethod
    def of(cls, nodes: Sequence[T], page: Page, *, end_cursor: str) -> Self:
        """Make a page of what a service returned; `end_cursor` is "" on the last page."""
        edges = [Edge(node=node, cursor=None) for node in nodes]
        if edges and end_cursor:
            edges[-1].cursor = end_cursor
        info = PageInfo(
            has_next_page=bool(end_cursor),
            has_previous_page=bool(page.after),
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=end_cursor or None,
        )
        return cls(edges=edges, nodes=list(nodes), page_info=info)


@strawberry.federation.type(shareable=True, description="An amount of money.")
class Money:
    """An amount with its currency."""

    amount_minor: SafeInt = strawberry.field(description="In the currency's minor unit (fen, cent).")
    currency: str = strawberry.field(description='ISO 4217, like "CNY".')

    @classmethod
    def of(cls, money: money_pb2.Money) -> Self:
        """Make it of the proto."""
        return cls(amount_minor=money.amount_minor, currency=money.currency)


def _write_instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_instant(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        message = f"An Instant is RFC 3339 with an offset, like 2026-03-01T12:00:00.000+08:00, not {value!r}."
        raise GraphQLError(message)
    return moment.astimezone(UTC)


def _safe_int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > SAFE:
        message = f"A SafeInt is a whole number from -(2^53 - 1) to 2^53 - 1, not {value!r}."
        raise GraphQLError(message)
    return value


def _safe_int_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> int:
    return _safe_int(int(node.value) if isinstance(node, IntValueNode) else None)


SCALARS: dict[object, Any] = {
    SafeInt: strawberry.scalar(
        name="SafeInt",
        description="A whole number from -(2^53 - 1) to 2^53 - 1, as a JSON number.",
        serialize=_safe_int,
        parse_value=_safe_int,
        parse_literal=_safe_int_literal,
    ),
    Instant: strawberry.scalar(
        name="Instant",
        description='A moment, RFC 3339 in UTC with milliseconds: "2026-03-01T04:00:00.000Z". Input: with any offset.',
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc3339",
        serialize=_write_instant,
        parse_value=_read_instant,
    ),
}


def config() -> StrawberryConfig:
    """Return what every schema of the house is built with."""
    return StrawberryConfig(scalar_map=SCALARS)
