"""What answers calls about the chain itself: its stores, its menu, its keys, its staff."""

from secrets import token_bytes

from protos.members.v1 import chains_pb2_grpc, configuration_pb2_grpc, directory_pb2_grpc, staff_pb2_grpc
from services.kit.ids import make_id
from services.kit.rpc.server import Servicer, registered
from services.members.main.shared import Shared
from services.members.rpc.chains import ChainsServicer
from services.members.rpc.configuration import ConfigurationsServicer
from services.members.rpc.directory import DirectoryServicer
from services.members.rpc.staff import StaffServicer
from services.members.store.api_keys import MongoApiKeys
from services.members.store.coded import mongo_brands, mongo_partners, mongo_regions
from services.members.store.commands import MongoCommands
from services.members.store.menu import MongoMenu
from services.members.store.staff import MongoNamed, MongoStaff
from services.members.store.staff_settings import MongoStaffSettings
from services.members.store.targets import MongoTargets
from services.members.usecases.api_keys import KeyDesk
from services.members.usecases.configuration import ConfigurationDesk
from services.members.usecases.leaderboards import BoardDesk
from services.members.usecases.staff import StaffDesk


def of_the_chain(shared: Shared) -> list[Servicer]:
    """Return what answers such calls."""
    chains, clocks, configuration = shared.chains, shared.clocks, _configuration(shared)
    keys = KeyDesk(chains=chains, stores=shared.stores, members=shared.members, keys=MongoApiKeys(shared.database))
    for_chains = ChainsServicer(
        chains=chains,
        menu=configuration.menu,
        partners=mongo_partners(shared.database, shared.outbox),
        keys=keys,
        clock=shared.clock,
        clocks=clocks,
        make_id=make_id,
        random_bytes=token_bytes,
    )
    for_directory = DirectoryServicer(
        chains=chains,
        brands=configuration.brands,
        regions=configuration.regions,
        partners=configuration.partners,
        codes=shared.codes,
        clocks=clocks,
    )
    return [
        registered(chains_pb2_grpc, "Chains", for_chains),
        registered(directory_pb2_grpc, "Directory", for_directory),
        registered(configuration_pb2_grpc, "Configurations", ConfigurationsServicer(configuration, clocks)),
        registered(staff_pb2_grpc, "Staff", _staff(shared)),
    ]


def _configuration(shared: Shared) -> ConfigurationDesk:
    database, outbox = shared.database, shared.outbox
    return ConfigurationDesk(
        chains=shared.chains,
        brands=mongo_brands(database, outbox),
        regions=mongo_regions(database, outbox),
        partners=mongo_partners(database, outbox),
        stores=shared.stores,
        menu=MongoMenu(database, outbox),
        commands=MongoCommands(database),
        make_id=make_id,
    )


def _staff(shared: Shared) -> StaffServicer:
    database, stores, staff = shared.database, shared.stores, MongoStaff(shared.database, shared.outbox)
    desk = StaffDesk(
        chains=shared.chains,
        staff=staff,
        settings=MongoStaffSettings(database),
        stores=stores,
        members=shared.members,
        named=MongoNamed(database),
        make_id=make_id,
    )
    return StaffServicer(desk, BoardDesk(staff, stores, MongoTargets(database)), shared.clocks)
