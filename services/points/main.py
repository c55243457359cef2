"""The points service: builds everything from its config and runs it."""

from functools import partial
from secrets import token_bytes

from protos.points.v1 import holds_pb2, insight_pb2, ledger_pb2, points_pb2, programs_pb2
from protos.points.v1.holds_pb2_grpc import add_HoldsServicer_to_server
from protos.points.v1.insight_pb2_grpc import add_InsightServicer_to_server
from protos.points.v1.ledger_pb2_grpc import add_LedgerServicer_to_server
from protos.points.v1.points_pb2_grpc import add_PointsServicer_to_server
from protos.points.v1.programs_pb2_grpc import add_ProgramsServicer_to_server
from services.kit.chain_clocks import ChainClocks
from services.kit.chassis import Chassis
from services.kit.config import ServiceConfig
from services.kit.erasures import Erasure, ErasureClient, ForgetAgain
from services.kit.group_commit import GroupCommit
from services.kit.ids import make_id
from services.kit.jobs import Jobs
from services.kit.keys import OwnKey, load_identity_key, load_own_key
from services.kit.member_records import MemberRecordsServicer
from services.kit.mongo.database import Database, Session
from services.kit.outbox.outbox import Outbox
from services.kit.rpc.server import Servicer
from services.kit.service import Service, main
from services.points import jobs
from services.points.clients import MembersClient, PlannedClient
from services.points.consumers import Handlers, MembersHandler, SalesHandler
from services.points.domain.batches import Answer
from services.points.domain.commands import AnyCommand
from services.points.domain.identities import IdentityHasher
from services.points.rpc.audit import AuditReports
from services.points.rpc.forecasts import ForecastReports
from services.points.rpc.holds import HoldsServicer
from services.points.rpc.insight import InsightServicer
from services.points.rpc.ledger import LedgerServicer
from services.points.rpc.points import PointsServicer
from services.points.rpc.programs import ProgramsServicer
from services.points.rpc.reports import LedgerReports, ReceiptReports
from services.points.store.accounts import MongoAccounts, MongoAdjustments, MongoHolds, MongoPayers
from services.points.store.copies import MongoCopies
from services.points.store.due_accounts import MongoDueAccounts
from services.points.store.items import ItemCopies
from services.points.store.journal import MongoJournal
from services.points.store.member_records import accounts_of, sections
from services.points.store.merges import MongoHeardMerges, MongoWishes
from services.points.store.migrations import MIGRATIONS
from services.points.store.past_receipts import MongoPastReceipts
from services.points.store.program_reviews import MongoReviews
from services.points.store.programs import MongoPrograms
from services.points.store.receipt_reports import MongoReceipts
from services.points.store.referrals import MongoHeardReferrals, MongoRewards
from services.points.store.reports import MongoHistory, MongoJournalSums
from services.points.store.sales import MongoSalesNews, MongoSalesRoll
from services.points.store.sales_rebuilds import MongoRebuilds
from services.points.store.sales_reports import MongoSalesSums
from services.points.store.seals import MongoSeals
from services.points.store.stores import MongoStoreList, StoreCopies
from services.points.store.verification import MongoLedgerReader
from services.points.usecases.adjustments import AdjustmentDesk
from services.points.usecases.dry_run import DryRunDesk
from services.points.usecases.dues import DayEnds
from services.points.usecases.forecasts import Activities, Forecaster, NoActivities
from services.points.usecases.holds import HoldDesk
from services.points.usecases.ledger import aggregate_of, commit
from services.points.usecases.merges import Erased, Merger, erase_member
from services.points.usecases.payers import Mover
from services.points.usecases.program_reviews import Reviewer
from services.points.usecases.programs import ProgramSource
from services.points.usecases.record_purchases import Items, Recorder
from services.points.usecases.record_sales import SalesRoller
from services.points.usecases.referrals import Rewarder
from services.points.usecases.reports import DaySums
from services.points.usecases.sales_reports import Insight
from services.points.usecases.seal_ledger import Sealing
from services.points.usecases.settle_due import Settling

AT_ONCE = 2
"""Commits under way at once when enough waits for both: one is folded while the other is at the database."""


def build(config: ServiceConfig) -> Service:
    """Return the points service."""
    chassis = Chassis.of(config)
    database, clock, clocks = chassis.database, chassis.clock, chassis.clocks
    members = MembersClient(chassis.channel("members"), clock=clock)
    stores = StoreCopies(database, source=members, clock=clock)
    programs = MongoPrograms(database, zones=members, clock=clock)
    items = ItemCopies(database, source=members, clock=clock)
    ledger = group_commit(database, chassis.outbox, programs)
    hasher = IdentityHasher(load_identity_key(config.keys_dir))
    recorder = Recorder(stores=stores, members=members, ledger=ledger, hasher=hasher, programs=programs, items=items)
    signer = load_own_key(config.keys_dir, config.name)
    mover = Mover(payers=MongoPayers(database), members=members, ledger=ledger, clocks=clocks, make_id=make_id)
    seals, sums = MongoSeals(database), MongoJournalSums(database)
    sealing = Sealing(seals, chassis.outbox, signer, clocks)
    due = MongoDueAccounts(database)
    settling = Settling(accounts=due, ledger=ledger, make_id=make_id, chains=chassis.outbox, clocks=clocks)
    reviewer = Reviewer(MongoReviews(database), chassis.outbox, clocks)
    by_the_clock = [
        jobs.settle_due(settling),
        jobs.move_payers(mover),
        jobs.carry_out_merges(Merger(MongoWishes(database), ledger, clocks, make_id)),
        jobs.reward_referrals(Rewarder(MongoRewards(database), ledger, clocks, make_id)),
        jobs.seal_days(sealing),
        jobs.add_sales(SalesRoller(MongoSalesRoll(database), chassis.outbox)),
        jobs.sum_days(DaySums(sums, chassis.outbox, clocks)),
        jobs.review_programs(reviewer),
        _forget_again(chassis).job,
    ]
    return chassis.service(
        migrations=MIGRATIONS,
        servicers=[
            *servicers(
                database,
                recorder=recorder,
                programs=programs,
                signer=signer,
                clocks=clocks,
                activities=PlannedClient(chassis.channel("members"), clock=clock),
            ),
            programs_servicer(database, programs, items, clocks=clocks),
            MemberRecordsServicer(sections(database), all_ids=partial(accounts_of, database)).registration,
        ],
        handle=_handlers(database, stores, items),
        parts=[ledger, Jobs(by_the_clock, chassis.leases())],
        dues=[reviewer, settling, DayEnds(seals, sums, signer)],
    )


def _handlers(database: Database, stores: StoreCopies, items: ItemCopies) -> Handlers:
    members = MembersHandler(
        partial(MongoCopies, database, stores, items),
        partial(MongoHeardMerges, database),
        partial(MongoHeardReferrals, database),
    )
    return Handlers(members=members, sales=SalesHandler(partial(MongoSalesNews, database)))


def _forget_again(chassis: Chassis) -> ForgetAgain:
    async def forget(chain: str, erased: Erasure, session: Session) -> None:
        await erase_member(chain, Erased(erased.member, erased.at), merges=MongoHeardMerges(chassis.database, session))

    source = ErasureClient(chassis.channel("members"), service="points")
    return ForgetAgain(chassis.database, source, chassis.outbox, forget)


def group_commit(database: Database, outbox: Outbox, programs: ProgramSource) -> GroupCommit[AnyCommand, Answer]:
    """Return the ledger, which must be started first."""
    return GroupCommit(
        partial(commit, journal=MongoJournal(database, outbox, programs)),
        name="ledger",
        at_once=AT_ONCE,
        key_of=aggregate_of,
    )


def servicers(
    database: Database,
    *,
    recorder: Recorder,
    programs: ProgramSource,
    signer: OwnKey,
    clocks: ChainClocks,
    activities: Activities | None = None,
) -> list[Servicer]:
    """Return what answers calls; without `activities`, nothing is known to come."""
    points = PointsServicer(
        recorder=recorder,
        accounts=MongoAccounts(database),
        receipts=ReceiptReports(MongoReceipts(database), recorder.stores),
        programs=programs,
        journal=MongoJournal(database, Outbox(database), programs),
        clocks=clocks,
        make_id=make_id,
    )
    holds = HoldsServicer(HoldDesk(MongoHolds(database), recorder.ledger), clocks, make_id)
    ledger = LedgerServicer(
        desk=AdjustmentDesk(recorder.ledger, MongoAdjustments(database), recorder.members, token_bytes),
        reports=LedgerReports(MongoHistory(database), MongoJournalSums(database), programs, clocks),
        audit=AuditReports(MongoLedgerReader(database), MongoSeals(database), programs, signer),
        programs=programs,
        clocks=clocks,
        make_id=make_id,
    )
    sums = MongoSalesSums(database)
    insight = InsightServicer(
        insight=Insight(sums, MongoStoreList(database)),
        forecasts=ForecastReports(Forecaster(sums, recorder.stores, activities or NoActivities()), clocks),
        rebuilds=MongoRebuilds(database),
        clocks=clocks,
    )
    return [
        (add_PointsServicer_to_server, points, points_pb2.DESCRIPTOR.services_by_name["Points"]),
        (add_HoldsServicer_to_server, holds, holds_pb2.DESCRIPTOR.services_by_name["Holds"]),
        (add_LedgerServicer_to_server, ledger, ledger_pb2.DESCRIPTOR.services_by_name["Ledger"]),
        (add_InsightServicer_to_server, insight, insight_pb2.DESCRIPTOR.services_by_name["Insight"]),
    ]


def programs_servicer(database: Database, programs: MongoPrograms, items: Items, *, clocks: ChainClocks) -> Servicer:
    """Return what answers calls about chains' programs."""
    servicer = ProgramsServicer(
        programs, DryRunDesk(programs, MongoPastReceipts(database), items), clocks=clocks, make_id=make_id
    )
    return add_ProgramsServicer_to_server, servicer, programs_pb2.DESCRIPTOR.services_by_name["Programs"]


if __name__ == "__main__":
    main("points", build)
