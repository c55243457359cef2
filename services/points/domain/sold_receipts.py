"""What reports count of a receipt in the ledger: the same as its events tell."""

from services.points.domain.receipts import BookedPurchase, Receipt, returned_lines
from services.points.domain.refunds import BookedRefund
from services.points.domain.sales import Item, Return, Sale, Sold, SoldLine


def sold_of(receipt: Receipt) -> list[Sold]:
    """Return the purchase and its refunds; nothing while only refunds wait for it."""
    if (booked := receipt.booked) is None:
        return []
    return [_sale(booked), *(_return(refund, booked) for refund in receipt.refunds)]


def _sale(booked: BookedPurchase) -> Sale:
    purchase = booked.purchase
    return Sale(
        store=purchase.store,
        member=purchase.member,
        at=purchase.occurred_at,
        booked_at=booked.booked_at,
        time_zone=booked.time_zone,
        channel=purchase.channel.value,
        lines=tuple(
            SoldLine(
                Item(line.item_code, line.category),
                line.quantity,
                line.paid_minor,
                discount_minor=line.discount_minor,
                cost_minor=line.cost_minor,
            )
            for line in purchase.lines
        ),
        party_size=purchase.party_size,
        visit=booked.visit,
    )


def _return(refund: BookedRefund, booked: BookedPurchase) -> Return:
    return Return(
        store=refund.refund.store,
        at=refund.refund.occurred_at,
        booked_at=max(refund.booked_at, booked.booked_at),
        time_zone=booked.time_zone,
        channel=booked.purchase.channel.value,
        lines=tuple(
            SoldLine(Item(line.item_code, line.category), one.quantity, one.amount_minor, cost_minor=line.cost_minor)
            for one, line in returned_lines(refund, booked)
        ),
    )
