"""Everything that a service keeps of one person: a registry of sections, and the servicer that tells them.

    sections = (of_documents(database, COUPONS, "coupons", order=("member", "coupon"), hidden=("events",)), …)
    chassis.service(servicers=[…, MemberRecordsServicer(sections).registration], …)

Whoever adds a collection that keeps something of a person adds a section.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from protos.common.v1 import member_records_pb2 as pb
from protos.common.v1 import member_records_pb2_grpc
from services.kit.errors import Kind, Problem
from services.kit.rpc.calls import caller
from services.kit.rpc.server import Servicer

MOST_IDS = 51
"""A member, and those that it may have taken over."""

PART_BYTES = 256 * 1024
"""Of a part of the answer, about."""

Record = Mapping[str, Any]
Read = Callable[[str, Sequence[str], int], AsyncIterator[Record]]
"""`read(chain, ids, skip)` yields the records of a person in an order that stays, without the first `skip`."""


class NoSectionError(Problem):
    """There is no section {section}."""

    kind = Kind.NOT_FOUND
    code = "SECTION_NOT_FOUND"


class TooManyIdsError(Problem):
    """One person has 1 to {most} ids."""

    kind = Kind.INVALID
    code = "TOO_MANY"


@dataclass(frozen=True, slots=True)
class Section:
    """A kind of record. `covers` are the names of the collections whose content it tells."""

    name: str
    read: Read
    covers: tuple[str, ...]


async def _as_they_are(_chain: str, ids: Sequence[str]) -> Sequence[str]:
    return ids


class MemberRecordsServicer(member_records_pb2_grpc.MemberRecordsServicer):
    """protos/common/v1/member_records.proto. `all_ids` adds names of the person that only this service knows."""

    def __init__(
        self,
        sections: Sequence[Section],
        *,
        all_ids: Callable[[str, Sequence[str]], Awaitable[Sequence[str]]] = _as_they_are,
    ) -> None:
        self._sections = {one.name: one for one in sections}
        self._all_ids = all_ids

    @property
    def registration(self) -> Servicer:
        """What the RpcServer takes."""
        descriptor = pb.DESCRIPTOR.services_by_name["MemberRecords"]
        return member_records_pb2_grpc.add_MemberRecordsServicer_to_server, self, descriptor

    async def ListSections(self, _request: pb.ListSectionsRequest, _context: Any) -> pb.ListSectionsResponse:  # noqa: N802 - gRPC's name
        """Tell what there is."""
        return pb.ListSectionsResponse(sections=list(self._sections))

    async def ExportMember(  # noqa: N802 - gRPC's name
        self, request: pb.ExportMemberRequest, _context: Any
    ) -> AsyncIterator[pb.MemberRecordPart]:
        """Tell a section, some records at a time."""
        if (section := self._sections.get(request.section)) is None:
            raise NoSectionError(field="section", section=request.section)
        if not 1 <= len(request.member_ids) <= MOST_IDS:
            raise TooManyIdsError(field="memberIds", most=MOST_IDS)
        chain = caller().chain
        ids = await self._all_ids(chain, list(request.member_ids))
        some: list[bytes] = []
        size = 0
        records: Any = section.read(chain, ids, request.skip)
        async with aclosing(records):
            async for record in records:
                some.append(as_json(record))
                size += len(some[-1])
                if size >= PART_BYTES:
                    yield pb.MemberRecordPart(records=some)
                    some, size = [], 0
        if some:
            yield pb.MemberRecordPart(records=some)


def as_json(record: Record) -> bytes:
    """Return a record as one line of JSON: moments in ISO 8601, bytes in base64."""
    return orjson.dumps(record, default=_in_text, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)


def _in_text(value: object) -> str:
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)
