"""The operators' gRPC calls that a new chain takes, for the demo chain and for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from protos.campaigns.v1 import campaigns_pb2
from protos.campaigns.v1.campaigns_pb2_grpc import CampaignsStub
from protos.common.v1 import access_pb2
from protos.members.v1 import chains_pb2
from protos.members.v1.chains_pb2_grpc import ChainsStub
from services.kit.clock import system_clock
from services.kit.keys import load_signer
from services.kit.principal import Caller, Principal, for_chain
from services.kit.rpc.client import RpcChannel

ANSWER_WITHIN_S = 20.0
"""Long for one call: it may be the first one of a platform that has just started on a busy machine."""

KINDS = {
    Caller.MEMBER: access_pb2.CALLER_KIND_MEMBER,
    Caller.STAFF: access_pb2.CALLER_KIND_STAFF,
    Caller.PARTNER: access_pb2.CALLER_KIND_PARTNER,
    Caller.TILL: access_pb2.CALLER_KIND_TILL,
}


class Operator:
    """Who runs the platform, at the services' own addresses. Use it as an async context manager."""

    def __init__(self, *, members_address: str, campaigns_address: str, keys_dir: Path) -> None:
        signer = load_signer(keys_dir, "operator", clock=system_clock)
        self._members = RpcChannel(members_address, tokens=signer.token)
        self._campaigns = RpcChannel(campaigns_address, tokens=signer.token)
        self._principal = Principal(chain="", kind=Caller.OPERATOR, id="local")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._members.close()
        await self._campaigns.close()

    async def open_chain(self, key: str, *, name: str, currency: str, time_zone: str, sandbox: bool = False) -> str:
        """Return the chain's id; the same one for the same key."""
        answer = await self._members.call(
            self._members.stub(ChainsStub).OpenChain,
            chains_pb2.OpenChainRequest(key=key, name=name, currency=currency, time_zone=time_zone, sandbox=sandbox),
            principal=self._principal,
            timeout_s=ANSWER_WITHIN_S,
            idempotent=True,
        )
        return answer.chain.id

    async def save_stores(self, chain: str, stores: Mapping[str, str]) -> dict[str, str]:
        """Save stores given as code → name; return code → id."""
        answer = await self._members.call(
            self._members.stub(ChainsStub).SaveStores,
            chains_pb2.SaveStoresRequest(
                stores=[chains_pb2.StoreInput(code=code, name=name) for code, name in stores.items()]
            ),
            principal=for_chain(self._principal, chain),
            timeout_s=ANSWER_WITHIN_S,
            idempotent=True,
        )
        return {store.code: store.id for store in answer.stores}

    async def save_menu_items(self, chain: str, items: Sequence[chains_pb2.MenuItem]) -> None:
        """Save the menu, by the items' codes."""
        await self._members.call(
            self._members.stub(ChainsStub).SaveMenuItems,
            chains_pb2.SaveMenuItemsRequest(items=items),
            principal=for_chain(self._principal, chain),
            timeout_s=ANSWER_WITHIN_S,
            idempotent=True,
        )

    async def create_api_key(
        self, chain: str, kind: Caller, *, subject: str, scopes: Sequence[str] = (), store_ids: Sequence[str] = ()
    ) -> str:
        """Return the secret of a new key; it cannot be had a second time."""
        answer = await self._members.call(
            self._members.stub(ChainsStub).CreateApiKey,
            chains_pb2.CreateApiKeyRequest(kind=KINDS[kind], subject=subject, scopes=scopes, store_ids=store_ids),
            principal=for_chain(self._principal, chain),
            timeout_s=ANSWER_WITHIN_S,
        )
        return answer.secret

    async def save_tier_offer(
        self, chain: str, key: str, *, level: str, title: str, value_minor: int, valid_days: int
    ) -> None:
        """Say which coupon members get when they reach `level`."""
        await self._campaigns.call(
            self._campaigns.stub(CampaignsStub).SaveTierOffer,
            campaigns_pb2.SaveTierOfferRequest(
                key=key, level=level, title=title, value_minor=value_minor, valid_days=valid_days
            ),
            principal=for_chain(self._principal, chain),
            timeout_s=ANSWER_WITHIN_S,
            idempotent=True,
        )
