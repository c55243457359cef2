"""The Managers servicer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from protos.members.v1 import account_managers_pb2 as pb
from protos.members.v1 import account_managers_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from services.members.domain.account_managers import Care, ManagerRule, ManagerRules
from services.members.rpc.pages import checked_first, decoded, encoded, size
from services.members.usecases.account_managers import (
    MOST_ASSIGNED,
    ManagerDesk,
    assign_managers,
    get_care,
    list_managed,
    reassign_managers,
    save_rules,
    set_favourite_store,
)


@dataclass(frozen=True, slots=True)
class ManagersServicer(account_managers_pb2_grpc.ManagersServicer):
    """protos/members/v1/account_managers.proto."""

    desk: ManagerDesk
    clocks: ChainClocks

    async def SaveManagerRules(  # noqa: N802 - gRPC's name
        self, request: pb.SaveManagerRulesRequest, _context: Any
    ) -> pb.ManagerRulesResponse:
        """Keep rules."""
        wanted = ManagerRules(tuple(_rule(one) for one in request.rules), request.version)
        return _rules_proto(await save_rules(wanted, caller=caller(), desk=self.desk))

    async def GetManagerRules(  # noqa: N802 - gRPC's name
        self, _request: pb.GetManagerRulesRequest, _context: Any
    ) -> pb.ManagerRulesResponse:
        """Show rules."""
        return _rules_proto(await self.desk.managers.rules(caller().chain))

    async def AssignManagers(self, request: pb.AssignManagersRequest, _context: Any) -> pb.CareResponse:  # noqa: N802 - gRPC's name
        """Give members a manager."""
        who = caller()
        now = await self.clocks.now(who.chain)
        return _cares(await assign_managers(request.member_ids, request.staff_id, caller=who, now=now, desk=self.desk))

    async def ReassignManagers(  # noqa: N802 - gRPC's name
        self, request: pb.ReassignManagersRequest, _context: Any
    ) -> pb.ReassignManagersResponse:
        """Give a batch to somebody else."""
        who = caller()
        done, after = await reassign_managers(
            request.staff_id,
            request.to_staff_id,
            after=decoded(request.after),
            first=checked_first(request.first or MOST_ASSIGNED, most=MOST_ASSIGNED),
            caller=who,
            now=await self.clocks.now(who.chain),
            desk=self.desk,
        )
        return pb.ReassignManagersResponse(reassigned=done, end_cursor=encoded(after))

    async def GetCare(self, request: pb.GetCareRequest, _context: Any) -> pb.CareResponse:  # noqa: N802 - gRPC's name
        """Show who takes care of members."""
        return _cares(await get_care(request.member_ids, caller=caller(), desk=self.desk))

    async def ListManagedMembers(  # noqa: N802 - gRPC's name
        self, request: pb.ListManagedMembersRequest, _context: Any
    ) -> pb.ListManagedMembersResponse:
        """Show whom somebody takes care of."""
        found, after = await list_managed(
            request.staff_id,
            after=decoded(request.page.after),
            first=size(request.page),
            caller=caller(),
            desk=self.desk,
        )
        return pb.ListManagedMembersResponse(member_ids=found, end_cursor=encoded(after))

    async def SetFavouriteStore(  # noqa: N802 - gRPC's name
        self, request: pb.SetFavouriteStoreRequest, _context: Any
    ) -> pb.SetFavouriteStoreResponse:
        """Note where a member likes to be."""
        member = await set_favourite_store(request.member_id, request.store_id, caller=caller(), desk=self.desk)
        return pb.SetFavouriteStoreResponse(member_id=member)


def _rule(one: pb.ManagerRule) -> ManagerRule:
    return ManagerRule(
        code=one.code,
        tags=frozenset(one.tags),
        regions=frozenset(one.regions),
        stores=frozenset(one.store_ids),
        pool=tuple(one.pool),
        of_store=one.of_store,
    )


def _rules_proto(rules: ManagerRules) -> pb.ManagerRulesResponse:
    return pb.ManagerRulesResponse(
        rules=[
            pb.ManagerRule(
                code=one.code,
                tags=sorted(one.tags),
                regions=sorted(one.regions),
                store_ids=sorted(one.stores),
                pool=one.pool,
                of_store=one.of_store,
            )
            for one in rules.rules
        ],
        version=rules.version,
    )


def _cares(found: Iterable[tuple[str, Care]]) -> pb.CareResponse:
    return pb.CareResponse(
        members=[
            pb.MemberCare(
                member_id=asked,
                manager_id=one.manager or "",
                managed_by=one.managed_by,
                managed_at=None if one.managed_at is None else to_timestamp(one.managed_at),
                favourite_store_id=one.favourite_store or "",
            )
            for asked, one in found
        ]
    )
