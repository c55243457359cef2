"""What can be asked of members."""

from typing import Annotated

import strawberry

from protos.members.v1 import chains_pb2 as pb
from protos.members.v1.chains_pb2_grpc import ChainsStub
from services.kit.graph import BY_ID, Caller, First, Info, allow, field
from services.members.graph.account_managers import ManagerQuery
from services.members.graph.attributes import AttributeQuery
from services.members.graph.chains import EVERYBODY, Chain, MenuItem, NearStore, Store, chain, menu_item, store
from services.members.graph.codes import QrCodeQuery
from services.members.graph.configuration import ChainConfigurationQuery
from services.members.graph.directory import DirectoryQuery
from services.members.graph.duplicates import DuplicateQuery
from services.members.graph.exports import ExportQuery
from services.members.graph.follow_ups import FollowUpQuery
from services.members.graph.imports import ImportQuery
from services.members.graph.leaderboards import LeaderboardQuery
from services.members.graph.members import READERS, Member, members
from services.members.graph.records import RecordQuery
from services.members.graph.reviews import ReviewQuery
from services.members.graph.staff import StaffQuery


@strawberry.type
class Query(
    RecordQuery,
    DirectoryQuery,
    QrCodeQuery,
    ChainConfigurationQuery,
    StaffQuery,
    LeaderboardQuery,
    ReviewQuery,
    DuplicateQuery,
    ImportQuery,
    ExportQuery,
    AttributeQuery,
    FollowUpQuery,
    ManagerQuery,
):
    """What can be asked of members."""

    @field(READERS, description="A member; null when there is none, or none that the caller may see.")
    async def member(self, info: Info, member_id: Annotated[strawberry.ID, BY_ID]) -> Member | None:
        """Load one member."""
        return await members.load(info, member_id)

    @field(allow(Caller.MEMBER), description="The member who asks.")
    async def me(self, info: Info) -> Member | None:
        """Load the caller."""
        return await members.load(info, info.context.principal.id)

    @field(EVERYBODY, description="The caller's chain.")
    async def chain(self, info: Info) -> Chain:
        """Ask for the chain."""
        service = info.context.channel("members")
        return chain((await service.ask(service.stub(ChainsStub).GetChain, pb.GetChainRequest())).chain)

    @field(EVERYBODY, description="All stores of the chain.")
    async def stores(self, info: Info) -> list[Store]:
        """Ask for the stores."""
        service = info.context.channel("members")
        answer = await service.ask(service.stub(ChainsStub).GetStores, pb.GetStoresRequest())
        return [store(one) for one in answer.stores]

    @field(EVERYBODY, description="Stores that have a position and are not closed for good, the nearest first.")
    async def nearest_stores(
        self,
        info: Info,
        *,
        latitude: Annotated[float, strawberry.argument(description="Degrees, north positive.")],
        longitude: Annotated[float, strawberry.argument(description="Degrees, east positive.")],
        first: First = 20,
        max_distance_m: Annotated[int, strawberry.argument(description="Metres; 0: however far.")] = 0,
        open_now: Annotated[
            bool, strawberry.argument(description="Only those known to be open now, among the 1,000 nearest.")
        ] = False,
    ) -> list[NearStore]:
        """Find the nearest stores."""
        service = info.context.channel("members")
        request = pb.FindNearestStoresRequest(
            latitude=latitude, longitude=longitude, first=first, max_distance_m=max_distance_m, open_now=open_now
        )
        answer = await service.ask(service.stub(ChainsStub).FindNearestStores, request)
        return [NearStore(store=store(one.store), distance_m=one.distance_m) for one in answer.stores]

    @field(EVERYBODY, description="Everything that the chain sells.")
    async def menu(self, info: Info) -> list[MenuItem]:
        """Ask for the menu."""
        service = info.context.channel("members")
        answer = await service.ask(service.stub(ChainsStub).ListMenuItems, pb.ListMenuItemsRequest())
        return [menu_item(one) for one in answer.items]
