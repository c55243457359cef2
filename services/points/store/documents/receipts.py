"""Receipts with their answers, and refunds."""

from dataclasses import asdict
from datetime import date
from typing import Any

from services.points.domain.conditions import MemberFacts
from services.points.domain.earning import CapUse, EarnedPart
from services.points.domain.items import Item
from services.points.domain.purchases import Channel, Line, Purchase
from services.points.domain.receipts import BookedPurchase, Rated, Receipt, Redeemed
from services.points.domain.refunds import (
    BookedRefund,
    GivenBack,
    Refund,
    RefundLine,
    RefundState,
    Returned,
    TakenBack,
)
from services.points.domain.rules import ONE
from services.points.store.documents import Document


def receipt_document(receipt: Receipt) -> Document:
    """Return what a receipt's document holds besides its key; refunds stand in it and in their own documents."""
    document: Document = {"revision": receipt.revision}
    if receipt.booked is not None:
        document |= _booked_document(receipt.booked)
    if receipt.refunds:
        document["refunds"] = [refund_document(refund) for refund in receipt.refunds]
    if receipt.waiting or receipt.refunds or receipt.revision > 1:
        document["waiting"] = [refund_document(refund) for refund in receipt.waiting]
    return document


def receipt_of(document: Document) -> Receipt:
    """Return the receipt."""
    return Receipt(
        booked=_booked_of(document) if "purchase" in document else None,
        refunds=tuple(refund_of(refund) for refund in document.get("refunds", ())),
        waiting=tuple(refund_of(refund) for refund in document.get("waiting", ())),
        revision=document["revision"],
    )


def _booked_document(booked: BookedPurchase) -> Document:
    purchase = booked.purchase
    return {
        "purchase": booked.id,
        "entry": booked.entry,
        "fingerprint": booked.fingerprint,
        "store": purchase.store,
        "receipt_number": purchase.receipt_number,
        "member": purchase.member,
        "buyer": purchase.buyer,
        "occurred_at": purchase.occurred_at,
        "booked_at": booked.booked_at,
        "time_zone": booked.time_zone,
        "currency": purchase.currency,
        "paid_minor": purchase.paid_minor,
        "lines": [_line_document(line) for line in purchase.lines],
        **_circumstances(purchase),
        "level": booked.level,
        "program_version": booked.program_version,
        "breakdown": [_part_document(part) for part in booked.breakdown],
        "balance_points": booked.balance_points,
        "level_before": booked.level_before,
        "level_after": booked.level_after,
        **({"visit": booked.visit} if booked.visit else {}),
        **({"rated": _rated_document(booked.rated)} if booked.rated else {}),
        **({"redeemed": [_redeemed_document(one) for one in booked.redeemed]} if booked.redeemed else {}),
        **({"unknown_holds": list(booked.unknown_holds)} if booked.unknown_holds else {}),
    }


def _part_document(part: EarnedPart) -> Document:
    return {
        "rule": part.rule,
        "program_version": part.program_version,
        "points": part.points,
        "currency": part.currency,
        "base": part.base,
        **({"factor_permille": part.factor_permille} if part.factor_permille != ONE else {}),
        **({"cap": part.cap, "uncapped": part.uncapped} if part.cap else {}),
    }


def _rated_document(rated: Rated) -> Document:
    return {
        "region": rated.region,
        "items": [
            {**asdict(item), "launched_on": item.launched_on and item.launched_on.isoformat()} for item in rated.items
        ],
        # The receipt has the level already.
        "member": {name: value for name, value in asdict(rated.member).items() if name != "tier"},
        "room": [asdict(use) for use in rated.room],
    }


def _rated_of(document: Document) -> Rated:
    return Rated(
        region=document["region"],
        items=tuple(
            Item(**{**item, "launched_on": item["launched_on"] and date.fromisoformat(item["launched_on"])})
            for item in document["items"]
        ),
        member=MemberFacts(**document["member"]),
        room=tuple(CapUse(**use) for use in document["room"]),
    )


def _line_document(line: Line) -> Document:
    return {
        "item_code": line.item_code,
        "quantity": line.quantity,
        "gross_minor": line.gross_minor,
        "discount_minor": line.discount_minor,
        **({"category": line.category} if line.category else {}),
        **({"cost_minor": line.cost_minor} if line.cost_minor else {}),
    }


def _circumstances(purchase: Purchase) -> Document:
    """Return what most tills do not send, only where they did."""
    sent: Document = {
        "till": purchase.till,
        "staff": purchase.staff,
        "channel": purchase.channel.value,
        "payment_kind": purchase.payment_kind,
        "partner": purchase.partner,
        "payer": purchase.payer,
        "party_size": purchase.party_size,
        "tax_minor": purchase.tax_minor,
        "tip_minor": purchase.tip_minor,
        "coupons": list(purchase.coupons),
        "holds": list(purchase.holds),
    }
    return {name: value for name, value in sent.items() if value}


def _booked_of(document: Document) -> BookedPurchase:
    return BookedPurchase(
        id=document["purchase"],
        entry=document["entry"],
        purchase=_purchase_of(document),
        fingerprint=document["fingerprint"],
        booked_at=document["booked_at"],
        time_zone=document["time_zone"],
        level=document["level"],
        program_version=document["program_version"],
        breakdown=tuple(EarnedPart(**part) for part in document["breakdown"]),
        balance_points=document["balance_points"],
        level_before=document["level_before"],
        level_after=document["level_after"],
        rated=_rated_of(document["rated"]) if "rated" in document else None,
        redeemed=tuple(_redeemed_of(one) for one in document.get("redeemed", ())),
        unknown_holds=tuple(document.get("unknown_holds", ())),
        visit=document.get("visit", 0),
    )


def _purchase_of(document: Document) -> Purchase:
    return Purchase(
        store=document["store"],
        receipt_number=document["receipt_number"],
        member=document["member"],
        occurred_at=document["occurred_at"],
        currency=document["currency"],
        lines=tuple(Line(**line) for line in document["lines"]),
        buyer=document["buyer"],
        till=document.get("till", ""),
        staff=document.get("staff", ""),
        channel=Channel(document.get("channel", "")),
        payment_kind=document.get("payment_kind", ""),
        partner=document.get("partner", ""),
        payer=document.get("payer", ""),
        party_size=document.get("party_size", 0),
        tax_minor=document.get("tax_minor", 0),
        tip_minor=document.get("tip_minor", 0),
        coupons=tuple(document.get("coupons", ())),
        holds=tuple(document.get("holds", ())),
    )


def _redeemed_document(redeemed: Redeemed) -> Document:
    return {
        "hold": redeemed.hold,
        "currency": redeemed.currency,
        "parts": [{"lot": lot, "amount": amount} for lot, amount in redeemed.parts],
        "debt": redeemed.debt,
    }


def _redeemed_of(document: Document) -> Redeemed:
    parts = tuple((part["lot"], part["amount"]) for part in document["parts"])
    return Redeemed(document["hold"], document["currency"], parts, document["debt"])


def refund_document(booked: BookedRefund) -> Document:
    """Return what a refund's document holds besides its key."""
    document: Document = asdict(booked)
    document["state"] = booked.state.value
    document["store"] = booked.refund.store
    document["occurred_at"] = booked.refund.occurred_at
    return document


def refund_of(document: Document) -> BookedRefund:
    """Return the refund."""
    sent: dict[str, Any] = document["refund"]
    lines = tuple(RefundLine(**line) for line in sent["lines"])
    return BookedRefund(
        id=document["id"],
        refund=Refund(**{**sent, "lines": lines}),
        fingerprint=document["fingerprint"],
        booked_at=document["booked_at"],
        booked_by=document["booked_by"],
        state=RefundState(document["state"]),
        member=document["member"],
        purchase=document["purchase"],
        returned=tuple(Returned(**one) for one in document["returned"]),
        whole=document["whole"],
        taken=tuple(TakenBack(**one) for one in document["taken"]),
        given=tuple(GivenBack(**one) for one in document["given"]),
        coupons=tuple(document["coupons"]),
        why=document["why"],
    )
