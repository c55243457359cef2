"""Purchases, refunds and commands for tests of the ledger."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.kit.errors import Problem
from services.points.domain.batches import Recorded, Refunded
from services.points.domain.books import Posted
from services.points.domain.commands import AnyCommand, Authorise, BookPurchase, BookRefund, Capture
from services.points.domain.drafts import Author
from services.points.domain.purchases import Line, Purchase
from services.points.domain.refunds import Refund, RefundLine
from tests.support.paper_ledger import PaperLedger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=100)
"""When everything is booked."""


def purchase(
    number: str = "R1", *, paid_minor: int = 10_000, day: int = 0, member: str = "mem_ada", **more: Any
) -> Purchase:
    return Purchase(
        store="sto_1",
        receipt_number=number,
        member=member,
        occurred_at=NOON + timedelta(days=day),
        currency="CNY",
        lines=more.pop("lines", (Line("noodles", 1, paid_minor),)),
        **more,
    )


def author(name: str, *, chain: str = "chn_1", key: str = "", by: str = "till:key_1") -> Author:
    return Author(chain, f"ent_{name}", LATER, by, key)


def command(bought: Purchase | None = None, *, chain: str = "chn_1", opens_account: bool = True) -> BookPurchase:
    bought = bought or purchase()
    return BookPurchase(
        author=author(bought.receipt_number, chain=chain, key=bought.key),
        purchase=bought,
        time_zone="Asia/Shanghai",
        purchase_id=f"pur_{bought.receipt_number}",
        opens_account=opens_account,
    )


def refund(number: str, of: str = "R1", *lines: RefundLine, day: int = 0) -> BookRefund:
    taken = Refund("sto_1", number, of, NOON + timedelta(days=day), lines)
    return BookRefund(author=author(number, key=taken.key), refund=taken, refund_id=f"ref_{number}")


def keyed(name: str, *, member: str = "mem_ada", day: int = 0, by: str = "till:key_1") -> dict[str, Any]:
    return {
        "author": author(name, key=f"key-{name}", by=by),
        "account": member,
        "fingerprint": name.encode(),
        "at": NOON + timedelta(days=day),
    }


def authorise(name: str, amount: int, *, day: int = 0, days: float = 1, **more: Any) -> Authorise:
    moment = NOON + timedelta(days=day)
    return Authorise(
        **keyed(f"authorise-{name}", day=day),
        hold=f"hold_{name}",
        currency=more.pop("currency", "points"),
        amount=amount,
        expires_at=moment + timedelta(days=days),
    )


def capture(name: str, amount: int | None = None, *, day: int = 0, key: str = "") -> Capture:
    return Capture(**keyed(key or f"capture-{name}", day=day), hold=f"hold_{name}", amount=amount)


def one(ledger: PaperLedger, wanted: AnyCommand) -> Any:
    """Carry out one command and return its answer; raise its Problem."""
    [answer] = ledger.commit([wanted])
    if isinstance(answer, Problem):
        raise answer
    return answer


def recorded(answer: object) -> Recorded:
    assert isinstance(answer, Recorded), answer
    return answer


def refunded(answer: object) -> Refunded:
    assert isinstance(answer, Refunded), answer
    return answer


def posted(answer: object) -> Posted:
    assert isinstance(answer, Posted), answer
    return answer
