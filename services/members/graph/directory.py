"""Brands, regions and partners over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import directory_pb2 as pb
from protos.members.v1.directory_pb2_grpc import DirectoryStub
from services.kit.graph import INPUT, Info, SafeInt, field, mutation
from services.members.graph.chains import EVERYBODY
from services.members.graph.saving import WRITERS, SaveError


@strawberry.type(description="A name under which stores and dishes go.")
class Brand:
    """A brand."""

    code: str = strawberry.field(description="The chain's own code.")
    name: str = strawberry.field(description="As people call it.")
    version: SafeInt = strawberry.field(description="Grows by one with every change.")


@strawberry.type(description="What stores lie in.")
class Region:
    """A region."""

    code: str = strawberry.field(description="The chain's own code.")
    name: str = strawberry.field(description="As people call it.")
    parent: str | None = strawberry.field(description="The code of the region that it lies in; null: none.")
    version: SafeInt = strawberry.field(description="Grows by one with every change.")


@strawberry.enum(description="Whether a partner's keys are good.")
class PartnerState(Enum):
    """States, named as in the proto."""

    ACTIVE = strawberry.enum_value("ACTIVE", description="They are.")
    PAUSED = strawberry.enum_value("PAUSED", description="They are not, until it is active again.")


@strawberry.type(description="Another brand, which calls with keys of its own.")
class Partner:
    """A partner."""

    code: str = strawberry.field(description="The chain's own code: the subject of the partner's keys.")
    name: str = strawberry.field(description="As people call it.")
    state: PartnerState = strawberry.field(description="Whether its keys are good.")
    version: SafeInt = strawberry.field(description="Grows by one with every change.")


@strawberry.input(description="A brand as it should be.")
class BrandInput:
    """A brand."""

    code: str = strawberry.field(description="The chain's own code; a known one changes that brand.")
    name: str = strawberry.field(description="As people call it.")


@strawberry.input(description="A region as it should be.")
class RegionInput:
    """A region."""

    code: str = strawberry.field(description="The chain's own code; a known one changes that region.")
    name: str = strawberry.field(description="As people call it.")
    parent: str | None = strawberry.field(
        default=None, description="The code of the region that it lies in, which may stand in this call; null: none."
    )


@strawberry.input(description="A partner as it should be.")
class PartnerInput:
    """A partner."""

    code: str = strawberry.field(description="The chain's own code; a known one changes that partner.")
    name: str = strawberry.field(description="As people call it.")
    state: PartnerState = strawberry.field(
        default=PartnerState.ACTIVE, description="Whether its keys are good; gateways follow within 5 seconds."
    )


@strawberry.input(description="Brands as they should be.")
class SaveBrandsInput:
    """Brands."""

    brands: list[BrandInput] = strawberry.field(description="All or none. A chain has up to 200.")


@strawberry.input(description="Regions as they should be.")
class SaveRegionsInput:
    """Regions."""

    regions: list[RegionInput] = strawberry.field(description="Up to 1,000, all or none.")


@strawberry.input(description="Partners as they should be.")
class SavePartnersInput:
    """Partners."""

    partners: list[PartnerInput] = strawberry.field(description="Up to 1,000, all or none.")


@strawberry.type(description="The brands, or why none was saved.")
class SaveBrandsPayload:
    """Saved brands."""

    user_errors: list[SaveError] = strawberry.field(description="Empty: they are as they should be.")
    brands: list[Brand] = strawberry.field(default_factory=list, description="In the order of the input.")


@strawberry.type(description="The regions, or why none was saved.")
class SaveRegionsPayload:
    """Saved regions."""

    user_errors: list[SaveError] = strawberry.field(description="Empty: they are as they should be.")
    regions: list[Region] = strawberry.field(default_factory=list, description="In the order of the input.")


@strawberry.type(description="The partners, or why none was saved.")
class SavePartnersPayload:
    """Saved partners."""

    user_errors: list[SaveError] = strawberry.field(description="Empty: they are as they should be.")
    partners: list[Partner] = strawberry.field(default_factory=list, description="In the order of the input.")


@strawberry.type
class DirectoryQuery:
    """Asking for the chain's lists."""

    @field(EVERYBODY, description="All brands of the chain.")
    async def brands(self, info: Info) -> list[Brand]:
        """Ask for the brands."""
        members = info.context.channel("members")
        answer = await members.ask(members.stub(DirectoryStub).ListBrands, pb.ListBrandsRequest())
        return [_brand(one) for one in answer.brands]

    @field(EVERYBODY, description="All regions of the chain.")
    async def regions(self, info: Info) -> list[Region]:
        """Ask for the regions."""
        members = info.context.channel("members")
        answer = await members.ask(members.stub(DirectoryStub).ListRegions, pb.ListRegionsRequest())
        return [_region(one) for one in answer.regions]

    @field(WRITERS, description="All partners of the chain.")
    async def partners(self, info: Info) -> list[Partner]:
        """Ask for the partners."""
        members = info.context.channel("members")
        answer = await members.ask(members.stub(DirectoryStub).ListPartners, pb.ListPartnersRequest())
        return [_partner(one) for one in answer.partners]


@strawberry.type
class DirectoryMutation:
    """Saving. To save the same again changes nothing, so these go as calls that may be repeated."""

    @mutation(WRITERS, description="Adds or changes brands, by their code.")
    async def save_brands(self, info: Info, wish: Annotated[SaveBrandsInput, INPUT]) -> SaveBrandsPayload:
        """Save brands."""
        members = info.context.channel("members")
        request = pb.SaveBrandsRequest(brands=[pb.Brand(code=one.code, name=one.name) for one in wish.brands])
        answer = await members.ask(members.stub(DirectoryStub).SaveBrands, request)
        return SaveBrandsPayload(user_errors=[], brands=[_brand(one) for one in answer.brands])

    @mutation(WRITERS, description="Adds or changes regions, by their code.")
    async def save_regions(self, info: Info, wish: Annotated[SaveRegionsInput, INPUT]) -> SaveRegionsPayload:
        """Save regions."""
        members = info.context.channel("members")
        regions = [pb.Region(code=one.code, name=one.name, parent=one.parent or "") for one in wish.regions]
        answer = await members.ask(members.stub(DirectoryStub).SaveRegions, pb.SaveRegionsRequest(regions=regions))
        return SaveRegionsPayload(user_errors=[], regions=[_region(one) for one in answer.regions])

    @mutation(WRITERS, description="Adds or changes partners, by their code.")
    async def save_partners(self, info: Info, wish: Annotated[SavePartnersInput, INPUT]) -> SavePartnersPayload:
        """Save partners."""
        members = info.context.channel("members")
        partners = [
            pb.Partner(code=one.code, name=one.name, state=pb.PartnerState.Value(f"PARTNER_STATE_{one.state.name}"))
            for one in wish.partners
        ]
        answer = await members.ask(members.stub(DirectoryStub).SavePartners, pb.SavePartnersRequest(partners=partners))
        return SavePartnersPayload(user_errors=[], partners=[_partner(one) for one in answer.partners])


def _brand(one: pb.Brand) -> Brand:
    return Brand(code=one.code, name=one.name, version=one.version)


def _region(one: pb.Region) -> Region:
    return Region(code=one.code, name=one.name, parent=one.parent or None, version=one.version)


def _partner(one: pb.Partner) -> Partner:
    state = PartnerState[pb.PartnerState.Name(one.state).removeprefix("PARTNER_STATE_")]
    return Partner(code=one.code, name=one.name, state=state, version=one.version)
