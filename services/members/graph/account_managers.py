"""Account managers and favourite stores over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import account_managers_pb2 as pb
from protos.members.v1.account_managers_pb2_grpc import ManagersStub
from services.kit.graph import (
    INPUT,
    After,
    Caller,
    Connection,
    First,
    GraphContext,
    Info,
    Instant,
    Page,
    SafeInt,
    UserError,
    allow,
    field,
    instant,
    loader,
    mutation,
)
from services.members.graph.chains import Store, stores

READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.TILL, scope="members:read")
LISTERS = allow(Caller.STAFF, scope="care:read")
ASSIGNERS = allow(Caller.STAFF, scope="care:write")
RULE_READERS = allow(Caller.STAFF, scope="staff:read")
RULERS = allow(Caller.STAFF, scope="staff:write")
LIKERS = allow(Caller.MEMBER, Caller.STAFF, scope="members:write")


@strawberry.type(description="Who takes care of a member, and where it likes to be.")
class Care:
    """What holds of one member."""

    manager_id: strawberry.ID | None = strawberry.field(description="Who of the staff; null: nobody.")
    managed_by: str | None = strawberry.field(
        description='Who decided that, like "staff:key_…", or by which rule, like "rule:vip"; null: nobody did.'
    )
    managed_at: Instant | None = strawberry.field(description="Since when; null: never.")
    favourite_store_id: strawberry.Private[str]

    @field(READERS, description="Where the member likes to be; null: none was said.")
    async def favourite_store(self, info: Info) -> Store | None:
        """Load the store, together with those of the other members of this level."""
        return await stores.load(info, self.favourite_store_id) if self.favourite_store_id else None


@strawberry.type(description="Somebody of whom others take care, by the id.")
class ManagedMember:
    """A member's id."""

    member_id: strawberry.ID = strawberry.field(description="`mem_…`.")


@strawberry.type(
    description="Who takes care of those members who have one of the tags, and one of the regions, and one of the "
    "stores; what is empty asks for nothing."
)
class ManagerRule:
    """A rule."""

    code: str = strawberry.field(description="The chain's own.")
    tags: list[str] = strawberry.field(description="The member's.")
    regions: list[str] = strawberry.field(description="Codes: of the store of enrollment, or what its region lies in.")
    store_ids: list[strawberry.ID] = strawberry.field(description="Where the member was enrolled.")
    pool: list[strawberry.ID] = strawberry.field(description="Staff who take turns.")
    of_store: bool = strawberry.field(description="Instead of a pool: the active staff of the store of enrollment.")


@strawberry.type(description="By what managers are found: the first rule that fits and has somebody active decides.")
class ManagerRules:
    """Rules."""

    rules: list[ManagerRule] = strawberry.field(description="In the order in which they are tried.")
    version: SafeInt = strawberry.field(description="Grows by one with every change; 0 before the first.")


@strawberry.type
class CareFields:
    """What a member shows of who takes care of it."""

    id: strawberry.ID

    @field(READERS, description="Who takes care of the member, and where it likes to be.")
    async def care(self, info: Info) -> Care | None:
        """Load it, together with that of the other members of this level."""
        return await cares.load(info, self.id)


@loader(most=1_000)
async def cares(context: GraphContext, ids: list[str]) -> list[Care | None]:
    """Fetch what holds; None for those whom the caller may not see."""
    service = context.channel("members")
    answer = await service.ask(service.stub(ManagersStub).GetCare, pb.GetCareRequest(member_ids=ids))
    found = {one.member_id: _care(one) for one in answer.members}
    return [found.get(id_) for id_ in ids]


@strawberry.type
class ManagerQuery:
    """Rules, and whom somebody takes care of."""

    @field(RULE_READERS, description="By what managers are found.")
    async def manager_rules(self, info: Info) -> ManagerRules:
        """Ask for the rules."""
        service = info.context.channel("members")
        return _rules(await service.ask(service.stub(ManagersStub).GetManagerRules, pb.GetManagerRulesRequest()))

    @field(LISTERS, description="Whom one of the staff takes care of, active or not. A page may have fewer than asked.")
    async def managed_members(
        self,
        info: Info,
        staff_id: Annotated[strawberry.ID, strawberry.argument(description="`stf_…`.")],
        first: First = 20,
        after: After = None,
    ) -> Connection[ManagedMember]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        service = info.context.channel("members")
        request = pb.ListManagedMembersRequest(staff_id=staff_id, page=page.to_proto())
        answer = await service.ask(service.stub(ManagersStub).ListManagedMembers, request)
        found = [ManagedMember(member_id=strawberry.ID(one)) for one in answer.member_ids]
        return Connection.of(found, page, end_cursor=answer.end_cursor)


@strawberry.input(description="A rule as it should be. Either a pool or the staff of the store.")
class ManagerRuleInput:
    """A rule."""

    code: str = strawberry.field(description="The chain's own, up to 64 characters. Turns are counted by it.")
    tags: list[str] = strawberry.field(default_factory=list, description="One of these; up to 500.")
    regions: list[str] = strawberry.field(default_factory=list, description="One of these; up to 500.")
    store_ids: list[strawberry.ID] = strawberry.field(default_factory=list, description="One of these; up to 500.")
    pool: list[strawberry.ID] = strawberry.field(default_factory=list, description="Up to 200, each once.")
    of_store: bool = strawberry.field(default=False, description="The active staff of the store of enrollment.")


@strawberry.input(description="All rules from now on. Nobody's manager changes by it.")
class SaveManagerRulesInput:
    """Rules."""

    rules: list[ManagerRuleInput] = strawberry.field(description="Up to 100, in the order in which they are tried.")
    version: SafeInt = strawberry.field(description="The version that was looked at; 0 before the first.")


@strawberry.input(description="Members who need somebody to take care of them.")
class AssignManagersInput:
    """An assignment."""

    member_ids: list[strawberry.ID] = strawberry.field(description="Up to 500.")
    staff_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Replaces whoever is there; null: by the rules, for those who have none that is active.",
    )


@strawberry.input(description="A batch of those whom somebody takes care of, to go to somebody else.")
class ReassignManagersInput:
    """A reassignment."""

    staff_id: strawberry.ID = strawberry.field(description="Who has them.")
    to_staff_id: strawberry.ID | None = strawberry.field(
        default=None, description="Must be active; null: by the rules."
    )
    first: int = strawberry.field(default=500, description="How many at once, 1 to 500.")
    after: str | None = strawberry.field(
        default=None, description="The `endCursor` of an earlier batch; null: the first."
    )


@strawberry.input(description="Where a member likes to be.")
class SetFavouriteStoreInput:
    """A favourite store."""

    member_id: strawberry.ID = strawberry.field(description="Who.")
    store_id: strawberry.ID | None = strawberry.field(default=None, description="`sto_…`; null: none.")


@strawberry.enum(description="Why nothing was done.")
class CareErrorCode(Enum):
    """Codes of `CareError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_RULE = strawberry.enum_value("INVALID_RULE", description="No rule can be like that.")
    RULES_CHANGED = strawberry.enum_value("RULES_CHANGED", description="They were changed meanwhile.")
    STAFF_NOT_FOUND = strawberry.enum_value("STAFF_NOT_FOUND", description="There is no such staff member.")
    STAFF_INACTIVE = strawberry.enum_value("STAFF_INACTIVE", description="Who is not active takes care of nobody.")
    STORE_NOT_FOUND = strawberry.enum_value("STORE_NOT_FOUND", description="There is no such store.")
    REGION_NOT_FOUND = strawberry.enum_value("REGION_NOT_FOUND", description="There is no such region.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    PAGE_SIZE = strawberry.enum_value("PAGE_SIZE", description="A batch has 1 to 500.")
    CURSOR = strawberry.enum_value("CURSOR", description="No cursor of an earlier batch.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why nothing was done.")
class CareError(UserError):
    """An item of `userErrors`."""

    code: CareErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The rules, or why they were not saved.")
class SaveManagerRulesPayload:
    """Saved rules."""

    user_errors: list[CareError] = strawberry.field(description="Empty: they are as they should be.")
    rules: ManagerRules | None = strawberry.field(default=None, description="Null when they were not saved.")


@strawberry.type(description="Who takes care of a member by now.")
class AssignedManager:
    """One of the members of the input."""

    member_id: strawberry.ID = strawberry.field(description="As in the input.")
    manager_id: strawberry.ID | None = strawberry.field(description="Null: no rule has somebody active for it.")


@strawberry.type(description="Who takes care of the members by now, or why nobody was assigned.")
class AssignManagersPayload:
    """Assigned managers."""

    user_errors: list[CareError] = strawberry.field(description="Empty: it was done.")
    assigned: list[AssignedManager] = strawberry.field(
        default_factory=list, description="Without those who do not exist."
    )


@strawberry.type(description="How far the reassignment is, or why it was not done.")
class ReassignManagersPayload:
    """A batch."""

    user_errors: list[CareError] = strawberry.field(description="Empty: the batch was done.")
    reassigned: int = strawberry.field(default=0, description="How many of the batch have another manager by now.")
    end_cursor: str | None = strawberry.field(default=None, description="For the next batch; null: that was all.")


@strawberry.type(description="That it is noted, or why not.")
class SetFavouriteStorePayload:
    """A noted store."""

    user_errors: list[CareError] = strawberry.field(description="Empty: it is noted.")


@strawberry.type
class ManagerMutation:
    """Ruling, assigning, and liking."""

    @mutation(RULERS, description="Keeps the rules by which managers are found from now on.")
    async def save_manager_rules(
        self, info: Info, wish: Annotated[SaveManagerRulesInput, INPUT]
    ) -> SaveManagerRulesPayload:
        """Save rules."""
        service = info.context.channel("members")
        rules = [
            pb.ManagerRule(
                code=one.code,
                tags=one.tags,
                regions=one.regions,
                store_ids=one.store_ids,
                pool=one.pool,
                of_store=one.of_store,
            )
            for one in wish.rules
        ]
        request = pb.SaveManagerRulesRequest(rules=rules, version=wish.version)
        answer = await service.ask(service.stub(ManagersStub).SaveManagerRules, request)
        return SaveManagerRulesPayload(user_errors=[], rules=_rules(answer))

    @mutation(ASSIGNERS, description="Gives members somebody who takes care of them. Safe to send again.")
    async def assign_managers(self, info: Info, wish: Annotated[AssignManagersInput, INPUT]) -> AssignManagersPayload:
        """Assign managers."""
        service = info.context.channel("members")
        request = pb.AssignManagersRequest(member_ids=wish.member_ids, staff_id=wish.staff_id or "")
        answer = await service.ask(service.stub(ManagersStub).AssignManagers, request)
        assigned = [
            AssignedManager(member_id=strawberry.ID(one.member_id), manager_id=_id(one.manager_id))
            for one in answer.members
        ]
        return AssignManagersPayload(user_errors=[], assigned=assigned)

    @mutation(ASSIGNERS, description="Gives a batch of somebody's members to somebody else; repeat until it is done.")
    async def reassign_managers(
        self, info: Info, wish: Annotated[ReassignManagersInput, INPUT]
    ) -> ReassignManagersPayload:
        """Reassign a batch."""
        service = info.context.channel("members")
        request = pb.ReassignManagersRequest(
            staff_id=wish.staff_id, to_staff_id=wish.to_staff_id or "", first=wish.first, after=wish.after or ""
        )
        answer = await service.ask(service.stub(ManagersStub).ReassignManagers, request)
        return ReassignManagersPayload(
            user_errors=[], reassigned=answer.reassigned, end_cursor=answer.end_cursor or None
        )

    @mutation(LIKERS, description="Notes where a member likes to be. Safe to send again.")
    async def set_favourite_store(
        self, info: Info, wish: Annotated[SetFavouriteStoreInput, INPUT]
    ) -> SetFavouriteStorePayload:
        """Note a favourite store."""
        service = info.context.channel("members")
        request = pb.SetFavouriteStoreRequest(member_id=wish.member_id, store_id=wish.store_id or "")
        await service.ask(service.stub(ManagersStub).SetFavouriteStore, request)
        return SetFavouriteStorePayload(user_errors=[])


def _care(one: pb.MemberCare) -> Care:
    return Care(
        manager_id=_id(one.manager_id),
        managed_by=one.managed_by or None,
        managed_at=instant(one.managed_at) if one.HasField("managed_at") else None,
        favourite_store_id=one.favourite_store_id,
    )


def _rules(answer: pb.ManagerRulesResponse) -> ManagerRules:
    return ManagerRules(
        rules=[
            ManagerRule(
                code=one.code,
                tags=list(one.tags),
                regions=list(one.regions),
                store_ids=[strawberry.ID(each) for each in one.store_ids],
                pool=[strawberry.ID(each) for each in one.pool],
                of_store=one.of_store,
            )
            for one in answer.rules
        ],
        version=answer.version,
    )


def _id(text: str) -> strawberry.ID | None:
    return strawberry.ID(text) if text else None
