"""The Points servicer: translate, call one use case, translate."""

from dataclasses import dataclass
from typing import Any

from protos.common.v1.money_pb2 import Money
from protos.points.v1 import points_pb2 as pb
from protos.points.v1 import points_pb2_grpc
from services.kit.clock import Clock
from services.kit.errors import Kind, Problem
from services.kit.rpc.problems import to_proto
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import from_timestamp, to_timestamp
from services.points.domain.batches import Recorded
from services.points.domain.booking import BookedPurchase
from services.points.domain.journal import Entry
from services.points.domain.programs import Program
from services.points.domain.purchases import Line, Purchase
from services.points.usecases.read_accounts import (
    Accounts,
    AccountView,
    JournalPage,
    TierView,
    get_accounts,
    list_entries,
)
from services.points.usecases.record_purchases import Identity, Receipt, Recorder, record_purchases


class CursorError(Problem):
    """This cursor was not made by an earlier answer."""

    kind = Kind.INVALID
    code = "INVALID_CURSOR"


@dataclass(frozen=True, slots=True)
class PointsServicer(points_pb2_grpc.PointsServicer):
    """protos/points/v1/points.proto."""

    recorder: Recorder
    accounts: Accounts
    program: Program
    clock: Clock

    async def RecordPurchase(self, request: pb.RecordPurchaseRequest, _context: Any) -> pb.RecordPurchaseResponse:  # noqa: N802 - gRPC's name
        """Book one receipt."""
        answer = (await self._record([request.purchase]))[0]
        if isinstance(answer, Problem):
            raise answer
        return _recorded(answer)

    async def RecordPurchases(self, request: pb.RecordPurchasesRequest, _context: Any) -> pb.RecordPurchasesResponse:  # noqa: N802 - gRPC's name
        """Book many, each with its own result."""
        answers = await self._record(request.purchases)
        return pb.RecordPurchasesResponse(
            results=[
                pb.RecordResult(problem=to_proto(answer))
                if isinstance(answer, Problem)
                else pb.RecordResult(recorded=_recorded(answer))
                for answer in answers
            ]
        )

    async def GetAccounts(self, request: pb.GetAccountsRequest, _context: Any) -> pb.GetAccountsResponse:  # noqa: N802 - gRPC's name
        """Read accounts."""
        views = await get_accounts(
            request.member_ids, caller=caller(), now=self.clock(), accounts=self.accounts, program=self.program
        )
        return pb.GetAccountsResponse(accounts=[_account(view) for view in views])

    async def ListEntries(self, request: pb.ListEntriesRequest, _context: Any) -> pb.ListEntriesResponse:  # noqa: N802 - gRPC's name
        """Read a page of journals."""
        pages = await list_entries(
            request.member_ids,
            caller=caller(),
            first=request.page.first,
            before=_before(request.page.after),
            accounts=self.accounts,
        )
        return pb.ListEntriesResponse(pages=[_page(page) for page in pages])

    async def _record(self, purchases: Any) -> list[Recorded | Problem]:
        receipts = [_receipt(purchase) for purchase in purchases]
        return await record_purchases(
            receipts, caller=caller(), now=self.clock(), recorder=self.recorder, traceparent=current_traceparent()
        )


def _receipt(purchase: pb.Purchase) -> Receipt:
    named = purchase.WhichOneof("buyer") == "identity"
    return Receipt(
        store=purchase.store_id,
        receipt_number=purchase.receipt_number,
        buyer=Identity(purchase.identity.kind, purchase.identity.value) if named else purchase.member_id,
        occurred_at=from_timestamp(purchase.occurred_at),
        currency=purchase.currency,
        lines=tuple(
            Line(
                item_code=line.item_code,
                quantity=line.quantity,
                gross_minor=line.gross_minor,
                discount_minor=line.discount_minor,
            )
            for line in purchase.lines
        ),
    )


def _recorded(answer: Recorded) -> pb.RecordPurchaseResponse:
    return pb.RecordPurchaseResponse(booked=_booked(answer.booked), repeated_call=answer.repeated_call)


def _booked(booked: BookedPurchase) -> pb.BookedPurchase:
    return pb.BookedPurchase(
        id=booked.id,
        purchase=_purchase(booked.purchase),
        booked_at=to_timestamp(booked.booked_at),
        paid=Money(amount_minor=booked.purchase.paid_minor, currency=booked.purchase.currency),
        points=booked.points,
        breakdown=[
            pb.EarnedPart(rule=part.rule, program_version=part.program_version, points=part.points)
            for part in booked.breakdown
        ],
        balance_points=booked.balance_points,
        level_before=booked.level_before,
        level_after=booked.level_after,
    )


def _purchase(purchase: Purchase) -> pb.Purchase:
    return pb.Purchase(
        store_id=purchase.store,
        receipt_number=purchase.receipt_number,
        member_id=purchase.member,
        occurred_at=to_timestamp(purchase.occurred_at),
        currency=purchase.currency,
        lines=[
            pb.Line(
                item_code=line.item_code,
                quantity=line.quantity,
                gross_minor=line.gross_minor,
                discount_minor=line.discount_minor,
            )
            for line in purchase.lines
        ],
    )


def _account(view: AccountView) -> pb.Account:
    account = view.account
    return pb.Account(
        member_id=account.member,
        available_points=account.available_points,
        lifetime_points=account.lifetime_points,
        version=account.version,
        tier=_tier(view.tier),
    )


def _tier(tier: TierView) -> pb.Tier:
    return pb.Tier(
        level=tier.level,
        since=to_timestamp(tier.since) if tier.since else None,
        qualifying_spend=Money(amount_minor=tier.spend_minor, currency=tier.currency) if tier.currency else None,
        next_level=tier.next_level,
        missing_minor=tier.missing_minor,
    )


def _page(page: JournalPage) -> pb.EntryPage:
    return pb.EntryPage(
        entries=[_entry(entry) for entry in page.entries],
        end_cursor="" if page.next_before is None else str(page.next_before),
    )


def _entry(entry: Entry) -> pb.Entry:
    return pb.Entry(
        id=entry.id,
        kind=entry.kind,
        occurred_at=to_timestamp(entry.occurred_at),
        booked_at=to_timestamp(entry.booked_at),
        points=entry.posting.points,
        balance_points=entry.posting.balance_points,
        version=entry.posting.version,
        reference=entry.reference,
    )


def _before(cursor: str) -> int | None:
    if not cursor:
        return None
    try:
        return int(cursor)
    except ValueError:
        raise CursorError(field="after") from None
