"""Several replicas enroll at once."""

import asyncio

from protos.members.v1 import members_pb2 as pb
from services.kit.rpc import RemoteProblem
from tests.support.members_service import MembersService, enrollment, external, phone, staff

ROUNDS = 50


async def test_a_phone_goes_to_one_member_under_any_concurrency(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    """Two replicas, two keys, one phone: exactly one of them gets it, every time."""
    for number in range(ROUNDS):
        identity = phone(f"+86138{number:08}")
        answers = await asyncio.gather(
            service.enroll(enrollment(identity), staff(chain)),
            other_replica.enroll(enrollment(identity), staff(chain)),
            return_exceptions=True,
        )
        refused = [one for one in answers if isinstance(one, RemoteProblem)]
        enrolled = [one for one in answers if isinstance(one, pb.EnrollMemberResponse)]
        assert [one.code for one in refused] == ["IDENTITY_TAKEN"]
        assert await service.resolve([identity], staff(chain)) == [enrolled[0].member.id]
    assert await service.counts(chain) == (ROUNDS, ROUNDS, ROUNDS, ROUNDS)


async def test_a_key_makes_one_member_under_any_concurrency(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    for number in range(20):
        request = enrollment(external(f"K-{number}"))
        answers = await asyncio.gather(
            service.enroll(request, staff(chain)), other_replica.enroll(request, staff(chain))
        )
        assert sorted(one.repeated_call for one in answers) == [False, True]
        assert answers[0].member == answers[1].member
    assert await service.counts(chain) == (20, 20, 20, 20)
