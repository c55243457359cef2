import os
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.sealing import (
    DataKey,
    FileWrappingKeys,
    SealBrokenError,
    UnknownWrappingKeyError,
    WrongWrappingKeysError,
    seal,
    unseal,
    wrapping_key_line,
)

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
NONCE = b"n" * 12


def written(path: Path, *names: str) -> None:
    """Write the file as an operator would, with a key for each name that is always the same."""
    path.write_text("".join(wrapping_key_line(name, name.encode().ljust(32, b"\0")) for name in names))
    # A second writing within the clock's grain would look unchanged.
    os.utime(path, ns=(0, next(MOMENTS)))


MOMENTS = count(1)


@given(plain=st.binary(max_size=200), context=st.binary(max_size=50))
def test_what_was_sealed_opens_in_its_place_only(plain: bytes, context: bytes) -> None:
    sealed = seal(KEY, plain, context=context, nonce=NONCE)
    assert unseal(KEY, sealed, context=context) == plain
    for key, text, place in (
        (OTHER_KEY, sealed, context),
        (KEY, sealed, context + b"x"),
        (KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), context),
        (KEY, sealed[:10], context),
    ):
        with pytest.raises(SealBrokenError):
            unseal(key, text, context=place)


def test_a_sealed_text_does_not_show_in_it() -> None:
    sealed = seal(KEY, b"Li Ming +8613800138000", context=b"", nonce=NONCE)
    assert b"Ming" not in sealed
    assert len(sealed) == 12 + len(b"Li Ming +8613800138000") + 16


async def test_data_keys_are_wrapped_for_whom_they_are(tmp_path: Path) -> None:
    written(tmp_path / "w", "first")
    keys = FileWrappingKeys(tmp_path / "w", random_bytes=os.urandom)
    [wrapped] = await keys.wrap([DataKey(KEY, b"mem_1")])
    assert wrapped.by == "first"
    assert KEY not in wrapped.value
    assert await keys.unwrap([(wrapped, b"mem_1")]) == [KEY]
    with pytest.raises(SealBrokenError):
        await keys.unwrap([(wrapped, b"mem_2")])


async def test_a_new_first_line_wraps_at_once_and_the_old_one_still_unwraps(tmp_path: Path) -> None:
    written(tmp_path / "w", "old")
    keys = FileWrappingKeys(tmp_path / "w", random_bytes=os.urandom)
    [before] = await keys.wrap([DataKey(KEY, b"")])
    written(tmp_path / "w", "new", "old")
    [after] = await keys.wrap([DataKey(KEY, b"")])
    assert (before.by, after.by, await keys.current()) == ("old", "new", "new")
    assert await keys.unwrap([(before, b""), (after, b"")]) == [KEY, KEY]
    written(tmp_path / "w", "new")
    assert await keys.unwrap([(after, b"")]) == [KEY]
    with pytest.raises(UnknownWrappingKeyError, match="wrapped by old"):
        await keys.unwrap([(before, b"")])


async def test_a_file_that_is_gone_for_a_moment_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path / "w", "first")
    keys = FileWrappingKeys(tmp_path / "w", random_bytes=os.urandom)
    (tmp_path / "w").unlink()
    assert await keys.current() == "first"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no key"),
        ("# a comment\n\n", "it has no key"),
        ("first not-base64\n", "line 1 is not a new name and 32 bytes in base64"),
        ("first aGVsbG8=\n", "line 1 is not a new name and 32 bytes in base64"),
        (wrapping_key_line("a", KEY) + wrapping_key_line("a", OTHER_KEY), "line 2 is not a new name and 32 bytes"),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "w").write_text(text)
    with pytest.raises(WrongWrappingKeysError, match=why):
        FileWrappingKeys(tmp_path / "w", random_bytes=os.urandom)


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongWrappingKeysError, match="it cannot be read"):
        FileWrappingKeys(tmp_path / "w", random_bytes=os.urandom)
