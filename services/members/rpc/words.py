"""Values of the chain's own as protos, and back."""

from protos.common.v1 import access_pb2
from protos.members.v1 import chains_pb2
from services.members.domain.api_keys import KeyKind
from services.members.domain.chains import Chain

KEY_KINDS = {access_pb2.CallerKind.Value(f"CALLER_KIND_{kind.name}"): kind for kind in KeyKind}
KEY_KIND_OF = {kind: number for number, kind in KEY_KINDS.items()}


def chain_proto(chain: Chain) -> chains_pb2.Chain:
    """Return the chain without its secret."""
    return chains_pb2.Chain(
        id=chain.id, name=chain.name, currency=chain.currency, time_zone=chain.time_zone, sandbox=chain.sandbox
    )
