from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.members.domain.api_keys import (
    MEMBER_SCOPES,
    SCOPES,
    ApiKey,
    Authority,
    InvalidApiKeyError,
    KeyKind,
    TooMuchForKeyError,
    check_authority,
    check_key,
    may_revoke,
    secret_hash,
    secret_of,
)

STAFF = ApiKey(
    id="key_1",
    chain="chn_1",
    kind=KeyKind.STAFF,
    subject="Mei",
    scopes=frozenset({"points:read"}),
    stores=frozenset(),
    secret_sha256=b"s" * 32,
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
    created_by="operator:ops",
)
TILL = replace(STAFF, kind=KeyKind.TILL, stores=frozenset({"sto_1"}))
MEMBER = replace(STAFF, kind=KeyKind.MEMBER, subject="mem_1", scopes=frozenset())

ALL = Authority(SCOPES, frozenset())
BRANCH = Authority(SCOPES, frozenset({"sto_1", "sto_2"}))


def test_a_secret_says_its_kind_and_is_kept_as_a_hash() -> None:
    secret = secret_of(KeyKind.TILL, b"\xff" * 32)
    assert secret == f"htk_till_{'_' * 42}8"
    assert secret_hash(secret).hex() == "d5d4ea3348e5de6dc046056386b7ab0c03fd6c27718151e9b45be335d4e78eab"


def test_what_is_kept_of_a_secret_is_not_printed() -> None:
    assert "sss" not in repr(STAFF)


@pytest.mark.parametrize("key", [STAFF, TILL, MEMBER], ids=lambda key: key.kind)
def test_good_keys(key: ApiKey) -> None:
    check_key(key)
    check_authority(key, ALL)


@pytest.mark.parametrize(
    ("key", "field"),
    [
        (replace(STAFF, subject=" "), "subject"),
        (replace(STAFF, scopes=frozenset({"points:read", "points:write"})), "scopes"),
        (replace(TILL, stores=frozenset()), "storeIds"),
        (replace(TILL, stores=frozenset({"sto_1", "sto_2"})), "storeIds"),
        (replace(MEMBER, scopes=frozenset({"points:read"})), "scopes"),
        (replace(MEMBER, stores=frozenset({"sto_1"})), "scopes"),
    ],
)
def test_what_is_no_key_is_refused(key: ApiKey, field: str) -> None:
    with pytest.raises(InvalidApiKeyError) as refused:
        check_key(key)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("key", "maker", "field"),
    [
        (STAFF, Authority(frozenset({"keys:write"}), frozenset()), "scopes"),
        (STAFF, BRANCH, "storeIds"),
        (replace(TILL, stores=frozenset({"sto_3"})), BRANCH, "storeIds"),
        (MEMBER, Authority(MEMBER_SCOPES - {"points:read"}, frozenset()), "scopes"),
    ],
)
def test_a_key_never_has_more_than_its_maker(key: ApiKey, maker: Authority, field: str) -> None:
    with pytest.raises(TooMuchForKeyError) as refused:
        check_authority(key, maker)
    assert refused.value.field == field


def test_an_operator_may_give_every_scope() -> None:
    check_authority(replace(STAFF, scopes=SCOPES), Authority(frozenset(), frozenset(), all_scopes=True))


def test_a_branch_revokes_its_own_keys_only() -> None:
    assert may_revoke(TILL, BRANCH)
    assert not may_revoke(STAFF, BRANCH)
    assert may_revoke(STAFF, ALL)


def test_whom_a_key_stands_for() -> None:
    assert (STAFF.caller_id, MEMBER.caller_id) == ("key_1", "mem_1")
