"""Merging: what does not fit is said, and an entity's fields run on their own part."""

from enum import Enum

import pytest
import strawberry

from services.kit.graph import Caller, Info, MergedSchema, MergeError, Subgraph, allow, field
from tests.support.toy_graph import MEMBERS, POINTS, Memory, ask

ANYONE = allow(*Caller)


def one_field(name: str, type_: type) -> type:
    """Return a Query with a field of this type."""

    def resolve() -> object:
        return type_

    resolve.__annotations__["return"] = type_
    query = type("Query", (), {name: field(ANYONE, description="x")(resolve)})
    return strawberry.type(query)


def merge(*queries: type) -> MergedSchema:
    return MergedSchema([Subgraph(f"part{number}", query=query) for number, query in enumerate(queries)])


def entity(key: str = "id", **fields: object) -> type:
    annotations = {key: strawberry.ID, **dict.fromkeys(fields, str)}
    return strawberry.federation.type(type("Thing", (), {"__annotations__": annotations, **fields}), keys=[key])


async def test_a_query_over_all_parts_makes_one_call_for_each_service_and_list() -> None:
    memory = Memory()
    query = "{ members(count: 50) { id name points spend { amountMinor } entries(first: 5) { nodes { id points } } } }"
    answer = await ask(MergedSchema([MEMBERS, POINTS]), query, memory=memory)
    assert "errors" not in answer
    assert answer["data"]["members"][49] == {
        "id": "mem_49",
        "name": "name of mem_49",
        "points": 5_000_000_000,
        "spend": {"amountMinor": 0},
        "entries": {"nodes": [{"id": "ent_mem_49", "points": 5}]},
    }
    everybody = [f"mem_{number}" for number in range(50)]
    assert [type(request).__name__ for request in memory.asked] == [
        "GetMembersRequest",
        "GetAccountsRequest",
        "ListEntriesRequest",
    ]
    assert [list(getattr(request, "ids", ()) or request.member_ids) for request in memory.asked] == [everybody] * 3


@strawberry.type(name="Query")
class FirstPoints:
    @field(ANYONE, description="A member, found by points.")
    def richest(self) -> "MemberInPoints":
        return MemberInPoints(id=strawberry.ID("mem_1"))

    @field(ANYONE, description="A member that members does not have.")
    def ghost(self) -> "MemberInPoints":
        return MemberInPoints(id=strawberry.ID("mem_nobody"))


@strawberry.federation.type(name="Member", keys=["id"], description="A guest.")
class MemberInPoints:
    id: strawberry.ID
    rank: str = "first"


async def test_a_field_of_another_part_comes_through_its_reference() -> None:
    schema = MergedSchema([Subgraph("points", query=FirstPoints), MEMBERS])
    answer = await ask(schema, "{ richest { id name rank } }")
    assert answer == {"data": {"richest": {"id": "mem_1", "name": "name of mem_1", "rank": "first"}}}


async def test_a_reference_to_nobody_is_not_found() -> None:
    schema = MergedSchema([Subgraph("points", query=FirstPoints), MEMBERS])
    answer = await ask(schema, "{ ghost { rank name } }")
    assert answer["data"] is None
    assert [error["message"] for error in answer["errors"]] == ["There is no such Member."]
    assert answer["errors"][0]["extensions"] == {"code": "NOT_FOUND", "traceId": "4bf9"}


async def test_an_entity_query_on_one_subgraph_gives_the_same() -> None:
    memory = Memory()
    query = """query ($of: [_Any!]!) { _entities(representations: $of) { ... on Member { id points } } }"""
    of = [{"__typename": "Member", "id": "mem_1"}, {"__typename": "Member", "id": "mem_2"}]
    answer = await ask(POINTS.schema(), query, memory=memory, of=of)
    entities = [{"id": "mem_1", "points": 5_000_000_000}, {"id": "mem_2", "points": 5_000_000_000}]
    assert answer == {"data": {"_entities": entities}}
    assert len(memory.asked) == 1


async def test_an_entity_query_goes_through_resolve_reference() -> None:
    query = """query ($of: [_Any!]!) { _entities(representations: $of) { ... on Member { name } } }"""
    of = [{"__typename": "Member", "id": "mem_1"}, {"__typename": "Member", "id": "mem_nobody"}]
    answer = await ask(MEMBERS.schema(), query, of=of)
    assert answer == {"data": {"_entities": [{"name": "name of mem_1"}, None]}}


def test_two_subgraphs_cannot_have_the_same_root_field() -> None:
    with pytest.raises(MergeError, match=r"Query\.thing is defined by another subgraph too"):
        merge(one_field("thing", str), one_field("thing", str))


def test_two_subgraphs_cannot_have_the_same_field_of_an_entity() -> None:
    with pytest.raises(MergeError, match=r"Thing\.name is defined by another subgraph too"):
        merge(one_field("a", entity(name="x")), one_field("b", entity(name="y")))


def test_an_entity_has_one_key() -> None:
    with pytest.raises(MergeError, match="make it an entity with one same @key"):
        merge(one_field("a", entity("id")), one_field("b", entity("code")))


def test_two_types_of_one_name_are_refused() -> None:
    @strawberry.type
    class Thing:
        name: str

    with pytest.raises(MergeError, match=r"each define Thing: share one definition"):
        merge(one_field("a", entity()), one_field("b", Thing))


def test_two_enums_of_one_name_are_refused() -> None:
    def state() -> type:
        @strawberry.enum
        class State(Enum):
            OPEN = "OPEN"

        return State

    with pytest.raises(MergeError, match=r"each define State"):
        merge(one_field("a", state()), one_field("b", state()))


@pytest.mark.parametrize(
    "foreign",
    [
        strawberry.federation.field(external=True),
        strawberry.federation.field(override="part0"),
        strawberry.federation.field(requires=["id"]),
    ],
    ids=["external", "override", "requires"],
)
def test_parts_share_nothing_but_keys(foreign: object) -> None:
    with pytest.raises(MergeError, match=r"Thing\.name: parts share keys alone"):
        merge(one_field("a", entity()), one_field("b", entity(name=foreign)))


def test_somebody_has_a_query() -> None:
    with pytest.raises(MergeError, match="No subgraph has a query"):
        MergedSchema([POINTS])


def test_the_merged_schema_shows_nothing_of_federation() -> None:
    sdl = MergedSchema([MEMBERS, POINTS]).sdl()
    assert [word for word in ("@key", "@shareable", "_entities", "_Any", "_Service", "@link") if word in sdl] == []


async def test_an_awaiting_reference_is_asked_once_for_each_object() -> None:
    asked: list[str] = []

    @strawberry.federation.type(name="Thing", keys=["id"])
    class Slow:
        id: strawberry.ID
        first: str = "1"
        second: str = "2"

        @classmethod
        def resolve_reference(cls, info: Info, id: strawberry.ID) -> object:  # noqa: A002 - the key's name
            asked.append(id)

            async def later() -> Slow:
                return cls(id=id)

            assert info.context.trace_id == "4bf9"
            return later()

    thing = entity(name="x")

    @strawberry.type
    class Query:
        @field(ANYONE, description="Things.")
        def things(self) -> list[thing]:  # type: ignore[valid-type]  # made by a function
            return [thing(id="a", name="A"), thing(id="b", name="B")]

    schema = MergedSchema([Subgraph("one", query=Query), Subgraph("two", types=[Slow])])
    answer = await ask(schema, "{ things { name first second } }")
    assert answer["data"]["things"] == [
        {"name": "A", "first": "1", "second": "2"},
        {"name": "B", "first": "1", "second": "2"},
    ]
    assert asked == ["a", "b"]
