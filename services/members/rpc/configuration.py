"""The Configurations servicer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from protos.members.v1 import configuration_pb2 as pb
from protos.members.v1 import configuration_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.members.domain.configuration.comparing import Difference
from services.members.domain.configuration.kinds import InvalidConfigurationError, Part
from services.members.usecases.configuration import (
    Compared,
    ConfigurationDesk,
    apply_configuration,
    compare_configuration,
    export_configuration,
)

PARTS = {pb.ConfigurationPart.Value(f"CONFIGURATION_PART_{part.name}"): part for part in Part}

_PART_OF = {part: number for number, part in PARTS.items()}
_DIFFERENCE_OF = {one: pb.Difference.Value(f"DIFFERENCE_{one.name}") for one in Difference}


@dataclass(frozen=True, slots=True)
class ConfigurationsServicer(configuration_pb2_grpc.ConfigurationsServicer):
    """protos/members/v1/configuration.proto."""

    desk: ConfigurationDesk
    clocks: ChainClocks

    async def ExportConfiguration(  # noqa: N802 - gRPC's name
        self, _request: pb.ExportConfigurationRequest, _context: Any
    ) -> pb.ExportConfigurationResponse:
        """Write the configuration down."""
        return pb.ExportConfigurationResponse(document=await export_configuration(caller=caller(), desk=self.desk))

    async def CompareConfiguration(  # noqa: N802 - gRPC's name
        self, request: pb.CompareConfigurationRequest, _context: Any
    ) -> pb.CompareConfigurationResponse:
        """Tell what a document would change."""
        found = await compare_configuration(
            request.document, parts=_parts(request.parts), caller=caller(), desk=self.desk
        )
        return pb.CompareConfigurationResponse(compared=_compared(found))

    async def ApplyConfiguration(  # noqa: N802 - gRPC's name
        self, request: pb.ApplyConfigurationRequest, _context: Any
    ) -> pb.ApplyConfigurationResponse:
        """Make the chain as a document says."""
        who = caller()
        done = await apply_configuration(
            request.document,
            key=request.key,
            parts=_parts(request.parts),
            dry_run=request.dry_run,
            caller=who,
            now=await self.clocks.now(who.chain),
            desk=self.desk,
            traceparent=current_traceparent(),
        )
        if done is None:
            return pb.ApplyConfigurationResponse(repeated_call=True)
        return pb.ApplyConfigurationResponse(compared=_compared(done))


def _parts(numbers: Sequence[pb.ConfigurationPart.ValueType]) -> list[Part]:
    if unknown := [number for number in numbers if number not in PARTS]:
        raise InvalidConfigurationError(field="parts", why=f"there is no part {unknown[0]}")
    return [PARTS[number] for number in dict.fromkeys(numbers)]


def _compared(compared: Compared) -> pb.Compared:
    return pb.Compared(
        counts=[
            pb.ConfigurationCount(
                part=_PART_OF[one.part],
                added=one.added,
                changed=one.changed,
                unchanged=one.unchanged,
                only_in_chain=one.only_in_chain,
            )
            for one in compared.counts
        ],
        lines=[
            pb.ConfigurationLine(
                part=_PART_OF[one.part],
                code=one.code,
                difference=_DIFFERENCE_OF[one.difference],
                field=one.field,
                before=one.before,
                after=one.after,
            )
            for one in compared.lines
        ],
    )
