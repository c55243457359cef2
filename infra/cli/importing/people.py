"""The members of a file: which column is what, and what the platform's import is told of each row."""

from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import tzinfo
from hashlib import sha256

import orjson

from infra.cli.importing.convert import UnfitError, text, written
from infra.cli.importing.fields import Field, Fields
from infra.cli.importing.rows import Row, SourceFile
from infra.cli.importing.sources import fields_of, source_of
from infra.cli.importing.tables import Table

POLICIES = ("skip", "update", "refuse", "merge")
KINDS = {
    "phone": "PHONE",
    "email": "EMAIL",
    "card": "CARD",
    "wechat_openid": "WECHAT_OPENID",
    "wechat_unionid": "WECHAT_UNIONID",
    "alipay": "ALIPAY",
}
PROFILE = {
    "name": "name",
    "given_name": "givenName",
    "family_name": "familyName",
    "birthday": "birthday",
    "language": "language",
}
ADDRESS = {"address": "lines", "city": "city", "postal_code": "postalCode", "country": "country"}
PREFERENCES = {"taste": "TASTE", "allergy": "ALLERGY", "diet": "DIET", "seat": "SEAT", "access": "ACCESS"}
SOURCE = {"campaign": "campaign", "partner": "partner", "link": "link", "staff_id": "staffId"}
TEXTS = (*KINDS, *PROFILE, *ADDRESS, *PREFERENCES, *SOURCE, "household", "level")

GENDERS = {
    **dict.fromkeys(("female", "f", "女"), "FEMALE"),
    **dict.fromkeys(("male", "m", "男"), "MALE"),
    "other": "OTHER",
}
YES = frozenset({"true", "yes", "y", "1", "是"})
NO = frozenset({"false", "no", "n", "0", "否"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFields:
    """What a column says of one channel and purpose."""

    channel: str
    purpose: str
    granted: Field[bool | None]
    at: Field[int | None]
    text_version: Field[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFields:
    """Where members come from."""

    source: SourceFile
    columns: frozenset[str]
    labels: Dict[str, str]  # field → what a report calls its origin
    duplicates: str  # one of POLICIES
    level_reason: str
    external_id: Field[str]
    enrolled_at: Field[int | None]
    level_until: Field[int | None]
    store: Field[str]  # a store's code; "": in none
    gender: Field[str | None]
    tags: Field[tuple[str, ...]]
    texts: Dict[str, Field[str]]
    consents: tuple[ConsentFields, ...]


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A member to bring in; `content` is what the API is told of the row (JSON), without its number.

    `level` is one to be given by hand, "" for none; `level_key` makes it be given once.
    """

    row: int
    external_id: str
    store: str
    content: bytes
    level: str
    level_until: int | None
    level_key: str


def members_of(table: Table, zone: tzinfo) -> MemberFields:
    """Read [members], or raise `WrongMappingError`."""
    source, duplicates = source_of(table), table.text("duplicates", "skip")
    reason, consents = table.text("level_reason", "brought along from the former program"), table.table("consents")
    fields = Fields(fields_of(table), zone=zone)
    table.done()
    if duplicates not in POLICIES:
        raise table.wrong(f"`duplicates` is {duplicates!r}; there are {', '.join(POLICIES)}")
    no_moment: None = None
    found = MemberFields(
        source=source,
        labels=fields.labels,
        duplicates=duplicates,
        level_reason=reason,
        external_id=fields.required("external_id", text),
        enrolled_at=fields.optional("enrolled_at", fields.moment("enrolled_at"), no_moment),
        level_until=fields.optional("level_until", fields.moment("level_until"), no_moment),
        store=fields.optional("store", text, ""),
        gender=fields.optional("gender", _gender, None),
        tags=fields.optional("tags", _tags, ()),
        texts={name: fields.optional(name, text, "") for name in TEXTS},
        consents=tuple(_consent(consents, name, fields, zone) for name in consents.keys()) if consents else (),  # noqa: SIM118 - a Table is no dict
        # Last: the fields above note their columns.
        columns=frozenset(fields.columns | source.filtered),
    )
    fields.done()
    return found


def member_of(row: Row, fields: MemberFields) -> MemberRecord:
    """Make a member of a row, or raise `BadCellError`."""
    external_id = fields.external_id.of(row)
    said = {name: field.of(row) for name, field in fields.texts.items()}
    joined, level_until = fields.enrolled_at.of(row), fields.level_until.of(row)
    # The external id comes first: an answer names identities by their place.
    identities = [{"kind": "EXTERNAL", "value": external_id}]
    identities += [{"kind": kind, "value": said[name]} for name, kind in KINDS.items() if said[name]]
    profile: dict[str, object] = {api: said[name] for name, api in PROFILE.items() if said[name]}
    if address := {api: said[name] for name, api in ADDRESS.items() if said[name]}:
        profile["address"] = address
    if preferences := [{"kind": kind, "text": said[name]} for name, kind in PREFERENCES.items() if said[name]]:
        profile["preferences"] = preferences
    if gender := fields.gender.of(row):
        profile["gender"] = gender
    content = {
        "profile": {**profile, "identities": identities},
        "enrolledAt": None if joined is None else written(joined),
        "source": {api: said[name] for name, api in SOURCE.items() if said[name]} or None,
        "tags": list(fields.tags.of(row)),
        "household": said["household"] or None,
        "consents": [consent for one in fields.consents if (consent := _said(one, row))],
    }
    level = said["level"]
    key = sha256(repr((external_id, level, level_until)).encode()).hexdigest()[:40]
    return MemberRecord(
        row=row.number,
        external_id=external_id,
        store=fields.store.of(row),
        content=orjson.dumps({name: value for name, value in content.items() if value}),
        level=level,
        level_until=level_until,
        level_key=f"level-{key}",
    )


def _consent(consents: Table, name: str, members: Fields, zone: tzinfo) -> ConsentFields:
    """Read [members.consents.NAME]: a channel and a purpose, and where it stands what was said of them."""
    table = consents.table(name)
    if table is None:
        raise consents.missing(name)
    channel, purpose = table.need("channel", str).upper(), table.need("purpose", str).upper()
    fields = Fields(fields_of(table), zone=zone)
    table.done()
    found = ConsentFields(
        channel=channel,
        purpose=purpose,
        granted=fields.required("granted", _yes_or_no),
        at=fields.optional("at", fields.moment("at"), None),
        text_version=fields.optional("text_version", text, ""),
    )
    fields.done()
    members.columns.update(fields.columns)
    members.labels["consents"] = found.granted.origin.label
    return found


def _said(consent: ConsentFields, row: Row) -> dict[str, object] | None:
    value = consent.granted.origin.value(row)
    if value is None or value == "":
        return None
    at = consent.at.of(row)
    return {
        "channel": consent.channel,
        "purpose": consent.purpose,
        "granted": consent.granted.of(row),
        "at": None if at is None else written(at),
        "textVersion": consent.text_version.of(row) or None,
    }


def _gender(value: object) -> str:
    found = text(value).casefold()
    if found not in GENDERS:
        raise UnfitError(f"is none of {', '.join(GENDERS)}")
    return GENDERS[found]


def _tags(value: object) -> tuple[str, ...]:
    """Return the tags of a cell, between them a semicolon, comma or bar; of JSON a list."""
    pieces = value if isinstance(value, list) else text(value).replace("|", ";").replace(",", ";").split(";")
    return tuple(dict.fromkeys(tag for piece in pieces if (tag := text(piece))))


def _yes_or_no(value: object) -> bool:
    found = str(value).strip().casefold() if isinstance(value, bool) else text(value).casefold()
    if found in YES:
        return True
    if found in NO:
        return False
    raise UnfitError(f"is neither yes ({', '.join(sorted(YES))}) nor no ({', '.join(sorted(NO))})")
