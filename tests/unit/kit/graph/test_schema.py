"""The schema as text: everything that a caller may leave out says what it then is."""

from enum import Enum

import strawberry

from services.kit.graph import Caller, MergedSchema, Subgraph, allow, field


@strawberry.enum
class Size(Enum):
    SMALL = strawberry.enum_value("SMALL", description="Small.")
    LARGE = strawberry.enum_value("LARGE", description="Large.")


@strawberry.input
class Wish:
    size: Size = strawberry.field(default=Size.LARGE, description="How large.")


@strawberry.type(name="Query")
class Noodles:
    @field(allow(Caller.STAFF), description="Noodles.")
    def noodles(self, wish: Wish, size: Size = Size.SMALL) -> str:
        return f"{wish.size.name} {size.name}"


def test_a_default_that_is_an_enum_is_written() -> None:
    subgraph = Subgraph("noodles", query=Noodles)
    for text in (MergedSchema([subgraph]).sdl(), subgraph.schema().sdl()):
        assert "noodles(size: Size! = SMALL, wish: Wish!): String!" in text
        assert "size: Size! = LARGE" in text
