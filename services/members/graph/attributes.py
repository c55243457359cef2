"""Attributes of the chain's own over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import attributes_pb2 as pb
from protos.members.v1.attributes_pb2_grpc import AttributesStub
from services.kit.graph import (
    INPUT,
    Caller,
    GraphContext,
    Info,
    Kind,
    Problem,
    SafeInt,
    UserError,
    allow,
    field,
    loader,
    mutation,
)
from services.members.graph.chains import EVERYBODY
from services.members.graph.keys import KEY

READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="members:read")
DEFINERS = allow(Caller.STAFF, scope="chain:write")
WRITERS = allow(Caller.STAFF, scope="care:write")


class TwoValuesError(Problem):
    """A value is given once, by the field of its type, not by {names}."""

    kind = Kind.INVALID
    code = "INVALID_ATTRIBUTE"


@strawberry.enum(description="What the values of an attribute are.")
class AttributeType(Enum):
    """Named as in the proto."""

    TEXT = strawberry.enum_value("TEXT", description="1 to 500 characters.")
    NUMBER = strawberry.enum_value("NUMBER", description="Between -1e15 and 1e15.")
    BOOLEAN = strawberry.enum_value("BOOLEAN", description="Yes or no.")
    DATE = strawberry.enum_value("DATE", description="A day of the calendar, without a zone.")
    CHOICE = strawberry.enum_value("CHOICE", description="One of the choices.")
    CHOICES = strawberry.enum_value("CHOICES", description="At least one of the choices.")


@strawberry.enum(description="As what somebody looks at a member.")
class ViewerRole(Enum):
    """Named as in the proto."""

    GUEST = strawberry.enum_value("GUEST", description="The member itself.")
    TILL = strawberry.enum_value("TILL", description="A till.")
    PARTNER = strawberry.enum_value("PARTNER", description="Another brand.")
    SERVICE = strawberry.enum_value("SERVICE", description="The platform's other services.")
    CASHIER = strawberry.enum_value("CASHIER", description="Staff: cashiers.")
    STORE_MANAGER = strawberry.enum_value("STORE_MANAGER", description="Staff: managers of stores.")
    SERVICE_AGENT = strawberry.enum_value("SERVICE_AGENT", description="Staff: who looks after guests.")
    MARKETER = strawberry.enum_value("MARKETER", description="Staff: marketing.")
    ANALYST = strawberry.enum_value("ANALYST", description="Staff: who counts, and knows nobody by name.")
    ADMIN = strawberry.enum_value("ADMIN", description="Staff: who sees all.")


@strawberry.type(description="One of the values to choose from.")
class AttributeChoice:
    """A choice."""

    code: str = strawberry.field(description="The chain's own.")
    label: str = strawberry.field(description="As people read it.")


@strawberry.type(description="What the values of one attribute are, and who sees them.")
class AttributeDefinition:
    """A definition."""

    code: str = strawberry.field(description="The chain's own code.")
    label: str = strawberry.field(description="As people read it.")
    type: AttributeType = strawberry.field(description="What its values are.")
    choices: list[AttributeChoice] = strawberry.field(description="Empty unless it is of choices.")
    personal: bool = strawberry.field(
        description="Kept sealed only; whoever is shown a value is on record, and nobody is selected by it."
    )
    roles: list[ViewerRole] = strawberry.field(
        description="Who sees the values. Empty: the member, store managers, service agents and admins."
    )
    retired: bool = strawberry.field(description="Not shown and not set any more; values are kept.")
    used: bool = strawberry.field(description="Members may have values: type, choices and whether personal stay.")
    version: SafeInt = strawberry.field(description="Grows by one with every change.")


@strawberry.type(description="A member's value of an attribute. One of the fields is not null, as the type has it.")
class AttributeValue:
    """A value."""

    code: str = strawberry.field(description="Of the definition.")
    text: str | None = strawberry.field(description="Of a TEXT.")
    number: float | None = strawberry.field(description="Of a NUMBER.")
    boolean: bool | None = strawberry.field(description="Of a BOOLEAN.")
    date: str | None = strawberry.field(description='Of a DATE, like "1990-05-17".')
    choices: list[str] | None = strawberry.field(description="Codes of a CHOICE or of CHOICES.")


@strawberry.type
class AttributeFields:
    """What a member shows of its attributes."""

    id: strawberry.ID

    @field(READERS, description="Values of the chain's own attributes, as far as the caller may see them, by code.")
    async def attributes(self, info: Info) -> list[AttributeValue]:
        """Load the values, together with those of the other members of this level."""
        return await attributes.load(info, self.id)


@loader(most=1_000)
async def attributes(context: GraphContext, ids: list[str]) -> list[list[AttributeValue]]:
    """Fetch values; nothing for those whom the caller may not see."""
    service = context.channel("members")
    answer = await service.ask(service.stub(AttributesStub).GetAttributes, pb.GetAttributesRequest(member_ids=ids))
    found = {one.member_id: [_value(each) for each in one.values] for one in answer.members}
    return [found.get(id_, []) for id_ in ids]


@strawberry.type
class AttributeQuery:
    """Definitions."""

    @field(EVERYBODY, description="What the chain has defined: all to staff, to others what they may see, by code.")
    async def attribute_definitions(self, info: Info) -> list[AttributeDefinition]:
        """Ask for the definitions."""
        service = info.context.channel("members")
        request = pb.ListAttributeDefinitionsRequest()
        answer = await service.ask(service.stub(AttributesStub).ListAttributeDefinitions, request)
        return [_definition(one) for one in answer.definitions]


@strawberry.input(description="One of the values to choose from.")
class AttributeChoiceInput:
    """A choice."""

    code: str = strawberry.field(description="The chain's own.")
    label: str = strawberry.field(description="As people read it.")


@strawberry.input(description="A definition as it should be.")
class AttributeDefinitionInput:
    """A definition."""

    code: str = strawberry.field(description="The chain's own code; a known one changes that definition.")
    label: str = strawberry.field(description="As people read it.")
    type: AttributeType = strawberry.field(description="What its values are.")
    personal: bool = strawberry.field(description="Whether a value tells of the person what not many share.")
    choices: list[AttributeChoiceInput] = strawberry.field(
        default_factory=list, description="Up to 100, of choices only."
    )
    roles: list[ViewerRole] = strawberry.field(
        default_factory=list,
        description="Who sees the values; empty: the member, store managers, service agents and admins. Personal ones "
        "are never shown to partners, services and analysts.",
    )
    retired: bool = strawberry.field(default=False, description="Not shown and not set any more.")


@strawberry.input(description="Definitions as they should be.")
class SaveAttributeDefinitionsInput:
    """Definitions."""

    definitions: list[AttributeDefinitionInput] = strawberry.field(description="All or none. A chain has up to 100.")


@strawberry.input(description="A value. One field besides the code, as the type has it; none: no value from now on.")
class AttributeValueInput:
    """A value."""

    code: str = strawberry.field(description="Of the definition.")
    text: str | None = strawberry.field(default=None, description="Of a TEXT.")
    number: float | None = strawberry.field(default=None, description="Of a NUMBER.")
    boolean: bool | None = strawberry.field(default=None, description="Of a BOOLEAN.")
    date: str | None = strawberry.field(default=None, description='Of a DATE, like "1990-05-17".')
    choice: str | None = strawberry.field(default=None, description="The code of a CHOICE.")
    choices: list[str] | None = strawberry.field(default=None, description="The codes of CHOICES.")


@strawberry.input(description="What a member's attributes are from now on; those that are not named stay.")
class SetAttributesInput:
    """Values."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="Whose.")
    values: list[AttributeValueInput] = strawberry.field(description="Up to 100, all or none.")


@strawberry.enum(description="Why nothing was saved or set.")
class MemberAttributeErrorCode(Enum):
    """Codes of `MemberAttributeError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_DEFINITION = strawberry.enum_value("INVALID_DEFINITION", description="No attribute can be like that.")
    INVALID_ATTRIBUTE = strawberry.enum_value("INVALID_ATTRIBUTE", description="The attribute has no such value.")
    ATTRIBUTE_IN_USE = strawberry.enum_value("ATTRIBUTE_IN_USE", description="Members may have values of it.")
    ATTRIBUTE_NOT_FOUND = strawberry.enum_value("ATTRIBUTE_NOT_FOUND", description="None that the caller could set.")
    TOO_MANY_IN_CHAIN = strawberry.enum_value("TOO_MANY_IN_CHAIN", description="A chain has at most 100.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why nothing was saved or set.")
class MemberAttributeError(UserError):
    """An item of `userErrors`."""

    code: MemberAttributeErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The definitions, or why none was saved.")
class SaveAttributeDefinitionsPayload:
    """Saved definitions."""

    user_errors: list[MemberAttributeError] = strawberry.field(description="Empty: they are as they should be.")
    definitions: list[AttributeDefinition] = strawberry.field(
        default_factory=list, description="In the order of the input."
    )


@strawberry.type(description="Whose values were set, or why not.")
class SetAttributesPayload:
    """Set values."""

    user_errors: list[MemberAttributeError] = strawberry.field(description="Empty: they are set.")
    member_id: strawberry.ID | None = strawberry.field(default=None, description="Null when nothing was set.")
    version: SafeInt | None = strawberry.field(default=None, description="The member's, by now.")
    repeated_call: bool = strawberry.field(default=False, description="The key had been used for it before.")


@strawberry.type
class AttributeMutation:
    """Defining and setting."""

    @mutation(DEFINERS, description="Adds or changes what the chain wants to know of members, by code, all or none.")
    async def save_attribute_definitions(
        self, info: Info, wish: Annotated[SaveAttributeDefinitionsInput, INPUT]
    ) -> SaveAttributeDefinitionsPayload:
        """Save definitions."""
        service = info.context.channel("members")
        request = pb.SaveAttributeDefinitionsRequest(definitions=[_definition_proto(one) for one in wish.definitions])
        answer = await service.ask(service.stub(AttributesStub).SaveAttributeDefinitions, request)
        return SaveAttributeDefinitionsPayload(
            user_errors=[], definitions=[_definition(one) for one in answer.definitions]
        )

    @mutation(WRITERS, description="Gives a member values, or takes them away. The key makes it safe to send again.")
    async def set_attributes(self, info: Info, wish: Annotated[SetAttributesInput, INPUT]) -> SetAttributesPayload:
        """Set values."""
        service = info.context.channel("members")
        values = [_value_proto(one, number) for number, one in enumerate(wish.values)]
        request = pb.SetAttributesRequest(key=wish.key, member_id=wish.member_id, values=values)
        answer = await service.ask(service.stub(AttributesStub).SetAttributes, request)
        return SetAttributesPayload(
            user_errors=[],
            member_id=strawberry.ID(answer.member_id),
            version=answer.version,
            repeated_call=answer.repeated_call,
        )


def _definition_proto(wish: AttributeDefinitionInput) -> pb.AttributeDefinition:
    return pb.AttributeDefinition(
        code=wish.code,
        label=wish.label,
        type=pb.AttributeType.Value(f"ATTRIBUTE_TYPE_{wish.type.name}"),
        choices=[pb.AttributeChoice(code=one.code, label=one.label) for one in wish.choices],
        personal=wish.personal,
        roles=[pb.ViewerRole.Value(f"VIEWER_ROLE_{one.name}") for one in wish.roles],
        retired=wish.retired,
    )


def _definition(one: pb.AttributeDefinition) -> AttributeDefinition:
    return AttributeDefinition(
        code=one.code,
        label=one.label,
        type=AttributeType[pb.AttributeType.Name(one.type).removeprefix("ATTRIBUTE_TYPE_")],
        choices=[AttributeChoice(code=each.code, label=each.label) for each in one.choices],
        personal=one.personal,
        roles=[ViewerRole[pb.ViewerRole.Name(each).removeprefix("VIEWER_ROLE_")] for each in one.roles],
        retired=one.retired,
        used=one.used,
        version=one.version,
    )


def _value_proto(wish: AttributeValueInput, number: int) -> pb.AttributeValue:
    said = {
        "text": wish.text,
        "number": wish.number,
        "boolean": wish.boolean,
        "date": wish.date,
        "choice": wish.choice,
        "choices": None if wish.choices is None else pb.AttributeChosen(codes=wish.choices),
    }
    given = {name: value for name, value in said.items() if value is not None}
    if len(given) > 1:
        raise TwoValuesError(field=f"values.{number}", names=" and ".join(given))
    return pb.AttributeValue(code=wish.code, **given)  # type: ignore[arg-type]  # each as its field has it


def _value(one: pb.AttributeValue) -> AttributeValue:
    said = one.WhichOneof("value")
    chosen = {"choice": [one.choice], "choices": list(one.choices.codes)}
    return AttributeValue(
        code=one.code,
        text=one.text if said == "text" else None,
        number=one.number if said == "number" else None,
        boolean=one.boolean if said == "boolean" else None,
        date=one.date if said == "date" else None,
        choices=chosen.get(said or ""),
    )
