"""In what two profiles are alike, and that nothing of them can be read."""

import pytest

from services.members.domain.identities import Identity, IdentityKind
from services.members.domain.likeness import (
    COMMON,
    HASH_BYTES,
    MAX_HASHES,
    Reason,
    is_telling,
    likeness,
    pair_of,
    plain_name,
    shared,
    telling,
)
from services.members.domain.profiles import Address, Profile
from tests.support.clock import START

KEY = b"k" * 32


def phone(value: str) -> Identity:
    return Identity(IdentityKind.PHONE, value)


def email(value: str) -> Identity:
    return Identity(IdentityKind.EMAIL, value)


def alike(one: Profile, other: Profile) -> list[Reason]:
    return list(shared(likeness(one, key=KEY), likeness(other, key=KEY)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("José García", "garcia jose"),
        ("  LI   Wei ", "li wei"),
        ("Anne-Marie O'Neil", "Anne Marie O Neil"),
        ("\uff2c\uff49 Wei", "Wei Li"),
        ("张伟", "张伟"),
    ],
)
def test_a_name_is_one_however_it_is_written(one: str, other: str) -> None:
    assert plain_name(one) == plain_name(other) != ""


def test_names_that_differ_stay_apart() -> None:
    assert len({plain_name(name) for name in ("Li Wei", "Li Wen", "Liwei", "张伟", "张玮")}) == 5


LI = Profile("Li Wei", birthday="1990-05-17")


@pytest.mark.parametrize(
    ("one", "other", "reasons"),
    [
        (LI, Profile("wei LI", birthday="1990-05-17"), [Reason.NAME_AND_BIRTHDAY]),
        (LI, Profile("", given_name="Wei", family_name="Li", birthday="1990-05-17"), [Reason.NAME_AND_BIRTHDAY]),
        (LI, Profile("Li Wei", birthday="1991-05-17"), []),
        (Profile("Li Wei", birthday="05-17"), Profile("Li Wei", birthday="05-17"), []),
        (
            Profile("Li Wei", (phone("+8613800138000"),)),
            Profile("Li Wei", (phone("+8613900138000"),)),
            [Reason.NAME_AND_PHONE_END],
        ),
        (Profile("Li Wei", (phone("+8613800138000"),)), Profile("Li Wen", (phone("+8613900138000"),)), []),
        (
            Profile("", (email("li.wei+shop@example.com"),)),
            Profile("Li", (email("liwei@example.org"),)),
            [Reason.EMAIL_NAME],
        ),
        (Profile("", (email("info@example.com"),)), Profile("", (email("info@example.org"),)), []),
        (
            Profile("Li Wei", address=Address("1 Nanjing Rd.", "Shanghai")),
            Profile("Li Wei", address=Address("Nanjing Rd 1", "shanghai")),
            [Reason.NAME_AND_ADDRESS],
        ),
        (
            Profile("Li Wei", (phone("+8613800138000"), email("liwei@example.com")), birthday="1990-05-17"),
            Profile("Li Wei", (phone("+8613700138000"), email("liwei@example.org")), birthday="1990-05-17"),
            [Reason.NAME_AND_BIRTHDAY, Reason.NAME_AND_PHONE_END, Reason.EMAIL_NAME],
        ),
        (Profile("L", birthday="1990-05-17"), Profile("L", birthday="1990-05-17"), []),
    ],
)
def test_two_are_alike_in_what_people_seldom_share(one: Profile, other: Profile, reasons: list[Reason]) -> None:
    assert alike(one, other) == alike(other, one) == reasons


def test_a_chains_hashes_are_its_own_and_tell_nothing() -> None:
    hashes = likeness(LI, key=KEY)
    assert shared(hashes, likeness(LI, key=b"o" * 32)) == ()
    assert [len(one) for one in hashes] == [1 + HASH_BYTES]
    assert b"li" not in b"".join(hashes).lower()[1:3]


def test_hashes_of_one_member_are_few() -> None:
    many = tuple(email(f"address{number}@example.com") for number in range(MAX_HASHES + 5))
    assert len(likeness(Profile("Li Wei", many), key=KEY)) == MAX_HASHES
    assert likeness(Profile(), key=KEY) == ()
    payer = Profile(identities=(Identity(IdentityKind.PAYER, "0f" * 32),))
    assert (is_telling(payer), is_telling(LI), is_telling(Profile("", (email("li@example.com"),)))) == (
        False,
        True,
        True,
    )


def test_what_many_share_tells_nobody_apart() -> None:
    few, many = {f"mem_{number}" for number in range(COMMON)}, {f"mem_{number}" for number in range(COMMON + 1)}
    assert telling((b"a", b"b", b"c"), {b"a": few, b"b": many}) == (b"a", b"c")


def test_a_pair_is_one_in_either_order() -> None:
    reasons = (Reason.NAME_AND_BIRTHDAY, Reason.EMAIL_NAME)
    pair = pair_of("mem_2", "mem_1", reasons, at=START)
    assert pair == pair_of("mem_1", "mem_2", reasons, at=START)
    assert (pair.key, pair.score) == ("mem_1/mem_2", 80)
