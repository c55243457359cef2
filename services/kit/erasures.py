"""Forgetting again: a service that was restored from a backup asks members who was erased since, and does as told.

What a service hears of erasures by events is gone from the queues by the day of a restore. How far it has asked lies in
its own database, so it is as old as whatever the backup has brought back.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pymongo import ASCENDING, IndexModel

from protos.members.v1 import members_pb2, members_pb2_grpc
from services.kit.errors import Kind, Problem
from services.kit.jobs import Job
from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.principal import Caller, Principal
from services.kit.rpc.client import RpcChannel
from services.kit.timestamps import from_timestamp, to_timestamp

ERASURES_ASKED = Keyed("erasures_asked", ("chain",))
"""The latest erasure that members has told of when asked."""

PASSING = frozenset({Kind.UNAVAILABLE, Kind.OVERLOADED, Kind.TIMED_OUT})

AT_ONCE = 500
EVERY_S = 600.0
OVERLAP = timedelta(hours=1)
"""An erasure is dated before it is committed: this much is asked for again."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a member was erased. Lists are in the order of time and id."""

    member: str
    at: datetime


class ErasureSource(Protocol):
    """Where it is known who was erased."""

    async def erasures(self, chain: str, *, after: Erasure | None, first: int) -> Sequence[Erasure]:
        """Return up to `first` erasures of the chain, in their order, after the given one."""


class Chains(Protocol):
    """Where a service knows of chains."""

    async def chains(self) -> Sequence[str]:
        """Return every chain of which it may keep something."""


Forget = Callable[[str, Erasure, Session], Awaitable[None]]
"""Forgets one member of a chain in a transaction; to do it again changes nothing."""


class ErasureClient:
    """members, asked over gRPC in the name of `service`."""

    def __init__(self, channel: RpcChannel, *, service: str) -> None:
        self._channel, self._service = channel, service
        self._members = channel.stub(members_pb2_grpc.MembersStub)

    async def erasures(self, chain: str, *, after: Erasure | None, first: int) -> list[Erasure]:
        """Return up to `first` erasures of the chain, in their order, after the given one."""
        place = None if after is None else members_pb2.Erasure(member_id=after.member, erased_at=to_timestamp(after.at))
        answer = await self._channel.call(
            self._members.ListErasures,
            members_pb2.ListErasuresRequest(after=place, first=first),
            principal=Principal(chain=chain, kind=Caller.SERVICE, id=self._service),
            idempotent=True,
        )
        return [Erasure(one.member_id, from_timestamp(one.erased_at)) for one in answer.erasures]


@dataclass(frozen=True, slots=True)
class ForgetAgain:
    """Asks for what a service has not been told of erasures, or does no longer know; any replica may go on with it."""

    database: Database
    source: ErasureSource
    chains: Chains
    forget: Forget

    @property
    def job(self) -> Job:
        """The job: every ten minutes, and when a replica starts."""
        return Job(name="forget-again", every_s=EVERY_S, run=self.run, within_s=3_600.0)

    async def run(self) -> None:
        """Forget whom members names, of each chain from where it was asked before."""
        for chain in await self.chains.chains():
            try:
                await self._ask(chain)
            except Problem as problem:
                if problem.kind not in PASSING:
                    raise
                _log.info("erasures of %s could not be asked for: %s", chain, problem.message)
                return

    async def _ask(self, chain: str) -> None:
        asked = await self.database.collection(ERASURES_ASKED).find_one({"chain": chain})
        # An empty id is before all others of its moment.
        after = None if asked is None else Erasure("", asked["at"] - OVERLAP)
        while some := await self.source.erasures(chain, after=after, first=AT_ONCE):
            await self._forget(chain, some)
            after = some[-1]

    async def _forget(self, chain: str, erasures: Sequence[Erasure]) -> None:
        async def once(session: Session) -> None:
            for one in erasures:
                await self.forget(chain, one, session)
            await self.database.collection(ERASURES_ASKED).update_one(
                {"chain": chain}, {"$max": {"at": erasures[-1].at}}, upsert=True, session=session
            )

        await self.database.in_transaction(once)


async def set_up(database: Database) -> None:
    """Create the collection and its index; safe to repeat."""
    await create_indexes(database, ERASURES_ASKED, [IndexModel([("chain", ASCENDING)], name="by_chain", unique=True)])
