"""The points service behind a real connection, on the real database; members is played by a dictionary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from protos.points.v1 import points_pb2 as pb
from protos.points.v1.holds_pb2_grpc import HoldsStub
from protos.points.v1.insight_pb2_grpc import InsightStub
from protos.points.v1.ledger_pb2_grpc import LedgerStub
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.errors import Kind, Problem
from services.kit.mongo.database import Database
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem, RpcChannel
from services.kit.timestamps import to_timestamp
from services.points.domain.items import Item
from services.points.store.collections import ENTRIES, RECEIPTS
from services.points.usecases.record_purchases import Identity, Payer, Recorder, Store
from tests.support.clock import FixedClock

if TYPE_CHECKING:
    from protos.points.v1.holds_pb2_grpc import HoldsAsyncStub
    from protos.points.v1.insight_pb2_grpc import InsightAsyncStub
    from protos.points.v1.ledger_pb2_grpc import LedgerAsyncStub
    from protos.points.v1.points_pb2_grpc import PointsAsyncStub

SCOPES = frozenset(
    {
        *("purchases:write", "purchases:read", "points:read", "points:spend"),
        *("ledger:read", "ledger:adjust", "ledger:approve", "ledger:freeze", "ledger:open", "ledger:level"),
        *("insight:read", "program:read", "program:write"),
    }
)
KNOWN_CHAINS = frozenset({"chn_1", "sbx_1"})
TILL = Principal(
    chain="chn_1",
    kind=Caller.TILL,
    id="key_1",
    scopes=frozenset({"purchases:write", "points:read", "points:spend"}),
    stores=frozenset({"sto_1"}),
)
STAFF = Principal(chain="chn_1", kind=Caller.STAFF, id="key_2", scopes=SCOPES)
BOSS = Principal(chain="chn_1", kind=Caller.STAFF, id="key_3", scopes=SCOPES)
ADA = Principal(chain="chn_1", kind=Caller.MEMBER, id="mem_ada")


class AwayError(Problem):
    """Members cannot be reached."""

    kind = Kind.UNAVAILABLE
    code = "UNAVAILABLE"


@dataclass
class KnownMembers:
    """What members would answer for chn_1 and its sandbox; nobody else has anyone."""

    ids: set[str] = field(default_factory=lambda: {"mem_ada", "mem_bob"})
    asked: list[frozenset[str]] = field(default_factory=list)
    payers: list[Payer] = field(default_factory=list)
    away: bool = False
    menu: dict[str, Item] = field(default_factory=dict)
    asked_items: list[frozenset[str]] = field(default_factory=list)

    async def resolve(self, chain: str, identities: frozenset[Identity]) -> Mapping[Identity, str]:
        if self.away:
            raise AwayError
        phone = Identity("phone", "+8613800000001")
        return {phone: "mem_ada"} if chain in KNOWN_CHAINS and phone in identities else {}

    async def enroll_payers(self, chain: str, payers: Sequence[Payer]) -> Mapping[str, str]:
        if self.away:
            raise AwayError
        self.payers += payers
        return {payer.hash: f"mem_{payer.hash[:8]}" for payer in payers} if chain in KNOWN_CHAINS else {}

    async def existing(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        self.asked.append(ids)
        return ids & self.ids if chain in KNOWN_CHAINS else frozenset()

    async def stores(self, chain: str, ids: frozenset[str]) -> Mapping[str, Store]:
        known = {id_: Store(id=id_, version=1, time_zone="Asia/Shanghai", currency="CNY") for id_ in ("sto_1", "sto_2")}
        return {id_: known[id_] for id_ in ids & known.keys()} if chain in KNOWN_CHAINS else {}

    async def items(self, chain: str, codes: frozenset[str]) -> Mapping[str, Item]:
        self.asked_items.append(codes)
        if self.away:
            raise AwayError
        return {code: self.menu[code] for code in codes & self.menu.keys()} if chain == "chn_1" else {}


@dataclass
class Points:
    """The service as a caller has it."""

    channel: RpcChannel
    database: Database
    members: KnownMembers
    recorder: Recorder

    def __post_init__(self) -> None:
        self.stub: PointsAsyncStub = self.channel.stub(PointsStub)
        self.holds: HoldsAsyncStub = self.channel.stub(HoldsStub)
        self.ledger: LedgerAsyncStub = self.channel.stub(LedgerStub)
        self.insight: InsightAsyncStub = self.channel.stub(InsightStub)

    async def call(self, method: Any, request: Any, caller: Principal = STAFF) -> Any:
        return await self.channel.call(method, request, principal=caller)

    async def problem(self, method: Any, request: Any, caller: Principal = STAFF) -> RemoteProblem:
        with pytest.raises(RemoteProblem) as refused:
            await self.call(method, request, caller)
        return refused.value

    async def record(self, purchase: pb.Purchase, caller: Principal = TILL) -> pb.RecordPurchaseResponse:
        request = pb.RecordPurchaseRequest(purchase=purchase)
        return await self.channel.call(self.stub.RecordPurchase, request, principal=caller)

    async def refund(self, *refunds: pb.Refund, caller: Principal = TILL) -> list[pb.RefundResult]:
        request = pb.RecordRefundsRequest(refunds=refunds)
        return list((await self.channel.call(self.stub.RecordRefunds, request, principal=caller)).results)

    async def refusal(self, purchase: pb.Purchase, caller: Principal = TILL) -> RemoteProblem:
        with pytest.raises(RemoteProblem) as refused:
            await self.record(purchase, caller)
        assert await self.database.collection(RECEIPTS).count_documents({"chain": caller.chain}) == 0
        assert await self.database.collection(ENTRIES).count_documents({"chain": caller.chain}) == 0
        return refused.value

    async def account(self, member: str, caller: Principal = STAFF) -> pb.Account:
        request = pb.GetAccountsRequest(member_ids=[member])
        return (await self.channel.call(self.stub.GetAccounts, request, principal=caller)).accounts[0]


def receipt(
    number: str = "R1", *, paid_minor: int = 10_000, member: str = "mem_ada", store: str = "sto_1"
) -> pb.Purchase:
    return pb.Purchase(
        store_id=store,
        receipt_number=number,
        member_id=member,
        occurred_at=to_timestamp(FixedClock()()),
        currency="CNY",
        lines=[pb.Line(item_code="noodles", quantity=1, gross_minor=paid_minor)],
    )


def refund(number: str = "C1", of: str = "R1", **more: Any) -> pb.Refund:
    return pb.Refund(
        store_id="sto_1",
        refund_number=number,
        receipt_number=of,
        occurred_at=to_timestamp(FixedClock()()),
        **more,
    )
