"""A person is forgotten: no trace in any collection, and no backup brings it back."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from secrets import token_bytes
from typing import Any
from uuid import uuid4

import bson
import pytest
from pymongo import AsyncMongoClient

from protos.events.v1 import members_pb2 as events_pb2
from protos.members.v1 import members_pb2 as pb
from services.kit.ids import make_id
from services.kit.mongo.database import Database, Session
from services.kit.outbox.outbox import OUTBOX, Outbox
from services.kit.principal import Caller, Principal
from services.kit.sealing import FileWrappingKeys
from services.kit.timestamps import to_timestamp
from services.members.domain.cards import SECRET_BYTES, Card, new_card, number_from
from services.members.domain.members import NoMemberError
from services.members.store.cards import MongoCards
from services.members.store.chains import MongoChains
from services.members.store.erasures import ErasuresKept, erase_again
from services.members.store.households import MongoHouseholds
from services.members.store.imports import MongoImports
from services.members.store.members import MongoMembers
from services.members.store.survivors import Survivor
from services.members.store.vault import MEMBER_KEYS, Vault
from services.members.usecases.households import HouseholdDesk, add_to_household
from tests.support.clock import START, FixedClock
from tests.support.members_service import WRAPPING, MembersService, enrollment, phone, staff, vault_of

TRACES = (b"13800138000", b"Zhang Wei", b"zhang.wei@example.com", b"Nanjing Road", b"peanut")


async def join(service: MembersService, chain: str, *identities: pb.Identity, days_ago: int = 0) -> str:
    request = enrollment(*identities, name="Zhang Wei")
    profile = request.member.profile
    profile.address.lines, profile.birthday = "1 Nanjing Road", "1990-05-17"
    profile.preferences.append(pb.Preference(kind=pb.PREFERENCE_KIND_ALLERGY, text="peanut"))
    request.member.tags.append("regular")
    request.member.enrolled_at.CopyFrom(to_timestamp(START - timedelta(days=days_ago)))
    return (await service.enroll(request, staff(chain))).member.id


async def erase(service: MembersService, chain: str, member: str) -> pb.EraseMemberResponse:
    request = pb.EraseMemberRequest(key=uuid4().hex, member_id=member)
    answer: pb.EraseMemberResponse = await service.call(service.members.EraseMember, request, staff(chain))
    return answer


def traces_in(held: dict[str, list[dict[str, Any]]]) -> list[tuple[str, bytes]]:
    found = []
    for collection, documents in held.items():
        for document in documents:
            content = bson.encode(document)
            found += [(collection, trace) for trace in TRACES if trace in content]
    return found


async def test_nothing_is_left_of_a_person(service: MembersService, chain: str) -> None:
    email = pb.Identity(kind=pb.IDENTITY_KIND_EMAIL, value="zhang.wei@example.com")
    member = await join(service, chain, phone("+8613800138000"), email)
    erased = await erase(service, chain, member)
    assert (list(erased.member_ids), erased.erased_at) == ([member], to_timestamp(START))
    assert traces_in(await service.everything()) == []
    assert await service.resolve([phone("+8613800138000"), email], staff(chain)) == ["", ""]
    found = await service.member(chain, member)
    assert (found.profile, list(found.tags), found.erased_at) == (pb.Profile(), [], to_timestamp(START))
    assert await vault_of(service.database).keys(chain, [member]) == {}
    rows = await service.database.collection(OUTBOX).find({"chain": chain, "aggregate": member}).to_list()
    assert rows[-1]["type"] == "huitou.events.v1.MemberErased"
    event = events_pb2.MemberErased.FromString(rows[-1]["body"])
    assert event == events_pb2.MemberErased(member_id=member, erased_at=to_timestamp(START))


async def test_erased_twice_is_erased_once(service: MembersService, chain: str, clock: FixedClock) -> None:
    member = await join(service, chain)
    first = await erase(service, chain, member)
    clock.move(timedelta(days=1))
    assert await erase(service, chain, member) == first
    rows = await service.database.collection(OUTBOX).find({"chain": chain, "aggregate": member}).to_list()
    assert len(rows) == 2


async def test_all_that_a_person_ever_was_is_erased(service: MembersService, chain: str) -> None:
    old, young = await join(service, chain, phone("+8613800138000"), days_ago=3), await join(service, chain)
    request = pb.MergeMembersRequest(key=uuid4().hex, member_id=old, other_member_id=young)
    merged = await service.call(service.members.MergeMembers, request, staff(chain))
    erased = await erase(service, chain, young)
    assert list(erased.member_ids) == [old, young]
    for member in (old, young):
        rows = await service.database.collection(OUTBOX).find({"chain": chain, "aggregate": member}).to_list()
        assert rows[-1]["type"] == "huitou.events.v1.MemberErased"
    undo = pb.SplitMembersRequest(key=uuid4().hex, merge_id=merged.merge_id)
    assert (await service.refusal(service.members.SplitMembers, undo, staff(chain))).code == "CANNOT_SPLIT"
    assert await vault_of(service.database).keys(chain, [old, young]) == {}


async def test_whoever_has_the_phone_next_is_somebody_else(service: MembersService, chain: str) -> None:
    gone = await join(service, chain, phone("+8613800138000"))
    await erase(service, chain, gone)
    new = await join(service, chain, phone("+8613800138000"))
    assert new != gone
    assert await service.resolve([phone("+8613800138000")], staff(chain)) == [new]


async def test_a_restored_backup_forgets_again(service: MembersService, chain: str) -> None:
    """Yesterday's members with today's vault, and then yesterday's vault with the list of erasures kept elsewhere."""
    member, other = await join(service, chain, phone("+8613800138000")), await join(service, chain)
    backup, vault = await service.everything(), vault_of(service.database)
    keys = await vault.database.collection(MEMBER_KEYS).find({"chain": chain}).to_list()
    await erase(service, chain, member)

    await restore(service, backup)
    assert (await service.member(chain, member)).profile == pb.Profile()
    assert await service.resolve([phone("+8613800138000")], staff(chain)) == [member]
    assert await again(service, chain) == 1
    assert await service.resolve([phone("+8613800138000")], staff(chain)) == [""]
    assert (await service.member(chain, member)).erased_at == to_timestamp(START)
    assert (await service.member(chain, other)).profile.name == "Zhang Wei"
    assert await again(service, chain) == 0
    assert await ErasuresKept(service.database, vault).chains() == [chain]

    await restore(service, backup)
    await vault.database.collection(MEMBER_KEYS).delete_many({"chain": chain})
    await vault.database.collection(MEMBER_KEYS).insert_many(keys)
    assert (await service.member(chain, member)).profile.name == "Zhang Wei"
    assert await again(service, chain) == 1
    assert await vault.keys(chain, [member]) == {}
    assert (await service.member(chain, member)).profile == pb.Profile()


async def again(service: MembersService, chain: str) -> int:
    return await erase_again(service.database, vault_of(service.database), chain, now=START)


async def restore(service: MembersService, backup: dict[str, list[dict[str, Any]]]) -> None:
    async with AsyncMongoClient[dict[str, Any]](service.mongo_url) as client:
        for name, documents in backup.items():
            collection = client[service.database.name][name]
            await collection.delete_many({})
            if documents:
                await collection.insert_many([dict(one) for one in documents])


async def test_erasures_are_listed_for_those_who_were_restored(
    service: MembersService, chain: str, other_chain: str, clock: FixedClock
) -> None:
    erased = []
    for _ in range(5):
        member = await join(service, chain)
        await erase(service, chain, member)
        erased.append(member)
        clock.move(timedelta(seconds=1))
    await erase(service, other_chain, await join(service, other_chain))
    feedback = Principal(chain=chain, kind=Caller.SERVICE, id="feedback")
    found: list[str] = []
    after: pb.Erasure | None = None
    for _ in range(4):
        request = pb.ListErasuresRequest(after=after, first=2)
        page = (await service.call(service.members.ListErasures, request, feedback)).erasures
        found += [one.member_id for one in page]
        if len(page) < 2:
            break
        after = page[-1]
    assert found == erased


class ErasingVault(Vault):
    """A vault of a replica that is slow: once it has read keys, somebody erases the member."""

    def __init__(self, database: Database, erase: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(database, FileWrappingKeys(WRAPPING, random_bytes=token_bytes), random_bytes=token_bytes)
        self._erase: Callable[[], Awaitable[Any]] | None = erase

    async def keys(self, chain: str, members: Sequence[str], *, session: Session | None = None) -> dict[str, bytes]:
        found = await super().keys(chain, members, session=session)
        if self._erase is not None:
            erase, self._erase = self._erase, None
            await erase()
        return found


async def test_a_card_is_not_made_of_whom_is_erased_meanwhile(service: MembersService, chain: str) -> None:
    member = await join(service, chain)
    cards = MongoCards(service.database, ErasingVault(service.database, lambda: erase(service, chain, member)))

    def decide(card: Card | None, _holder: Survivor) -> Card:
        return card or new_card(number_from(token_bytes(8)), token_bytes(SECRET_BYTES), now=START)

    with pytest.raises(NoMemberError):
        await cards.hold(chain, member, decide, now=START)
    held = await service.everything()
    assert (held["cards"], held["card_numbers"]) == ([], [])


async def test_nobody_comes_into_a_household_who_is_erased_meanwhile(service: MembersService, chain: str) -> None:
    member = await join(service, chain)
    vault = ErasingVault(service.database, lambda: erase(service, chain, member))
    desk = HouseholdDesk(
        chains=MongoChains(service.database, vault),
        units=MongoImports(service.database, vault, Outbox(service.database)),
        found=MongoHouseholds(service.database),
        members=MongoMembers(service.database, vault),
        make_id=make_id,
    )
    with pytest.raises(NoMemberError):
        await add_to_household("H-1", member, caller=staff(chain), now=START, desk=desk)
    assert (await service.everything())["homes"] == []
