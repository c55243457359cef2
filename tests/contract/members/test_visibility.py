"""Every field of a person, as every role sees it: one table, looked at over the real server."""

from datetime import timedelta

import pytest

from protos.members.v1 import members_pb2 as pb
from services.kit.principal import Caller, Principal
from services.kit.timestamps import from_timestamp
from services.members.domain.visibility import Field, Role
from tests.support.clock import START, FixedClock
from tests.support.members_service import MembersService, enrollment, phone, staff

SCOPES = frozenset({"members:read", "members:write", "members:audit"})

ROLES = tuple(Role)
PHONE, LAST_DIGITS = "+8613800138000", "***8000"
ADDRESS = "1 Nanjing Road|Shanghai|200001|CN"
ALL = "peanut"

# What each role is shown, in the order of ROLES: - is nothing.
#                guest till partner service cashier store_manager service_agent marketer analyst admin
TABLE = {
    Field.NAME: ("Li Ming", "Ming", "Ming", "-", "Ming", "Li Ming", "Li Ming", "Ming", "-", "Li Ming"),
    Field.FULL_NAME: ("Ming Li", "-", "-", "-", "-", "Ming Li", "Ming Li", "-", "-", "Ming Li"),
    Field.BIRTHDAY: ("1990-05-17", "05-17", "-", "-", "05-17", "05-17", "1990-05-17", "05-17", "05-17", "1990-05-17"),
    Field.GENDER: ("1", "-", "-", "1", "-", "1", "1", "1", "1", "1"),
    Field.LANGUAGE: ("zh", "zh", "-", "zh", "zh", "zh", "zh", "zh", "zh", "zh"),
    Field.ADDRESS: (ADDRESS, "-", "-", "-", "-", "|Shanghai||CN", ADDRESS, "|Shanghai||CN", "|Shanghai||CN", ADDRESS),
    Field.NEEDS: (ALL, ALL, "-", "-", ALL, ALL, ALL, "-", "-", ALL),
    Field.PREFERENCES: ("window", "window", "-", "-", "window", "window", "window", "window", "-", "window"),
    Field.IDENTITIES: (
        PHONE, LAST_DIGITS, LAST_DIGITS, "-", LAST_DIGITS, LAST_DIGITS, PHONE, LAST_DIGITS, "-", PHONE,
    ),
    Field.TAGS: ("-", "-", "-", "vip", "-", "vip", "vip", "vip", "vip", "vip"),
    Field.SOURCE: ("spring", "spring", "-", "spring", "spring", "spring", "spring", "spring", "spring", "spring"),
    Field.VISITS: ("0", "0", "0", "0", "0", "0", "0", "0", "0", "0"),
}  # fmt: skip


def shown(member: pb.Member, field: Field) -> str:
    profile, address = member.profile, member.profile.address
    texts = {one.kind: one.text for one in profile.preferences}
    told = {
        Field.NAME: profile.name,
        Field.FULL_NAME: f"{profile.given_name} {profile.family_name}".strip(),
        Field.BIRTHDAY: profile.birthday,
        Field.GENDER: str(profile.gender or ""),
        Field.LANGUAGE: profile.language,
        Field.ADDRESS: f"{address.lines}|{address.city}|{address.postal_code}|{address.country}",
        Field.NEEDS: texts.get(pb.PREFERENCE_KIND_ALLERGY, ""),
        Field.PREFERENCES: texts.get(pb.PREFERENCE_KIND_SEAT, ""),
        Field.IDENTITIES: "".join(one.value for one in profile.identities),
        Field.TAGS: "".join(member.tags),
        Field.SOURCE: member.source.campaign,
        Field.VISITS: str(member.visits.count),
    }
    return told[field].replace("|||", "") or "-"


def caller(role: Role, chain: str, member: str) -> Principal:
    kinds = {
        Role.GUEST: Caller.MEMBER,
        Role.TILL: Caller.TILL,
        Role.PARTNER: Caller.PARTNER,
        Role.SERVICE: Caller.SERVICE,
    }
    kind = kinds.get(role, Caller.STAFF)
    return Principal(
        chain=chain,
        kind=kind,
        id=member if kind is Caller.MEMBER else f"key_{role}",
        scopes=SCOPES,
        role=role.value if kind is Caller.STAFF else "",
    )


async def join(service: MembersService, chain: str) -> str:
    request = enrollment(phone(PHONE), name="Li Ming")
    profile = request.member.profile
    profile.given_name, profile.family_name, profile.birthday = "Ming", "Li", "1990-05-17"
    profile.gender, profile.language = pb.GENDER_FEMALE, "zh"
    profile.address.CopyFrom(
        pb.PostalAddress(lines="1 Nanjing Road", city="Shanghai", postal_code="200001", country="CN")
    )
    profile.preferences.extend(
        [
            pb.Preference(kind=pb.PREFERENCE_KIND_ALLERGY, text="peanut"),
            pb.Preference(kind=pb.PREFERENCE_KIND_SEAT, text="window"),
        ]
    )
    request.member.tags.append("vip")
    request.member.source.campaign = "spring"
    return (await service.enroll(request, staff(chain))).member.id


async def test_every_field_as_every_role_sees_it(service: MembersService, chain: str) -> None:
    member = await join(service, chain)
    seen: dict[Field, tuple[str, ...]] = {}
    for role in ROLES:
        [found] = await service.get([member], caller(role, chain, member))
        for field in TABLE:
            seen[field] = (*seen.get(field, ()), shown(found, field))
    assert seen == TABLE


def test_the_table_leaves_no_field_out() -> None:
    """Attributes are the chain's own, and have a table of their own."""
    assert set(TABLE) == set(Field) - {Field.ATTRIBUTES}


async def test_staff_of_no_role_looks_after_guests(service: MembersService, chain: str) -> None:
    member = await join(service, chain)
    [agent] = await service.get([member], caller(Role.SERVICE_AGENT, chain, member))
    assert await service.get([member], staff(chain)) == [agent]


async def test_a_role_that_is_not_known_sees_nothing(service: MembersService, chain: str) -> None:
    member = await join(service, chain)
    by = Principal(chain=chain, kind=Caller.STAFF, id="key_1", scopes=SCOPES, role="overlord")
    refused = await service.refusal(service.members.GetMembers, pb.GetMembersRequest(ids=[member]), by)
    assert refused.code == "DENIED"


async def test_a_guest_sees_nobody_else(service: MembersService, chain: str) -> None:
    member, other = await join(service, chain), (await service.enroll(enrollment(), staff(chain))).member.id
    assert await service.get([other], caller(Role.GUEST, chain, member)) == []


@pytest.mark.parametrize(
    ("role", "recorded"), [(Role.CASHIER, True), (Role.TILL, True), (Role.GUEST, False), (Role.SERVICE, False)]
)
async def test_who_looked_is_on_record(
    service: MembersService, chain: str, clock: FixedClock, role: Role, *, recorded: bool
) -> None:
    member = await join(service, chain)
    by = caller(role, chain, member)
    clock.move(timedelta(hours=1))
    await service.get([member, "mem_nobody"], by)
    request = pb.ListLooksRequest(member_id=member)
    looks = (await service.call(service.members.ListLooks, request, staff(chain))).looks
    assert len(looks) == recorded
    for look in looks:
        assert (from_timestamp(look.at), look.by, look.role) == (START + timedelta(hours=1), f"{by.kind}:{by.id}", role)
        assert {"name", "birthday", "needs"} <= set(look.fields) <= {each.value for each in Field}
        assert "address" not in look.fields


async def test_looks_come_in_pages_the_latest_first(service: MembersService, chain: str, clock: FixedClock) -> None:
    member = await join(service, chain)
    for _ in range(5):
        clock.move(timedelta(minutes=1))
        await service.get([member], staff(chain))
    found, after = [], ""
    for _ in range(5):
        request = pb.ListLooksRequest(member_id=member)
        request.page.first, request.page.after = 2, after
        page = await service.call(service.members.ListLooks, request, staff(chain))
        found += [from_timestamp(look.at) for look in page.looks]
        if not (after := page.end_cursor):
            break
    assert found == [START + timedelta(minutes=number) for number in (5, 4, 3, 2, 1)]
