"""The sections of a mapping: members, purchases with the refunds among them, refunds of their own, opening balances.

Moments are milliseconds since 1970, amounts of money minor units.
"""

from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from functools import partial

from infra.cli.importing.convert import exact, minor, text, whole
from infra.cli.importing.fields import Column, Field, Fields
from infra.cli.importing.rows import SourceFile
from infra.cli.importing.sources import fields_of, source_of
from infra.cli.importing.tables import Table

USUAL_DIGITS, MOST_DIGITS = 2, 4
IDENTITIES = ("external", "phone", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRule:
    """Which rows of the purchases take something back: negative ones, and all of numbers that begin with `prefix`.

    `receipt` is the number of the receipt that they take back; "": it is to be found.
    """

    prefix: str  # "": negative ones only
    receipt: Field[str]
    receipt_store: Field[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What was paid for a line: as a whole, or for each piece. Both None: the file does not say."""

    digits: int  # decimal places of the currency
    whole: Field[int | None] | None
    each: Field[Decimal] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFields:
    """Where purchases come from; with `group_by`, rows with the same value in it are lines of one receipt."""

    source: SourceFile
    columns: frozenset[str]
    labels: Dict[str, str]
    currency: str  # "": the store's
    group_by: Field[str] | None
    refunds: RefundRule | None
    store: Field[str]  # a store's code; "": the mapping has none
    member: Field[str]
    number: Field[str]
    occurred_at: Field[int]
    item_code: Field[str]
    quantity: Field[int]
    gross: Amounts
    discount: Field[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFields:
    """Where refunds come from that have a file of their own. One without item takes back all that is left."""

    source: SourceFile
    columns: frozenset[str]
    labels: Dict[str, str]
    group_by: Field[str] | None
    store: Field[str]
    member: Field[str]
    number: Field[str]
    occurred_at: Field[int]
    item_code: Field[str]
    quantity: Field[int]
    amount: Amounts
    receipt: Field[str]
    receipt_store: Field[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningFields:
    """Where opening balances come from: a row is a lot, rows of one account and currency are one balance."""

    source: SourceFile
    columns: frozenset[str]
    labels: Dict[str, str]
    after_purchases: bool
    identity: str  # what `member` is: one of IDENTITIES
    account: Field[str]  # the other system's number of the account; "": the member
    member: Field[str]
    member_id: Field[str]  # the platform's; comes before `member`
    currency: Field[str]
    amount: Field[int]
    earned_at: Field[int]
    expires_at: Field[int | None]


def purchases_of(table: Table, zone: tzinfo, *, home: str) -> PurchaseFields:
    """Read [purchases]; `home` is the code of the mapping's store, "" where it has none.

    This and the others raise `WrongMappingError`.
    """
    source = source_of(table)
    currency, group_by = table.text("currency", ""), table.get("group_by", str)
    digits, refunds = _digits(table), table.table("refunds")
    fields = Fields(fields_of(table), zone=zone)
    table.done()
    group = Column(group_by) if group_by else None
    rule, rule_columns, rule_labels = _rule(refunds, zone) if refunds else (None, set[str](), dict[str, str]())
    gross = _amounts(fields, "gross", digits)
    if gross.whole is None and gross.each is None:
        raise fields.missing("gross")
    found = PurchaseFields(
        source=source,
        labels=fields.labels,
        currency=currency,
        group_by=_group(group),
        refunds=rule,
        store=fields.optional("store", text, home),
        member=fields.required("member", text),
        number=fields.required("receipt_number", text, usual=group),
        occurred_at=fields.required("occurred_at", fields.moment("occurred_at")),
        item_code=fields.required("item_code", text),
        quantity=fields.optional("quantity", whole, 1),
        gross=gross,
        discount=fields.optional("discount", partial(minor, digits=digits), 0),
        # Last: the fields above note their columns.
        columns=frozenset(fields.columns | rule_columns | source.filtered | ({group_by} if group_by else set())),
    )
    fields.labels.update(rule_labels, refund_number=fields.labels["receipt_number"])
    fields.done()
    return found


def refunds_of(table: Table, zone: tzinfo, *, home: str) -> RefundFields:
    """Read [refunds]."""
    source, group_by, digits = source_of(table), table.get("group_by", str), _digits(table)
    fields = Fields(fields_of(table), zone=zone)
    table.done()
    group = Column(group_by) if group_by else None
    store = fields.optional("store", text, home)
    found = RefundFields(
        source=source,
        labels=fields.labels,
        group_by=_group(group),
        store=store,
        member=fields.optional("member", text, ""),
        number=fields.required("refund_number", text, usual=group),
        occurred_at=fields.required("occurred_at", fields.moment("occurred_at")),
        item_code=fields.optional("item_code", text, ""),
        quantity=fields.optional("quantity", whole, 1),
        amount=_amounts(fields, "amount", digits),
        receipt=fields.optional("receipt", text, ""),
        receipt_store=fields.optional("receipt_store", text, ""),
        columns=frozenset(fields.columns | source.filtered | ({group_by} if group_by else set())),
    )
    fields.done()
    if found.receipt.is_absent and (found.member.is_absent or found.item_code.is_absent):
        raise fields.missing("receipt")
    return found


def openings_of(table: Table, zone: tzinfo) -> OpeningFields:
    """Read [openings]."""
    source = source_of(table)
    after, identity = table.get("after_purchases", bool), table.text("identity", "external")
    fields = Fields(fields_of(table), zone=zone)
    table.done()
    if identity not in IDENTITIES:
        raise table.wrong(f"`identity` is {identity!r}; there are {', '.join(IDENTITIES)}")
    expires_at: Field[int | None] = fields.optional("expires_at", fields.moment("expires_at"), None)
    found = OpeningFields(
        source=source,
        labels=fields.labels,
        after_purchases=bool(after),
        identity=identity,
        account=fields.optional("account", text, ""),
        member=fields.optional("member", text, ""),
        member_id=fields.optional("member_id", text, ""),
        currency=fields.optional("currency", text, "points"),
        amount=fields.required("amount", whole),
        earned_at=fields.required("earned_at", fields.moment("earned_at")),
        expires_at=expires_at,
        columns=frozenset(fields.columns | source.filtered),
    )
    fields.done()
    if found.member.is_absent and found.member_id.is_absent:
        raise fields.missing("member")
    return found


def _rule(table: Table, zone: tzinfo) -> tuple[RefundRule, set[str], dict[str, str]]:
    """Read [purchases.refunds], which columns it needs, and what a report calls its fields."""
    prefix, within = table.text("numbers_begin_with", ""), table.table("fields")
    fields = Fields(within or Table({}, file=table.file), zone=zone)
    table.done()
    rule = RefundRule(
        prefix=prefix,
        receipt=fields.optional("receipt", text, ""),
        receipt_store=fields.optional("receipt_store", text, ""),
    )
    fields.done()
    return rule, fields.columns, fields.labels


def _amounts(fields: Fields, name: str, digits: int) -> Amounts:
    """Read the field `name`, for the whole line, or `unit_price`; the report knows either as `name`."""
    amounts: Field[int | None] = fields.optional(name, partial(minor, digits=digits), None)
    each: Field[Decimal] = fields.optional("unit_price", exact, Decimal(0))
    if not each.is_absent:
        if not amounts.is_absent:
            raise fields.wrong(f"give either `{name}` or `unit_price`")
        fields.labels[name] = fields.labels["unit_price"]
    return Amounts(digits=digits, whole=None if amounts.is_absent else amounts, each=None if each.is_absent else each)


def _digits(table: Table) -> int:
    digits = table.get("minor_digits", int)
    if digits is not None and not 0 <= digits <= MOST_DIGITS:
        raise table.wrong(f"`minor_digits` is {digits}; a currency has 0 to {MOST_DIGITS}")
    return USUAL_DIGITS if digits is None else digits


def _group(group: Column | None) -> Field[str] | None:
    return Field(origin=group, convert=text, default=None, required=True) if group else None
