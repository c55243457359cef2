from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.identities import (
    Identity,
    IdentityKind,
    InvalidIdentityError,
    identity,
    identity_hash,
    masked,
)

CHINA = "86"


def phone(text: str, *, calling_code: str = CHINA) -> str:
    return identity(IdentityKind.PHONE, text, calling_code=calling_code, field="").value


@pytest.mark.parametrize(
    "written",
    [
        "+8613800138000",
        "+86 138 0013 8000",
        " +86-138-0013-8000 ",
        "0086 138 0013 8000",
        "(+86) 138.0013.8000",
        "13800138000",
        "138 0013 8000",
        "+86 (0)138 0013 8000",
        "\uff0b\uff18\uff16\uff11\uff13\uff18\uff10\uff10\uff11\uff13\uff18\uff10\uff10\uff10",
        "\u202a+8613800138000\u202c",
    ],
)
def test_ten_writings_of_a_phone_are_one(written: str) -> None:
    assert phone(written) == "+8613800138000"


def test_a_phone_without_its_country_is_refused_where_the_country_is_not_known() -> None:
    with pytest.raises(InvalidIdentityError) as refused:
        identity(IdentityKind.PHONE, "13800138000", calling_code="", field="profile.identities.2.value")
    assert refused.value.field == "profile.identities.2.value"


@pytest.mark.parametrize(
    "written", ["", "+", "+86", "+0861380013800", "+86138001380001234", "123456", "phone", "+8613800\u066138000"]
)
def test_what_is_no_phone_is_refused(written: str) -> None:
    with pytest.raises(InvalidIdentityError):
        phone(written)


def test_an_email_is_trimmed_and_lower_cased() -> None:
    found = identity(IdentityKind.EMAIL, " Li.Wei@Example.COM ", calling_code="", field="")
    assert found == Identity(IdentityKind.EMAIL, "li.wei@example.com")


@pytest.mark.parametrize("written", ["", "li", "li@", "@example.com", "li@example", "li@a..com", "l i@example.com"])
def test_what_is_no_email_is_refused(written: str) -> None:
    with pytest.raises(InvalidIdentityError):
        identity(IdentityKind.EMAIL, written, calling_code="", field="")


def test_an_external_id_keeps_its_case() -> None:
    assert identity(IdentityKind.EXTERNAL, " Ab-1 ", calling_code="", field="").value == "Ab-1"


@pytest.mark.parametrize("written", ["", "  ", "a" * 129, "a\nb", "a\0b"])
def test_what_is_no_external_id_is_refused(written: str) -> None:
    with pytest.raises(InvalidIdentityError):
        identity(IdentityKind.EXTERNAL, written, calling_code="", field="")


def test_a_payer_is_a_hash_and_nothing_near_it() -> None:
    value = "0123456789abcdef" * 4
    assert identity(IdentityKind.PAYER, value, calling_code="", field="").value == value
    for written in ("", value[1:], value + "0", value.upper(), f" {value}", f"{value}\n", "g" * 64, "\u0661" * 64):
        with pytest.raises(InvalidIdentityError) as refused:
            identity(IdentityKind.PAYER, written, calling_code="", field="payers.0.hash")
        assert refused.value.field == "payers.0.hash"


@given(st.sampled_from(IdentityKind), st.text(max_size=300))
def test_any_text_is_refused_or_comes_to_rest(kind: IdentityKind, text: str) -> None:
    """Bringing an identity to its one writing a second time changes nothing."""
    try:
        once = identity(kind, text, calling_code=CHINA, field="")
    except InvalidIdentityError:
        return
    assert identity(kind, once.value, calling_code=CHINA, field="") == once
    assert len(once.value) <= 254


@given(st.binary(min_size=32, max_size=32), st.text(ascii_letters + digits, min_size=1, max_size=40))
def test_a_hash_tells_chains_and_kinds_apart(key: bytes, value: str) -> None:
    external = Identity(IdentityKind.EXTERNAL, value)
    other_key = bytes(byte ^ 1 for byte in key)
    assert len(identity_hash(external, key=key)) == 32
    assert identity_hash(external, key=key) != identity_hash(external, key=other_key)
    assert identity_hash(external, key=key) != identity_hash(Identity(IdentityKind.EMAIL, value), key=key)


def test_masked_shows_four_digits_of_a_phone_and_nothing_else() -> None:
    shown = [
        masked(Identity(kind, value)).value
        for kind, value in (
            (IdentityKind.PHONE, "+8613800138000"),
            (IdentityKind.EMAIL, "li@example.com"),
            (IdentityKind.EXTERNAL, "17"),
            (IdentityKind.PAYER, "0f" * 32),
        )
    ]
    assert shown == ["***8000", "***", "***", "***"]
