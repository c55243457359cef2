"""Who sees how much of a person: one table, field by role. What stands in no cell is not shown."""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, StrEnum
from types import MappingProxyType

from services.members.domain.identities import Identity, IdentityKind, masked
from services.members.domain.members import Member
from services.members.domain.profiles import Address, Attribute, Gender, PreferenceKind, Profile
from services.members.domain.training import Role as StaffRole


class Role(StrEnum):
    """As what somebody looks at a member. Staff roles are the platform's; who has which is the chain's to say."""

    GUEST = "guest"  # the member itself
    TILL = "till"
    PARTNER = "partner"
    SERVICE = "service"  # the other services know members by their ids
    CASHIER = "cashier"
    STORE_MANAGER = "store_manager"
    SERVICE_AGENT = "service_agent"
    MARKETER = "marketer"
    ANALYST = "analyst"
    ADMIN = "admin"


STAFF_ROLES = frozenset(Role(each.value) for each in StaffRole)


class Field(StrEnum):
    """A part of a member that is told or kept back as a whole."""

    NAME = "name"
    FULL_NAME = "full_name"  # given and family name
    BIRTHDAY = "birthday"
    GENDER = "gender"
    LANGUAGE = "language"
    ADDRESS = "address"
    NEEDS = "needs"  # allergies, diet, access: what a kitchen or a waiter must know
    PREFERENCES = "preferences"
    ATTRIBUTES = "attributes"
    IDENTITIES = "identities"
    TAGS = "tags"
    SOURCE = "source"
    VISITS = "visits"


class Sight(Enum):
    """How much of a field is shown."""

    NOTHING = 0
    PART = 1
    ALL = 2


_ALL, _PART, _NO = Sight.ALL, Sight.PART, Sight.NOTHING

_ROLES = (
    Role.GUEST, Role.TILL, Role.PARTNER, Role.SERVICE, Role.CASHIER,
    Role.STORE_MANAGER, Role.SERVICE_AGENT, Role.MARKETER, Role.ANALYST, Role.ADMIN,
)  # fmt: skip

_TABLE: Mapping[Field, tuple[Sight, ...]] = {
    #                  guest till   partner service cashier manager agent marketer analyst admin
    Field.NAME:        (_ALL, _PART, _PART, _NO,    _PART,  _ALL,   _ALL, _PART,   _NO,    _ALL),
    Field.FULL_NAME:   (_ALL, _NO,   _NO,   _NO,    _NO,    _ALL,   _ALL, _NO,     _NO,    _ALL),
    Field.BIRTHDAY:    (_ALL, _PART, _NO,   _NO,    _PART,  _PART,  _ALL, _PART,   _PART,  _ALL),
    Field.GENDER:      (_ALL, _NO,   _NO,   _ALL,   _NO,    _ALL,   _ALL, _ALL,    _ALL,   _ALL),
    Field.LANGUAGE:    (_ALL, _ALL,  _NO,   _ALL,   _ALL,   _ALL,   _ALL, _ALL,    _ALL,   _ALL),
    Field.ADDRESS:     (_ALL, _NO,   _NO,   _NO,    _NO,    _PART,  _ALL, _PART,   _PART,  _ALL),
    Field.NEEDS:       (_ALL, _ALL,  _NO,   _NO,    _ALL,   _ALL,   _ALL, _NO,     _NO,    _ALL),
    Field.PREFERENCES: (_ALL, _ALL,  _NO,   _NO,    _ALL,   _ALL,   _ALL, _ALL,    _NO,    _ALL),
    Field.ATTRIBUTES:  (_ALL, _NO,   _NO,   _NO,    _NO,    _ALL,   _ALL, _NO,     _NO,    _ALL),
    Field.IDENTITIES:  (_ALL, _PART, _PART, _NO,    _PART,  _PART,  _ALL, _PART,   _NO,    _ALL),
    Field.TAGS:        (_NO,  _NO,   _NO,   _ALL,   _NO,    _ALL,   _ALL, _ALL,    _ALL,   _ALL),
    Field.SOURCE:      (_ALL, _ALL,  _NO,   _ALL,   _ALL,   _ALL,   _ALL, _ALL,    _ALL,   _ALL),
    Field.VISITS:      (_ALL, _ALL,  _ALL,  _ALL,   _ALL,   _ALL,   _ALL, _ALL,    _ALL,   _ALL),
}  # fmt: skip

SIGHT: Mapping[tuple[Field, Role], Sight] = MappingProxyType(
    {(each, role): sight for each, row in _TABLE.items() for role, sight in zip(_ROLES, row, strict=True)}
)

PERSONAL = frozenset(Field) - {Field.TAGS, Field.SOURCE, Field.VISITS, Field.LANGUAGE, Field.GENDER}
"""Whose being looked at is recorded."""

ATTRIBUTE_ROLES = frozenset(role for role in _ROLES if SIGHT[Field.ATTRIBUTES, role] is not _NO)
"""Who sees an attribute of the chain's own of which the chain has not said who does."""

NOT_FOR_PERSONAL = frozenset({Role.PARTNER, Role.SERVICE, Role.ANALYST})
"""Whom a chain cannot show a personal attribute either."""

_NEEDS = frozenset({PreferenceKind.ALLERGY, PreferenceKind.DIET, PreferenceKind.ACCESS})


def shown_to(role: Role, member: Member) -> Member:
    """Return as much of the member as `role` may see. Payment accounts are nobody's to see, not even as hashes.

    Attributes are shown apart, by what the chain has said of each (`shown_attributes`).
    """
    profile = member.profile

    def sight(of: Field) -> Sight:
        return SIGHT[of, role]

    shown = Profile(
        name={_ALL: profile.name, _PART: profile.short_name, _NO: ""}[sight(Field.NAME)],
        identities=_identities(profile, sight(Field.IDENTITIES)),
        given_name=profile.given_name if sight(Field.FULL_NAME) is _ALL else "",
        family_name=profile.family_name if sight(Field.FULL_NAME) is _ALL else "",
        birthday={_ALL: profile.birthday, _PART: profile.birthday[-5:], _NO: ""}[sight(Field.BIRTHDAY)],
        gender=profile.gender if sight(Field.GENDER) is _ALL else Gender.UNKNOWN,
        language=profile.language if sight(Field.LANGUAGE) is _ALL else "",
        address=_address(profile.address, sight(Field.ADDRESS)),
        preferences=tuple(
            one
            for one in profile.preferences
            if sight(Field.NEEDS if one.kind in _NEEDS else Field.PREFERENCES) is _ALL
        ),
    )
    return replace(
        member,
        profile=shown,
        tags=member.tags if sight(Field.TAGS) is _ALL else (),
        source=member.source if sight(Field.SOURCE) is _ALL else type(member.source)(store=member.source.store),
    )


def shown_attributes(
    role: Role, values: Mapping[str, Attribute], readers: Mapping[str, frozenset[Role]]
) -> dict[str, Attribute]:
    """Return those of `values`, by code, that `role` may see. One without `readers` is nobody's to see."""
    return {code: value for code, value in values.items() if role in readers.get(code, ())}


def seen_by(role: Role) -> tuple[str, ...]:
    """Return which personal fields `role` gets to see, in part or whole, for the record of who looked.

    Attributes are shown by a call of their own, which records each.
    """
    told = PERSONAL - {Field.ATTRIBUTES}
    return tuple(each.value for each in Field if each in told and SIGHT[each, role] is not _NO)


def _identities(profile: Profile, sight: Sight) -> tuple[Identity, ...]:
    if sight is _NO:
        return ()
    known = [one for one in profile.identities if one.kind is not IdentityKind.PAYER]
    return tuple(known if sight is _ALL else map(masked, known))


def _address(address: Address, sight: Sight) -> Address:
    if sight is _PART:
        return Address(city=address.city, country=address.country)
    return address if sight is _ALL else Address()
