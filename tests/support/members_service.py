"""The members service as its callers have it: a real gRPC server on a real database, and an open chain."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_bytes
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from pymongo import AsyncMongoClient, IndexModel

from protos.members.v1 import chains_pb2, directory_pb2, members_pb2
from protos.members.v1.activities_pb2_grpc import ActivitiesStub
from protos.members.v1.cards_pb2_grpc import CardsStub
from protos.members.v1.care_pb2_grpc import CareStub
from protos.members.v1.chains_pb2_grpc import ChainsStub
from protos.members.v1.directory_pb2_grpc import DirectoryStub
from protos.members.v1.duplicates_pb2_grpc import DuplicatesStub
from protos.members.v1.members_pb2_grpc import MembersStub
from protos.members.v1.referrals_pb2_grpc import ReferralsStub
from protos.members.v1.reviews_pb2_grpc import ReviewsStub
from protos.members.v1.staff_pb2_grpc import StaffStub
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.command_keys import COMMAND_KEYS
from services.kit.mongo.database import Database, create_indexes
from services.kit.outbox import outbox
from services.kit.outbox.outbox import OUTBOX, Outbox
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem, RpcChannel
from services.kit.sealing import FileWrappingKeys, wrapping_key_line
from services.members.consumers import Completer, PortraitHandler
from services.members.domain.api_keys import SCOPES
from services.members.main import servicers
from services.members.store.cards import CARD_USES
from services.members.store.collections import IDENTITIES, MEMBERS
from services.members.store.completing import MongoCompleting
from services.members.store.migrations import migrations
from services.members.store.portraits import MongoPortraits
from services.members.store.vault import Vault
from tests.support.clock import FixedClock
from tests.support.served import served

if TYPE_CHECKING:
    from protos.members.v1.activities_pb2_grpc import ActivitiesAsyncStub
    from protos.members.v1.cards_pb2_grpc import CardsAsyncStub
    from protos.members.v1.care_pb2_grpc import CareAsyncStub
    from protos.members.v1.chains_pb2_grpc import ChainsAsyncStub
    from protos.members.v1.directory_pb2_grpc import DirectoryAsyncStub
    from protos.members.v1.duplicates_pb2_grpc import DuplicatesAsyncStub
    from protos.members.v1.members_pb2_grpc import MembersAsyncStub
    from protos.members.v1.referrals_pb2_grpc import ReferralsAsyncStub
    from protos.members.v1.reviews_pb2_grpc import ReviewsAsyncStub
    from protos.members.v1.staff_pb2_grpc import StaffAsyncStub

PAYER_KEY = b"p" * 32
WRAPPING = Path(mkdtemp()) / "wrapping.keys"
WRAPPING.write_text(wrapping_key_line("first", b"w" * 32))

OPERATOR = Principal(chain="", kind=Caller.OPERATOR, id="ops")
GATEWAY = Principal(chain="", kind=Caller.SERVICE, id="gateway")


def staff(chain: str, *, scopes: frozenset[str] = SCOPES, stores: Sequence[str] = ()) -> Principal:
    return Principal(chain=chain, kind=Caller.STAFF, id="key_staff", scopes=scopes, stores=frozenset(stores))


def till(chain: str, store: str) -> Principal:
    scopes = frozenset({"members:read", "members:write"})
    return Principal(chain=chain, kind=Caller.TILL, id="key_till", scopes=scopes, stores=frozenset({store}))


def phone(value: str) -> members_pb2.Identity:
    return members_pb2.Identity(kind=members_pb2.IDENTITY_KIND_PHONE, value=value)


def external(value: str) -> members_pb2.Identity:
    return members_pb2.Identity(kind=members_pb2.IDENTITY_KIND_EXTERNAL, value=value)


def enrollment(
    *identities: members_pb2.Identity, key: str = "", name: str = "Li", store: str = ""
) -> members_pb2.EnrollMemberRequest:
    return members_pb2.EnrollMemberRequest(
        key=key or uuid4().hex,
        member=members_pb2.NewMember(
            profile=members_pb2.Profile(name=name, identities=identities),
            channel=members_pb2.CHANNEL_POS,
            store_id=store,
        ),
    )


@dataclass
class MembersService:
    """One replica. `everything` looks past the shard keys, at all that the database holds."""

    database: Database
    mongo_url: str
    channel: RpcChannel
    chains: "ChainsAsyncStub"
    members: "MembersAsyncStub"
    directory: "DirectoryAsyncStub"
    staff: "StaffAsyncStub"
    cards: "CardsAsyncStub"
    care: "CareAsyncStub"
    referrals: "ReferralsAsyncStub"
    activities: "ActivitiesAsyncStub"
    reviews: "ReviewsAsyncStub"
    duplicates: "DuplicatesAsyncStub"

    @classmethod
    def over(cls, channel: RpcChannel, database: Database, mongo_url: str) -> "MembersService":
        stubs = (
            channel.stub(ChainsStub),
            channel.stub(MembersStub),
            channel.stub(DirectoryStub),
            channel.stub(StaffStub),
            channel.stub(CardsStub),
            channel.stub(CareStub),
            channel.stub(ReferralsStub),
            channel.stub(ActivitiesStub),
            channel.stub(ReviewsStub),
            channel.stub(DuplicatesStub),
        )
        return cls(database, mongo_url, channel, *stubs)

    async def call(self, method: Any, request: Any, by: Principal) -> Any:
        # Patient: what a busy machine makes slow is not what these tests look for.
        return await self.channel.call(method, request, principal=by, timeout_s=30.0)

    async def refusal(self, method: Any, request: Any, by: Principal) -> RemoteProblem:
        """Return why the call was refused, having seen that it changed nothing."""
        before = await self.everything()
        with pytest.raises(RemoteProblem) as refused:
            await self.call(method, request, by)
        assert await self.everything() == before
        return refused.value

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        async with AsyncMongoClient[dict[str, Any]](self.mongo_url) as client:
            database = client[self.database.name]
            return {
                name: await database[name].find().sort("_id", 1).to_list()
                for name in sorted(await database.list_collection_names())
            }

    async def counts(self, chain: str) -> tuple[int, int, int, int]:
        """Return how many members, identities, command keys and waiting events the chain has."""
        members, identities, keys, events = [
            await self.database.collection(keyed).count_documents({"chain": chain})
            for keyed in (MEMBERS, IDENTITIES, COMMAND_KEYS, OUTBOX)
        ]
        return members, identities, keys, events

    async def open_chain(self, name: str = "Noodles", *, currency: str = "CNY") -> str:
        request = chains_pb2.OpenChainRequest(
            key=f"open-{name}", name=name, currency=currency, time_zone="Asia/Shanghai"
        )
        return str((await self.call(self.chains.OpenChain, request, OPERATOR)).chain.id)

    async def store(self, chain: str, code: str = "bund") -> str:
        request = chains_pb2.SaveStoresRequest(stores=[chains_pb2.StoreInput(code=code, name=code)])
        return str((await self.call(self.chains.SaveStores, request, staff(chain))).stores[0].id)

    async def save_stores(self, chain: str, *stores: chains_pb2.StoreInput) -> list[chains_pb2.Store]:
        answer = await self.call(self.chains.SaveStores, chains_pb2.SaveStoresRequest(stores=stores), staff(chain))
        return list(answer.stores)

    async def save_brands(self, chain: str, *codes: str) -> list[directory_pb2.Brand]:
        brands = [directory_pb2.Brand(code=code, name=code.title()) for code in codes]
        request = directory_pb2.SaveBrandsRequest(brands=brands)
        return list((await self.call(self.directory.SaveBrands, request, staff(chain))).brands)

    async def enroll(self, request: members_pb2.EnrollMemberRequest, by: Principal) -> members_pb2.EnrollMemberResponse:
        answer: members_pb2.EnrollMemberResponse = await self.call(self.members.EnrollMember, request, by)
        return answer

    async def enroll_all(
        self, requests: Sequence[members_pb2.EnrollMemberRequest], by: Principal
    ) -> list[members_pb2.EnrollResult]:
        request = members_pb2.EnrollMembersRequest(enrollments=requests)
        return list((await self.call(self.members.EnrollMembers, request, by)).results)

    async def member(self, chain: str, member_id: str) -> members_pb2.Member:
        [found] = await self.get([member_id], staff(chain))
        return found

    async def get(self, ids: Sequence[str], by: Principal) -> list[members_pb2.Member]:
        answer = await self.call(self.members.GetMembers, members_pb2.GetMembersRequest(ids=ids), by)
        return list(answer.members)

    async def resolve(self, identities: Sequence[members_pb2.Identity], by: Principal) -> list[str]:
        request = members_pb2.ResolveIdentitiesRequest(identities=identities)
        return list((await self.call(self.members.ResolveIdentities, request, by)).member_ids)


def vault_of(database: Database) -> Vault:
    """Return the vault beside the database; each has the same wrapping key."""
    return Vault(database, FileWrappingKeys(WRAPPING, random_bytes=token_bytes), random_bytes=token_bytes)


def portrait_handler(database: Database) -> PortraitHandler:
    """Return what members hears with."""
    completing = partial(MongoCompleting, database, vault_of(database), Outbox(database))
    clocks = MongoChainClocks(database, system=FixedClock())
    return PortraitHandler(partial(MongoPortraits, database), Completer(completing, clocks))


async def migrate_members(database: Database) -> None:
    # Without the index that lets keys expire: the server goes by its own time, and to it the tests' is long ago.
    by_key = IndexModel([("chain", 1), ("key", 1)], unique=True)
    await create_indexes(database, COMMAND_KEYS, [by_key])
    await outbox.set_up(database)
    for migration in migrations(vault_of(database)):
        await migration.apply(database)
    await database.collection(CARD_USES).drop_index("expiry")


@asynccontextmanager
async def members_running(database: Database, mongo_url: str, clock: FixedClock) -> AsyncIterator[MembersService]:
    """Serve one replica on a database that has been migrated."""
    clocks = MongoChainClocks(database, system=clock)
    enrollments, registrations = servicers(
        database, vault_of(database), Outbox(database), clock=clock, clocks=clocks, payer_key=PAYER_KEY
    )
    await enrollments.start()
    async with served(registrations) as channel:
        yield MembersService.over(channel, database, mongo_url)
    await enrollments.stop()
