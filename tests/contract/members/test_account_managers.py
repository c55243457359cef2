"""Who takes care of members: by hand, by the chain's rules, fairly, and never somebody who has left."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from uuid import uuid4

import pytest

from protos.members.v1 import account_managers_pb2 as pb
from protos.members.v1 import chains_pb2, directory_pb2, members_pb2, staff_pb2
from protos.members.v1.account_managers_pb2_grpc import ManagersStub
from services.kit.mongo.database import Database, Session
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import to_timestamp
from services.members.domain.members import NoMemberError
from services.members.domain.visibility import Role
from services.members.store.account_managers import MongoManagers
from services.members.usecases.account_managers import Assignment
from tests.contract.members.test_attributes import joined
from tests.contract.members.test_erasing import erase
from tests.contract.members.test_follow_ups import hire
from tests.contract.members.test_graph import ask
from tests.contract.members.test_visibility import caller
from tests.support.clock import START
from tests.support.members_service import MembersService, enrollment, staff


def stub(service: MembersService) -> "ManagersStub":
    return service.channel.stub(ManagersStub)


async def rule(service: MembersService, chain: str, *rules: pb.ManagerRule, version: int = 0) -> int:
    request = pb.SaveManagerRulesRequest(rules=rules, version=version)
    return int((await service.call(stub(service).SaveManagerRules, request, staff(chain))).version)


async def assign(service: MembersService, chain: str, *members: str, to: str = "") -> dict[str, str]:
    request = pb.AssignManagersRequest(member_ids=members, staff_id=to)
    answer = await service.call(stub(service).AssignManagers, request, staff(chain))
    return {one.member_id: one.manager_id for one in answer.members}


async def care(service: MembersService, by: Principal, *members: str) -> dict[str, pb.MemberCare]:
    answer = await service.call(stub(service).GetCare, pb.GetCareRequest(member_ids=members), by)
    return {one.member_id: one for one in answer.members}


async def managers_of(service: MembersService, chain: str, *members: str) -> list[str]:
    found = await care(service, staff(chain), *members)
    return [found[id_].manager_id for id_ in members]


async def managed(service: MembersService, chain: str, staff_id: str) -> list[str]:
    request = pb.ListManagedMembersRequest(staff_id=staff_id)
    request.page.first = 2
    found: list[str] = []
    for _ in range(20):
        answer = await service.call(stub(service).ListManagedMembers, request, staff(chain))
        found += answer.member_ids
        request.page.after = answer.end_cursor
        if not answer.end_cursor:
            break
    return found


async def reassign(service: MembersService, chain: str, whose: str, *, to: str = "", first: int = 2) -> list[int]:
    request = pb.ReassignManagersRequest(staff_id=whose, to_staff_id=to, first=first)
    done = []
    for _ in range(20):
        answer = await service.call(stub(service).ReassignManagers, request, staff(chain))
        done.append(answer.reassigned)
        request.after = answer.end_cursor
        if not answer.end_cursor:
            break
    return done


async def enrolled(service: MembersService, chain: str, *, store: str = "", tags: tuple[str, ...] = ()) -> str:
    request = enrollment(store=store)
    request.member.tags.extend(tags)
    return (await service.enroll(request, staff(chain))).member.id


async def test_rules_are_tried_in_their_order(service: MembersService, chain: str) -> None:
    regions = [
        directory_pb2.Region(code="east", name="East"),
        directory_pb2.Region(code="city", name="City", parent="east"),
    ]
    request = directory_pb2.SaveRegionsRequest(regions=regions)
    await service.call(service.directory.SaveRegions, request, staff(chain))
    bund, park = await service.save_stores(
        chain,
        chains_pb2.StoreInput(code="bund", name="bund", region="city"),
        chains_pb2.StoreInput(code="park", name="park"),
    )
    vip, east, rest = [await hire(service, chain, code) for code in ("vip", "east", "rest")]
    ranger = staff_pb2.StaffMember(code="ranger", name="ranger", active=True, store_ids=[park.id])
    saved = await service.call(service.staff.SaveStaff, staff_pb2.SaveStaffRequest(staff=[ranger]), staff(chain))
    await rule(
        service,
        chain,
        pb.ManagerRule(code="vip", tags=["vip"], pool=[vip]),
        pb.ManagerRule(code="east", regions=["east"], pool=[east]),
        pb.ManagerRule(code="home", of_store=True),
        pb.ManagerRule(code="rest", pool=[rest]),
    )
    members = [
        await enrolled(service, chain, store=bund.id, tags=("vip",)),
        await enrolled(service, chain, store=bund.id),
        await enrolled(service, chain, store=park.id),
        await enrolled(service, chain),
    ]
    expected = dict(zip(members, (vip, east, saved.staff[0].id, rest), strict=True))
    assert await assign(service, chain, *members, "mem_nobody") == expected
    shown = await care(service, caller(Role.GUEST, chain, members[2]), *members)
    assert shown == {
        members[2]: pb.MemberCare(
            member_id=members[2],
            manager_id=saved.staff[0].id,
            managed_by="rule:home",
            managed_at=to_timestamp(START),
        )
    }


async def test_turns_are_even_over_two_replicas(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    pool = [await hire(service, chain, code) for code in ("a", "b", "c", "d")]
    await rule(service, chain, pb.ManagerRule(code="all", pool=pool))
    answers = await service.enroll_all([enrollment() for _ in range(60)], staff(chain))
    members = [one.enrolled.member.id for one in answers]
    cut = [members[start : start + 3] for start in range(0, 60, 3)]
    await asyncio.gather(
        *(assign((service, other_replica)[number % 2], chain, *some) for number, some in enumerate(cut))
    )
    assert Counter(await managers_of(service, chain, *members)) == dict.fromkeys(pool, 15)
    assert sorted([id_ for person in pool for id_ in await managed(service, chain, person)]) == sorted(members)


async def test_one_member_has_one_manager_whoever_asks(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    pool = [await hire(service, chain, code) for code in ("a", "b")]
    await rule(service, chain, pb.ManagerRule(code="all", pool=pool))
    member = await joined(service, chain)
    told = await asyncio.gather(
        *(assign(replica, chain, member) for replica in (service, other_replica) for _ in range(3))
    )
    assert {one[member] for one in told} == set(await managers_of(service, chain, member))


async def test_who_has_somebody_active_keeps_it_unless_somebody_is_named(service: MembersService, chain: str) -> None:
    first, second = await hire(service, chain, "a"), await hire(service, chain, "b")
    await rule(service, chain, pb.ManagerRule(code="all", pool=[second]))
    member = await joined(service, chain)
    assert await assign(service, chain, member, to=first) == {member: first}
    assert await assign(service, chain, member) == {member: first}
    assert await assign(service, chain, member, to=second) == {member: second}
    before = await service.everything()
    assert await assign(service, chain, member, to=second) == {member: second}
    assert await service.everything() == before


async def test_who_has_left_is_assigned_nobody_and_its_members_go_to_others(
    service: MembersService, chain: str
) -> None:
    gone, stays = await hire(service, chain, "gone"), await hire(service, chain, "stays")
    members = [await joined(service, chain) for _ in range(5)]
    await assign(service, chain, *members, to=gone)
    await hire(service, chain, "gone", active=False)
    assert await managed(service, chain, gone) == sorted(members)
    wish = pb.AssignManagersRequest(member_ids=members, staff_id=gone)
    assert (await service.refusal(stub(service).AssignManagers, wish, staff(chain))).code == "STAFF_INACTIVE"
    # Nobody is there yet to take them.
    assert await reassign(service, chain, gone) == [0, 0, 0]
    await rule(service, chain, pb.ManagerRule(code="all", pool=[gone, stays]))
    assert await reassign(service, chain, gone) == [2, 2, 1]
    assert (await managed(service, chain, gone), await managed(service, chain, stays)) == ([], sorted(members))
    third = await hire(service, chain, "third")
    assert await reassign(service, chain, stays, to=third, first=500) == [5]
    assert await managed(service, chain, third) == sorted(members)
    await hire(service, chain, "third", active=False)
    assert set((await assign(service, chain, *members)).values()) == {stays}


async def test_nobody_is_given_to_whom_leaves_meanwhile_nor_is_an_erased_member(
    service: MembersService, chain: str
) -> None:
    """What was found out before does not hold any more when it is written."""
    gone, stays = await hire(service, chain, "gone", active=False), await hire(service, chain, "stays")
    erased, member = await joined(service, chain), await joined(service, chain)
    await erase(service, chain, erased)
    wanted = [Assignment(member, gone, "rule:x", 0), Assignment(erased, stays, "rule:x", 0)]
    managers = MongoManagers(service.database)
    await managers.assign(chain, wanted, now=START)
    with pytest.raises(NoMemberError):
        await managers.like(chain, erased, "sto_1")
    assert (await service.everything())["care"] == []


class ErasingManagers(MongoManagers):
    """Those of a replica that is slow: once it has seen that members are there, somebody erases them."""

    def __init__(self, database: Database, gone: Callable[[], Awaitable[object]]) -> None:
        super().__init__(database)
        self._gone: Callable[[], Awaitable[object]] | None = gone

    async def _alive(self, chain: str, members: Collection[str], session: Session) -> set[str]:
        found = await super()._alive(chain, members, session)
        if self._gone is not None:
            gone, self._gone = self._gone, None
            await gone()
        return found


async def test_nothing_is_written_of_whom_is_erased_meanwhile(service: MembersService, chain: str) -> None:
    person, first, second = await hire(service, chain, "a"), await joined(service, chain), await joined(service, chain)
    managers = ErasingManagers(service.database, lambda: erase(service, chain, first))
    await managers.assign(chain, [Assignment(first, person, "rule:x", 0)], now=START)
    managers = ErasingManagers(service.database, lambda: erase(service, chain, second))
    with pytest.raises(NoMemberError):
        await managers.like(chain, second, "sto_1")
    assert (await service.everything())["care"] == []


async def test_an_erasure_at_the_same_moment_leaves_nothing(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    person, store = await hire(service, chain, "a"), await service.store(chain)
    members = [await joined(service, chain) for _ in range(6)]
    for member in members:
        liking = pb.SetFavouriteStoreRequest(member_id=member, store_id=store)
        done = await asyncio.gather(
            assign(service, chain, member, to=person),
            service.call(stub(service).SetFavouriteStore, liking, staff(chain)),
            erase(other_replica, chain, member),
            return_exceptions=True,
        )
        codes = {one.code for one in done if isinstance(one, RemoteProblem)}
        assert codes <= {"MEMBER_NOT_FOUND"}
    assert (await service.everything())["care"] == []


async def test_a_merged_person_has_one_manager_and_two_again_when_parted(service: MembersService, chain: str) -> None:
    first, second = await hire(service, chain, "a"), await hire(service, chain, "b")
    # Of members who joined at the same moment, the one with the smaller id survives.
    old, young, lone = sorted([await joined(service, chain) for _ in range(3)])
    await assign(service, chain, young, lone, to=second)
    await assign(service, chain, old, to=first)
    request = members_pb2.MergeMembersRequest(key=uuid4().hex, member_id=old, other_member_id=young)
    merged = await service.call(service.members.MergeMembers, request, staff(chain))
    assert await managers_of(service, chain, old, young) == [first, first]
    assert await managed(service, chain, second) == [lone]
    undo = members_pb2.SplitMembersRequest(key=uuid4().hex, merge_id=merged.merge_id)
    await service.call(service.members.SplitMembers, undo, staff(chain))
    assert await managers_of(service, chain, old, young) == [first, second]
    assert await managed(service, chain, second) == sorted([young, lone])


async def test_bad_rules_are_refused(service: MembersService, chain: str, other_chain: str) -> None:
    person, stranger = await hire(service, chain, "a"), await hire(service, other_chain, "b")
    await rule(service, chain, pb.ManagerRule(code="all", pool=[person]))
    for one, version, why in (
        (pb.ManagerRule(code="all", pool=[stranger]), 1, ("STAFF_NOT_FOUND", "rules.0.pool")),
        (pb.ManagerRule(code="all", pool=[person], store_ids=["sto_x"]), 1, ("STORE_NOT_FOUND", "rules.0.storeIds")),
        (pb.ManagerRule(code="all"), 1, ("INVALID_RULE", "rules.0.pool")),
        (pb.ManagerRule(code="all", pool=[person]), 0, ("RULES_CHANGED", "version")),
    ):
        request = pb.SaveManagerRulesRequest(rules=[one], version=version)
        refused = await service.refusal(stub(service).SaveManagerRules, request, staff(chain))
        assert (refused.code, refused.field) == why
    request = pb.SaveManagerRulesRequest(version=1)
    by = staff(chain, stores=["sto_1"])
    assert (await service.refusal(stub(service).SaveManagerRules, request, by)).code == "DENIED"
    found = await service.call(stub(service).GetManagerRules, pb.GetManagerRulesRequest(), staff(other_chain))
    assert found == pb.ManagerRulesResponse()


async def test_another_chain_and_wrong_scopes_change_nothing(
    service: MembersService, chain: str, other_chain: str
) -> None:
    person, stranger = await hire(service, chain, "a"), await hire(service, other_chain, "b")
    member = await joined(service, chain)
    await assign(service, chain, member, to=person)
    assert await assign(service, other_chain, member, to=stranger) == {}
    assert await managed(service, other_chain, person) == []
    assert await care(service, staff(other_chain), member) == {}
    assert await managers_of(service, chain, member) == [person]
    reader = staff(chain, scopes=frozenset({"members:read", "care:read"}))
    wish = pb.AssignManagersRequest(member_ids=[member])
    assert (await service.refusal(stub(service).AssignManagers, wish, reader)).code == "DENIED"
    wish = pb.AssignManagersRequest(member_ids=[member] * 501)
    assert (await service.refusal(stub(service).AssignManagers, wish, staff(chain))).code == "TOO_MANY"


async def test_a_member_says_where_it_likes_to_be(service: MembersService, chain: str, other_chain: str) -> None:
    store, elsewhere = await service.store(chain), await service.store(other_chain)
    member, other = await joined(service, chain), await joined(service, chain)
    scopes = frozenset({"members:read"})
    guest = Principal(chain=chain, kind=Caller.MEMBER, id=member, scopes=scopes)
    like = stub(service).SetFavouriteStore
    wish = pb.SetFavouriteStoreRequest(member_id=member, store_id=store)
    await service.call(like, wish, guest)
    before = await service.everything()
    await service.call(like, wish, guest)
    assert await service.everything() == before
    assert (await care(service, guest, member))[member].favourite_store_id == store
    for bad, code in (
        (pb.SetFavouriteStoreRequest(member_id=member, store_id=elsewhere), "STORE_NOT_FOUND"),
        (pb.SetFavouriteStoreRequest(member_id=other, store_id=store), "MEMBER_NOT_FOUND"),
    ):
        assert (await service.refusal(like, bad, guest)).code == code
    await service.call(like, pb.SetFavouriteStoreRequest(member_id=member), staff(chain))
    assert (await care(service, guest, member))[member].favourite_store_id == ""


RULE = """mutation ($input: SaveManagerRulesInput!) { saveManagerRules(input: $input) {
    userErrors { code field } rules { version rules { code pool tags ofStore } } } }"""
ASSIGN = """mutation ($input: AssignManagersInput!) { assignManagers(input: $input) {
    userErrors { code field } assigned { memberId managerId } } }"""
REASSIGN = """mutation ($input: ReassignManagersInput!) { reassignManagers(input: $input) {
    userErrors { code field } reassigned endCursor } }"""
LIKE = "mutation ($input: SetFavouriteStoreInput!) { setFavouriteStore(input: $input) { userErrors { code field } } }"
SHOWN = """query ($id: ID!, $staff: ID!) { managerRules { version }
    managedMembers(staffId: $staff) { nodes { memberId } }
    member(id: $id) { care { managerId managedBy favouriteStore { code } } } }"""


async def test_managers_over_the_graph(service: MembersService, chain: str) -> None:
    person, other = await hire(service, chain, "a"), await hire(service, chain, "b")
    member, store, by = await joined(service, chain), await service.store(chain), staff(chain)
    rules = {"rules": [{"code": "all", "pool": [person]}], "version": 0}
    assert (await ask(service, by, RULE, input=rules))["saveManagerRules"] == {
        "userErrors": [],
        "rules": {"version": 1, "rules": [{"code": "all", "pool": [person], "tags": [], "ofStore": False}]},
    }
    assert (await ask(service, by, RULE, input=rules))["saveManagerRules"]["userErrors"] == [
        {"code": "RULES_CHANGED", "field": "version"}
    ]
    assert (await ask(service, by, ASSIGN, input={"memberIds": [member]}))["assignManagers"] == {
        "userErrors": [],
        "assigned": [{"memberId": member, "managerId": person}],
    }
    wish = {"memberId": member, "storeId": store}
    assert (await ask(service, by, LIKE, input=wish))["setFavouriteStore"] == {"userErrors": []}
    assert await ask(service, by, SHOWN, id=member, staff=person) == {
        "managerRules": {"version": 1},
        "managedMembers": {"nodes": [{"memberId": member}]},
        "member": {"care": {"managerId": person, "managedBy": "rule:all", "favouriteStore": {"code": "bund"}}},
    }
    moved = await ask(service, by, REASSIGN, input={"staffId": person, "toStaffId": other})
    assert moved["reassignManagers"] == {"userErrors": [], "reassigned": 1, "endCursor": None}
    refused = await ask(service, by, REASSIGN, input={"staffId": person, "first": 501})
    assert refused["reassignManagers"]["userErrors"] == [{"code": "PAGE_SIZE", "field": "first"}]
