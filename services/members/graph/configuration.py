"""A chain's configuration as one document, over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import configuration_pb2 as pb
from protos.members.v1.configuration_pb2_grpc import ConfigurationsStub
from services.kit.graph import INPUT, Info, UserError, field, mutation
from services.members.graph.saving import WRITERS

LONG_S = 35.0
"""All of a large chain's stores in one transaction take some seconds."""


@strawberry.enum(description="The parts of a configuration, in the order in which they name each other.")
class ConfigurationPart(Enum):
    """Parts, named as in the proto."""

    BRANDS = strawberry.enum_value("BRANDS", description="Brands.")
    REGIONS = strawberry.enum_value("REGIONS", description="Regions.")
    PARTNERS = strawberry.enum_value("PARTNERS", description="Partners.")
    STORES = strawberry.enum_value("STORES", description="Stores.")
    MENU = strawberry.enum_value("MENU", description="Menu items.")


@strawberry.enum(description="How a thing of a document differs from the chain's.")
class ConfigurationDifference(Enum):
    """Differences, named as in the proto."""

    ADDED = strawberry.enum_value("ADDED", description="The chain lacks it.")
    CHANGED = strawberry.enum_value("CHANGED", description="A field of it is another.")
    ONLY_IN_CHAIN = strawberry.enum_value(
        "ONLY_IN_CHAIN", description="The document's part lacks it. It stays: nothing is ever deleted."
    )


@strawberry.type(description="A chain's configuration.")
class ChainConfiguration:
    """The document."""

    document: str = strawberry.field(
        description="JSON of the format 1, sorted: equal chains give equal texts. It has codes, and no ids."
    )


@strawberry.type(description="One difference.")
class ConfigurationLine:
    """A line."""

    part: ConfigurationPart = strawberry.field(description="Of which part.")
    code: str = strawberry.field(description="Of what.")
    difference: ConfigurationDifference = strawberry.field(description="How it differs.")
    field: str | None = strawberry.field(description='Which field, like "address.city"; null: the whole.')
    before: str | None = strawberry.field(description="What the chain has, as JSON; null: nothing.")
    after: str | None = strawberry.field(description="What the document has, as JSON; null: nothing.")


@strawberry.type(description="How much of a part differs.")
class ConfigurationCount:
    """A count."""

    part: ConfigurationPart = strawberry.field(description="Of which part.")
    added: int = strawberry.field(description="What the chain lacks.")
    changed: int = strawberry.field(description="What is otherwise in the chain.")
    unchanged: int = strawberry.field(description="What is as it should be.")
    only_in_chain: int = strawberry.field(description="What the document lacks, and stays.")


@strawberry.type(description="What a document would change in the chain.")
class ChainConfigurationDiff:
    """A comparison."""

    counts: list[ConfigurationCount] = strawberry.field(description="Of each part that the document has.")
    lines: list[ConfigurationLine] = strawberry.field(description="The first 5,000, by part and code.")


@strawberry.input(description="A configuration to be made true.")
class ApplyChainConfigurationInput:
    """An application."""

    key: str = strawberry.field(
        description="The command key, 8 to 128 characters: a new one for each wish, the same one for each try."
    )
    document: str = strawberry.field(
        description="As `chainConfiguration` gives it. A part that is left out stays as it is; in a part, a thing is "
        "as it stands there, with nothing in the fields that are left out."
    )
    parts: list[ConfigurationPart] = strawberry.field(
        default_factory=list, description="Only these; empty: all. Each is all or nothing, after the whole was checked."
    )
    dry_run: bool = strawberry.field(default=False, description="Check everything, and change nothing.")


@strawberry.enum(description="Why a configuration was not applied.")
class ConfigurationErrorCode(Enum):
    """Codes of `ConfigurationError`."""

    INVALID = strawberry.enum_value("INVALID", description="Something in it is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    INVALID_CONFIGURATION = strawberry.enum_value(
        "INVALID_CONFIGURATION", description="The document cannot be read; `field` says where."
    )
    OTHER_CURRENCY = strawberry.enum_value("OTHER_CURRENCY", description="The chain sells in another currency.")
    INVALID_STORE = strawberry.enum_value("INVALID_STORE", description="No store can be like that.")
    INVALID_HOURS = strawberry.enum_value("INVALID_HOURS", description="No store can be open like that.")
    INVALID_PLACE = strawberry.enum_value("INVALID_PLACE", description="No store can be there.")
    INVALID_MENU_ITEM = strawberry.enum_value("INVALID_MENU_ITEM", description="No menu item can be like that.")
    BRAND_NOT_FOUND = strawberry.enum_value("BRAND_NOT_FOUND", description="Neither has this brand.")
    REGION_NOT_FOUND = strawberry.enum_value("REGION_NOT_FOUND", description="Neither has this region.")
    REGION_CYCLE = strawberry.enum_value("REGION_CYCLE", description="A region would lie within itself.")
    TOO_MANY_IN_CHAIN = strawberry.enum_value("TOO_MANY_IN_CHAIN", description="More than a chain can have.")
    TOO_MANY_STORES = strawberry.enum_value("TOO_MANY_STORES", description="More than a chain can have.")
    TOO_MANY_MENU_ITEMS = strawberry.enum_value("TOO_MANY_MENU_ITEMS", description="More than a chain can have.")


@strawberry.type(description="Why a configuration was not applied.")
class ConfigurationError(UserError):
    """An item of `userErrors`."""

    code: ConfigurationErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="What was changed, or why nothing was.")
class ApplyChainConfigurationPayload:
    """An applied configuration."""

    user_errors: list[ConfigurationError] = strawberry.field(description="Empty: the chain is as it should be.")
    diff: ChainConfigurationDiff | None = strawberry.field(
        default=None, description="What was changed, or in a dry run would be; null when the key had been used before."
    )
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used for the same before, and nothing was done now."
    )


DOCUMENT = strawberry.argument(description="As `chainConfiguration` gives it.")
PARTS = strawberry.argument(description="Only these; empty: all that the document has.")


@strawberry.type
class ChainConfigurationQuery:
    """Asking."""

    @field(WRITERS, description="Brands, regions, partners, stores and menu as one document.")
    async def chain_configuration(self, info: Info) -> ChainConfiguration:
        """Ask for the document."""
        members = info.context.channel("members")
        method = members.stub(ConfigurationsStub).ExportConfiguration
        answer = await members.ask(method, pb.ExportConfigurationRequest(), timeout_s=LONG_S)
        return ChainConfiguration(document=answer.document)

    @field(WRITERS, description="What a document would change.")
    async def chain_configuration_diff(
        self,
        info: Info,
        document: Annotated[str, DOCUMENT],
        parts: Annotated[list[ConfigurationPart], PARTS] = (),  # type: ignore[assignment]  # a list that nobody changes
    ) -> ChainConfigurationDiff:
        """Compare."""
        members = info.context.channel("members")
        request = pb.CompareConfigurationRequest(document=document, parts=[_number(part) for part in parts])
        method = members.stub(ConfigurationsStub).CompareConfiguration
        return _diff((await members.ask(method, request, timeout_s=LONG_S)).compared)


@strawberry.type
class ChainConfigurationMutation:
    """Applying. The key makes it safe to send again."""

    @mutation(WRITERS, description="Makes the chain as a document says. What only the chain has stays.")
    async def apply_chain_configuration(
        self, info: Info, wish: Annotated[ApplyChainConfigurationInput, INPUT]
    ) -> ApplyChainConfigurationPayload:
        """Apply."""
        members = info.context.channel("members")
        request = pb.ApplyConfigurationRequest(
            key=wish.key,
            document=wish.document,
            parts=[_number(part) for part in wish.parts],
            dry_run=wish.dry_run,
        )
        method = members.stub(ConfigurationsStub).ApplyConfiguration
        answer = await members.ask(method, request, timeout_s=LONG_S)
        diff = None if answer.repeated_call else _diff(answer.compared)
        return ApplyChainConfigurationPayload(user_errors=[], diff=diff, repeated_call=answer.repeated_call)


def _number(part: ConfigurationPart) -> pb.ConfigurationPart.ValueType:
    return pb.ConfigurationPart.Value(f"CONFIGURATION_PART_{part.name}")


def _part(number: pb.ConfigurationPart.ValueType) -> ConfigurationPart:
    return ConfigurationPart[pb.ConfigurationPart.Name(number).removeprefix("CONFIGURATION_PART_")]


def _diff(compared: pb.Compared) -> ChainConfigurationDiff:
    return ChainConfigurationDiff(
        counts=[
            ConfigurationCount(
                part=_part(one.part),
                added=one.added,
                changed=one.changed,
                unchanged=one.unchanged,
                only_in_chain=one.only_in_chain,
            )
            for one in compared.counts
        ],
        lines=[
            ConfigurationLine(
                part=_part(one.part),
                code=one.code,
                difference=ConfigurationDifference[pb.Difference.Name(one.difference).removeprefix("DIFFERENCE_")],
                field=one.field or None,
                before=one.before or None,
                after=one.after or None,
            )
            for one in compared.lines
        ],
    )
