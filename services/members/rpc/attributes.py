"""The Attributes servicer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from protos.members.v1 import attributes_pb2 as pb
from protos.members.v1 import attributes_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.members.domain.attributes import AttributeDefinition, AttributeType, Choice, InvalidDefinitionError
from services.members.domain.visibility import Role
from services.members.rpc.asking import change_of
from services.members.usecases.attributes import (
    Definitions,
    ShownValue,
    WantedValue,
    get_attributes,
    list_attribute_definitions,
    save_attribute_definitions,
    set_attributes,
)
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.looks import Looks
from services.members.usecases.members import MemberFinder

TYPES = {pb.AttributeType.Value(f"ATTRIBUTE_TYPE_{one.name}"): one for one in AttributeType}
ROLES = {pb.ViewerRole.Value(f"VIEWER_ROLE_{one.name}"): one for one in Role}

_TYPE_OF = {one: number for number, one in TYPES.items()}
ROLE_OF = {one: number for number, one in ROLES.items()}


@dataclass(frozen=True, slots=True)
class AttributesServicer(attributes_pb2_grpc.AttributesServicer):
    """protos/members/v1/attributes.proto."""

    changes: ChangeDesk
    clocks: ChainClocks
    members: MemberFinder
    definitions: Definitions
    looks: Looks

    async def SaveAttributeDefinitions(  # noqa: N802 - gRPC's name
        self, request: pb.SaveAttributeDefinitionsRequest, _context: Any
    ) -> pb.SaveAttributeDefinitionsResponse:
        """Add or change definitions."""
        saved = await save_attribute_definitions(
            [_wanted(one, f"definitions.{number}") for number, one in enumerate(request.definitions)],
            caller=caller(),
            chains=self.changes.chains,
            definitions=self.definitions,
        )
        return pb.SaveAttributeDefinitionsResponse(definitions=_protos(saved))

    async def ListAttributeDefinitions(  # noqa: N802 - gRPC's name
        self, _request: pb.ListAttributeDefinitionsRequest, _context: Any
    ) -> pb.ListAttributeDefinitionsResponse:
        """Show definitions."""
        found = await list_attribute_definitions(caller=caller(), definitions=self.definitions)
        return pb.ListAttributeDefinitionsResponse(definitions=_protos(found))

    async def SetAttributes(self, request: pb.SetAttributesRequest, _context: Any) -> pb.SetAttributesResponse:  # noqa: N802 - gRPC's name
        """Give a member values."""
        done = await set_attributes(
            request.member_id,
            [_value(one) for one in request.values],
            change=await change_of(request.key, self.clocks),
            desk=self.changes,
        )
        return pb.SetAttributesResponse(member_id=done.member, version=done.version, repeated_call=done.repeated_call)

    async def GetAttributes(self, request: pb.GetAttributesRequest, _context: Any) -> pb.GetAttributesResponse:  # noqa: N802 - gRPC's name
        """Show members' values."""
        who = caller()
        now = await self.clocks.now(who.chain)
        found = await get_attributes(
            request.member_ids,
            caller=who,
            look_id=self.changes.make_id("look", now),
            now=now,
            members=self.members,
            definitions=self.definitions,
            looks=self.looks,
        )
        return pb.GetAttributesResponse(
            members=[
                pb.MemberAttributes(member_id=asked, values=[_value_proto(one) for one in values])
                for asked, values in found
            ]
        )


def _wanted(one: pb.AttributeDefinition, path: str) -> AttributeDefinition:
    if one.type not in TYPES:
        raise InvalidDefinitionError(field=f"{path}.type", why="say of which type its values are")
    if not set(one.roles) <= ROLES.keys():
        raise InvalidDefinitionError(field=f"{path}.roles", why="one of the roles is not known here")
    return AttributeDefinition(
        code=one.code,
        label=one.label,
        type=TYPES[one.type],
        choices=tuple(Choice(choice.code, choice.label) for choice in one.choices),
        personal=one.personal if one.HasField("personal") else True,
        roles=frozenset(ROLES[role] for role in one.roles),
        retired=one.retired,
    )


def _protos(definitions: Sequence[AttributeDefinition]) -> list[pb.AttributeDefinition]:
    return [
        pb.AttributeDefinition(
            code=one.code,
            label=one.label,
            type=_TYPE_OF[one.type],
            choices=[pb.AttributeChoice(code=choice.code, label=choice.label) for choice in one.choices],
            personal=one.personal,
            roles=sorted(ROLE_OF[role] for role in one.roles),
            retired=one.retired,
            used=one.used,
            version=one.version,
        )
        for one in definitions
    ]


def _value(one: pb.AttributeValue) -> WantedValue:
    said = one.WhichOneof("value")
    if said is None:
        return WantedValue(one.code, None)
    value = tuple(one.choices.codes) if said == "choices" else getattr(one, said)
    return WantedValue(one.code, AttributeType(said), value)


def _value_proto(one: ShownValue) -> pb.AttributeValue:
    made = pb.AttributeValue(code=one.of.code)
    if isinstance(one.value, tuple):
        made.choices.codes.extend(one.value)
        made.choices.SetInParent()
    else:
        setattr(made, one.of.type.value, one.value)
    return made
