"""A purchase by a member who shows a card's code: points and the real members, from the receipt to the account."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from protos.members.v1 import cards_pb2
from protos.points.v1 import points_pb2 as pb
from services.kit.errors import Problem
from services.kit.ids import make_id
from services.kit.principal import Caller, Principal
from services.kit.timestamps import to_timestamp
from services.members.domain.cards import code_of
from services.points.clients import MembersClient
from services.points.domain.batches import Recorded
from services.points.rpc.words import receipt_of
from services.points.usecases.ledger import Call
from services.points.usecases.record_purchases import NobodyError, Recorder, record_purchases
from tests.contract.points.desk import Points, receipt
from tests.support.clock import START, FixedClock
from tests.support.members_service import MembersService, enrollment, staff
from tests.support.watched import Watched


def scanned(number: str, *, code: str, store: str) -> pb.Purchase:
    sent = receipt(number, store=store)
    sent.identity.CopyFrom(pb.BuyerIdentity(kind="card_code", value=code))
    return sent


async def test_a_scanned_code_is_the_buyer_at_the_receipts_moment_and_store(
    points: Points, members: MembersService, clock: FixedClock
) -> None:
    chain = await members.open_chain()
    bund, park = await members.store(chain, "bund"), await members.store(chain, "park")
    member = (await members.enroll(enrollment(), staff(chain))).member.id
    guest = Principal(chain=chain, kind=Caller.MEMBER, id=member)
    card = await members.call(members.cards.GetCard, cards_pb2.GetCardRequest(), guest)
    code = code_of(card.number, card.secret, START)
    now = clock.move(timedelta(hours=48))
    channel: Any = Watched(members.channel)
    client = MembersClient(channel, clock=clock)
    recorder: Recorder = replace(points.recorder, members=client, stores=client)
    call = Call(caller=staff(chain), now=now, make_id=make_id)
    sent = [scanned("R1", code=code, store=bund), scanned("R2", code=code, store=park)]
    [booked] = await record_purchases([receipt_of(sent[0])], call=call, recorder=recorder)
    [refused] = await record_purchases([receipt_of(sent[1])], call=call, recorder=recorder)
    assert isinstance(booked, Recorded)
    assert (booked.booked.purchase.member, booked.repeated_call) == (member, False)
    assert isinstance(refused, NobodyError)
    asked = [one for request in channel.asked for one in getattr(request, "identities", ())]
    assert [(one.at, one.store_id) for one in asked] == [(to_timestamp(START), bund), (to_timestamp(START), park)]
    [again] = await record_purchases([receipt_of(sent[0])], call=call, recorder=recorder)
    assert not isinstance(again, Problem)
    assert (again.booked, again.repeated_call) == (booked.booked, True)
    assert code not in repr(await members.everything())
