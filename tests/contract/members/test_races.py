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


WRITINGS = (
    "+86 138 0013 {0}",
    "+86138 0013{0}",
    "0086 138-0013-{0}",
    "138 0013 {0}",
    "1380013{0}",
    "(+86) 138.0013.{0}",
    "\uff0b\uff18\uff16 1380013{0}",  # full-width, as a Chinese keyboard writes
    "+86(0)138 0013 {0}",
    " +861380013{0} ",
    "00861380013{0}",
)
"""One phone as ten people write it."""


async def test_ten_writings_of_a_phone_are_one_member(
    service: MembersService, other_replica: MembersService, chain: str
) -> None:
    """Two clients, each a thousand enrollments at once, over two replicas: one member for each of a hundred phones."""

    async def client(replica: MembersService) -> list[pb.EnrollMemberResponse | RemoteProblem]:
        calls = [
            replica.enroll(enrollment(phone(writing.format(f"{number:04}"))), staff(chain))
            for number in range(100)
            for writing in WRITINGS
        ]
        return await asyncio.gather(*calls, return_exceptions=True)  # type: ignore[return-value]  # only these are raised

    answers = [one for many in await asyncio.gather(client(service), client(other_replica)) for one in many]
    enrolled = [one for one in answers if isinstance(one, pb.EnrollMemberResponse)]
    refused = [one for one in answers if isinstance(one, RemoteProblem)]
    assert (len(enrolled), {one.code for one in refused}, len(refused)) == (100, {"IDENTITY_TAKEN"}, 1_900)
    assert await service.counts(chain) == (100, 100, 100, 100)
