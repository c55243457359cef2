"""What answers calls about how members are looked after."""

from protos.members.v1 import (
    account_managers_pb2_grpc,
    attributes_pb2_grpc,
    care_pb2_grpc,
    follow_ups_pb2_grpc,
    notes_pb2_grpc,
)
from services.kit.rpc.server import Servicer, registered
from services.members.main.shared import Shared
from services.members.rpc.account_managers import ManagersServicer
from services.members.rpc.attributes import AttributesServicer
from services.members.rpc.care import CareServicer
from services.members.rpc.follow_ups import FollowUpsServicer
from services.members.rpc.notes import NotesServicer
from services.members.store.account_managers import MongoManagers
from services.members.store.attributes import MongoAttributes
from services.members.store.consents import MongoConsents
from services.members.store.follow_ups import MongoFollowUps
from services.members.store.notes import MongoNotes
from services.members.store.staff import MongoNamed
from services.members.usecases.account_managers import ManagerDesk
from services.members.usecases.follow_ups import FollowUpDesk


def of_care(shared: Shared) -> list[Servicer]:
    """Return what answers such calls."""
    database, vault, clocks = shared.database, shared.vault, shared.clocks
    changes, members, looks = shared.changes, shared.members, shared.looks
    for_consents = CareServicer(
        changes=changes, clocks=clocks, members=members, looks=looks, consents=MongoConsents(database)
    )
    for_attributes = AttributesServicer(
        changes=changes, clocks=clocks, members=members, definitions=MongoAttributes(database), looks=looks
    )
    for_notes = NotesServicer(
        changes=changes, clocks=clocks, members=members, notes=MongoNotes(database, vault), looks=looks
    )
    desk = FollowUpDesk(members, MongoFollowUps(database, vault), looks)
    for_follow_ups = FollowUpsServicer(changes=changes, clocks=clocks, desk=desk)
    managers = ManagerDesk(shared.chains, members, MongoManagers(database), shared.stores, MongoNamed(database))
    return [
        registered(care_pb2_grpc, "Care", for_consents),
        registered(attributes_pb2_grpc, "Attributes", for_attributes),
        registered(notes_pb2_grpc, "Notes", for_notes),
        registered(follow_ups_pb2_grpc, "FollowUps", for_follow_ups),
        registered(account_managers_pb2_grpc, "Managers", ManagersServicer(managers, clocks)),
    ]
