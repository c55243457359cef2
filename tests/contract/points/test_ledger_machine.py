"""The machine of tests/unit/points/test_ledger_machine.py, on the real store over both drivers."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from services.kit.errors import Problem
from services.kit.mongo.database import Database
from services.kit.mongo.drivers import Driver
from services.kit.outbox.outbox import Outbox
from services.points.domain.accounts import Account
from services.points.domain.batches import Answer
from services.points.domain.commands import AnyCommand
from services.points.domain.holds import Hold
from services.points.domain.lots import Lot
from services.points.domain.programs import Programs
from services.points.store.accounts import MongoAccounts
from services.points.store.journal import MongoJournal
from services.points.usecases.ledger import commit
from tests.contract.points.conftest import set_up
from tests.support.ledger_machine import LedgerMachine
from tests.support.programs import OneProgram

T = TypeVar("T")


class Stand:
    """A database, and a loop on which everything with it runs."""

    def __init__(self, mongo_url: str, driver: Driver) -> None:
        self._loop = asyncio.new_event_loop()
        self.database = self.run(self._connect(mongo_url, driver))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    async def _connect(self, mongo_url: str, driver: Driver) -> Database:
        database = Database.connect(mongo_url, name=f"test_{uuid4().hex}", driver=driver, check_shard_keys=True)
        await set_up(database)
        return database

    async def close(self) -> None:
        await self.database.drop()
        await self.database.close()

    def end(self) -> None:
        self.run(self.close())
        self._loop.close()


@pytest.fixture
def stand(mongo_url: str, driver: Driver) -> Iterator[Stand]:
    stand = Stand(mongo_url, driver)
    yield stand
    stand.end()


def test_the_store_does_what_the_model_does(stand: Stand) -> None:
    class StoreMachine(LedgerMachine):
        def begin(self, programs: Programs) -> None:
            self.chain = f"chn_{uuid4().hex}"  # so that the examples do not meet
            self.journal = MongoJournal(stand.database, Outbox(stand.database), OneProgram(programs))

        def commit(self, commands: Sequence[AnyCommand]) -> Sequence[Answer | Problem]:
            return stand.run(commit(commands, journal=self.journal))

        def read(self, member: str) -> tuple[Account, dict[str, Lot], dict[str, Hold]]:
            whole = stand.run(MongoAccounts(stand.database).accounts(self.chain, [member]))[member]
            return whole.account, dict(whole.lots or {}), dict(whole.holds or {})

    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=8, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
