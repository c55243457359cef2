"""Who may be the same person: members that are alike in what two people seldom share.

What is compared are keyed hashes of it, so that nothing can be read where they lie. Members are told apart by what they
have proved (identities): likeness only proposes, and a person decides.
"""

import hmac
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from types import MappingProxyType

from services.kit.errors import Kind, Problem
from services.members.domain.identities import IdentityKind
from services.members.domain.members import Member
from services.members.domain.profiles import Profile

MAX_HASHES = 20
"""Of one member."""

COMMON = 50
"""What more members than that share (a house's name, a birthday that somebody made up) tells nobody apart."""

MAX_PAIRS = 100
"""Members that one may be proposed to be the same as: those most alike."""

HASH_BYTES = 16
MIN_NAME = 2
MIN_LOCAL_PART = 5
PHONE_END = 4
WITH_YEAR = len("1990-05-17")


class Reason(Enum):
    """In what two members are alike, and what that weighs. A hash begins with the number, which never changes."""

    NAME_AND_BIRTHDAY = (1, 50)
    NAME_AND_PHONE_END = (2, 40)
    EMAIL_NAME = (3, 30)  # what stands before the @
    NAME_AND_ADDRESS = (4, 30)

    @property
    def number(self) -> int:
        """What a hash of it begins with."""
        return self.value[0]

    @property
    def weight(self) -> int:
        """What it adds to a score."""
        return self.value[1]


_BY_NUMBER: Mapping[int, Reason] = MappingProxyType({reason.number: reason for reason in Reason})


class PairState(StrEnum):
    """What was made of a pair."""

    OPEN = "open"
    DISMISSED = "dismissed"


class NoDuplicateError(Problem):
    """These two members are not among the likely duplicates."""

    kind = Kind.NOT_FOUND
    code = "DUPLICATE_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two members that may be one, by id, the smaller first. `score` is the sum of what the reasons weigh."""

    first: str
    second: str
    reasons: tuple[Reason, ...]
    found_at: datetime
    state: PairState = PairState.OPEN

    @property
    def key(self) -> str:
        """What names the pair."""
        return f"{self.first}/{self.second}"

    @property
    def score(self) -> int:
        """How alike they are: 30 to 150."""
        return sum(reason.weight for reason in self.reasons)


def is_telling(profile: Profile) -> bool:
    """Tell whether a profile has anything by which it could be found to be like another."""
    emails = any(one.kind is IdentityKind.EMAIL for one in profile.identities)
    return emails or bool(profile.name or profile.given_name)


def is_comparable(member: Member) -> bool:
    """Tell whether a member can be found to be like another; of two that were merged, the one that stays."""
    return not (member.merged_into or member.erased_at) and is_telling(member.profile)


def likeness(profile: Profile, *, key: bytes) -> tuple[bytes, ...]:
    """Return the hashes of what the person is compared by: HMAC-SHA256 under the chain's `key`, cut to 16 bytes."""
    found = dict.fromkeys(
        bytes([reason.number]) + hmac.digest(key, f"likeness\0{reason.number}\0{text}".encode(), "sha256")[:HASH_BYTES]
        for reason, text in _traits(profile)
    )
    return tuple(found)[:MAX_HASHES]


def shared(one: Iterable[bytes], other: Iterable[bytes]) -> tuple[Reason, ...]:
    """Return in what two members are alike, by their hashes; what a newer release compares is left out."""
    numbers = {hashed[0] for hashed in set(one) & set(other)}
    return tuple(_BY_NUMBER[number] for number in sorted(numbers & _BY_NUMBER.keys()))


def pair_of(one: str, other: str, reasons: tuple[Reason, ...], *, at: datetime) -> Pair:
    """Return the pair of two members."""
    first, second = sorted((one, other))
    return Pair(first, second, reasons, at)


def telling(hashes: Collection[bytes], holders: Mapping[bytes, Collection[str]]) -> tuple[bytes, ...]:
    """Return those of a member's hashes that few enough have."""
    return tuple(hashed for hashed in hashes if len(holders.get(hashed, ())) <= COMMON)


def plain_name(text: str) -> str:
    """Return a name as it is compared: letters only, without accents and case, its words in one order."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    words = "".join(sign if sign.isalnum() else " " for sign in bare.casefold()).split()
    return " ".join(sorted(words))


def _traits(profile: Profile) -> Iterator[tuple[Reason, str]]:
    written = (profile.name, f"{profile.given_name} {profile.family_name}" if profile.given_name else "")
    names = [name for name in dict.fromkeys(map(plain_name, written)) if len(name) >= MIN_NAME]
    phones = [one.value for one in profile.identities if one.kind is IdentityKind.PHONE]
    emails = [one.value for one in profile.identities if one.kind is IdentityKind.EMAIL]
    street = plain_name(profile.address.lines)
    for name in names:
        if len(profile.birthday) == WITH_YEAR:
            yield Reason.NAME_AND_BIRTHDAY, f"{name}\0{profile.birthday}"
        if street:
            yield Reason.NAME_AND_ADDRESS, f"{name}\0{street}\0{plain_name(profile.address.city)}"
    for email in emails:
        # Dots and what follows a plus are of no account with the large mail houses.
        local = email.partition("@")[0].partition("+")[0].replace(".", "")
        if len(local) >= MIN_LOCAL_PART:
            yield Reason.EMAIL_NAME, local
    for phone in phones:
        for name in names:
            yield Reason.NAME_AND_PHONE_END, f"{name}\0{phone[-PHONE_END:]}"
