"""gRPC between the services: a guarded server, and channels that carry the caller, the deadline and the trace."""

from services.kit.rpc.calls import TimedOutError, answering, caller, time_left_s
from services.kit.rpc.client import RpcChannel
from services.kit.rpc.problems import RemoteProblem, from_proto, to_proto
from services.kit.rpc.server import RpcServer

__all__ = [
    "RemoteProblem",
    "RpcChannel",
    "RpcServer",
    "TimedOutError",
    "answering",
    "caller",
    "from_proto",
    "time_left_s",
    "to_proto",
]
