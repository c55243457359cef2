"""Payers among the commands of a batch: their one identity is what tells them again."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Problem
from services.members.domain.enrollment import Enroll, Enrolled, Known, fold
from services.members.domain.identities import Identity, IdentityKind
from services.members.domain.members import Channel, Member, Source
from services.members.domain.profiles import Profile

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)
NOTHING = Known(keys={}, holders={}, stores={("chn_a", "sto_1")})


def payer(number: int, account: str, *, chain: str = "chn_a", store: str = "") -> Enroll:
    profile = Profile("", (Identity(IdentityKind.PAYER, account),))
    member = Member(f"mem_{number}", profile, NOW, Channel.PAYMENT, Source(store), provisional=True)
    return Enroll(chain=chain, key="", asked_for=b"", member=member, hashes=(account.encode(),), at=NOW)


def by_hand(number: int, account: str) -> Enroll:
    member = Member(f"mem_{number}", Profile("", (Identity(IdentityKind.EXTERNAL, account),)), NOW, Channel.POS)
    return Enroll(chain="chn_a", key=f"key-{number}", asked_for=b"", member=member, hashes=(account.encode(),), at=NOW)


def told(answers: tuple[Enrolled | Problem, ...]) -> list[str]:
    return [one.code if isinstance(one, Problem) else f"{one.member.id} {one.repeated_call}" for one in answers]


def test_equal_payers_of_a_batch_are_one_member() -> None:
    folded = fold([payer(1, "a"), payer(2, "b"), payer(3, "a"), payer(4, "a", chain="chn_b")], NOTHING)
    assert told(folded.answers) == ["mem_1 False", "mem_2 False", "mem_1 True", "mem_4 False"]
    assert [command.member.id for command in folded.enrolled] == ["mem_1", "mem_2", "mem_4"]


def test_a_payer_who_is_known_is_who_it_was() -> None:
    known = Known(keys={}, holders={("chn_a", b"a"): "mem_7"}, stores=())
    folded = fold([payer(1, "a")], known)
    assert (told(folded.answers), folded.enrolled) == (["mem_7 True"], ())


def test_a_payer_whose_commit_was_not_heard_of_was_enrolled_by_this_call() -> None:
    """A transaction that is tried again may find that its earlier try did come through."""
    known = Known(keys={}, holders={("chn_a", b"a"): "mem_1"}, stores=())
    folded = fold([payer(1, "a")], known)
    assert (told(folded.answers), folded.enrolled) == (["mem_1 False"], ())


def test_a_payer_needs_a_store_that_exists_only_when_it_is_new() -> None:
    known = Known(keys={}, holders={("chn_a", b"a"): "mem_7"}, stores={("chn_a", "sto_1")})
    folded = fold([payer(1, "a", store="sto_9"), payer(2, "b", store="sto_9"), payer(3, "b", store="sto_1")], known)
    assert told(folded.answers) == ["mem_7 True", "STORE_NOT_FOUND", "mem_3 False"]


def test_payers_and_enrollments_by_hand_share_a_batch() -> None:
    folded = fold([payer(1, "a"), by_hand(2, "b"), by_hand(3, "b"), payer(4, "c")], NOTHING)
    assert told(folded.answers) == ["mem_1 False", "mem_2 False", "IDENTITY_TAKEN", "mem_4 False"]


@given(st.lists(st.sampled_from("abcd")))
def test_every_account_has_one_member_however_often_it_pays(accounts: list[str]) -> None:
    folded = fold([payer(number, account) for number, account in enumerate(accounts)], NOTHING)
    first = {account: f"mem_{accounts.index(account)}" for account in accounts}
    assert told(folded.answers) == [
        f"{first[account]} {accounts.index(account) != number}" for number, account in enumerate(accounts)
    ]
    assert [command.member.id for command in folded.enrolled] == list(first.values())
