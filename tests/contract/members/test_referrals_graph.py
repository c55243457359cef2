"""Referrals over the subgraph alone, over the real servicers."""

from services.kit.principal import Caller, Principal
from tests.contract.members.test_graph import ask
from tests.contract.members.test_merges import bought, join
from tests.support.members_service import MembersService, staff

CREATE = "mutation { createReferralCode(input: {}) { code userErrors { code } } }"
SET = """mutation ($input: SetReferrerInput!) { setReferrer(input: $input) {
  memberId referralId repeatedCall userErrors { code field message } } }"""
ENROLL = """mutation ($input: EnrollMemberInput!) { enrollMember(input: $input) {
  member { source { referrerId } } userErrors { code field } } }"""
SHOWN = "query ($id: ID!) { member(id: $id) { referrals { code waitingCount completedCount } } }"


def joining(code: str) -> dict[str, object]:
    profile = {"name": "Li"}
    return {"key": f"join-{code}", "profile": profile, "channel": "APP", "source": {"referralCode": code}}


async def test_a_guest_brings_others_by_its_code(service: MembersService, chain: str) -> None:
    ada, bob = await join(service, chain), await join(service, chain)
    guests = {one: Principal(chain=chain, kind=Caller.MEMBER, id=one) for one in (ada, bob)}
    assert (await ask(service, guests[ada], SHOWN, id=ada))["member"]["referrals"] == {
        "code": None,
        "waitingCount": 0,
        "completedCount": 0,
    }
    made = (await ask(service, guests[ada], CREATE))["createReferralCode"]
    code = made["code"]
    assert (made["userErrors"], len(code)) == ([], 8)
    said = {"key": "ada-brought-me", "referralCode": code}
    first = (await ask(service, guests[bob], SET, input=said))["setReferrer"]
    again = (await ask(service, guests[bob], SET, input=said))["setReferrer"]
    assert (first["memberId"], first["userErrors"], again) == (bob, [], {**first, "repeatedCall": True})
    enrolled = (await ask(service, staff(chain), ENROLL, input=joining(code)))["enrollMember"]
    assert enrolled == {"member": {"source": {"referrerId": ada}}, "userErrors": []}
    await bought(service, chain, bob, 1)
    shown = {"code": code, "waitingCount": 1, "completedCount": 1}
    assert (await ask(service, guests[ada], SHOWN, id=ada))["member"]["referrals"] == shown
    assert (await ask(service, staff(chain), SHOWN, id=ada))["member"]["referrals"] == shown
    assert (await ask(service, guests[bob], SHOWN, id=ada))["member"] is None


async def test_what_stands_against_it_is_told_with_its_field(service: MembersService, chain: str) -> None:
    ada = await join(service, chain)
    by = Principal(chain=chain, kind=Caller.MEMBER, id=ada)
    code = (await ask(service, by, CREATE))["createReferralCode"]["code"]
    for said, expected in (("22222222", "UNKNOWN_REFERRAL_CODE"), (code, "SELF_REFERRAL")):
        wish = {"key": f"said-{said}", "memberId": ada, "referralCode": said}
        refused = (await ask(service, by, SET, input=wish))["setReferrer"]
        assert [(one["code"], one["field"]) for one in refused["userErrors"]] == [(expected, "referralCode")]
        assert refused["referralId"] is None
    refused = (await ask(service, staff(chain), ENROLL, input=joining("22222222")))["enrollMember"]
    assert refused == {
        "member": None,
        "userErrors": [{"code": "UNKNOWN_REFERRAL_CODE", "field": "source.referralCode"}],
    }
