"""Profiles are sealed: in the database nobody can be read, without the vault nobody can be opened."""

from secrets import token_bytes
from typing import Any

import bson
import pytest

from protos.members.v1 import members_pb2 as pb
from services.kit.rpc import RemoteProblem
from services.kit.sealing import FileWrappingKeys, wrapping_key_line
from services.members.store.chains import MongoChains, hide_secrets
from services.members.store.collections import CHAINS, IDENTITIES, MEMBERS
from services.members.store.sealing import seal_members
from services.members.store.vault import CHAIN_KEYS, MEMBER_KEYS, Vault
from tests.support.clock import START
from tests.support.members_service import MembersService, enrollment, phone, staff, vault_of

CLEAR = ("138", "Ming", "ming@example.com", "Nanjing Road", "peanut")


def person(*identities: pb.Identity, email: str = "ming@example.com") -> pb.EnrollMemberRequest:
    request = enrollment(*identities, name="Li Ming")
    profile = request.member.profile
    profile.given_name, profile.family_name, profile.birthday = "Ming", "Li", "1990-05-17"
    profile.gender, profile.language = pb.GENDER_FEMALE, "zh-Hans-CN"
    profile.address.CopyFrom(
        pb.PostalAddress(lines="1 Nanjing Road", city="Shanghai", postal_code="200001", country="CN")
    )
    profile.preferences.append(pb.Preference(kind=pb.PREFERENCE_KIND_ALLERGY, text="peanut"))
    profile.identities.append(pb.Identity(kind=pb.IDENTITY_KIND_EMAIL, value=email))
    return request


async def test_a_profile_comes_back_whole_and_lies_sealed(service: MembersService, chain: str) -> None:
    request = person(phone("+86 138 0013 8000"))
    enrolled = (await service.enroll(request, staff(chain))).member
    found = await service.member(chain, enrolled.id)
    assert found == enrolled
    said = request.member.profile
    said.identities[0].value = "+8613800138000"
    assert found.profile == said
    lies = repr(await service.everything())
    assert [clear for clear in CLEAR if clear in lies] == []


async def test_without_its_key_a_member_is_nobody(service: MembersService, chain: str) -> None:
    member = (await service.enroll(person(), staff(chain))).member
    vault = vault_of(service.database)
    await vault.database.collection(MEMBER_KEYS).delete_one({"chain": chain, "member": member.id})
    assert (await service.member(chain, member.id)).profile == pb.Profile()


async def test_a_profile_does_not_open_in_another_members_document(service: MembersService, chain: str) -> None:
    one = (await service.enroll(person(), staff(chain))).member.id
    other = (await service.enroll(enrollment(), staff(chain))).member.id
    members = service.database.collection(MEMBERS)
    copied: dict[str, Any] = await members.find_one({"chain": chain, "member": one}) or {}
    await members.update_one({"chain": chain, "member": other}, {"$set": {"profile": copied["profile"]}})
    with pytest.raises(RemoteProblem) as refused:
        await service.member(chain, other)
    assert refused.value.code == "SEAL_BROKEN"


async def test_all_data_keys_come_under_a_new_wrapping_key_while_members_are_read(
    service: MembersService, chain: str, tmp_path: Any
) -> None:
    members = [
        (await service.enroll(person(email=f"{number}@example.com"), staff(chain))).member for number in range(5)
    ]
    path = tmp_path / "wrapping.keys"
    path.write_text(wrapping_key_line("second", b"s" * 32) + wrapping_key_line("first", b"w" * 32))
    vault = Vault(service.database, FileWrappingKeys(path, random_bytes=token_bytes), random_bytes=token_bytes)
    assert [await vault.rewrap(first=3), await vault.rewrap(first=3), await vault.rewrap(first=3)] == [3, 3, 0]
    # Whoever still has only the old key can open nothing any more; with the new one alone everything opens.
    with pytest.raises(RemoteProblem):
        await service.member(chain, members[0].id)
    path.write_text(wrapping_key_line("second", b"s" * 32))
    assert len(await vault.keys(chain, [one.id for one in members])) == 5
    assert await vault.chain_secret(chain) is not None


async def test_who_was_kept_in_clear_is_sealed(service: MembersService, chain: str) -> None:
    """As a database looks that was made before there was a vault."""
    request = enrollment(phone("+8613800138000"), name="Li Ming", store=await service.store(chain))
    member = (await service.enroll(request, staff(chain))).member
    collection = service.database.collection(MEMBERS)
    kept = await collection.find_one({"chain": chain, "member": member.id}) or {}
    before = {
        "chain": chain,
        "member": member.id,
        "name": "Li Ming",
        "identities": [{"kind": "phone", "value": "+8613800138000"}],
        "enrolled_at": START,
        "channel": "pos",
        "store": member.store_id,
        "portrait": kept["portrait"],
        "events": kept["events"],
    }
    await collection.replace_one({"chain": chain, "member": member.id}, before)
    vault = vault_of(service.database)
    await vault.database.collection(MEMBER_KEYS).delete_one({"chain": chain, "member": member.id})
    assert await seal_members(service.database, vault) == 1
    assert await seal_members(service.database, vault) == 0
    assert await service.member(chain, member.id) == member
    assert await service.database.collection(IDENTITIES).count_documents({"chain": chain}) == 1
    assert "Ming" not in repr(await service.everything())


async def test_a_chains_secret_is_in_the_vault_only(service: MembersService, chain: str) -> None:
    """As a database looks that was made before: moved, and found again, also when moving is cut short."""
    member = (await service.enroll(enrollment(phone("+8613800138000")), staff(chain))).member.id
    vault, chains = vault_of(service.database), service.database.collection(CHAINS)
    secret = await vault.chain_secret(chain)
    assert secret is not None
    assert secret not in b"".join([bson.encode(one) for one in (await service.everything())["chains"]])
    for moved_before in (False, True):
        if not moved_before:
            await vault.database.collection(CHAIN_KEYS).delete_one({"chain": chain})
        await chains.update_one({"chain": chain}, {"$set": {"identity_key": secret}})
        await hide_secrets(service.database, vault)
        found = await MongoChains(service.database, vault).find(chain)
        assert found is not None
        assert found.identity_key == secret
        assert "identity_key" not in (await chains.find_one({"chain": chain}) or {})
    assert await service.resolve([phone("+8613800138000")], staff(chain)) == [member]
