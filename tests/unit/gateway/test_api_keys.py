"""Who calls with a key: asked once, believed for five seconds."""

import asyncio
from hashlib import sha256

import pytest

from gateway import api_keys
from gateway.api_keys import ApiKeys, AuthenticationDownError
from protos.common.v1 import access_pb2
from protos.members.v1.chains_pb2 import AuthenticateResponse
from services.kit.errors import Kind
from services.kit.principal import Caller, NotBelievedError, Principal
from services.kit.rpc import RemoteProblem

TILL = Principal("chn_1", Caller.TILL, "key_1", frozenset({"purchases:write"}), frozenset({"sto_1"}))


class Members:
    """Answers for the key "htk_till", counts, and has a clock."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.asked: list[bytes] = []
        self.revoked = False
        self.problem: RemoteProblem | None = None
        self.travel_s = 0.0

    async def authenticate(self, secret_sha256: bytes) -> AuthenticateResponse:
        self.asked.append(secret_sha256)
        await asyncio.sleep(0)
        self.now_s += self.travel_s
        if self.problem is not None:
            raise self.problem
        if self.revoked or secret_sha256 != sha256(b"htk_till").digest():
            raise RemoteProblem("There is no such API key.", kind=Kind.NOT_FOUND)
        kind = access_pb2.CALLER_KIND_TILL
        scopes, stores = ["purchases:write"], ["sto_1"]
        return AuthenticateResponse(chain_id="chn_1", kind=kind, id="key_1", scopes=scopes, store_ids=stores)


@pytest.fixture
def members() -> Members:
    return Members()


@pytest.fixture
def keys(members: Members) -> ApiKeys:
    return ApiKeys(members.authenticate, now=lambda: members.now_s)


async def test_a_key_stands_for_its_principal(keys: ApiKeys, members: Members) -> None:
    assert await keys.caller("Bearer htk_till") == TILL
    assert members.asked == [sha256(b"htk_till").digest()]


async def test_no_key_is_nobody(keys: ApiKeys, members: Members) -> None:
    assert await keys.caller(None) is None
    assert members.asked == []


async def test_an_answer_is_good_for_five_seconds(keys: ApiKeys, members: Members) -> None:
    await keys.caller("Bearer htk_till")
    members.revoked = True
    members.now_s += 4.99
    assert await keys.caller("Bearer htk_till") == TILL
    members.now_s += 0.01
    with pytest.raises(NotBelievedError):
        await keys.caller("Bearer htk_till")
    assert len(members.asked) == 2


async def test_the_five_seconds_begin_when_it_is_asked(keys: ApiKeys, members: Members) -> None:
    members.travel_s = 2.0
    await keys.caller("Bearer htk_till")
    members.now_s += 3.0
    await keys.caller("Bearer htk_till")
    assert len(members.asked) == 2


async def test_an_unknown_key_stays_unknown_for_a_second(keys: ApiKeys, members: Members) -> None:
    members.revoked = True
    for seconds, asked in ((0.0, 1), (0.99, 1), (0.01, 2)):
        members.now_s += seconds
        with pytest.raises(NotBelievedError):
            await keys.caller("Bearer htk_till")
        assert len(members.asked) == asked
    members.revoked = False
    members.now_s += 1.0
    assert await keys.caller("Bearer htk_till") == TILL


async def test_those_who_come_at_once_ask_once(keys: ApiKeys, members: Members) -> None:
    assert await asyncio.gather(*(keys.caller("Bearer htk_till") for _ in range(100))) == [TILL] * 100
    assert len(members.asked) == 1


async def test_who_goes_away_does_not_spoil_it_for_the_others(keys: ApiKeys) -> None:
    first = asyncio.create_task(keys.caller("Bearer htk_till"))
    second = asyncio.create_task(keys.caller("Bearer htk_till"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == TILL


@pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.TIMED_OUT, Kind.UNAUTHENTICATED, Kind.FAULT])
async def test_a_fault_is_not_the_keys(keys: ApiKeys, members: Members, kind: Kind) -> None:
    members.problem = RemoteProblem("10.0.0.1 is away", kind=kind)
    with pytest.raises(AuthenticationDownError):
        await keys.caller("Bearer htk_till")
    members.problem = None
    assert await keys.caller("Bearer htk_till") == TILL


async def test_no_more_than_so_many_are_kept(keys: ApiKeys, members: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "KEPT", 10)
    await keys.caller("Bearer htk_till")
    for number in range(20):
        with pytest.raises(NotBelievedError):
            await keys.caller(f"Bearer htk_{number}")
        await keys.caller("Bearer htk_till")
    assert len(keys._known) == 10
    assert members.asked.count(sha256(b"htk_till").digest()) == 1
    with pytest.raises(NotBelievedError):
        await keys.caller("Bearer htk_0")
    assert members.asked.count(sha256(b"htk_0").digest()) == 2
