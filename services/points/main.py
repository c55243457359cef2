"""The points service: builds everything from its config and runs it."""

from functools import partial

from protos.points.v1 import points_pb2
from protos.points.v1.points_pb2_grpc import add_PointsServicer_to_server
from services.kit.chassis import Chassis
from services.kit.config import ServiceConfig
from services.kit.group_commit import GroupCommit
from services.kit.ids import make_id
from services.kit.service import Service, main
from services.points.clients import MembersClient
from services.points.consumers import MembersHandler
from services.points.domain.programs import DEFAULT_PROGRAM
from services.points.rpc import PointsServicer
from services.points.store.accounts import MongoAccounts
from services.points.store.copies import MongoCopies
from services.points.store.journal import MongoJournal
from services.points.store.migrations import MIGRATIONS
from services.points.store.stores import StoreCopies
from services.points.usecases.ledger import commit
from services.points.usecases.record_purchases import Recorder


def build(config: ServiceConfig) -> Service:
    """Return the points service."""
    chassis = Chassis.of(config)
    members = MembersClient(chassis.channel("members"), clock=chassis.clock)
    stores = StoreCopies(chassis.database, source=members, clock=chassis.clock)
    journal = MongoJournal(chassis.database, chassis.outbox)
    ledger = GroupCommit(partial(commit, journal=journal, program=DEFAULT_PROGRAM), name="ledger")
    servicer = PointsServicer(
        recorder=Recorder(stores=stores, members=members, ledger=ledger, make_id=make_id),
        accounts=MongoAccounts(chassis.database),
        program=DEFAULT_PROGRAM,
        clock=chassis.clock,
    )
    registration = add_PointsServicer_to_server, servicer, points_pb2.DESCRIPTOR.services_by_name["Points"]
    return chassis.service(
        migrations=MIGRATIONS,
        servicers=[registration],
        handle=MembersHandler(partial(MongoCopies, chassis.database, stores)),
        parts=[ledger],
    )


if __name__ == "__main__":
    main("points", build)
