"""Purchases and commands for tests of the ledger."""

from datetime import UTC, datetime, timedelta

from services.points.domain.booking import BookPurchase
from services.points.domain.purchases import Line, Purchase

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def purchase(number: str = "R1", *, paid_minor: int = 10_000, day: int = 0, member: str = "mem_ada") -> Purchase:
    return Purchase(
        store="sto_1",
        receipt_number=number,
        member=member,
        occurred_at=NOON + timedelta(days=day),
        currency="CNY",
        lines=(Line("noodles", 1, paid_minor),),
    )


def command(bought: Purchase | None = None, *, chain: str = "chn_1", opens_account: bool = True) -> BookPurchase:
    bought = bought or purchase()
    return BookPurchase(
        chain=chain,
        purchase=bought,
        time_zone="Asia/Shanghai",
        purchase_id=f"pur_{bought.receipt_number}",
        entry_id=f"ent_{bought.receipt_number}",
        booked_at=NOON + timedelta(days=100),
        booked_by="till:key_1",
        opens_account=opens_account,
    )
