"""What a line of a refund takes of what was bought."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from infra.cli.importing.matching import Bought, Take, taken

LINE = Bought(
    purchase=1, line=1, store="web", receipt="1", member="A", at=0, pieces=10, paid=125, pieces_left=10, paid_left=125
)


def bought(purchase: int, pieces: int, paid: int, *, left: tuple[int, int] | None = None) -> Bought:
    pieces_left, paid_left = left or (pieces, paid)
    return replace(LINE, purchase=purchase, pieces=pieces, paid=paid, pieces_left=pieces_left, paid_left=paid_left)


def parts(takes: list[Take]) -> list[tuple[int, int, int]]:
    return [(take.of.purchase, take.pieces, take.amount) for take in takes]


def test_pieces_are_taken_in_the_order_given() -> None:
    found = [bought(1, 2, 200), bought(2, 5, 500)]
    assert parts(taken(found, pieces=4, amount=400)) == [(1, 2, 200), (2, 2, 200)]
    assert parts(taken(found, pieces=7, amount=700)) == [(1, 2, 200), (2, 5, 500)]
    assert taken(found, pieces=8, amount=800) == []
    assert taken([], pieces=1, amount=1) == []


def test_more_money_than_a_line_has_left_is_not_taken_of_it() -> None:
    assert parts(taken([bought(1, 4, 400)], pieces=2, amount=300)) == [(1, 2, 300)]
    assert taken([bought(1, 4, 400)], pieces=4, amount=500) == []
    # Three of the dear ones eat up the money of the first line, the next has enough.
    assert parts(taken([bought(1, 4, 400), bought(2, 4, 400)], pieces=4, amount=500)) == [(1, 3, 375), (2, 1, 125)]


def test_a_share_that_was_rounded_up_before_is_missing_in_the_end() -> None:
    assert parts(taken([bought(1, 10, 125, left=(4, 49))], pieces=4, amount=50)) == [(1, 4, 49)]
    assert taken([bought(1, 10, 125, left=(4, 30))], pieces=4, amount=50) == []


def test_without_an_amount_it_is_the_pieces_share() -> None:
    assert parts(taken([bought(1, 3, 100)], pieces=2, amount=None)) == [(1, 2, 66)]
    assert parts(taken([bought(1, 3, 100, left=(1, 34))], pieces=1, amount=None)) == [(1, 1, 34)]


def test_money_only() -> None:
    found = [bought(1, 1, 100), bought(2, 1, 100)]
    assert parts(taken(found, pieces=0, amount=150)) == [(1, 0, 100), (2, 0, 50)]
    assert taken(found, pieces=0, amount=201) == []
    assert parts(taken([bought(1, 2, 0)], pieces=2, amount=0)) == [(1, 2, 0)]


LINES = st.builds(
    lambda pieces, price, used, less: bought(
        1,
        pieces,
        pieces * price,
        left=(pieces - used % (pieces + 1), max(0, (pieces - used % (pieces + 1)) * price - less)),
    ),
    st.integers(1, 9),
    st.integers(0, 300),
    st.integers(0, 9),
    st.integers(0, 20),
)


@given(found=st.lists(LINES, max_size=6), pieces=st.integers(0, 20), amount=st.none() | st.integers(0, 3_000))
def test_all_or_nothing_and_never_more_than_is_left(found: list[Bought], pieces: int, amount: int | None) -> None:
    found = [replace(one, purchase=number) for number, one in enumerate(found)]
    takes = taken(found, pieces=pieces, amount=amount)
    for take in takes:
        assert 0 <= take.pieces <= take.of.pieces_left
        assert 0 <= take.amount <= take.of.paid_left
        assert take.pieces or take.amount
    assert len({take.of.purchase for take in takes}) == len(takes)
    if takes:
        assert sum(take.pieces for take in takes) == pieces
        slack = sum(take.of.pieces for take in takes) if pieces else 0
        assert amount is None or amount - slack <= sum(take.amount for take in takes) <= amount
