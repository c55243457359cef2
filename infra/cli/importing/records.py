"""Rows turned into what is staged: members, and lines of receipts."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.cli.importing.convert import UnfitError, times
from infra.cli.importing.fields import BadCellError
from infra.cli.importing.rows import Row, SourceFile
from infra.cli.importing.sections import (
    Amounts,
    OpeningFields,
    PurchaseFields,
    RefundFields,
    RefundRule,
)

CURRENCIES = ("points", "stamps")
MOST_KEY = 128
"""Characters of a command's key."""


Line = tuple[str, int, int | None, int]
"""Item code, quantity, gross and discount in minor units, for the whole line.

Of a line that takes back: what is taken back, nothing negative, and no discount; None: the pieces' share."""


@dataclass(frozen=True, slots=True)
class LineRecord:
    """A line of a receipt or refund and the document's own facts; `at` in milliseconds since 1970.

    One that `takes_back` may name the receipt that it does: store and number, both "" where it does not.
    """

    row: int
    store: str
    number: str
    member: str
    at: int
    line: Line
    takes_back: bool = False
    receipt: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class OpeningRecord:
    """A lot of an opening balance. `key` names the balance for ever; moments in milliseconds since 1970."""

    row: int
    account: str
    key: str
    kind: str  # what `member` is: "external", "phone" or "email"
    member: str
    member_id: str
    currency: str
    amount: int
    earned_at: int
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot go in. `row` counts within `file`; `column` is "" when it is not about one."""

    file: str
    row: int
    column: str
    reason: str


def is_kept(row: Row, source: SourceFile) -> bool:
    """Tell whether the row passes the filter."""
    return all(_shown(row.cell(column)) in values for column, values in source.keep.items()) and all(
        str(row.cell(column) or "").strip() for column in source.skip_without
    )


def line_of(row: Row, fields: PurchaseFields) -> LineRecord:
    """Make a line of a row, or raise `BadCellError`."""
    number, store, quantity = fields.number.of(row), fields.store.of(row), fields.quantity.of(row)
    item, discount = fields.item_code.of(row), fields.discount.of(row)
    gross = _amount(row, fields.gross, quantity, fields.labels["gross"])
    if gross is None:
        raise BadCellError(fields.labels["gross"], "is empty or not there")
    line: Line = (item, quantity, gross, discount)
    member, at, rule = fields.member.of(row), fields.occurred_at.of(row), fields.refunds
    if rule is None or not (quantity < 0 or gross < 0 or (rule.prefix and number.startswith(rule.prefix))):
        return LineRecord(row.number, store, number, member, at, line)
    back = _taken_back(item, quantity, abs(gross) - abs(discount), fields.labels)
    return LineRecord(row.number, store, number, member, at, back, takes_back=True, receipt=_receipt(row, rule, store))


def refund_of(row: Row, fields: RefundFields) -> LineRecord:
    """Make a line of a refund of a row, or raise `BadCellError`."""
    store, item, quantity = fields.store.of(row), fields.item_code.of(row), fields.quantity.of(row)
    amount = _amount(row, fields.amount, quantity, fields.labels["amount"])
    receipt, member = _receipt(row, fields, store), fields.member.of(row)
    if not receipt[1] and not (member and item):
        raise BadCellError(fields.labels["receipt"], "is empty, and so is the member or the item")
    line = (
        _taken_back(item, quantity, None if amount is None else abs(amount), fields.labels)
        if item
        else ("", 0, None if amount is None else abs(amount), 0)
    )
    at = fields.occurred_at.of(row)
    return LineRecord(row.number, store, fields.number.of(row), member, at, line, takes_back=True, receipt=receipt)


def opening_of(row: Row, fields: OpeningFields) -> OpeningRecord:
    """Make a lot of a row, or raise `BadCellError`."""
    member, member_id = fields.member.of(row), fields.member_id.of(row)
    account, currency = account_of(row, fields), fields.currency.of(row).lower()
    if currency not in CURRENCIES:
        raise BadCellError(fields.labels["currency"], f"is {currency!r}; there are {', '.join(CURRENCIES)}")
    if not (member or member_id):
        raise BadCellError(fields.labels["member"], "is empty or not there")
    # A balance is of one currency: the others of an account have theirs in the key.
    key = f"opening/{account}" if currency == "points" else f"opening/{account}/{currency}"
    if len(key) > MOST_KEY:
        raise BadCellError(fields.labels["account"], f"is longer than {MOST_KEY - len(key) + len(account)} characters")
    amount = fields.amount.of(row)
    if amount < 0:
        raise BadCellError(fields.labels["amount"], "is less than 0: what a member owes cannot be opened")
    earned_at, expires_at = fields.earned_at.of(row), fields.expires_at.of(row)
    return OpeningRecord(
        row.number, account, key, fields.identity, member, member_id, currency, amount, earned_at, expires_at
    )


def account_of(row: Row, fields: OpeningFields) -> str:
    """Return the other system's number of the account, by default the member; "" where that is unreadable."""
    try:
        return fields.account.of(row) or fields.member_id.of(row) or fields.member.of(row)
    except BadCellError:
        return ""


def _amount(row: Row, amounts: Amounts, quantity: int, label: str) -> int | None:
    """Return what stands for the whole line, None where the file does not say."""
    if amounts.each is not None:
        try:
            return times(amounts.each.of(row), quantity, digits=amounts.digits)
        except UnfitError as unfit:
            raise BadCellError(label, str(unfit)) from None
    return amounts.whole.of(row) if amounts.whole is not None else None


def _taken_back(item: str, quantity: int, amount: int | None, labels: Mapping[str, str]) -> Line:
    if amount is not None and amount < 0:
        raise BadCellError(labels["discount"], "is more than the amount that it lessens")
    if not quantity and not amount:
        raise BadCellError(labels["quantity"], "is 0, and so is the amount: nothing is taken back")
    return (item, abs(quantity), amount, 0)


def _receipt(row: Row, fields: RefundRule | RefundFields, store: str) -> tuple[str, str]:
    number = fields.receipt.of(row)
    return (fields.receipt_store.of(row) or store, number) if number else ("", "")


def receipt_key(row: Row, fields: PurchaseFields | RefundFields) -> tuple[str, str] | None:
    """Return store and value of `group_by`, by which rows are lines of one receipt; None when that is unreadable."""
    try:
        return (fields.store.of(row), fields.group_by.of(row)) if fields.group_by else None
    except BadCellError:
        return None


def column_of(path: str, labels: Mapping[str, str]) -> str:
    """Return what the mapping calls the input field at `path` of an answer, like "lines.3.grossMinor"."""
    return labels.get(_FIELDS.get(path.rpartition(".")[2], ""), path)


def _shown(value: object) -> str:
    # JSON's true is written as in JSON and TOML, not as in Python.
    return str(value).lower() if isinstance(value, bool) else str(value)


_FIELDS = {
    "0": "external_id",
    "enrolledAt": "enrolled_at",
    "name": "name",
    "birthday": "birthday",
    "language": "language",
    "gender": "gender",
    "tags": "tags",
    "household": "household",
    "level": "level",
    "receiptNumber": "receipt_number",
    "occurredAt": "occurred_at",
    "memberId": "member",
    "identity": "member",
    "value": "member",
    "storeId": "store",
    "itemCode": "item_code",
    "quantity": "quantity",
    "grossMinor": "gross",
    "discountMinor": "discount",
    "refundNumber": "refund_number",
    "refundedReceipt": "receipt",
    "amountMinor": "amount",
    "amount": "amount",
    "currency": "currency",
    "earnedAt": "earned_at",
    "expiresAt": "expires_at",
}
"""The API's input fields and the mapping's. A refund's receiptNumber is told as refundedReceipt."""
