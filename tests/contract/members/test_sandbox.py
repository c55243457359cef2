"""A sandbox is known by its id, and what happens in it is of its own time."""

from datetime import timedelta

from protos.common.v1 import access_pb2
from protos.members.v1 import chains_pb2, members_pb2
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.outbox.outbox import OUTBOX
from services.kit.principal import Caller, Principal
from services.kit.timestamps import to_timestamp
from tests.support.clock import START, FixedClock
from tests.support.members_service import OPERATOR, MembersService, enrollment, phone, staff

THEN = START + timedelta(days=40)


async def opened(service: MembersService, *, sandbox: bool) -> str:
    request = chains_pb2.OpenChainRequest(
        key=f"open-{sandbox}-chain", name="Noodles", currency="CNY", time_zone="Asia/Shanghai", sandbox=sandbox
    )
    return str((await service.call(service.chains.OpenChain, request, OPERATOR)).chain.id)


async def test_the_id_says_which_chain_is_a_sandbox(service: MembersService) -> None:
    assert (await opened(service, sandbox=True)).startswith("sbx_")
    assert (await opened(service, sandbox=False)).startswith("chn_")


async def test_what_happens_in_it_is_of_its_own_time(service: MembersService, clock: FixedClock) -> None:
    chain, real = await opened(service, sandbox=True), await opened(service, sandbox=False)
    clocks = MongoChainClocks(service.database, system=clock)
    await clocks.move(chain, THEN)
    enrolled = [await service.enroll(enrollment(phone("+8613800138000")), staff(each)) for each in (chain, real)]
    assert [one.member.enrolled_at for one in enrolled] == [to_timestamp(THEN), to_timestamp(START)]
    store = await service.store(chain)
    row = await service.database.collection(OUTBOX).find_one({"chain": chain, "aggregate": store})
    assert row is not None
    assert row["at"] == THEN
    paid = members_pb2.Payer(hash="ab" * 32, payment_kind="wechat", paid_at=to_timestamp(THEN))
    points = Principal(chain=chain, kind=Caller.SERVICE, id="points")
    request = members_pb2.EnrollPayersRequest(payers=[paid])
    [payer] = (await service.call(service.members.EnrollPayers, request, points)).payers
    assert (await service.member(chain, payer.member_id)).enrolled_at == to_timestamp(THEN)


async def test_keys_are_revoked_by_the_systems_time(service: MembersService, clock: FixedClock) -> None:
    chain = await opened(service, sandbox=True)
    await MongoChainClocks(service.database, system=clock).move(chain, THEN)
    wanted = chains_pb2.CreateApiKeyRequest(kind=access_pb2.CALLER_KIND_STAFF, subject="Wang", scopes=["members:read"])
    key = await service.call(service.chains.CreateApiKey, wanted, staff(chain))
    revoked = await service.call(service.chains.RevokeApiKey, chains_pb2.RevokeApiKeyRequest(id=key.id), staff(chain))
    assert revoked.revoked_at == to_timestamp(START)
