"""What members have agreed to, as a file tells it: recorded with the rows, in their transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.members.domain.consents import (
    Consent,
    ConsentSource,
    ContactChannel,
    InvalidConsentError,
    Purpose,
    check_consent,
)
from services.members.domain.members import Member
from services.members.usecases.changes import Change
from services.members.usecases.consents import record_within
from services.members.usecases.units import Unit

MOST_OF_A_ROW = 50

_CHANNELS, _PURPOSES = frozenset[str](ContactChannel), frozenset[str](Purpose)


@dataclass(frozen=True, slots=True)
class WrittenConsent:
    """A consent as a file has it, in words. `at` None: the file does not say when."""

    channel: str
    purpose: str
    granted: bool
    text_version: str
    at: datetime | None = None


def check_written(written: Sequence[WrittenConsent], *, change: Change) -> None:
    """Raise InvalidConsentError for what nobody can have said, before anything of the row is done."""
    if len(written) > MOST_OF_A_ROW:
        raise InvalidConsentError(field="consents", why=f"a row has at most {MOST_OF_A_ROW} consents")
    for number, one in enumerate(written):
        _consent(one, "", change.now, change=change, id_="", field=f"consents.{number}")


async def record_written(
    unit: Unit, written: Sequence[tuple[Member, Sequence[WrittenConsent]]], *, change: Change, ids: Sequence[str]
) -> None:
    """Record what rows said of their members, `ids` for each consent of all of them.

    Without a time of its own a consent counts as given on joining: whatever was said here holds, since it came later.
    """
    if not written:
        return
    new_id = iter(ids)
    said = [
        (member, _consent(one, member.id, member.enrolled_at, change=change, id_=next(new_id), field=""))
        for member, some in written
        for one in some
    ]
    await record_within(unit, said)


def _consent(
    written: WrittenConsent, member: str, joined_at: datetime, *, change: Change, id_: str, field: str
) -> Consent:
    if written.channel not in _CHANNELS or written.purpose not in _PURPOSES:
        channels, purposes = ", ".join(ContactChannel), ", ".join(Purpose)
        raise InvalidConsentError(field=field, why=f"channels are {channels}; purposes are {purposes}")
    at = written.at or joined_at
    said = Consent(
        id=id_,
        member=member,
        channel=ContactChannel(written.channel),
        purpose=Purpose(written.purpose),
        granted=written.granted,
        at=min(at, change.now),
        text_version=written.text_version,
        source=ConsentSource.IMPORT,
        recorded_by=change.by,
        recorded_at=change.now,
    )
    if written.at is not None and written.at > change.now:
        raise InvalidConsentError(field=f"{field}.at", why="it lies in the future")
    check_consent(said, now=change.now, field=field)
    return said
