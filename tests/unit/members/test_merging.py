"""Two become one and two again, over whatever they say of themselves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.identities import Identity, IdentityKind
from services.members.domain.members import MAX_ABSORBED, Channel, Member
from services.members.domain.merging import MOST_MERGES, CannotMergeError, merge, older_first, split
from services.members.domain.profiles import Address, Gender, Preference, PreferenceKind, Profile

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)

TEXTS = st.sampled_from(["", "Li", "Ming"])
PREFERENCES = st.sampled_from([Preference(PreferenceKind.SEAT, "window"), Preference(PreferenceKind.TASTE, "hot")])


@st.composite
def profiles(draw: st.DrawFn, *, of: str) -> Profile:
    identities = draw(st.lists(st.sampled_from(["1", "2", "3"]), unique=True))
    return Profile(
        name=draw(TEXTS),
        identities=tuple(Identity(IdentityKind.EXTERNAL, f"{of}-{number}") for number in identities),
        given_name=draw(TEXTS),
        birthday=draw(st.sampled_from(["", "05-17", "1990-05-17"])),
        gender=draw(st.sampled_from(Gender)),
        address=draw(st.sampled_from([Address(), Address(city="Shanghai"), Address(lines="1 Nanjing Road")])),
        preferences=tuple(draw(st.lists(PREFERENCES, unique=True))),
        attributes=draw(st.dictionaries(st.sampled_from(["size", "car"]), st.sampled_from([1, 2]))),
    )


def member(id_: str, profile: Profile, *, age: int = 0, tags: tuple[str, ...] = ()) -> Member:
    return Member(id_, profile, NOW - timedelta(days=age), Channel.APP, tags=tags)


TAGS = st.lists(st.sampled_from(["vip", "vegan", "regular"]), unique=True).map(tuple)


@given(mine=profiles(of="a"), others=profiles(of="b"), my_tags=TAGS, their_tags=TAGS)
def test_undone_at_once_both_are_as_they_were(
    mine: Profile, others: Profile, my_tags: tuple[str, ...], their_tags: tuple[str, ...]
) -> None:
    old, young = member("mem_a", mine, age=1, tags=my_tags), member("mem_b", others, tags=their_tags)
    done = merge(old, young, id_="mrg_1", by="staff:1", at=NOW)
    undone = split(done.survivor, done.absorbed, done.merge, came_along=others.identities, at=NOW)
    assert undone.survivor.profile == mine
    assert undone.survivor.tags == my_tags
    assert undone.freed == replace(young, version=3)
    assert undone.survivor.absorbed == ()


@given(mine=profiles(of="a"), others=profiles(of="b"))
def test_nothing_that_either_said_is_lost(mine: Profile, others: Profile) -> None:
    old, young = member("mem_a", mine, age=1), member("mem_b", others)
    done = merge(old, young, id_="mrg_1", by="staff:1", at=NOW)
    joined = done.survivor.profile
    assert set(joined.identities) == {*mine.identities, *others.identities}
    assert set(joined.preferences) == {*mine.preferences, *others.preferences}
    for name in ("name", "given_name", "birthday", "gender"):
        assert getattr(joined, name) == (getattr(mine, name) or getattr(others, name))
    assert joined.attributes == {**others.attributes, **mine.attributes}
    assert done.absorbed.profile == others


def test_what_the_survivor_says_afterwards_stays_its_own() -> None:
    old, young = member("mem_a", Profile(), age=1), member("mem_b", Profile("Ming", birthday="05-17"))
    done = merge(old, young, id_="mrg_1", by="staff:1", at=NOW)
    changed = replace(done.survivor, profile=replace(done.survivor.profile, birthday="06-18"))
    undone = split(changed, done.absorbed, done.merge, came_along=(), at=NOW)
    assert undone.survivor.profile == Profile(birthday="06-18")
    assert undone.freed.profile == Profile("Ming", birthday="05-17")


def test_the_older_survives_and_ids_decide_between_those_of_one_moment() -> None:
    old, young = member("mem_b", Profile(), age=1), member("mem_a", Profile())
    assert older_first(young, old) == older_first(old, young) == (old, young)
    twin = member("mem_c", Profile(), age=1)
    assert older_first(twin, old) == (old, twin)


@pytest.mark.parametrize(
    ("survivor", "absorbed", "why"),
    [
        ({}, {"erased_at": NOW}, "mem_b was erased"),
        ({"erased_at": NOW}, {}, "mem_a was erased"),
        ({"absorbed": tuple(map(str, range(MAX_ABSORBED)))}, {}, "more than 50 members would have become one"),
        ({}, {"steps": MOST_MERGES - 1}, "more than 10 merges would follow one another"),
    ],
)
def test_some_cannot_become_one(survivor: dict[str, object], absorbed: dict[str, object], why: str) -> None:
    old, young = member("mem_a", Profile(), age=1), member("mem_b", Profile())
    with pytest.raises(CannotMergeError, match=why):
        merge(replace(old, **survivor), replace(young, **absorbed), id_="mrg_1", by="", at=NOW)  # type: ignore[arg-type]


def test_steps_are_counted_along_the_longest_way() -> None:
    one, two, three = (member(f"mem_{age}", Profile(), age=age) for age in (3, 2, 1))
    inner = merge(two, three, id_="mrg_1", by="", at=NOW)
    outer = merge(one, inner.survivor, id_="mrg_2", by="", at=NOW)
    assert (inner.survivor.steps, outer.survivor.steps) == (1, 2)
    assert outer.survivor.absorbed == ("mem_2", "mem_1")
