import multiprocessing
import stat
from pathlib import Path

import pytest

from services.kit import keys
from services.kit.clock import system_clock
from services.kit.keys import (
    MAY_VOUCH_FOR,
    NoKeyError,
    ensure_keys,
    load_identity_key,
    load_own_key,
    load_signer,
    load_verifier,
)
from services.kit.principal import Caller, NotBelievedError, Principal


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def principal(kind: Caller) -> Principal:
    return Principal(chain="chn_1", kind=kind, id="who")


def test_keys_are_made_once_and_stay(tmp_path: Path) -> None:
    ensure_keys(tmp_path / "keys")
    first = contents(tmp_path / "keys")
    assert sorted(first) == sorted(
        ["identities.key", "wrapping.keys"]
        + [f"{name}.pem" for name in MAY_VOUCH_FOR]
        + [f"trusted/{n}.pem" for n in MAY_VOUCH_FOR]
    )
    ensure_keys(tmp_path / "keys")
    assert contents(tmp_path / "keys") == first


def test_private_keys_are_the_owners_only(tmp_path: Path) -> None:
    ensure_keys(tmp_path, ["points"])
    key = tmp_path / "points.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o644)
    ensure_keys(tmp_path, ["points"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_lost_public_key_is_made_again_from_the_private_one(tmp_path: Path) -> None:
    ensure_keys(tmp_path, ["points"])
    first = contents(tmp_path)
    (tmp_path / "trusted" / "points.pem").write_bytes(b"")
    ensure_keys(tmp_path, ["points"])
    assert contents(tmp_path) == first


def test_of_two_that_make_the_same_key_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_keys(tmp_path / "other", ["points"])
    first = contents(tmp_path / "other")
    write_beside = keys._write_beside

    def write_late(path: Path, content: bytes) -> Path:
        if path.parent.name == "keys":
            path.write_bytes(first[path.name])
        return write_beside(path, content)

    monkeypatch.setattr(keys, "_write_beside", write_late)
    ensure_keys(tmp_path / "keys", ["points"])
    assert contents(tmp_path / "keys") == contents(tmp_path / "other")


def test_many_processes_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    makers = [context.Process(target=ensure_keys, args=(tmp_path / "keys",)) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(60)
    assert [maker.exitcode for maker in makers] == [0, 0, 0, 0]
    assert len(contents(tmp_path / "keys")) == 2 * len(MAY_VOUCH_FOR) + 2
    verifier = load_verifier(tmp_path / "keys", clock=system_clock)
    for name in MAY_VOUCH_FOR:
        kind = Caller.OPERATOR if name == "operator" else Caller.SERVICE
        token = load_signer(tmp_path / "keys", name, clock=system_clock).token(principal(kind))
        assert verifier.principal(token) == principal(kind)


@pytest.mark.parametrize("name", MAY_VOUCH_FOR)
@pytest.mark.parametrize("kind", Caller)
def test_each_key_vouches_for_its_own_kinds_only(tmp_path: Path, name: str, kind: Caller) -> None:
    ensure_keys(tmp_path, [name])
    verifier = load_verifier(tmp_path, clock=system_clock)
    token = load_signer(tmp_path, name, clock=system_clock).token(principal(kind))
    allowed = {
        "gateway": {Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL, Caller.SERVICE},
        "operator": {Caller.OPERATOR},
    }.get(name, {Caller.SERVICE})
    if kind in allowed:
        assert verifier.principal(token).kind is kind
    else:
        with pytest.raises(NotBelievedError):
            verifier.principal(token)


def test_a_key_by_another_name_is_not_believed(tmp_path: Path) -> None:
    ensure_keys(tmp_path, ["points", "root"])
    verifier = load_verifier(tmp_path, clock=system_clock)
    token = load_signer(tmp_path, "root", clock=system_clock).token(principal(Caller.OPERATOR))
    with pytest.raises(NotBelievedError):
        verifier.principal(token)


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file or directory"), (b"nonsense", "it is not a PEM key without password")],
)
def test_a_missing_or_broken_key_says_where_and_what_to_do(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "points.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NoKeyError) as caught:
        load_signer(tmp_path, "points", clock=system_clock)
    assert caught.value.message == (
        f"There is no usable key at {path}: {why}. `make run` makes its own; else point HUITOU_KEYS_DIR at them."
    )


def test_whom_nobody_would_believe_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(NoKeyError, match="nobody would be believed"):
        load_verifier(tmp_path, clock=system_clock)


def test_the_key_of_identities_is_the_same_for_all_and_has_the_right_length(tmp_path: Path) -> None:
    ensure_keys(tmp_path)
    key = load_identity_key(tmp_path)
    assert (len(key), load_identity_key(tmp_path)) == (32, key)
    (tmp_path / "identities.key").write_bytes(key[:31])
    with pytest.raises(NoKeyError, match="it has not 32 bytes"):
        load_identity_key(tmp_path)
    with pytest.raises(NoKeyError, match="No such file"):
        load_identity_key(tmp_path / "elsewhere")


def test_what_one_own_key_signs_no_other_has_signed(tmp_path: Path) -> None:
    ensure_keys(tmp_path, ["points", "members"])
    points, members = load_own_key(tmp_path, "points"), load_own_key(tmp_path, "members")
    signature = points.sign(b"so it was")
    assert points.is_signed(b"so it was", signature, points.key_id)
    assert not points.is_signed(b"so it was not", signature, points.key_id)
    assert not points.is_signed(b"so it was", signature, members.key_id)
    assert not members.is_signed(b"so it was", signature, members.key_id)
