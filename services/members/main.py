"""The members service: builds everything from its config and runs it."""

from functools import partial
from secrets import token_bytes

from protos.members.v1 import chains_pb2, jobs_pb2, members_pb2
from protos.members.v1.chains_pb2_grpc import add_ChainsServicer_to_server
from protos.members.v1.jobs_pb2_grpc import add_MemberJobsServicer_to_server
from protos.members.v1.members_pb2_grpc import add_MembersServicer_to_server
from services.kit.chain_clocks import ChainClocks
from services.kit.chassis import Chassis
from services.kit.clock import Clock
from services.kit.config import ServiceConfig
from services.kit.group_commit import GroupCommit
from services.kit.ids import make_id
from services.kit.jobs import Jobs
from services.kit.keys import load_identity_key, load_wrapping_keys
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import Outbox
from services.kit.rpc.server import Servicer
from services.kit.service import Service, main
from services.members.consumers import PortraitHandler
from services.members.domain.enrollment import Enroll, Enrolled
from services.members.jobs import rewrap_keys
from services.members.rpc.chains import ChainsServicer
from services.members.rpc.imports import ImportDesks
from services.members.rpc.jobs import MemberJobsServicer
from services.members.rpc.members import MembersServicer
from services.members.rpc.records import Records
from services.members.store.api_keys import MongoApiKeys
from services.members.store.chains import MongoChains
from services.members.store.enrollment import MongoRoll
from services.members.store.households import MongoHouseholds
from services.members.store.imports import MongoImports
from services.members.store.looks import MongoLooks
from services.members.store.members import MongoMembers
from services.members.store.menu import MongoMenu
from services.members.store.migrations import migrations
from services.members.store.portraits import MongoPortraits
from services.members.store.stores import MongoStores
from services.members.store.timeline import MongoTimelines
from services.members.store.units import MongoUnits
from services.members.store.vault import Vault
from services.members.usecases.api_keys import KeyDesk
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.enrollment import Desk, commit
from services.members.usecases.households import HouseholdDesk
from services.members.usecases.imports import ConsentBook, ImportDesk, NoConsentBook


def build(config: ServiceConfig) -> Service:
    """Return the members service."""
    chassis = Chassis.of(config)
    vault = Vault(chassis.database, load_wrapping_keys(config.keys_dir), random_bytes=token_bytes)
    enrollments, registrations = servicers(
        chassis.database,
        vault,
        chassis.outbox,
        clock=chassis.clock,
        clocks=chassis.clocks,
        payer_key=load_identity_key(config.keys_dir),
    )
    jobs = Jobs([rewrap_keys(vault)], chassis.leases())
    return chassis.service(
        migrations=migrations(vault),
        servicers=registrations,
        handle=PortraitHandler(partial(MongoPortraits, chassis.database)),
        parts=[enrollments, jobs],
    )


def servicers(
    database: Database,
    vault: Vault,
    outbox: Outbox,
    *,
    clock: Clock,
    clocks: ChainClocks,
    payer_key: bytes,
    consents: ConsentBook | None = None,
) -> tuple[GroupCommit[Enroll, Enrolled], list[Servicer]]:
    """Return the group commit, which must be started first, and what answers calls."""
    enrollments = GroupCommit(partial(commit, roll=MongoRoll(database, vault, outbox)), name="enrollments")
    chains, members = MongoChains(database), MongoMembers(database, vault)
    stores = MongoStores(database, outbox)
    desk = KeyDesk(chains=chains, stores=stores, members=members, keys=MongoApiKeys(database))
    for_chains = ChainsServicer(
        chains=chains,
        menu=MongoMenu(database, outbox),
        keys=desk,
        clock=clock,
        clocks=clocks,
        make_id=make_id,
        random_bytes=token_bytes,
    )
    for_members = MembersServicer(
        desk=Desk(chains=chains, batches=enrollments, make_id=make_id),
        ids=members,
        stores=stores,
        clocks=clocks,
        changes=ChangeDesk(
            chains=chains, units=MongoUnits(database, vault, outbox), make_id=make_id, payer_key=payer_key
        ),
        records=Records(looks=MongoLooks(database), timelines=MongoTimelines(database), erasures=vault),
    )
    imports = MongoImports(database, vault, outbox)
    for_jobs = MemberJobsServicer(
        desks=ImportDesks(
            ImportDesk(chains=chains, units=imports, consents=consents or NoConsentBook(), make_id=make_id),
            HouseholdDesk(
                chains=chains, units=imports, found=MongoHouseholds(database), members=members, make_id=make_id
            ),
        ),
        clocks=clocks,
    )
    return enrollments, [
        (add_ChainsServicer_to_server, for_chains, chains_pb2.DESCRIPTOR.services_by_name["Chains"]),
        (add_MembersServicer_to_server, for_members, members_pb2.DESCRIPTOR.services_by_name["Members"]),
        (add_MemberJobsServicer_to_server, for_jobs, jobs_pb2.DESCRIPTOR.services_by_name["MemberJobs"]),
    ]


if __name__ == "__main__":
    main("members", build)
