"""The mapping file: which files, which rows of them, and what each field of a member and a purchase comes from.

infra/cli/mappings/example.toml tells it to people.
"""

import codecs
import tomllib
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Literal, cast
from zoneinfo import ZoneInfo

from infra.cli.importing.convert import minor, text, whole
from infra.cli.importing.fields import Column, Field, Fields
from infra.cli.importing.rows import SourceFile
from infra.cli.importing.tables import Table, WrongMappingError

USUAL_DIGITS, MOST_DIGITS = 2, 4


@dataclass(frozen=True, slots=True)
class NewStore:
    """How to open the store when the chain does not have it yet."""

    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class StoreChoice:
    """The store to book to, by the chain's own code; `create` None: it must be there."""

    code: str
    create: NewStore | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFields:
    """Where members come from. Moments are milliseconds since 1970."""

    source: SourceFile
    columns: frozenset[str]
    labels: Dict[str, str]  # field → what a report calls its origin
    external_id: Field[str]
    enrolled_at: Field[int | None]
    name: Field[str]
    phone: Field[str]
    email: Field[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFields:
    """Where purchases come from; with `group_by`, rows with the same value in it are lines of one receipt."""

    source: SourceFile
    columns: frozenset[str]
    labels: Dict[str, str]
    currency: str  # "": the store's
    group_by: Field[str] | None
    store: Field[str]  # a store's code; "": the mapping's store
    member: Field[str]
    receipt_number: Field[str]
    occurred_at: Field[int]
    item_code: Field[str]
    quantity: Field[int]
    gross: Field[int]
    discount: Field[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A mapping file that can be used. `fingerprint` changes with any of its bytes."""

    fingerprint: str
    store: StoreChoice | None
    members: MemberFields | None
    purchases: PurchaseFields | None

    @property
    def files(self) -> list[str]:
        """The names of the files to read."""
        return [part.source.name for part in (self.members, self.purchases) if part]

    @property
    def labels(self) -> Dict[str, Dict[str, str]]:
        """For each file, what a report calls each field."""
        labels: dict[str, dict[str, str]] = {}
        for part in (self.members, self.purchases):
            if part:
                labels.setdefault(part.source.name, {}).update(part.labels)
        return labels


def load(path: Path) -> Mapping:
    """Read a mapping, or raise `WrongMappingError`."""
    try:
        content = path.read_bytes()
        root = Table(tomllib.loads(content.decode()), file=path)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"it is not TOML: {error}"
        raise WrongMappingError(file=path, why=why) from error
    zone_name = root.need("time_zone", str)
    zone = _zone(zone_name, root)
    store = _store(root.table("store"), zone_name)
    members, purchases = root.table("members"), root.table("purchases")
    root.done()
    mapping = Mapping(
        fingerprint=sha256(content).hexdigest(),
        store=store,
        members=_members(members, zone) if members else None,
        purchases=_purchases(purchases, zone) if purchases else None,
    )
    if not mapping.files:
        raise root.wrong("it has neither [members] nor [purchases]")
    if mapping.purchases and mapping.store is None and mapping.purchases.store.is_absent:
        raise root.wrong("say in which store purchases are booked: [store] with a `code`, or the field `store`")
    return mapping


def _zone(name: str, table: Table) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or the name of a folder
        raise table.wrong(f'`time_zone` is {name!r}, not an IANA name like "Asia/Shanghai"') from None


def _store(table: Table | None, zone_name: str) -> StoreChoice | None:
    if table is None:
        return None
    code, create = table.need("code", str), table.table("create")
    table.done()
    if create is None:
        return StoreChoice(code, None)
    zone = create.text("time_zone", zone_name)
    _zone(zone, create)
    new = NewStore(create.text("name", code), zone)
    create.done()
    return StoreChoice(code, new)


def _members(table: Table, zone: tzinfo) -> MemberFields:
    source = _source(table)
    fields = Fields(_fields(table), zone=zone)
    table.done()
    external_id = fields.required("external_id", text)
    enrolled_at: Field[int | None] = fields.optional("enrolled_at", fields.moment("enrolled_at"), None)
    name, phone, email = (fields.optional(each, text, "") for each in ("name", "phone", "email"))
    fields.done()
    return MemberFields(
        source=source,
        columns=frozenset(fields.columns | source.keep.keys()),
        labels=fields.labels,
        external_id=external_id,
        enrolled_at=enrolled_at,
        name=name,
        phone=phone,
        email=email,
    )


def _purchases(table: Table, zone: tzinfo) -> PurchaseFields:
    source = _source(table)
    currency, group_by = table.text("currency", ""), table.get("group_by", str)
    digits = table.get("minor_digits", int)
    fields = Fields(_fields(table), zone=zone)
    table.done()
    if digits is not None and not 0 <= digits <= MOST_DIGITS:
        raise table.wrong(f"`minor_digits` is {digits}; a currency has 0 to {MOST_DIGITS}")
    money = partial(minor, digits=USUAL_DIGITS if digits is None else digits)
    group = Column(group_by) if group_by else None
    found = PurchaseFields(
        source=source,
        labels=fields.labels,
        currency=currency,
        group_by=Field(origin=group, convert=text, default=None, required=True) if group else None,
        store=fields.optional("store", text, ""),
        member=fields.required("member", text),
        receipt_number=fields.required("receipt_number", text, usual=group),
        occurred_at=fields.required("occurred_at", fields.moment("occurred_at")),
        item_code=fields.required("item_code", text),
        quantity=fields.optional("quantity", whole, 1),
        gross=fields.required("gross", money),
        discount=fields.optional("discount", money, 0),
        # Last: the fields above note their columns.
        columns=frozenset(fields.columns | source.keep.keys() | ({group_by} if group_by else set())),
    )
    fields.done()
    return found


def _fields(table: Table) -> Table:
    fields = table.table("fields")
    if fields is None:
        raise table.missing("fields")
    return fields


def _source(table: Table) -> SourceFile:
    form = table.need("format", str)
    if form not in {"csv", "jsonl"}:
        raise table.wrong(f'`format` is {form!r}; there are "csv" and "jsonl"')
    encoding, delimiter = table.text("encoding", "utf-8"), table.text("delimiter", ",")
    if len(delimiter) != 1:
        raise table.wrong("`delimiter` is one character")
    try:
        # A mark at the start of a UTF-8 file, as spreadsheets write it, is never a part of the first column's name.
        encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    except LookupError:
        raise table.wrong(f"there is no encoding {encoding!r}") from None
    return SourceFile(
        name=table.need("file", str),
        format=cast("Literal['csv', 'jsonl']", form),
        encoding=encoding,
        delimiter=delimiter,
        keep=_keep(table.table("filter")),
    )


def _keep(table: Table | None) -> dict[str, frozenset[str]]:
    """Read the filter: column = value, or a list of values of which a row has one."""
    if table is None:
        return {}
    keep: dict[str, frozenset[str]] = {}
    for column in table.keys():  # noqa: SIM118 - a Table is no dict
        wanted = table.get(column, (str, int, list))
        values = wanted if isinstance(wanted, list) else [wanted]
        if not all(isinstance(value, str | int) for value in values):
            raise table.wrong(f"`{column}` is a value or a list of values")
        keep[column] = frozenset(str(value) for value in values)
    return keep
