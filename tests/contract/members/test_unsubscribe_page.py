"""The link to unsubscribe, from the web server to the members' database."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.api_keys import ApiKeys
from gateway.app import Readiness, app
from protos.members.v1 import care_pb2 as pb
from protos.members.v1 import chains_pb2
from services.kit.graph import Channels
from services.kit.rpc import RpcChannel
from tests.support.members_service import MembersService, enrollment, phone, staff
from tests.support.toy_server import Keys

SMS, MARKETING = pb.CONTACT_CHANNEL_SMS, pb.PURPOSE_MARKETING


@pytest.fixture
async def http(service: MembersService) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(service.channel) as client:
        yield client


def opened(channel: RpcChannel) -> httpx.AsyncClient:
    channels, readiness = Channels({"members": channel}), Readiness(ready=True)
    door = app({}, api_keys=ApiKeys(nobody, now=lambda: 0.0), channels=channels, readiness=readiness)
    return httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="https://door.example")


async def nobody(_secret_sha256: bytes) -> chains_pb2.AuthenticateResponse:
    raise AssertionError


@pytest.fixture
async def link(service: MembersService, chain: str, member: str) -> str:
    wanted = pb.MakeUnsubscribeTokenRequest(member_id=member, channel=SMS, purpose=MARKETING)
    token = (await service.call(service.care.MakeUnsubscribeToken, wanted, staff(chain))).token
    return f"/unsubscribe/{token}"


@pytest.fixture
async def member(service: MembersService, chain: str) -> str:
    member = (await service.enroll(enrollment(phone("+8613800138000")), staff(chain))).member.id
    consent = pb.Consent(granted=True, text_version="1", source=pb.CONSENT_SOURCE_STAFF, channel=SMS, purpose=MARKETING)
    wanted = pb.RecordConsentsRequest(key="consent-1", consents=[pb.SaidConsent(member_id=member, consent=consent)])
    await service.call(service.care.RecordConsents, wanted, staff(chain))
    return member


async def agrees(service: MembersService, chain: str, member: str) -> bool:
    request = pb.GetConsentsRequest(member_ids=[member])
    answer = await service.call(service.care.GetConsents, request, staff(chain))
    return any(one.granted for of in answer.members for one in of.consents)


async def test_to_open_the_page_changes_nothing_and_its_button_takes_back(
    service: MembersService, chain: str, member: str, http: httpx.AsyncClient, link: str
) -> None:
    page = await http.get(link, headers={"accept-language": "zh-CN,zh;q=0.9"})
    assert (page.status_code, '<form method="post"><button>退订</button>' in page.text) == (200, True)
    assert page.headers["cache-control"] == "no-store"
    assert await agrees(service, chain, member)
    done = await http.post(link)
    assert (done.status_code, "You will not get these messages any more." in done.text) == (200, True)
    assert not await agrees(service, chain, member)
    assert (await http.post(link)).status_code == 200


async def test_one_click_of_a_mail_program_takes_back(
    service: MembersService, chain: str, member: str, http: httpx.AsyncClient, link: str
) -> None:
    assert (await http.post(link, data={"List-Unsubscribe": "One-Click"})).status_code == 200
    assert not await agrees(service, chain, member)


async def test_a_broken_link_says_so(
    service: MembersService, chain: str, member: str, http: httpx.AsyncClient, link: str
) -> None:
    for broken in (link[:-5], "/unsubscribe/x", f"{link}é"):
        refused = await http.post(broken)
        assert (refused.status_code, "This link is not whole." in refused.text) == (400, True)
    assert await agrees(service, chain, member)


async def test_while_members_is_away_the_button_stays(link: str) -> None:
    keys = Keys()
    away = RpcChannel("127.0.0.1:1", tokens=keys.signer.token)
    async with opened(away) as http:
        later = await http.post(link)
    await away.close()
    assert (later.status_code, "<button>" in later.text) == (503, True)
