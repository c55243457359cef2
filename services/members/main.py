"""The members service: builds everything from its config and runs it."""

from functools import partial
from secrets import token_bytes

from protos.members.v1 import (
    activities_pb2,
    cards_pb2,
    care_pb2,
    chains_pb2,
    configuration_pb2,
    directory_pb2,
    duplicates_pb2,
    exports_pb2,
    jobs_pb2,
    members_pb2,
    referrals_pb2,
    reviews_pb2,
    staff_pb2,
)
from protos.members.v1.activities_pb2_grpc import add_ActivitiesServicer_to_server
from protos.members.v1.cards_pb2_grpc import add_CardsServicer_to_server
from protos.members.v1.care_pb2_grpc import add_CareServicer_to_server
from protos.members.v1.chains_pb2_grpc import add_ChainsServicer_to_server
from protos.members.v1.configuration_pb2_grpc import add_ConfigurationsServicer_to_server
from protos.members.v1.directory_pb2_grpc import add_DirectoryServicer_to_server
from protos.members.v1.duplicates_pb2_grpc import add_DuplicatesServicer_to_server
from protos.members.v1.exports_pb2_grpc import add_ExportsServicer_to_server
from protos.members.v1.jobs_pb2_grpc import add_MemberJobsServicer_to_server
from protos.members.v1.members_pb2_grpc import add_MembersServicer_to_server
from protos.members.v1.referrals_pb2_grpc import add_ReferralsServicer_to_server
from protos.members.v1.reviews_pb2_grpc import add_ReviewsServicer_to_server
from protos.members.v1.staff_pb2_grpc import add_StaffServicer_to_server
from services.kit.chain_clocks import ChainClocks
from services.kit.chassis import Chassis
from services.kit.clock import Clock
from services.kit.config import ServiceConfig
from services.kit.group_commit import GroupCommit
from services.kit.ids import make_id
from services.kit.jobs import Jobs
from services.kit.keys import load_identity_key, load_wrapping_keys
from services.kit.member_records import MemberRecordsServicer
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import Outbox
from services.kit.rpc.server import Servicer
from services.kit.service import Service, main
from services.members.consumers import Completer, CreditHandler, Handlers, PortraitHandler, Watch
from services.members.domain.enrollment import Enroll, Enrolled
from services.members.jobs import find_likely, forget_again, rewrap_keys, write_exports
from services.members.rpc.activities import ActivitiesServicer
from services.members.rpc.cards import CardsServicer
from services.members.rpc.care import CareServicer
from services.members.rpc.chains import ChainsServicer
from services.members.rpc.configuration import ConfigurationsServicer
from services.members.rpc.directory import DirectoryServicer
from services.members.rpc.duplicates import DuplicatesServicer
from services.members.rpc.exports import ExportsServicer
from services.members.rpc.imports import ImportDesks
from services.members.rpc.jobs import MemberJobsServicer
from services.members.rpc.members import MembersServicer
from services.members.rpc.records import Records
from services.members.rpc.referrals import ReferralsServicer
from services.members.rpc.reviews import ReviewsServicer
from services.members.rpc.staff import StaffServicer
from services.members.store.activities import MongoActivities
from services.members.store.api_keys import MongoApiKeys
from services.members.store.cards import MongoCards
from services.members.store.chains import MongoChains
from services.members.store.coded import mongo_brands, mongo_partners, mongo_regions
from services.members.store.codes import MongoQrCodes
from services.members.store.commands import MongoCommands
from services.members.store.completing import MongoCompleting
from services.members.store.consents import MongoConsents
from services.members.store.credits import MongoCredits
from services.members.store.duplicates import MongoLikenessUnits
from services.members.store.enrollment import MongoRoll
from services.members.store.erasures import ErasuresKept
from services.members.store.exports import MongoExports
from services.members.store.households import MongoHouseholds
from services.members.store.imports import MongoImports
from services.members.store.likenesses import MongoDuplicates
from services.members.store.looks import MongoLooks
from services.members.store.member_records import sections
from services.members.store.members import MongoMembers
from services.members.store.menu import MongoMenu
from services.members.store.migrations import migrations
from services.members.store.portraits import MongoPortraits
from services.members.store.referrals import MongoReferralBook
from services.members.store.reviews import MongoReviewRules, MongoReviews
from services.members.store.signals import MongoSignals
from services.members.store.staff import MongoNamed, MongoStaff
from services.members.store.staff_settings import MongoStaffSettings
from services.members.store.stores import MongoStores
from services.members.store.targets import MongoTargets
from services.members.store.timeline import MongoTimelines
from services.members.store.units import MongoUnits
from services.members.store.vault import Vault
from services.members.usecases.activities import ActivityDesk
from services.members.usecases.api_keys import KeyDesk
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.codes import CodeDesk
from services.members.usecases.configuration import ConfigurationDesk
from services.members.usecases.duplicates import DuplicateDesk
from services.members.usecases.enrollment import Desk, commit
from services.members.usecases.exports import ExportDesk
from services.members.usecases.households import HouseholdDesk
from services.members.usecases.imports import ImportDesk
from services.members.usecases.leaderboards import BoardDesk
from services.members.usecases.members import MemberFinder
from services.members.usecases.reviews import ReviewDesk
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
    exports = MongoExports(chassis.database, vault)
    jobs = Jobs(
        [
            rewrap_keys(vault),
            forget_again(ErasuresKept(chassis.database, vault), chassis.clocks),
            find_likely(
                MongoLikenessUnits(chassis.database, vault), MongoChains(chassis.database, vault), chassis.clocks
            ),
            write_exports(exports, clock=chassis.clock, clocks=chassis.clocks, make_id=make_id),
        ],
        chassis.leases(),
    )
    return chassis.service(
        migrations=migrations(vault),
        servicers=registrations,
        handle=Handlers(
            PortraitHandler(
                partial(MongoPortraits, chassis.database),
                Completer(partial(MongoCompleting, chassis.database, vault, chassis.outbox), chassis.clocks),
                Watch(partial(MongoSignals, chassis.database, chassis.outbox), chassis.clocks, make_id),
            ),
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
) -> tuple[GroupCommit[Enroll, Enrolled], list[Servicer]]:
    """Return the group commit, which must be started first, and what answers calls."""
    enrollments = GroupCommit(partial(commit, roll=MongoRoll(database, vault, outbox)), name="enrollments")
    chains, members = MongoChains(database, vault), MongoMembers(database, vault)
    stores, cards = MongoStores(database, outbox), MongoCards(database, vault)
    changes = ChangeDesk(chains=chains, units=MongoUnits(database, vault, outbox), make_id=make_id, payer_key=payer_key)
    looks = MongoLooks(database)
    for_members = MembersServicer(
        desk=Desk(chains=chains, batches=enrollments, codes=_codes(database, stores), make_id=make_id),
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
    for_referrals = ReferralsServicer(changes, MongoReferralBook(database), clocks, random_bytes=token_bytes)
    activities = ActivityDesk(chains, stores, members, cards, MongoActivities(database, vault), looks, make_id)
    keys = KeyDesk(chains=chains, stores=stores, members=members, keys=MongoApiKeys(database))
    imports = MongoImports(database, vault, outbox)
    for_jobs = MemberJobsServicer(
        desks=ImportDesks(
            ImportDesk(chains=chains, units=imports, make_id=make_id),
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
        (add_ReferralsServicer_to_server, for_referrals, referrals_pb2.DESCRIPTOR.services_by_name["Referrals"]),
        _of_activities(activities, clocks),
        (add_MemberJobsServicer_to_server, for_jobs, jobs_pb2.DESCRIPTOR.services_by_name["MemberJobs"]),
        *_of_reviews(database, vault, chains=chains, members=members, clocks=clocks),
        _exports_servicer(database, vault, chains=chains, members=members, clock=clock, clocks=clocks),
        MemberRecordsServicer(sections(database, vault)).registration,
        *_of_the_chain(database, outbox, chains=chains, keys=keys, clock=clock, clocks=clocks),
    ]


def _of_activities(desk: ActivityDesk, clocks: ChainClocks) -> Servicer:
    """Return what answers calls about what other systems tell."""
    named = activities_pb2.DESCRIPTOR.services_by_name["Activities"]
    return add_ActivitiesServicer_to_server, ActivitiesServicer(desk, clocks), named


def _of_reviews(
    database: Database, vault: Vault, *, chains: MongoChains, members: MongoMembers, clocks: ChainClocks
) -> list[Servicer]:
    """Return what answers calls about what somebody of the chain should look at."""
    reviews = ReviewDesk(chains, members, MongoReviews(database, vault), MongoReviewRules(database))
    duplicates = DuplicateDesk(MongoDuplicates(database), members, MongoLooks(database))
    return [
        (
            add_ReviewsServicer_to_server,
            ReviewsServicer(reviews, clocks),
            reviews_pb2.DESCRIPTOR.services_by_name["Reviews"],
        ),
        (
            add_DuplicatesServicer_to_server,
            DuplicatesServicer(duplicates, clocks, make_id),
            duplicates_pb2.DESCRIPTOR.services_by_name["Duplicates"],
        ),
    ]


def _exports_servicer(
    database: Database, vault: Vault, *, chains: MongoChains, members: MongoMembers, clock: Clock, clocks: ChainClocks
) -> Servicer:
    desk = ExportDesk(chains=chains, exports=MongoExports(database, vault), make_id=make_id)
    servicer = ExportsServicer(desk, members, MongoLooks(database), clocks, clock)
    return add_ExportsServicer_to_server, servicer, exports_pb2.DESCRIPTOR.services_by_name["Exports"]


def _of_the_chain(
    database: Database, outbox: Outbox, *, chains: MongoChains, keys: KeyDesk, clock: Clock, clocks: ChainClocks
) -> list[Servicer]:
    """Return what answers calls about the chain itself: its stores, its menu, its staff."""
    stores = MongoStores(database, outbox)
    configuration = _configuration(database, outbox, chains=chains, stores=stores)
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
        codes=_codes(database, stores),
        clocks=clocks,
    )
    for_staff = _staff_servicer(database, outbox, chains=chains, members=keys.members, stores=stores, clocks=clocks)
    configurations = configuration_pb2.DESCRIPTOR.services_by_name["Configurations"]
    return [
        (add_ChainsServicer_to_server, for_chains, chains_pb2.DESCRIPTOR.services_by_name["Chains"]),
        (add_DirectoryServicer_to_server, for_directory, directory_pb2.DESCRIPTOR.services_by_name["Directory"]),
        (add_ConfigurationsServicer_to_server, ConfigurationsServicer(configuration, clocks), configurations),
        (add_StaffServicer_to_server, for_staff, staff_pb2.DESCRIPTOR.services_by_name["Staff"]),
    ]


def _codes(database: Database, stores: MongoStores) -> CodeDesk:
    return CodeDesk(MongoQrCodes(database), stores, random_bytes=token_bytes)


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
