"""The Directory servicer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from protos.members.v1 import directory_pb2 as pb
from protos.members.v1 import directory_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import to_timestamp
from services.members.domain.brands import Brand, check_brands
from services.members.domain.coded import InvalidCodedError
from services.members.domain.codes import InvalidQrCodeError, Place, Spot
from services.members.domain.partners import Partner, PartnerState, check_partners
from services.members.domain.regions import Region, check_regions
from services.members.rpc.pages import decoded, encoded, size
from services.members.rpc.places import store_proto
from services.members.usecases.chains import ChainFinder
from services.members.usecases.coded import Listed, save_listed
from services.members.usecases.codes import (
    CodeDesk,
    Resolved,
    create_qr_codes,
    list_qr_codes,
    resolve_qr_code,
    revoke_qr_code,
)

STATES = {pb.PartnerState.Value(f"PARTNER_STATE_{state.name}"): state for state in PartnerState}
SPOTS = {pb.Spot.Value(f"SPOT_{spot.name}"): spot for spot in Spot}

_STATE_OF = {state: number for number, state in STATES.items()}
_SPOT_OF = {spot: number for number, spot in SPOTS.items()}


@dataclass(frozen=True, slots=True)
class DirectoryServicer(directory_pb2_grpc.DirectoryServicer):
    """protos/members/v1/directory.proto."""

    chains: ChainFinder
    brands: Listed[Brand]
    regions: Listed[Region]
    partners: Listed[Partner]
    codes: CodeDesk
    clocks: ChainClocks

    async def SaveBrands(self, request: pb.SaveBrandsRequest, _context: Any) -> pb.SaveBrandsResponse:  # noqa: N802 - gRPC's name
        """Add or change brands."""
        who = caller()
        saved = await save_listed(
            [Brand(one.code, one.name) for one in request.brands],
            check=check_brands,
            things="brands",
            caller=who,
            now=await self.clocks.now(who.chain),
            chains=self.chains,
            listed=self.brands,
            traceparent=current_traceparent(),
        )
        return pb.SaveBrandsResponse(brands=[_brand_proto(one) for one in saved])

    async def ListBrands(self, _request: pb.ListBrandsRequest, _context: Any) -> pb.ListBrandsResponse:  # noqa: N802 - gRPC's name
        """Show brands."""
        return pb.ListBrandsResponse(brands=[_brand_proto(one) for one in await self.brands.every(caller().chain)])

    async def SaveRegions(self, request: pb.SaveRegionsRequest, _context: Any) -> pb.SaveRegionsResponse:  # noqa: N802 - gRPC's name
        """Add or change regions."""
        who = caller()
        saved = await save_listed(
            [Region(one.code, one.name, one.parent) for one in request.regions],
            check=check_regions,
            things="regions",
            caller=who,
            now=await self.clocks.now(who.chain),
            chains=self.chains,
            listed=self.regions,
            traceparent=current_traceparent(),
        )
        return pb.SaveRegionsResponse(regions=[_region_proto(one) for one in saved])

    async def ListRegions(self, _request: pb.ListRegionsRequest, _context: Any) -> pb.ListRegionsResponse:  # noqa: N802 - gRPC's name
        """Show regions."""
        return pb.ListRegionsResponse(regions=[_region_proto(one) for one in await self.regions.every(caller().chain)])

    async def SavePartners(self, request: pb.SavePartnersRequest, _context: Any) -> pb.SavePartnersResponse:  # noqa: N802 - gRPC's name
        """Add or change partners."""
        who = caller()
        saved = await save_listed(
            [_partner(one, number) for number, one in enumerate(request.partners)],
            check=check_partners,
            things="partners",
            caller=who,
            now=await self.clocks.now(who.chain),
            chains=self.chains,
            listed=self.partners,
            traceparent=current_traceparent(),
        )
        return pb.SavePartnersResponse(partners=[_partner_proto(one) for one in saved])

    async def ListPartners(self, _request: pb.ListPartnersRequest, _context: Any) -> pb.ListPartnersResponse:  # noqa: N802 - gRPC's name
        """Show partners."""
        partners = await self.partners.every(caller().chain)
        return pb.ListPartnersResponse(partners=[_partner_proto(one) for one in partners])

    async def CreateQrCodes(self, request: pb.CreateQrCodesRequest, _context: Any) -> pb.CreateQrCodesResponse:  # noqa: N802 - gRPC's name
        """Make codes."""
        who = caller()
        codes = await create_qr_codes(
            request.store_id,
            [_place(one, number) for number, one in enumerate(request.places)],
            key=request.key,
            caller=who,
            now=await self.clocks.now(who.chain),
            desk=self.codes,
        )
        return pb.CreateQrCodesResponse(codes=[one.code for one in codes])

    async def GetQrCode(self, request: pb.GetQrCodeRequest, _context: Any) -> pb.GetQrCodeResponse:  # noqa: N802 - gRPC's name
        """Tell where a code hangs."""
        who = caller()
        found = await resolve_qr_code(request.code, caller=who, desk=self.codes)
        return pb.GetQrCodeResponse(code=_code_proto(found, await self.clocks.now(who.chain)))

    async def ListQrCodes(self, request: pb.ListQrCodesRequest, _context: Any) -> pb.ListQrCodesResponse:  # noqa: N802 - gRPC's name
        """Show a page of a store's codes."""
        who = caller()
        found, end = await list_qr_codes(
            request.store_id,
            first=size(request.page),
            after=decoded(request.page.after),
            caller=who,
            desk=self.codes,
        )
        now = await self.clocks.now(who.chain)
        return pb.ListQrCodesResponse(codes=[_code_proto(one, now) for one in found], end_cursor=encoded(end))

    async def RevokeQrCode(self, request: pb.RevokeQrCodeRequest, _context: Any) -> pb.RevokeQrCodeResponse:  # noqa: N802 - gRPC's name
        """Make a code worthless."""
        who = caller()
        now = await self.clocks.now(who.chain)
        found = await revoke_qr_code(request.code, caller=who, now=now, desk=self.codes)
        return pb.RevokeQrCodeResponse(code=_code_proto(found, now))


def _brand_proto(brand: Brand) -> pb.Brand:
    return pb.Brand(code=brand.code, name=brand.name, version=brand.version)


def _region_proto(region: Region) -> pb.Region:
    return pb.Region(code=region.code, name=region.name, parent=region.parent, version=region.version)


def _partner(partner: pb.Partner, number: int) -> Partner:
    if (state := STATES.get(partner.state)) is None:
        raise InvalidCodedError(field=f"partners.{number}.state", why="a partner is active or paused")
    return Partner(partner.code, partner.name, state)


def _partner_proto(partner: Partner) -> pb.Partner:
    return pb.Partner(code=partner.code, name=partner.name, state=_STATE_OF[partner.state], version=partner.version)


def _place(place: pb.Place, number: int) -> Place:
    if (spot := SPOTS.get(place.spot)) is None:
        raise InvalidQrCodeError(field=f"places.{number}.spot", why="say what the code hangs on")
    return Place(spot, place.label)


def _code_proto(found: Resolved, now: datetime) -> pb.QrCode:
    code = found.code
    return pb.QrCode(
        code=code.code,
        store=store_proto(found.store, now=now),
        place=pb.Place(spot=_SPOT_OF[code.place.spot], label=code.place.label),
        good=found.good,
        created_at=to_timestamp(code.created_at),
        revoked_at=None if code.revoked_at is None else to_timestamp(code.revoked_at),
    )
