"""Sums of sales as documents: short names, since each stands in every cell of every day of every store."""

from collections.abc import Mapping

from services.points.domain.sales import FIELDS, Cell, Item, Return, Sale, Sold, SoldLine, Sums
from services.points.store.documents import Document

SHORT = {
    "receipts": "r",
    "covers": "g",
    "items": "i",
    "paid_minor": "p",
    "discount_minor": "d",
    "costed_minor": "cp",
    "cost_minor": "c",
    "known_receipts": "kr",
    "known_minor": "kp",
    "returning_receipts": "rr",
    "returning_minor": "rp",
    "refunds": "b",
    "refunded_items": "bi",
    "refunded_minor": "bp",
    "refunded_costed_minor": "bc",
}

CHANNELS = {"": "u", "dine_in": "d", "takeaway": "t", "delivery": "v", "online": "o", "partner": "p"}
CHANNEL_OF = {letter: channel for channel, letter in CHANNELS.items()}
UNKNOWN = "u"

ESCAPED = {"%": "%25", ".": "%2E", "$": "%24", "\0": "%00", "/": "%2F"}
"""What a field's name may not have, what separates, and what escapes."""


def increments(sums: Sums, *, under: str) -> dict[str, int]:
    """Return what `$inc` takes to add `sums` to the sub-document `under`; what is 0 is left out."""
    return {f"{under}.{SHORT[name]}": value for name in FIELDS if (value := getattr(sums, name))}


def sums_of(document: Mapping[str, int]) -> Sums:
    """Return the sums."""
    return Sums(**{name: document.get(short, 0) for name, short in SHORT.items()})


def sold_document(sold: Sold) -> Document:
    """Return a purchase or a refund as it waits to be added."""
    content: Document = {
        "store": sold.store,
        "at": sold.at,
        "booked_at": sold.booked_at,
        "time_zone": sold.time_zone,
        "channel": sold.channel,
        "lines": [
            [*line.item, line.quantity, line.paid_minor, line.discount_minor, line.cost_minor] for line in sold.lines
        ],
    }
    if isinstance(sold, Sale):
        content |= {"member": sold.member, "party_size": sold.party_size, "visit": sold.visit}
    return content


def sold_of(document: Document) -> Sold:
    """Return the purchase, or without a member the refund."""
    content = dict(document)
    content["lines"] = tuple(SoldLine(Item(line[0], line[1]), *line[2:]) for line in document["lines"])
    return Sale(**content) if "member" in content else Return(**content)


def cell_name(cell: Cell) -> str:
    """Return the field's name: weekday, hour and channel in four characters."""
    return f"{cell.weekday}{cell.hour:02}{CHANNELS.get(cell.channel, UNKNOWN)}"


def cell_of(name: str) -> Cell:
    """Return the cell."""
    return Cell(int(name[0]), int(name[1:3]), CHANNEL_OF[name[3]])


def item_name(item: Item) -> str:
    """Return the field's name: category and code, what cannot stand in one escaped."""
    return f"{escaped(item.category)}/{escaped(item.code)}"


def item_of(name: str) -> Item:
    """Return the item."""
    category, _, code = name.partition("/")
    return Item(plain(code), plain(category))


def escaped(text: str) -> str:
    """Return the text as it stands in a field's name."""
    return "".join(ESCAPED.get(character, character) for character in text)


def plain(text: str) -> str:
    """Return the text that was escaped."""
    for character, escape in reversed(ESCAPED.items()):  # the escape's own character last
        text = text.replace(escape, character)
    return text
