"""The mapping file: which files, which rows of them, and what each field of what they hold comes from.

infra/cli/mappings/example.toml tells it to people.
"""

import tomllib
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import tzinfo
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from infra.cli.importing.people import MemberFields, members_of
from infra.cli.importing.sections import (
    OpeningFields,
    PurchaseFields,
    RefundFields,
    openings_of,
    purchases_of,
    refunds_of,
)
from infra.cli.importing.tables import Table, WrongMappingError


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
class Mapping:
    """A mapping file that can be used. `fingerprint` changes with any of its bytes."""

    fingerprint: str
    store: StoreChoice | None
    members: MemberFields | None
    openings: OpeningFields | None
    purchases: PurchaseFields | None
    refunds: RefundFields | None

    @property
    def files(self) -> list[str]:
        """The names of the files to read."""
        return [part.source.name for part in self._sections if part]

    @property
    def labels(self) -> Dict[str, Dict[str, str]]:
        """For each file, what a report calls each field."""
        labels: dict[str, dict[str, str]] = {}
        for part in self._sections:
            if part:
                labels.setdefault(part.source.name, {}).update(part.labels)
        return labels

    @property
    def _sections(self) -> tuple[MemberFields | OpeningFields | PurchaseFields | RefundFields | None, ...]:
        return (self.members, self.openings, self.purchases, self.refunds)


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
    home = store.code if store else ""
    members, purchases = root.table("members"), root.table("purchases")
    openings, refunds = root.table("openings"), root.table("refunds")
    root.done()
    mapping = Mapping(
        fingerprint=sha256(content).hexdigest(),
        store=store,
        members=members_of(members, zone) if members else None,
        openings=openings_of(openings, zone) if openings else None,
        purchases=purchases_of(purchases, zone, home=home) if purchases else None,
        refunds=refunds_of(refunds, zone, home=home) if refunds else None,
    )
    _check(mapping, root)
    return mapping


def _check(mapping: Mapping, root: Table) -> None:
    """Refuse sections that do not go together."""
    if not mapping.files:
        raise root.wrong("it has neither [members] nor [purchases] nor [openings]")
    if mapping.refunds and not mapping.purchases:
        raise root.wrong("[refunds] needs [purchases]: it is matched with what was bought")
    for part in (mapping.purchases, mapping.refunds):
        if part and mapping.store is None and part.store.is_absent:
            raise root.wrong("say in which store purchases are booked: [store] with a `code`, or the field `store`")


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
