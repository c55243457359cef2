"""The campaigns service: builds everything from its config and runs it."""

from protos.campaigns.v1 import campaigns_pb2
from protos.campaigns.v1.campaigns_pb2_grpc import add_CampaignsServicer_to_server
from services.campaigns.consumers import NewsHandler
from services.campaigns.rpc import CampaignsServicer
from services.campaigns.store.coupons import MongoCoupons
from services.campaigns.store.member_records import sections
from services.campaigns.store.migrations import MIGRATIONS
from services.campaigns.usecases.merges import erase_member
from services.kit.chassis import Chassis
from services.kit.config import ServiceConfig
from services.kit.erasures import Erasure, ErasureClient, ForgetAgain
from services.kit.ids import make_id
from services.kit.jobs import Jobs
from services.kit.member_records import MemberRecordsServicer
from services.kit.mongo.database import Session
from services.kit.service import Service, main


def build(config: ServiceConfig) -> Service:
    """Return the campaigns service."""
    chassis = Chassis.of(config)
    coupons = MongoCoupons(chassis.database, chassis.outbox)
    servicer = CampaignsServicer(work=coupons, coupons=coupons, make_id=make_id, clocks=chassis.clocks)
    registration = add_CampaignsServicer_to_server, servicer, campaigns_pb2.DESCRIPTOR.services_by_name["Campaigns"]
    return chassis.service(
        migrations=MIGRATIONS,
        servicers=[registration, MemberRecordsServicer(sections(chassis.database)).registration],
        handle=NewsHandler(coupons.unit, make_id=make_id, clocks=chassis.clocks),
        parts=[Jobs([_forget_again(chassis, coupons).job], chassis.leases())],
    )


def _forget_again(chassis: Chassis, coupons: MongoCoupons) -> ForgetAgain:
    async def forget(chain: str, erased: Erasure, session: Session) -> None:
        await erase_member(chain, erased.member, at=erased.at, erasures=coupons.unit(session))

    source = ErasureClient(chassis.channel("members"), service="campaigns")
    return ForgetAgain(chassis.database, source, chassis.outbox, forget)


if __name__ == "__main__":
    main("campaigns", build)
