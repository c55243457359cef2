"""What an attribute can be, and what its values."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Problem
from services.members.domain.attributes import (
    MAX_DEFINITIONS,
    AttributeDefinition,
    AttributeInUseError,
    AttributeType,
    Choice,
    InvalidAttributeError,
    InvalidDefinitionError,
    TooManyAttributesError,
    check_definitions,
    checked_value,
    save_definitions,
)
from services.members.domain.members import Channel, Member
from services.members.domain.merging import merge, split
from services.members.domain.profiles import Attribute, Profile
from services.members.domain.visibility import Role, shown_attributes, shown_to
from tests.support.clock import START

COLOURS = (Choice("red", "Red"), Choice("blue", "Blue"), Choice("grey", "Grey"))
SHIRT = AttributeDefinition("shirt", "Shirt", AttributeType.CHOICE, COLOURS, personal=False)
LIKES = replace(SHIRT, code="likes", type=AttributeType.CHOICES)
NOTE = AttributeDefinition("note", "Note", AttributeType.TEXT)


@pytest.mark.parametrize(
    ("definition", "field"),
    [
        (replace(NOTE, code=""), "definitions.0.code"),
        (replace(NOTE, code=" a"), "definitions.0.code"),
        (replace(NOTE, label=" "), "definitions.0.label"),
        (replace(NOTE, choices=COLOURS), "definitions.0.choices"),
        (replace(SHIRT, choices=()), "definitions.0.choices"),
        (replace(SHIRT, choices=tuple(Choice(str(n), "x") for n in range(101))), "definitions.0.choices"),
        (replace(SHIRT, choices=(COLOURS[0], COLOURS[0])), "definitions.0.choices.1.code"),
        (replace(SHIRT, choices=(Choice("red", ""),)), "definitions.0.choices.0.label"),
        (replace(NOTE, roles=frozenset({Role.ANALYST})), "definitions.0.roles"),
        (replace(NOTE, roles=frozenset({Role.SERVICE})), "definitions.0.roles"),
        (replace(NOTE, roles=frozenset({Role.PARTNER})), "definitions.0.roles"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(definition: AttributeDefinition, field: str) -> None:
    with pytest.raises(InvalidDefinitionError) as refused:
        check_definitions([definition])
    assert refused.value.field == field


def test_a_code_stands_once_in_a_call() -> None:
    with pytest.raises(InvalidDefinitionError) as refused:
        check_definitions([NOTE, NOTE])
    assert refused.value.field == "definitions.1.code"


def test_what_is_not_personal_may_be_shown_to_anybody() -> None:
    check_definitions([replace(SHIRT, roles=frozenset(Role))])


def test_what_is_as_wanted_stays_untouched() -> None:
    first = save_definitions([NOTE], {})
    assert first.all == first.changed == (replace(NOTE, version=1),)
    again = save_definitions([NOTE], {"note": first.all[0]})
    assert (again.all, again.changed) == (first.all, ())


@pytest.mark.parametrize(
    ("after", "field"),
    [
        (replace(SHIRT, type=AttributeType.CHOICES), "definitions.0.type"),
        (replace(SHIRT, type=AttributeType.TEXT, choices=()), "definitions.0.type"),
        (replace(SHIRT, personal=True), "definitions.0.personal"),
        (replace(SHIRT, choices=COLOURS[1:]), "definitions.0.choices"),
    ],
)
def test_what_members_may_have_values_of_stays_what_it_is(after: AttributeDefinition, field: str) -> None:
    unused = replace(SHIRT, version=1)
    assert save_definitions([after], {"shirt": unused}).changed == (replace(after, version=2),)
    with pytest.raises(AttributeInUseError) as refused:
        save_definitions([after], {"shirt": replace(unused, used=True)})
    assert refused.value.field == field


def test_labels_roles_and_more_choices_change_at_any_time() -> None:
    used = replace(SHIRT, used=True, version=3)
    after = replace(
        SHIRT, label="T-shirt", choices=(Choice("gold", "Gold"), *COLOURS), roles=frozenset({Role.TILL}), retired=True
    )
    assert save_definitions([after], {"shirt": used}).all == (replace(after, used=True, version=4),)


def test_a_chain_has_a_hundred() -> None:
    known = {str(n): replace(NOTE, code=str(n), version=1) for n in range(MAX_DEFINITIONS)}
    assert save_definitions([replace(NOTE, code="0", label="Other")], known).changed[0].version == 2
    with pytest.raises(TooManyAttributesError):
        save_definitions([NOTE], known)


GOOD: list[tuple[AttributeType, Attribute]] = [
    (AttributeType.TEXT, "x" * 500),
    (AttributeType.NUMBER, 1e15),
    (AttributeType.NUMBER, -0.5),
    (AttributeType.BOOLEAN, False),
    (AttributeType.DATE, "2024-02-29"),
    (AttributeType.CHOICE, "blue"),
]
BAD: list[tuple[AttributeType, Attribute]] = [
    (AttributeType.TEXT, ""),
    (AttributeType.TEXT, "  "),
    (AttributeType.TEXT, "x" * 501),
    (AttributeType.NUMBER, 1.1e15),
    (AttributeType.NUMBER, float("nan")),
    (AttributeType.NUMBER, float("inf")),
    (AttributeType.DATE, "2023-02-29"),
    (AttributeType.DATE, "20230201"),
    (AttributeType.CHOICE, "green"),
    (AttributeType.CHOICES, ()),
    (AttributeType.CHOICES, ("red", "green")),
]


def defined(type_: AttributeType) -> AttributeDefinition:
    choices = COLOURS if type_ in (AttributeType.CHOICE, AttributeType.CHOICES) else ()
    return AttributeDefinition("x", "X", type_, choices)


@pytest.mark.parametrize(("type_", "value"), GOOD)
def test_a_value_of_its_type_is_kept_as_it_is(type_: AttributeType, value: Attribute) -> None:
    assert checked_value(defined(type_), type_, value, field="values.0") == value


@pytest.mark.parametrize(("type_", "value"), BAD)
def test_a_value_that_cannot_be_is_refused(type_: AttributeType, value: Attribute) -> None:
    with pytest.raises(InvalidAttributeError) as refused:
        checked_value(defined(type_), type_, value, field="values.0")
    assert refused.value.field == "values.0"


@given(st.sampled_from(GOOD), st.sampled_from(list(AttributeType)))
def test_a_value_of_another_type_is_refused(good: tuple[AttributeType, Attribute], type_: AttributeType) -> None:
    said, value = good
    if said is type_:
        return
    with pytest.raises(Problem):
        checked_value(defined(type_), said, value, field="values.0")


@given(st.permutations(["red", "blue", "grey"]))
def test_the_same_choices_are_the_same_value(chosen: list[str]) -> None:
    found = checked_value(LIKES, AttributeType.CHOICES, tuple(chosen), field="values.0")
    assert found == ("red", "blue", "grey")


@given(st.sampled_from(list(Role)), st.frozensets(st.sampled_from(list(Role))))
def test_a_role_sees_what_the_chain_shows_it_and_nothing_else(role: Role, roles: frozenset[Role]) -> None:
    readers = replace(SHIRT, roles=roles).readers
    values: dict[str, Attribute] = {"shirt": "red", "gone": "x"}
    expected = roles or {Role.GUEST, Role.STORE_MANAGER, Role.SERVICE_AGENT, Role.ADMIN}
    assert shown_attributes(role, values, {"shirt": readers}) == ({"shirt": "red"} if role in expected else {})


def member(id_: str, attributes: dict[str, Attribute], *, days: int) -> Member:
    profile = Profile(attributes=attributes)
    at = START.replace(day=days)
    return Member(id_, profile, at, Channel.APP, open_attributes=frozenset(attributes) & {"shirt"})


def test_nobody_sees_attributes_with_the_rest_of_a_member() -> None:
    assert shown_to(Role.ADMIN, member("mem_a", {"note": "x"}, days=1)).profile.attributes == {}


def test_attributes_join_and_part_with_their_members() -> None:
    one, other = member("mem_a", {"note": "x"}, days=1), member("mem_b", {"shirt": "red", "note": "y"}, days=2)
    merged = merge(one, other, id_="mrg_1", by="staff:1", at=START)
    assert merged.survivor.profile.attributes == {"note": "x", "shirt": "red"}
    assert merged.survivor.open_attributes == {"shirt"}
    parted = split(merged.survivor, merged.absorbed, merged.merge, came_along=(), at=START)
    assert parted.survivor.profile.attributes == {"note": "x"}
    assert parted.freed.profile.attributes == {"shirt": "red", "note": "y"}
