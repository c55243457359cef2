"""The vectors are those of RFC 6962's own test data, as published with certificate-transparency."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.seals import (
    EMPTY_ROOT,
    Cuts,
    MerkleTree,
    Seal,
    Sealed,
    add_leaves,
    day_end,
    leaf_hash,
    leaf_of,
    settled_days,
)

LEAVES = [bytes.fromhex(one) for one in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def tree_of(leaves: list[bytes]) -> MerkleTree:
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(leaf_hash(leaf))
    return tree


def test_roots_are_those_of_rfc_6962() -> None:
    assert MerkleTree().root() == EMPTY_ROOT == sha256(b"").digest()
    assert [tree_of(LEAVES[:number]).root().hex() for number in range(1, 9)] == ROOTS


def by_definition(leaves: list[bytes]) -> bytes:
    """Return MTH of section 2.1, as it is written there."""
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\1" + by_definition(leaves[:split]) + by_definition(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=70), st.integers(0, 70))
def test_a_tree_can_be_put_away_after_any_leaf(leaves: list[bytes], cut: int) -> None:
    first = tree_of(leaves[:cut])
    second = MerkleTree(first.count, first.stack)
    for leaf in leaves[cut:]:
        second.add(leaf_hash(leaf))
    assert second.root() == tree_of(leaves).root() == by_definition(leaves)
    assert len(second.stack) == second.count.bit_count()


@pytest.mark.parametrize(("count", "stack"), [(1, ()), (0, (bytes(32),)), (3, (bytes(32),)), (1, (bytes(31),))])
def test_a_tree_that_cannot_be_is_refused(count: int, stack: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="one hash of 32 bytes"):
        MerkleTree(count, stack)


def test_a_leaf_says_account_version_and_head() -> None:
    assert leaf_of("mem_é", 3, b"\x5f\x00") == '["mem_é",3,"5f00"]'.encode()


def test_what_is_signed() -> None:
    seal = Seal("chn_1", date(2026, 3, 1), b"\x01", 2, 3, b"", datetime(2026, 3, 2, tzinfo=UTC))
    assert seal.text() == (b"huitou-seal-1\nchain=chn_1\nday=2026-03-01\nroot=01\naccounts=2\npostings=3\nprevious=\n")


def test_a_day_settles_a_quarter_of_an_hour_after_its_end() -> None:
    end = day_end(date(2026, 3, 2))
    first = date(2026, 3, 1)
    assert end == datetime(2026, 3, 3, tzinfo=UTC)
    assert list(settled_days(first, end + timedelta(minutes=15))) == [first, date(2026, 3, 2)]
    assert list(settled_days(first, end + timedelta(minutes=15) - timedelta(milliseconds=1))) == [first]


def test_each_day_has_the_last_head_before_its_end() -> None:
    days = [Sealed(date(2026, 3, number)) for number in (1, 2, 3, 5)]
    cuts = Cuts("mem_1", days)
    for version, booked_at in ((1, day_end(date(2026, 3, 1))), (2, day_end(date(2026, 3, 2)))):
        cuts.before(booked_at, version - 1, b"%d" % (version - 1))
    cuts.finish(2, b"2")
    add_leaves(days, cuts)
    one, two = (leaf_hash(leaf_of("mem_1", number, b"%d" % number)) for number in (1, 2))
    roots = [day.tree.root() for day in days]
    assert roots == [EMPTY_ROOT, leaf_hash(leaf_of("mem_1", 1, b"1")), two, two]
    assert roots[1] == one
    assert [day.postings for day in days] == [0, 1, 2, 2]
