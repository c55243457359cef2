"""Accounts, their lots and holds."""

from datetime import date, datetime

from services.kit.outbox.events import EventCursor
from services.points.domain.accounts import Account, Balances
from services.points.domain.calendar import NO_SPAN, Span
from services.points.domain.holds import Hold, HoldState
from services.points.domain.lots import Lot
from services.points.domain.standings import NO_STANDING, Counts, Grant, Reached, Standing, Tally
from services.points.domain.ties import NO_TIES, Brought, Ties
from services.points.store.documents import Document


def account_document(account: Account, cursor: EventCursor) -> Document:
    """Return what an account's document holds besides its key."""
    return {
        "balances": {currency: balances_document(held) for currency, held in account.balances.items()},
        "currency": account.currency,
        "counts": _counts_document(account.counts),
        "standing": None if account.standing == NO_STANDING else _standing_document(account.standing),
        "as_of": account.as_of,
        "booked_at": account.booked_at,
        "due_at": account.due_at,
        "frozen": account.frozen,
        "merged_into": account.merged_into,
        **({"ties": _ties_document(account.ties)} if account.ties != NO_TIES else {}),
        "version": account.version,
        "head": account.head,
        "events": {"sequence": cursor.sequence, "at": cursor.at},
    }


def account_of(document: Document) -> tuple[Account, EventCursor]:
    """Return the account, and how far it has told its events."""
    account = Account(
        id=document["account"],
        balances={currency: balances_of(held) for currency, held in document["balances"].items()},
        currency=document["currency"],
        counts=_counts_of(document["counts"]),
        standing=_standing_of(document["standing"]) if document["standing"] else NO_STANDING,
        as_of=document["as_of"],
        booked_at=document["booked_at"],
        due_at=document["due_at"],
        frozen=document["frozen"],
        merged_into=document["merged_into"],
        ties=_ties_of(document["ties"]) if "ties" in document else NO_TIES,
        version=document["version"],
        head=document["head"],
    )
    return account, EventCursor(**document["events"])


def _ties_document(ties: Ties) -> Document:
    brought = ties.brought
    return {
        "joined": list(ties.joined),
        "been_in": list(ties.been_in),
        "brought": brought
        and {
            "merge": brought.merge,
            "into": brought.into,
            "meant": brought.meant,
            "lots": sorted(brought.lots),
            "holds": sorted(brought.holds),
            "debt": dict(brought.debt),
            "lifetime": dict(brought.lifetime),
            "counts": _counts_document(brought.counts),
            "froze": brought.froze,
            "standing": _standing_document(brought.standing),
        },
    }


def _ties_of(document: Document) -> Ties:
    brought = document["brought"]
    return Ties(
        joined=tuple(document["joined"]),
        been_in=tuple(document["been_in"]),
        brought=brought
        and Brought(
            **{
                **brought,
                "lots": frozenset(brought["lots"]),
                "holds": frozenset(brought["holds"]),
                "counts": _counts_of(brought["counts"]),
                "standing": _standing_of(brought["standing"]),
            }
        ),
    )


def _counts_document(counts: Counts) -> Document:
    return {
        "spend_minor": counts.spend_minor,
        "visits": counts.visits,
        "joined_at": counts.joined_at,
        "first_at": counts.first_at,
        "last_at": counts.last_at,
        "active_at": counts.active_at,
        # As short as can be: they are written with every purchase.
        "tallies": [[_number(one.day), one.spend_minor, one.points, one.visits] for one in counts.tallies],
        **({"caps": [[cap, period, used] for (cap, period), used in counts.caps.items()]} if counts.caps else {}),
    }


def _counts_of(document: Document) -> Counts:
    return Counts(
        spend_minor=document["spend_minor"],
        visits=document["visits"],
        joined_at=document["joined_at"],
        first_at=document["first_at"],
        last_at=document["last_at"],
        active_at=document["active_at"],
        tallies=tuple(Tally(_day(day), *more) for day, *more in document["tallies"]),
        caps={(cap, period): used for cap, period, used in document.get("caps", ())},
    )


def _number(day: date) -> int:
    """Return a day as the number that it reads as: 20260305."""
    return day.year * 10_000 + day.month * 100 + day.day


def _day(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)


def _standing_document(standing: Standing) -> Document:
    grant = standing.grant
    return {
        "reached": [{"level": reached.level, "since": reached.since} for reached in standing.reached],
        "level": standing.level,
        "until": standing.until,
        "met_on": standing.met_on and _number(standing.met_on),
        "next_level": standing.next_level,
        "next_at": standing.next_at,
        "grant": grant and {"level": grant.level, "until": grant.until, "note": grant.note},
        "counted_from": standing.counted_from,
    }


def _standing_of(document: Document) -> Standing:
    return Standing(
        reached=tuple(Reached(**reached) for reached in document["reached"]),
        level=document["level"],
        until=document["until"],
        met_on=document["met_on"] and _day(document["met_on"]),
        next_level=document["next_level"],
        next_at=document["next_at"],
        grant=document["grant"] and Grant(**document["grant"]),
        counted_from=document["counted_from"],
    )


def balances_document(balances: Balances) -> Document:
    """Return what an account has in one currency."""
    return {
        "available": balances.available,
        "pending": balances.pending,
        "held": balances.held,
        "debt": balances.debt,
        "lifetime": balances.lifetime,
    }


def balances_of(document: Document) -> Balances:
    """Return what an account has in one currency."""
    return Balances(**document)


def lot_document(lot: Lot) -> Document:
    """Return what a lot's document holds besides its key."""
    return {
        "currency": lot.currency,
        "free": lot.free,
        "held": lot.held,
        "open": lot.is_open,
        "granted_at": lot.granted_at,
        "expires_at": lot.expires_at,
        "pending_until": lot.pending_until,
        "policy_version": lot.policy_version,
        "source": lot.source,
        "lapsed": lot.lapsed,
        **({"idle": [lot.idle.days, lot.idle.months]} if lot.idle else {}),
        **({"reminded_for": lot.reminded_for} if lot.reminded_for else {}),
    }


def lot_of(document: Document) -> Lot:
    """Return the lot."""
    return Lot(
        id=document["lot"],
        currency=document["currency"],
        free=document["free"],
        granted_at=document["granted_at"],
        expires_at=document["expires_at"],
        pending_until=document["pending_until"],
        policy_version=document["policy_version"],
        source=document["source"],
        held=document["held"],
        lapsed=document["lapsed"],
        idle=Span(*document["idle"]) if "idle" in document else NO_SPAN,
        reminded_for=document.get("reminded_for"),
    )


def hold_document(hold: Hold) -> Document:
    """Return what a hold's document holds besides its key."""
    return {
        "currency": hold.currency,
        "amount": hold.amount,
        "parts": [{"lot": lot, "amount": amount} for lot, amount in hold.parts],
        "taken": [{"lot": lot, "amount": amount} for lot, amount in hold.taken],
        "expires_at": hold.expires_at,
        "reference": hold.reference,
        "pinned": hold.pinned,
        "state": hold.state.value,
        "purchase": hold.purchase,
        **({"went_to": hold.went_to} if hold.went_to else {}),
    }


def hold_of(document: Document) -> Hold:
    """Return the hold."""
    expires_at: datetime = document["expires_at"]
    return Hold(
        id=document["hold"],
        account=document["account"],
        currency=document["currency"],
        amount=document["amount"],
        parts=tuple((part["lot"], part["amount"]) for part in document["parts"]),
        expires_at=expires_at,
        reference=document["reference"],
        pinned=document["pinned"],
        state=HoldState(document["state"]),
        taken=tuple((part["lot"], part["amount"]) for part in document["taken"]),
        purchase=document["purchase"],
        went_to=document.get("went_to", ""),
    )
