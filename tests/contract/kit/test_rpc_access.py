"""Who gets in, over a real connection."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.wrappers_pb2 import StringValue

from protos.common.v1 import access_pb2
from services.kit.errors import Kind
from services.kit.principal import LIFETIME, Caller, Principal, Signer
from services.kit.rpc import RemoteProblem, RpcServer, caller
from services.kit.rpc.access import NoRuleError
from tests.support.clock import FixedClock
from tests.support.toy_server import Keys, Running, principal, toy_running
from tests.support.toys import Toy, add_toy, toy_service

NUMBERS = {kind: access_pb2.CallerKind.Value(f"CALLER_KIND_{kind.name}") for kind in Caller}


async def echo(text: str) -> str:
    return text


async def who(_text: str) -> str:
    return f"{caller().kind} {caller().id} of {caller().chain}"


async def refusal(toy: Running, token: str | None) -> tuple[str, str]:
    """Return status and code of a call with this Authorization header."""
    metadata = () if token is None else (("authorization", token),)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await toy.bare_stub.Say(StringValue(value="x"), metadata=metadata)
    return caught.value.code().name, caught.value.details() or ""


@pytest.mark.parametrize("kind", Caller)
async def test_each_kind_that_the_rule_names_gets_in_and_is_known(kind: Caller) -> None:
    async with toy_running(who, kinds=[NUMBERS[kind]]) as toy:
        answer = await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(kind))
    assert answer.value == f"{kind} who of chn_1"


@pytest.mark.parametrize("kind", Caller)
async def test_each_kind_that_the_rule_does_not_name_is_denied(kind: Caller) -> None:
    others = [number for other, number in NUMBERS.items() if other is not kind]
    asked: list[str] = []

    async def note(text: str) -> str:
        asked.append(text)
        return text

    async with toy_running(note, kinds=others) as toy:
        with pytest.raises(RemoteProblem) as caught:
            await toy.channel.call(toy.stub.Say, StringValue(value="x"), principal=principal(kind))
    assert (caught.value.kind, caught.value.code) == (Kind.DENIED, "DENIED")
    assert asked == []


@pytest.mark.parametrize(
    ("kind", "needs_scope"),
    [
        (Caller.STAFF, True),
        (Caller.PARTNER, True),
        (Caller.TILL, True),
        (Caller.MEMBER, False),
        (Caller.SERVICE, False),
        (Caller.OPERATOR, False),
    ],
)
async def test_the_scope_is_asked_of_those_who_carry_scopes(kind: Caller, *, needs_scope: bool) -> None:
    async with toy_running(echo, scope="points:read") as toy:
        with_it = principal(kind, scopes=["points:read"])
        assert (await toy.channel.call(toy.stub.Say, StringValue(value="a"), principal=with_it)).value == "a"
        without = principal(kind, scopes=["points:write"])
        if not needs_scope:
            assert (await toy.channel.call(toy.stub.Say, StringValue(value="b"), principal=without)).value == "b"
            return
        with pytest.raises(RemoteProblem, match="the scope points:read is missing") as caught:
            await toy.channel.call(toy.stub.Say, StringValue(value="b"), principal=without)
    assert caught.value.kind is Kind.DENIED


@pytest.mark.parametrize("kind", [Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL])
async def test_a_caller_of_no_chain_is_denied(kind: Caller) -> None:
    async with toy_running(echo) as toy:
        with pytest.raises(RemoteProblem, match="belongs to no chain"):
            await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(kind, chain=""))


@pytest.mark.parametrize("method", ["Say", "Count", "Join", "Echo"])
async def test_no_method_answers_without_a_token(method: str) -> None:
    async with toy_running(echo) as toy:
        asks = StringValue(value="x")
        many = method in {"Join", "Echo"}

        async def each() -> AsyncIterator[StringValue]:
            # Says nothing yet: the refusal does not wait for it, and a message on its way could meet a closed call.
            await asyncio.Event().wait()
            yield asks

        call = getattr(toy.bare_stub, method)(each() if many else asks)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (call.read() if method in {"Count", "Echo"} else call)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def forged(claims: dict[str, object], *, header: dict[str, object], key: Ed25519PrivateKey | None) -> str:
    """Return a token made by hand; without key: unsigned."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = base64.urlsafe_b64encode(key.sign(b".".join(parts))).rstrip(b"=") if key else b""
    return b".".join([*parts, signature]).decode()


CLAIMS: dict[str, object] = {
    "chain": "chn_1",
    "kind": "operator",
    "sub": "me",
    "scopes": [],
    "stores": [],
    "exp": int(time.time()) + 60,
}

FORGERIES: dict[str, Callable[[], str | None]] = {
    "no header": lambda: None,
    "empty": lambda: "",
    "no token": lambda: "Bearer ",
    "another scheme": lambda: "Basic d2hvOm1l",
    "not a token": lambda: "Bearer nonsense",
    "alg none": lambda: "Bearer " + forged(CLAIMS, header={"alg": "none", "kid": "test"}, key=None),
    "another key": lambda: (
        "Bearer " + forged(CLAIMS, header={"alg": "EdDSA", "kid": "test"}, key=Ed25519PrivateKey.generate())
    ),
    "an unknown key": lambda: (
        "Bearer " + forged(CLAIMS, header={"alg": "EdDSA", "kid": "other"}, key=Ed25519PrivateKey.generate())
    ),
    "no key named": lambda: "Bearer " + forged(CLAIMS, header={"alg": "EdDSA"}, key=Ed25519PrivateKey.generate()),
    "the public key as an HMAC secret": lambda: "Bearer " + jwt.encode(CLAIMS, "x" * 32, headers={"kid": "test"}),
    "deeply nested": lambda: (
        "Bearer " + base64.urlsafe_b64encode(b"[" * 3_000).decode().rstrip("=") + ".e30." + "A" * 86
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_token_is_not_believed(forgery: str) -> None:
    async with toy_running(echo) as toy:
        assert await refusal(toy, FORGERIES[forgery]()) == (
            "UNAUTHENTICATED",
            "The caller's token is missing, expired, or not signed by anyone who may vouch for it.",
        )


async def test_a_good_token_under_another_scheme_is_not_believed() -> None:
    async with toy_running(echo) as toy:
        token = toy.keys.signer.token(principal())
        assert (await refusal(toy, f"Basic {token}"))[0] == "UNAUTHENTICATED"
        assert (await refusal(toy, token))[0] == "UNAUTHENTICATED"
        metadata = (("authorization", f"bearer {token}"),)
        assert (await toy.bare_stub.Say(StringValue(value="x"), metadata=metadata)).value == "x"


async def test_a_changed_claim_is_not_believed() -> None:
    async with toy_running(echo) as toy:
        head, _, signature = toy.keys.signer.token(principal(Caller.MEMBER)).split(".")
        claims = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=").decode()
        assert (await refusal(toy, f"Bearer {head}.{claims}.{signature}"))[0] == "UNAUTHENTICATED"


async def test_an_expired_token_is_not_believed(clock: FixedClock) -> None:
    async with toy_running(echo, keys=Keys(clock)) as toy:
        metadata = toy.metadata(principal())
        assert (await toy.bare_stub.Say(StringValue(value="x"), metadata=metadata)).value == "x"
        clock.move(LIFETIME - timedelta(seconds=1))
        assert (await toy.bare_stub.Say(StringValue(value="y"), metadata=metadata)).value == "y"
        clock.move(timedelta(seconds=1))
        assert (await refusal(toy, metadata[0][1]))[0] == "UNAUTHENTICATED"


async def test_a_service_key_cannot_vouch_for_a_member() -> None:
    keys = Keys(kinds=frozenset({Caller.SERVICE}))
    async with toy_running(who, keys=keys) as toy:
        answer = await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(Caller.SERVICE))
        assert answer.value == "service who of chn_1"
        with pytest.raises(RemoteProblem) as caught:
            await toy.channel.call(toy.stub.Say, StringValue(), principal=principal(Caller.MEMBER))
    assert caught.value.kind is Kind.UNAUTHENTICATED


async def test_the_signer_of_another_platform_is_not_believed() -> None:
    stranger = Signer(key_id="test", key=Ed25519PrivateKey.generate(), clock=Keys().signer._clock)
    async with toy_running(echo) as toy:
        who_calls: Principal = principal(Caller.OPERATOR)
        assert (await refusal(toy, f"Bearer {stranger.token(who_calls)}"))[0] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("kinds", "why"), [(None, "does not say who may call it"), ([], "does not say"), ([0], "nobody")]
)
def test_a_method_without_a_rule_cannot_be_served(kinds: list[int] | None, why: str) -> None:
    service = toy_service(of_methods={"Join": kinds})
    with pytest.raises(NoRuleError, match=rf"Toy\.Join .*{why}"):
        RpcServer(address="127.0.0.1:0", verifier=Keys().verifier, servicers=[(add_toy(service), Toy(echo), service)])


def test_a_servicer_with_the_descriptor_of_another_cannot_be_served() -> None:
    one, other = toy_service(), toy_service()
    with pytest.raises(NoRuleError, match="with the descriptor of"):
        RpcServer(address="127.0.0.1:0", verifier=Keys().verifier, servicers=[(add_toy(one), Toy(echo), other)])
