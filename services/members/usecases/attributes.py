"""Attributes: define them, give members values, and show these to whom they are for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.kit.principal import Caller, NotAllowedError, Principal
from services.members.domain.attributes import (
    MAX_DEFINITIONS,
    AttributeDefinition,
    AttributeType,
    InvalidAttributeError,
    NoAttributeError,
    SavedDefinitions,
    check_definitions,
    checked_value,
)
from services.members.domain.chains import Chain
from services.members.domain.members import Member, NoMemberError
from services.members.domain.profiles import Attribute
from services.members.domain.visibility import Role, shown_attributes
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.changes import Change, ChangeDesk, carry_out
from services.members.usecases.limits import check_count
from services.members.usecases.looks import RECORDED, Look, Looks
from services.members.usecases.members import MemberFinder, find_visible, role_of
from services.members.usecases.units import CommandKey, Unit


class Definitions(Protocol):
    """Where definitions are kept."""

    async def every(self, chain: str) -> Mapping[str, AttributeDefinition]:
        """Return all that the chain has, in the order of their codes."""

    async def save(self, wanted: Sequence[AttributeDefinition], *, chain: str) -> SavedDefinitions:
        """Fold `wanted` over what is there, and keep what changed."""


@dataclass(frozen=True, slots=True)
class WantedValue:
    """A value as the caller wrote it; `said` None: the member is to have none."""

    code: str
    said: AttributeType | None
    value: Attribute = ""


@dataclass(frozen=True, slots=True)
class ShownValue:
    """A value, and what it is a value of."""

    of: AttributeDefinition
    value: Attribute


@dataclass(frozen=True, slots=True)
class SetAttributes:
    """Whose values they are, and the member's version by now."""

    member: str
    version: int
    repeated_call: bool


async def save_attribute_definitions(
    wanted: Sequence[AttributeDefinition], *, caller: Principal, chains: ChainFinder, definitions: Definitions
) -> tuple[AttributeDefinition, ...]:
    """Add or change definitions, by their code, all or none; what is as wanted stays untouched."""
    check_count(wanted, field="definitions", most=MAX_DEFINITIONS)
    if caller.stores:
        raise NotAllowedError(why="it is limited to some stores, and attributes are the whole chain's")
    check_definitions(wanted)
    chain = await callers_chain(caller, chains=chains)
    return (await definitions.save(wanted, chain=chain.id)).all


async def list_attribute_definitions(*, caller: Principal, definitions: Definitions) -> list[AttributeDefinition]:
    """Return the chain's definitions: staff sees all, others those whose values they may see."""
    found = await definitions.every(caller.chain)
    everything = caller.kind in (Caller.STAFF, Caller.OPERATOR)
    return [one for one in found.values() if everything or role_of(caller) in one.readers]


async def set_attributes(
    member_id: str, wanted: Sequence[WantedValue], *, change: Change, desk: ChangeDesk
) -> SetAttributes:
    """Give a member values, or take them away, all or none; other attributes stay. The same again changes nothing.

    What the caller's role may not see it cannot set either: it would overwrite what it does not know.
    """
    check_count(wanted, field="values", most=MAX_DEFINITIONS)
    codes = [one.code for one in wanted]
    for number, code in enumerate(codes):
        if code in codes[:number]:
            raise InvalidAttributeError(field=f"values.{number}.code", attribute=code, why="it stands twice")
    role = role_of(change.caller)

    async def body(unit: Unit, _chain: Chain, command: CommandKey) -> SetAttributes:
        member = await unit.survivor(member_id)
        if member.erased_at:
            raise NoMemberError(field="memberId", member=member_id)
        if await unit.answered(command) is not None:
            return SetAttributes(member.id, member.version, repeated_call=True)
        defined = await unit.attributes.defined()
        after = _with_values(member, wanted, defined, role)
        if after != member:
            after = replace(after, version=member.version + 1)
            new = after.profile.attributes.keys() - member.profile.attributes.keys()
            await unit.attributes.use([defined[code] for code in sorted(new)])
            unit.keep(after)
        await unit.answer(command, b"", summary=f"attributes of {member.id} were set with it")
        return SetAttributes(after.id, after.version, repeated_call=False)

    said = [(one.code, one.said, one.value) for one in wanted]
    return await carry_out(change, ("attributes", member_id, said), body, desk=desk)


async def get_attributes(
    member_ids: Sequence[str],
    *,
    caller: Principal,
    look_id: str,
    now: datetime,
    members: MemberFinder,
    definitions: Definitions,
    looks: Looks,
) -> list[tuple[str, list[ShownValue]]]:
    """Return what the caller may see, by the id that was asked for, and record it where it is personal.

    Whoever the caller may not see is left out. Values of retired attributes are kept, and not shown.
    """
    check_count(member_ids, field="memberIds")
    found = await find_visible(member_ids, caller=caller, members=members)
    defined = {code: one for code, one in (await definitions.every(caller.chain)).items() if not one.retired}
    readers = {code: one.readers for code, one in defined.items()}
    role = role_of(caller)
    shown = [
        (asked, found[asked].id, shown_attributes(role, found[asked].profile.attributes, readers))
        for asked in dict.fromkeys(member_ids)
        if asked in found
    ]
    personal = {code for code, one in defined.items() if one.personal}
    looked_at = tuple(dict.fromkeys(member for _, member, values in shown if personal & values.keys()))
    if looked_at and caller.kind in RECORDED:
        fields = sorted({code for _, _, values in shown for code in personal & values.keys()})
        by = f"{caller.kind}:{caller.id}"
        look = Look(look_id, now, by, role, looked_at, tuple(f"attributes.{code}" for code in fields))
        await looks.note(caller.chain, look)
    return [
        (asked, [ShownValue(defined[code], value) for code, value in sorted(values.items())])
        for asked, _, values in shown
    ]


def _with_values(
    member: Member, wanted: Sequence[WantedValue], defined: Mapping[str, AttributeDefinition], role: Role
) -> Member:
    values = dict(member.profile.attributes)
    for number, one in enumerate(wanted):
        of = defined.get(one.code)
        if of is None or role not in of.readers or (of.retired and one.said is not None):
            raise NoAttributeError(field=f"values.{number}.code", attribute=one.code)
        if one.said is None:
            values.pop(one.code, None)
        else:
            values[one.code] = checked_value(of, one.said, one.value, field=f"values.{number}")
    is_open = frozenset(code for code in values if code in defined and not defined[code].personal)
    return replace(member, profile=replace(member.profile, attributes=values), open_attributes=is_open)
