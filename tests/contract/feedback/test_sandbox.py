"""Invitations and cases of a sandbox are of its own time."""

from dataclasses import replace
from datetime import timedelta

from services.feedback.store.collections import INVITATIONS
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.timestamps import to_timestamp
from tests.contract.feedback.conftest import ADA, STAFF, Feedback, bought, enrolled
from tests.support.clock import START

SANDBOX = "sbx_1"
THEN = START + timedelta(days=40)


async def test_one_batch_of_two_chains_is_worked_off_at_two_times(feedback: Feedback) -> None:
    await MongoChainClocks(feedback.database, system=feedback.clock).move(SANDBOX, THEN)
    await feedback.hear(bought(), bought(chain=SANDBOX), bought(2, at=THEN, chain=SANDBOX), enrolled(chain=SANDBOX))
    [[real]] = await feedback.invitations()
    assert real.invited_at == to_timestamp(START)
    # The first purchase of the sandbox is of forty days ago there: too late to ask about.
    [[sandboxed]] = await feedback.invitations(caller=replace(STAFF, chain=SANDBOX))
    assert (sandboxed.purchase_id, sandboxed.invited_at) == ("pur_2", to_timestamp(THEN))
    assert await feedback.database.collection(INVITATIONS).count_documents({"chain": SANDBOX}) == 1
    answered = await feedback.answer(caller=replace(ADA, chain=SANDBOX))
    assert (answered.case.opened_at, answered.case.due_at) == (
        to_timestamp(THEN),
        to_timestamp(THEN + timedelta(minutes=30)),
    )
