"""API keys, over a real connection and on the real database."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from protos.common.v1 import access_pb2
from protos.members.v1 import chains_pb2 as pb
from services.kit.errors import Kind
from services.kit.principal import Principal
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import from_timestamp
from services.members.domain.api_keys import SCOPES
from tests.support.clock import START, FixedClock
from tests.support.members_service import GATEWAY, OPERATOR, MembersService, enrollment, staff


def wanted(
    kind: access_pb2.CallerKind.ValueType = access_pb2.CALLER_KIND_STAFF,
    *,
    subject: str = "Mei",
    scopes: Sequence[str] = ("points:read",),
    stores: Sequence[str] = (),
) -> pb.CreateApiKeyRequest:
    return pb.CreateApiKeyRequest(kind=kind, subject=subject, scopes=scopes, store_ids=stores)


async def create(service: MembersService, request: pb.CreateApiKeyRequest, by: Principal) -> pb.CreateApiKeyResponse:
    answer: pb.CreateApiKeyResponse = await service.call(service.chains.CreateApiKey, request, by)
    return answer


async def authenticate(service: MembersService, secret: str) -> pb.AuthenticateResponse:
    request = pb.AuthenticateRequest(secret_sha256=sha256(secret.encode()).digest())
    answer: pb.AuthenticateResponse = await service.call(service.chains.Authenticate, request, GATEWAY)
    return answer


async def test_a_key_is_known_by_its_secret(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    request = wanted(access_pb2.CALLER_KIND_TILL, subject="till 3", scopes=["purchases:write"], stores=[store])
    created = await create(service, request, staff(chain))
    assert re.fullmatch(r"htk_till_[A-Za-z0-9_-]{43}", created.secret)
    known = await authenticate(service, created.secret)
    assert (known.chain_id, known.kind, known.id) == (chain, access_pb2.CALLER_KIND_TILL, created.id)
    assert (list(known.scopes), list(known.store_ids)) == (["purchases:write"], [store])


async def test_no_secret_is_kept(service: MembersService, chain: str) -> None:
    secret = (await create(service, wanted(), staff(chain))).secret
    held = repr(await service.everything())
    assert secret not in held
    assert secret.removeprefix("htk_staff_") not in held
    assert repr(sha256(secret.encode()).digest()) in held


async def test_a_members_key_stands_for_the_member(service: MembersService, chain: str) -> None:
    member = (await service.enroll(enrollment(), staff(chain))).member
    request = wanted(access_pb2.CALLER_KIND_MEMBER, subject=member.id, scopes=())
    known = await authenticate(service, (await create(service, request, staff(chain))).secret)
    assert (known.kind, known.id, list(known.scopes)) == (access_pb2.CALLER_KIND_MEMBER, member.id, [])


async def test_an_unknown_secret_is_nobodys(service: MembersService) -> None:
    with pytest.raises(RemoteProblem) as refused:
        await authenticate(service, "htk_staff_guess")
    assert (refused.value.kind, refused.value.code) == (Kind.NOT_FOUND, "API_KEY_NOT_FOUND")


async def test_a_revoked_key_is_nobodys_and_stays_so(service: MembersService, chain: str, clock: FixedClock) -> None:
    created = await create(service, wanted(), staff(chain))
    for _ in range(2):
        request = pb.RevokeApiKeyRequest(id=created.id)
        revoked = await service.call(service.chains.RevokeApiKey, request, staff(chain))
        assert from_timestamp(revoked.revoked_at) == START
        with pytest.raises(RemoteProblem, match="no such API key"):
            await authenticate(service, created.secret)
        clock.move(timedelta(seconds=1))


async def test_another_chain_cannot_revoke(service: MembersService, chain: str, other_chain: str) -> None:
    created = await create(service, wanted(), staff(chain))
    request = pb.RevokeApiKeyRequest(id=created.id)
    refused = await service.refusal(service.chains.RevokeApiKey, request, staff(other_chain))
    assert (refused.kind, refused.field) == (Kind.NOT_FOUND, "id")
    assert (await authenticate(service, created.secret)).id == created.id


async def test_a_branch_cannot_revoke_the_head_offices(service: MembersService, chain: str) -> None:
    store = await service.store(chain)
    created = await create(service, wanted(), staff(chain))
    request = pb.RevokeApiKeyRequest(id=created.id)
    refused = await service.refusal(service.chains.RevokeApiKey, request, staff(chain, stores=[store]))
    assert refused.kind is Kind.DENIED


async def test_nobody_gives_more_than_they_have(service: MembersService, chain: str) -> None:
    own, other = await service.store(chain), await service.store(chain, "park")
    for by, request, field in (
        (staff(chain, scopes=frozenset({"keys:write"})), wanted(), "scopes"),
        (staff(chain, stores=[own]), wanted(), "storeIds"),
        (staff(chain, stores=[own]), wanted(stores=[own, other]), "storeIds"),
    ):
        refused = await service.refusal(service.chains.CreateApiKey, request, by)
        assert (refused.kind, refused.field) == (Kind.DENIED, field)
    assert (await create(service, wanted(stores=[own]), staff(chain, stores=[own]))).id


async def test_an_operator_makes_the_first_key_of_a_chain(service: MembersService, chain: str) -> None:
    created = await create(service, wanted(scopes=sorted(SCOPES)), replace(OPERATOR, chain=chain))
    assert set((await authenticate(service, created.secret)).scopes) == SCOPES
    refused = await service.refusal(service.chains.CreateApiKey, wanted(), OPERATOR)
    assert refused.code == "CHAIN_NOT_FOUND"


async def test_what_a_key_names_must_be_there(service: MembersService, chain: str, other_chain: str) -> None:
    foreign = await service.store(other_chain)
    stranger = (await service.enroll(enrollment(), staff(other_chain))).member.id
    till = wanted(access_pb2.CALLER_KIND_TILL, stores=[foreign])
    for request, code, field in (
        (till, "STORE_NOT_FOUND", "storeIds"),
        (wanted(access_pb2.CALLER_KIND_MEMBER, subject=stranger, scopes=()), "MEMBER_NOT_FOUND", "subject"),
        (wanted(access_pb2.CALLER_KIND_TILL), "INVALID_API_KEY", "storeIds"),
        (wanted(access_pb2.CALLER_KIND_SERVICE), "INVALID_API_KEY", "kind"),
        (wanted(scopes=["points:mint"]), "INVALID_API_KEY", "scopes"),
    ):
        refused = await service.refusal(service.chains.CreateApiKey, request, staff(chain))
        assert (refused.code, refused.field) == (code, field)
