"""members, asked over gRPC: who exists."""

from protos.members.v1 import members_pb2, members_pb2_grpc
from services.kit.principal import Caller, Principal
from services.kit.rpc.client import RpcChannel


class MembersClient:
    """Asks members in the service's own name."""

    def __init__(self, channel: RpcChannel) -> None:
        self._channel = channel
        self._members = channel.stub(members_pb2_grpc.MembersStub)

    async def existing(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        """Return those of `ids` that are members."""
        request = members_pb2.GetMembersRequest(ids=sorted(ids))
        service = Principal(chain=chain, kind=Caller.SERVICE, id="feedback")
        answer = await self._channel.call(self._members.GetMembers, request, principal=service, idempotent=True)
        return frozenset(answer.asked_ids)  # one that was merged answers under another id
