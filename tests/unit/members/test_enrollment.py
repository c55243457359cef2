from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Problem
from services.members.domain.enrollment import Enroll, Enrolled, Known, Used, content_hash, fold, use_of
from services.members.domain.identities import Identity, IdentityKind
from services.members.domain.members import Channel, Member, Source
from services.members.domain.profiles import Profile

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)
NOTHING = Known(keys={}, holders={}, stores={("chn_a", "sto_1")})


def enroll(
    number: int, *values: str, key: str = "", chain: str = "chn_a", store: str = "", said: bytes = b""
) -> Enroll:
    identities = tuple(
        Identity(IdentityKind.PHONE if value.startswith("+") else IdentityKind.EXTERNAL, value) for value in values
    )
    return Enroll(
        chain=chain,
        key=key or f"key-{number}",
        asked_for=said or f"said-{number}".encode(),
        member=Member(f"mem_{number}", Profile("", identities), NOW, Channel.POS, Source(store)),
        hashes=tuple(value.encode() for value in values),
        at=NOW,
    )


def codes(answers: tuple[Enrolled | Problem, ...]) -> list[str]:
    return [one.code if isinstance(one, Problem) else f"{one.member.id} {one.repeated_call}" for one in answers]


def test_each_command_has_its_own_answer() -> None:
    folded = fold(
        [enroll(1, "+861"), enroll(2, "+861"), enroll(3, "+863"), enroll(4, store="sto_9"), enroll(5, store="sto_1")],
        NOTHING,
    )
    assert codes(folded.answers) == [
        "mem_1 False",
        "IDENTITY_TAKEN",
        "mem_3 False",
        "STORE_NOT_FOUND",
        "mem_5 False",
    ]
    assert [command.member.id for command in folded.enrolled] == ["mem_1", "mem_3", "mem_5"]


def test_the_same_key_in_one_batch_gives_the_same_answer() -> None:
    first = enroll(1, "+861", key="same-key")
    again = enroll(2, "+861", key="same-key", said=b"said-1")
    other = enroll(3, "+863", key="same-key")
    folded = fold([first, again, other], NOTHING)
    assert codes(folded.answers) == ["mem_1 False", "mem_1 True", "KEY_REUSED"]
    assert folded.enrolled == (first,)


def test_a_key_that_was_used_before_shows_what_for() -> None:
    known = Known(keys={("chn_a", "key-2"): Used(b"else", b"", "mem_7 was enrolled with it")}, holders={}, stores=())
    (answer,) = fold([enroll(2)], known).answers
    assert isinstance(answer, Problem)
    assert answer.message == (
        "This key was used before for something else: mem_7 was enrolled with it. Take a new key for a new wish."
    )


def test_a_taken_identity_is_named_by_its_place() -> None:
    known = Known(keys={}, holders={("chn_a", b"+862"): "mem_7"}, stores=())
    (answer,) = fold([enroll(1, "+861", "+862")], known).answers
    assert isinstance(answer, Problem)
    assert (answer.code, answer.field) == ("IDENTITY_TAKEN", "profile.identities.1")
    assert "mem_7" not in answer.message


def test_a_taken_external_id_names_its_member() -> None:
    known = Known(keys={}, holders={("chn_a", b"+862"): "mem_7", ("chn_a", b"A-1"): "mem_7"}, stores=())
    (answer,) = fold([enroll(1, "+862", "A-1")], known).answers
    assert isinstance(answer, Problem)
    assert (answer.code, answer.field) == ("IDENTITY_TAKEN", "profile.identities.1")
    assert "mem_7" in answer.message


def test_keys_and_identities_of_another_chain_do_not_count() -> None:
    known = Known(keys={("chn_b", "key-1"): Used(b"", b"", "")}, holders={("chn_b", b"+861"): "m"}, stores=())
    folded = fold([enroll(1, "+861"), enroll(1, "+861", chain="chn_c")], known)
    assert codes(folded.answers) == ["mem_1 False", "mem_1 False"]


def test_content_is_told_apart_field_by_field() -> None:
    assert content_hash("ab", "c", key=b"k") != content_hash("a", "bc", key=b"k")
    assert content_hash("a", key=b"k") != content_hash("a", key=b"l")
    assert content_hash("a", None, key=b"k") != content_hash("a", "None", key=b"k")


@given(st.lists(st.tuples(st.integers(1, 6), st.lists(st.sampled_from(["+1", "+2", "x", "y"]), unique=True))))
def test_a_batch_is_what_one_after_another_would_be(asked: list[tuple[int, list[str]]]) -> None:
    """No identity ever has two members, and batches make no difference."""
    commands = [
        enroll(number, *values, key=f"key-{key}", said=repr((key, values)).encode())
        for number, (key, values) in enumerate(asked)
    ]
    together = fold(commands, NOTHING)
    keys: dict[tuple[str, str], Used] = {}
    holders: dict[tuple[str, bytes], str] = {}
    alone: list[str] = []
    for command in commands:
        folded = fold([command], Known(keys, holders, ()))
        alone += codes(folded.answers)
        for done in folded.enrolled:
            keys[done.chain, done.key] = use_of(done)
            assert not any((done.chain, hashed) in holders for hashed in done.hashes)
            holders |= {(done.chain, hashed): done.member.id for hashed in done.hashes}
    assert codes(together.answers) == alone
