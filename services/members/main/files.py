"""What answers calls about whole files of members: in, out, and everything about one."""

from protos.members.v1 import exports_pb2_grpc, jobs_pb2_grpc
from services.kit.ids import make_id
from services.kit.member_records import MemberRecordsServicer
from services.kit.rpc.server import Servicer, registered
from services.members.main.shared import Shared
from services.members.rpc.exports import ExportsServicer
from services.members.rpc.imports import ImportDesks
from services.members.rpc.jobs import MemberJobsServicer
from services.members.store.exports import MongoExports
from services.members.store.households import MongoHouseholds
from services.members.store.imports import MongoImports
from services.members.store.member_records import sections
from services.members.usecases.exports import ExportDesk
from services.members.usecases.households import HouseholdDesk
from services.members.usecases.imports import ImportDesk


def of_files(shared: Shared) -> list[Servicer]:
    """Return what answers such calls."""
    database, vault, chains, members = shared.database, shared.vault, shared.chains, shared.members
    units = MongoImports(database, vault, shared.outbox)
    imports = ImportDesk(chains=chains, units=units, make_id=make_id)
    households = HouseholdDesk(
        chains=chains, units=units, found=MongoHouseholds(database), members=members, make_id=make_id
    )
    exports = ExportDesk(chains=chains, exports=MongoExports(database, vault), make_id=make_id)
    for_exports = ExportsServicer(exports, members, shared.looks, shared.clocks, shared.clock)
    return [
        registered(
            jobs_pb2_grpc, "MemberJobs", MemberJobsServicer(ImportDesks(imports, households), clocks=shared.clocks)
        ),
        registered(exports_pb2_grpc, "Exports", for_exports),
        MemberRecordsServicer(sections(database, vault)).registration,
    ]
