"""How members are looked after, over the graph."""

from tests.contract.members.test_graph import ask
from tests.support.members_service import MembersService, enrollment, phone, staff

RECORD = """mutation ($input: RecordConsentsInput!) { recordConsents(input: $input) {
    repeatedCall userErrors { code field } } }"""
CONSENTS = """query ($id: ID!) { member(id: $id) { consents { channel purpose granted textVersion source recordedBy }
    consentHistory(first: 1) { nodes { granted at } pageInfo { hasNextPage } } } }"""


async def enrolled(service: MembersService, chain: str) -> str:
    return str((await service.enroll(enrollment(phone("+8613800138000")), staff(chain))).member.id)


async def test_consents_are_recorded_and_shown(service: MembersService, chain: str) -> None:
    member = await enrolled(service, chain)
    said = {"memberId": member, "channel": "WECHAT", "purpose": "PROFILING", "granted": True, "textVersion": "3"}
    wish = {"key": "wish-0001", "consents": [{**said, "at": "2026-02-01T08:00:00+08:00"}]}
    assert (await ask(service, staff(chain), RECORD, input=wish))["recordConsents"] == {
        "repeatedCall": False,
        "userErrors": [],
    }
    taken_back = {**said, "granted": False, "source": "COMPLAINT", "textVersion": None}
    await ask(service, staff(chain), RECORD, input={"key": "wish-0002", "consents": [taken_back]})
    shown = (await ask(service, staff(chain), CONSENTS, id=member))["member"]
    assert shown["consents"] == [
        {
            "channel": "WECHAT",
            "purpose": "PROFILING",
            "granted": False,
            "textVersion": None,
            "source": "COMPLAINT",
            "recordedBy": "staff:key_staff",
        }
    ]
    assert len(shown["consentHistory"]["nodes"]) == 1
    assert shown["consentHistory"]["pageInfo"] == {"hasNextPage": True}
    refused = {"key": "wish-0003", "consents": [{**said, "at": "2027-02-01T08:00:00+08:00"}]}
    assert (await ask(service, staff(chain), RECORD, input=refused))["recordConsents"]["userErrors"] == [
        {"code": "INVALID_CONSENT", "field": "consents.0.at"}
    ]
