"""The Care servicer: its calls stand by noun in files of their own."""

from dataclasses import dataclass
from typing import Protocol

from protos.members.v1 import care_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.members.rpc.consents import ConsentCalls
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.consents import Consents
from services.members.usecases.looks import Looks
from services.members.usecases.members import IdentityFinder, MemberFinder
from services.members.usecases.timelines import IdFinder


class Finder(MemberFinder, IdentityFinder, IdFinder, Protocol):
    """Where members are looked up, by id and by identity."""


@dataclass(frozen=True)
class CareServicer(ConsentCalls, care_pb2_grpc.CareServicer):
    """protos/members/v1/care.proto."""

    changes: ChangeDesk
    clocks: ChainClocks
    members: Finder
    looks: Looks
    consents: Consents
