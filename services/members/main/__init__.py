"""The members service: builds everything from its config."""

from functools import partial
from secrets import token_bytes

from services.kit.chain_clocks import ChainClocks
from services.kit.chassis import Chassis
from services.kit.clock import Clock
from services.kit.config import ServiceConfig
from services.kit.group_commit import GroupCommit
from services.kit.ids import make_id
from services.kit.jobs import Job, Jobs
from services.kit.keys import load_identity_key, load_wrapping_keys
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import Outbox
from services.kit.rpc.server import Servicer
from services.kit.service import Service
from services.members.consumers import Completer, CreditHandler, Handlers, PortraitHandler, Watch
from services.members.domain.enrollment import Enroll, Enrolled
from services.members.jobs import find_likely, forget_again, rewrap_keys, write_exports
from services.members.main.care import of_care
from services.members.main.chain import of_the_chain
from services.members.main.files import of_files
from services.members.main.people import of_people
from services.members.main.shared import Shared
from services.members.store.chains import MongoChains
from services.members.store.completing import MongoCompleting
from services.members.store.credits import MongoCredits
from services.members.store.duplicates import MongoLikenessUnits
from services.members.store.enrollment import MongoRoll
from services.members.store.erasures import ErasuresKept
from services.members.store.exports import MongoExports
from services.members.store.migrations import migrations
from services.members.store.portraits import MongoPortraits
from services.members.store.signals import MongoSignals
from services.members.store.vault import Vault
from services.members.usecases.enrollment import commit


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
    return chassis.service(
        migrations=migrations(vault),
        servicers=registrations,
        handle=_handlers(chassis, vault),
        parts=[enrollments, Jobs(_by_the_clock(chassis, vault), chassis.leases())],
    )


def servicers(
    database: Database, vault: Vault, outbox: Outbox, *, clock: Clock, clocks: ChainClocks, payer_key: bytes
) -> tuple[GroupCommit[Enroll, Enrolled], list[Servicer]]:
    """Return the group commit, which must be started first, and what answers calls."""
    enrollments = GroupCommit(partial(commit, roll=MongoRoll(database, vault, outbox)), name="enrollments")
    shared = Shared.on(database, vault, outbox, clock=clock, clocks=clocks, payer_key=payer_key)
    return enrollments, [
        *of_people(shared, enrollments),
        *of_care(shared),
        *of_files(shared),
        *of_the_chain(shared),
    ]


def _handlers(chassis: Chassis, vault: Vault) -> Handlers:
    database, outbox, clocks = chassis.database, chassis.outbox, chassis.clocks
    return Handlers(
        PortraitHandler(
            partial(MongoPortraits, database),
            Completer(partial(MongoCompleting, database, vault, outbox), clocks),
            Watch(partial(MongoSignals, database, outbox), clocks, make_id),
        ),
        CreditHandler(partial(MongoCredits, database)),
    )


def _by_the_clock(chassis: Chassis, vault: Vault) -> list[Job]:
    database, clocks = chassis.database, chassis.clocks
    return [
        rewrap_keys(vault),
        forget_again(ErasuresKept(database, vault), clocks),
        find_likely(MongoLikenessUnits(database, vault), MongoChains(database, vault), clocks),
        write_exports(MongoExports(database, vault), clock=chassis.clock, clocks=clocks, make_id=make_id),
    ]
