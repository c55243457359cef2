"""The members service: builds everything from its config and runs it."""

from functools import partial
from secrets import token_bytes

from protos.members.v1 import (
    account_managers_pb2,
    attributes_pb2,
    cards_pb2,
    care_pb2,
    chains_pb2,
    configuration_pb2,
    directory_pb2,
    follow_ups_pb2,
    jobs_pb2,
    members_pb2,
    notes_pb2,
    staff_pb2,
)
from protos.members.v1.account_managers_pb2_grpc import add_ManagersServicer_to_server
from protos.members.v1.attributes_pb2_grpc import add_AttributesServicer_to_server
from protos.members.v1.cards_pb2_grpc import add_CardsServicer_to_server
from protos.members.v1.care_pb2_grpc import add_CareServicer_to_server
from protos.members.v1.chains_pb2_grpc import add_ChainsServicer_to_server
from protos.members.v1.configuration_pb2_grpc import add_ConfigurationsServicer_to_server
from protos.members.v1.directory_pb2_grpc import add_DirectoryServicer_to_server
from protos.members.v1.follow_ups_pb2_grpc import add_FollowUpsServicer_to_server
from protos.members.v1.jobs_pb2_grpc import add_MemberJobsServicer_to_server
from protos.members.v1.members_pb2_grpc import add_MembersServicer_to_server
from protos.members.v1.notes_pb2_grpc import add_NotesServicer_to_server
from protos.members.v1.staff_pb2_grpc import add_StaffServicer_to_server
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
from services.members.consumers import CreditHandler, Handlers, PortraitHandler
from services.members.domain.enrollment import Enroll, Enrolled
from services.members.jobs import forget_again, rewrap_keys
from services.members.rpc.account_managers import ManagersServicer
from services.members.rpc.attributes import AttributesServicer
from services.members.rpc.cards import CardsServicer
from services.members.rpc.care import CareServicer
from services.members.rpc.chains import ChainsServicer
from services.members.rpc.configuration import ConfigurationsServicer
from services.members.rpc.directory import DirectoryServicer
from services.members.rpc.follow_ups import FollowUpsServicer
from services.members.rpc.imports import ImportDesks
from services.members.rpc.jobs import MemberJobsServicer
from services.members.rpc.members import MembersServicer
from services.members.rpc.notes import NotesServicer
from services.members.rpc.records import Records
from services.members.rpc.staff import StaffServicer
from services.members.store.account_managers import MongoManagers
from services.members.store.api_keys import MongoApiKeys
from services.members.store.attributes import MongoAttributes
from services.members.store.cards import MongoCards
from services.members.store.chains import MongoChains
from services.members.store.coded import mongo_brands, mongo_partners, mongo_regions
from services.members.store.codes import MongoQrCodes
from services.members.store.commands import MongoCommands
from services.members.store.consents import MongoConsents
from services.members.store.credits import MongoCredits
from services.members.store.enrollment import MongoRoll
from services.members.store.erasures import ErasuresKept
from services.members.store.follow_ups import MongoFollowUps
from services.members.store.households import MongoHouseholds
from services.members.store.imports import MongoImports
from services.members.store.looks import MongoLooks
from services.members.store.members import MongoMembers
from services.members.store.menu import MongoMenu
from services.members.store.migrations import migrations
from services.members.store.notes import MongoNotes
from services.members.store.portraits import MongoPortraits
from services.members.store.staff import MongoNamed, MongoStaff
from services.members.store.staff_settings import MongoStaffSettings
from services.members.store.stores import MongoStores
from services.members.store.targets import MongoTargets
from services.members.store.timeline import MongoTimelines
from services.members.store.units import MongoUnits
from services.members.store.vault import Vault
from services.members.usecases.account_managers import ManagerDesk
from services.members.usecases.api_keys import KeyDesk
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.codes import CodeDesk
from services.members.usecases.configuration import ConfigurationDesk
from services.members.usecases.enrollment import Desk, commit
from services.members.usecases.follow_ups import FollowUpDesk
from services.members.usecases.households import HouseholdDesk
from services.members.usecases.imports import ConsentBook, ImportDesk, NoConsentBook
from services.members.usecases.leaderboards import BoardDesk
from services.members.usecases.members import MemberFinder
from services.members.usecases.staff import StaffDesk


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
    jobs = Jobs(
        [rewrap_keys(vault), forget_again(ErasuresKept(chassis.database, vault), chassis.clocks)], chassis.leases()
    )
    return chassis.service(
        migrations=migrations(vault),
        servicers=registrations,
        handle=Handlers(
            PortraitHandler(partial(MongoPortraits, chassis.database)),
            CreditHandler(partial(MongoCredits, chassis.database)),
        ),
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
    chains, members = MongoChains(database, vault), MongoMembers(database, vault)
    stores, cards = MongoStores(database, outbox), MongoCards(database, vault)
    changes = ChangeDesk(chains=chains, units=MongoUnits(database, vault, outbox), make_id=make_id, payer_key=payer_key)
    looks = MongoLooks(database)
    for_members = MembersServicer(
        desk=Desk(chains=chains, batches=enrollments, make_id=make_id),
        ids=members,
        stores=stores,
        clocks=clocks,
        changes=changes,
        records=Records(looks=looks, timelines=MongoTimelines(database), erasures=vault),
        cards=cards,
    )
    for_care = CareServicer(
        changes=changes, clocks=clocks, members=members, looks=looks, consents=MongoConsents(database)
    )
    for_cards = CardsServicer(cards=cards, clocks=clocks, random_bytes=token_bytes)
    keys = KeyDesk(chains=chains, stores=stores, members=members, keys=MongoApiKeys(database))
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
        (add_MembersServicer_to_server, for_members, members_pb2.DESCRIPTOR.services_by_name["Members"]),
        (add_CardsServicer_to_server, for_cards, cards_pb2.DESCRIPTOR.services_by_name["Cards"]),
        (add_CareServicer_to_server, for_care, care_pb2.DESCRIPTOR.services_by_name["Care"]),
        *_caring(database, vault, changes=changes, members=members, clocks=clocks),
        (add_MemberJobsServicer_to_server, for_jobs, jobs_pb2.DESCRIPTOR.services_by_name["MemberJobs"]),
        *_of_the_chain(database, outbox, chains=chains, keys=keys, clock=clock, clocks=clocks),
    ]


def _caring(
    database: Database, vault: Vault, *, changes: ChangeDesk, members: MongoMembers, clocks: ChainClocks
) -> list[Servicer]:
    """Return what answers calls about how members are looked after, consents apart."""
    looks = MongoLooks(database)
    for_attributes = AttributesServicer(
        changes=changes, clocks=clocks, members=members, definitions=MongoAttributes(database), looks=looks
    )
    for_notes = NotesServicer(
        changes=changes, clocks=clocks, members=members, notes=MongoNotes(database, vault), looks=looks
    )
    for_follow_ups = FollowUpsServicer(
        changes=changes, clocks=clocks, desk=FollowUpDesk(members, MongoFollowUps(database, vault), looks)
    )
    attributes = attributes_pb2.DESCRIPTOR.services_by_name["Attributes"]
    follow_ups = follow_ups_pb2.DESCRIPTOR.services_by_name["FollowUps"]
    return [
        (add_AttributesServicer_to_server, for_attributes, attributes),
        (add_NotesServicer_to_server, for_notes, notes_pb2.DESCRIPTOR.services_by_name["Notes"]),
        (add_FollowUpsServicer_to_server, for_follow_ups, follow_ups),
    ]


def _of_the_chain(
    database: Database, outbox: Outbox, *, chains: MongoChains, keys: KeyDesk, clock: Clock, clocks: ChainClocks
) -> list[Servicer]:
    """Return what answers calls about the chain itself: its stores, its menu, its staff."""
    stores = MongoStores(database, outbox)
    configuration = _configuration(database, outbox, chains=chains, stores=stores)
    for_managers = ManagersServicer(
        ManagerDesk(chains, keys.members, MongoManagers(database), stores, MongoNamed(database)), clocks
    )
    for_chains = ChainsServicer(
        chains=chains,
        menu=configuration.menu,
        partners=mongo_partners(database, outbox),
        keys=keys,
        clock=clock,
        clocks=clocks,
        make_id=make_id,
        random_bytes=token_bytes,
    )
    for_directory = DirectoryServicer(
        chains=chains,
        brands=configuration.brands,
        regions=configuration.regions,
        partners=configuration.partners,
        codes=CodeDesk(MongoQrCodes(database), stores, random_bytes=token_bytes),
        clocks=clocks,
    )
    for_staff = _staff_servicer(database, outbox, chains=chains, members=keys.members, stores=stores, clocks=clocks)
    configurations = configuration_pb2.DESCRIPTOR.services_by_name["Configurations"]
    return [
        (add_ChainsServicer_to_server, for_chains, chains_pb2.DESCRIPTOR.services_by_name["Chains"]),
        (add_DirectoryServicer_to_server, for_directory, directory_pb2.DESCRIPTOR.services_by_name["Directory"]),
        (add_ConfigurationsServicer_to_server, ConfigurationsServicer(configuration, clocks), configurations),
        (add_ManagersServicer_to_server, for_managers, account_managers_pb2.DESCRIPTOR.services_by_name["Managers"]),
        (add_StaffServicer_to_server, for_staff, staff_pb2.DESCRIPTOR.services_by_name["Staff"]),
    ]


def _configuration(
    database: Database, outbox: Outbox, *, chains: MongoChains, stores: MongoStores
) -> ConfigurationDesk:
    return ConfigurationDesk(
        chains=chains,
        brands=mongo_brands(database, outbox),
        regions=mongo_regions(database, outbox),
        partners=mongo_partners(database, outbox),
        stores=stores,
        menu=MongoMenu(database, outbox),
        commands=MongoCommands(database),
        make_id=make_id,
    )


def _staff_servicer(
    database: Database,
    outbox: Outbox,
    *,
    chains: MongoChains,
    members: MemberFinder,
    stores: MongoStores,
    clocks: ChainClocks,
) -> StaffServicer:
    staff = MongoStaff(database, outbox)
    desk = StaffDesk(
        chains=chains,
        staff=staff,
        settings=MongoStaffSettings(database),
        stores=stores,
        members=members,
        named=MongoNamed(database),
        make_id=make_id,
    )
    return StaffServicer(desk, BoardDesk(staff, stores, MongoTargets(database)), clocks)


if __name__ == "__main__":
    main("members", build)
