"""Members, their profiles and portraits as documents, and back."""

from datetime import date
from typing import Any

import orjson

from services.kit.mongo.collections import Document
from services.members.domain.identities import Identity, IdentityKind
from services.members.domain.members import Channel, FirstPayment, Member, Source
from services.members.domain.merging import Merge
from services.members.domain.portraits import Portrait
from services.members.domain.profiles import Address, Gender, Preference, PreferenceKind, Profile
from services.members.domain.visits import Visits


def member_content(member: Member) -> Document:
    """Return what a member's document says in clear: nothing that tells who it is."""
    payment, source = member.first_payment, member.source
    return {
        "enrolled_at": member.enrolled_at,
        "channel": member.channel.value,
        "source": {
            "store": source.store,
            "staff": source.staff,
            "campaign": source.campaign,
            "referrer": source.referrer,
            "partner": source.partner,
            "link": source.link,
        },
        "provisional": member.provisional,
        "first_payment": None if payment is None else {"kind": payment.kind, "at": payment.at},
        "tags": list(member.tags),
        "attributes": _open_attributes(member),
        "merged_into": member.merged_into,
        "merge": member.merge,
        "absorbed": list(member.absorbed),
        "steps": member.steps,
        "erased_at": member.erased_at,
        "version": member.version,
        "asked_by": _asked_by(member.profile),
    }


def _asked_by(profile: Profile) -> Document:
    """Return what members are selected by, which many share: no name, no contact, no year of birth."""
    return {
        "birthday": profile.birthday[-5:],
        "gender": profile.gender.value,
        "language": profile.language,
        "city": profile.address.city,
        "country": profile.address.country,
    }


def _open_attributes(member: Member) -> list[Document]:
    """Return the attributes that are not personal, a row for each choice: what one index over k and v finds them by."""
    said = [(code, value) for code, value in member.profile.attributes.items() if code in member.open_attributes]
    return [{"k": code, "v": one} for code, value in said for one in (value if isinstance(value, tuple) else [value])]


NOT_ASKED_BY = _asked_by(Profile())
"""What nobody is selected by any more who was erased."""


def member_of(document: Document, profile: Profile) -> Member:
    """Return the member of a document and its opened profile."""
    payment = document["first_payment"]
    return Member(
        id=document["member"],
        profile=profile,
        enrolled_at=document["enrolled_at"],
        channel=Channel(document["channel"]),
        source=Source(**document["source"]),
        visits=portrait_of(document).visits,
        provisional=document["provisional"],
        first_payment=None if payment is None else FirstPayment(kind=payment["kind"], at=payment["at"]),
        tags=tuple(document["tags"]),
        open_attributes=frozenset(one["k"] for one in document.get("attributes", ())),
        merged_into=document["merged_into"],
        merge=document["merge"],
        absorbed=tuple(document["absorbed"]),
        steps=document["steps"],
        erased_at=document["erased_at"],
        version=document["version"],
    )


def profile_bytes(profile: Profile) -> bytes:
    """Return what of a profile is sealed: all of it, without what was not said."""
    address = profile.address
    said = {
        "name": profile.name,
        "identities": [[one.kind.value, one.value] for one in profile.identities],
        "given_name": profile.given_name,
        "family_name": profile.family_name,
        "birthday": profile.birthday,
        "gender": profile.gender.value,
        "language": profile.language,
        "address": [address.lines, address.city, address.postal_code, address.country] if address != Address() else [],
        "preferences": [[one.kind.value, one.text] for one in profile.preferences],
        "attributes": dict(profile.attributes),
    }
    return orjson.dumps({name: value for name, value in said.items() if value})


def profile_of(opened: bytes) -> Profile:
    """Return the profile that was sealed."""
    said: dict[str, Any] = orjson.loads(opened)
    return Profile(
        name=said.get("name", ""),
        identities=tuple(Identity(IdentityKind(kind), value) for kind, value in said.get("identities", ())),
        given_name=said.get("given_name", ""),
        family_name=said.get("family_name", ""),
        birthday=said.get("birthday", ""),
        gender=Gender(said.get("gender", "")),
        language=said.get("language", ""),
        address=Address(*said.get("address", ())),
        preferences=tuple(Preference(PreferenceKind(kind), text) for kind, text in said.get("preferences", ())),
        attributes={
            code: tuple(value) if isinstance(value, list) else value
            for code, value in said.get("attributes", {}).items()
        },
    )


def merge_document(merge: Merge) -> Document:
    """Return a merge without its id, which is its key, and the profile, which is sealed beside it."""
    return {
        "survivor": merge.survivor,
        "absorbed": merge.absorbed,
        "at": merge.at,
        "by": merge.by,
        "tags": list(merge.tags),
        "provisional": merge.provisional,
        "undone_at": merge.undone_at,
    }


def merge_of(document: Document, before: Profile) -> Merge:
    """Return the merge of a document and the survivor's opened profile of before."""
    return Merge(
        id=document["merge"],
        survivor=document["survivor"],
        absorbed=document["absorbed"],
        at=document["at"],
        by=document["by"],
        before=before,
        tags=tuple(document["tags"]),
        provisional=document["provisional"],
        undone_at=document["undone_at"],
    )


def portrait_document(portrait: Portrait) -> Document:
    """Return what a member's document holds as `portrait`."""
    visits = portrait.visits
    return {
        "visits": {
            "count": visits.count,
            "last": visits.last,
            "days": [day.isoformat() for day in visits.days],
            "spend_minor": dict(visits.spend_minor),
        },
        "open_coupons": portrait.open_coupons,
        "open_cases": portrait.open_cases,
    }


def portrait_of(document: Document) -> Portrait:
    """Return the portrait in a member's document."""
    portrait = document["portrait"]
    visits = portrait["visits"]
    return Portrait(
        visits=Visits(
            count=visits["count"],
            last=visits["last"],
            days=tuple(date.fromisoformat(day) for day in visits["days"]),
            spend_minor=visits["spend_minor"],
        ),
        open_coupons=portrait["open_coupons"],
        open_cases=portrait["open_cases"],
    )
