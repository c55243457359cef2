"""The chain itself, and what its stores and menu share: codes, names, zones and currencies."""

import re
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.kit.errors import Kind, Problem

MAX_CODE_LENGTH = 64
MAX_NAME_LENGTH = 200

_CURRENCY = re.compile(r"[A-Z]{3}")
_ZONE = re.compile(
    r"UTC|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+\-]+){1,2}"
)  # not "localtime", which every machine has its own of
_CALLING_CODES = {"CNY": "86"}


class InvalidChainError(Problem):
    """The chain is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_CHAIN"


class NoChainError(Problem):
    """There is no such chain. Call with a key of a chain that has been opened."""

    kind = Kind.NOT_FOUND
    code = "CHAIN_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain. `identity_key` is the secret under which its members' identities are hashed (32 random bytes)."""

    id: str
    name: str
    currency: str
    time_zone: str
    sandbox: bool
    identity_key: bytes = field(repr=False)

    @property
    def calling_code(self) -> str:
        """The country of a phone written without one: known where a currency has a single country."""
        return _CALLING_CODES.get(self.currency, "")


def check_chain(chain: Chain) -> None:
    """Refuse, with the field at fault, what no chain can be."""
    if not is_name(chain.name):
        raise InvalidChainError(field="name", why=f"its name must have 1 to {MAX_NAME_LENGTH} characters")
    if not _CURRENCY.fullmatch(chain.currency):
        raise InvalidChainError(field="currency", why="its currency must be an ISO 4217 code like CNY")
    if not is_time_zone(chain.time_zone):
        raise InvalidChainError(field="timeZone", why="its time zone must be an IANA name like Asia/Shanghai")


def is_code(text: str) -> bool:
    """Tell whether `text` can be a chain's own short code: visible, without space at its ends."""
    return 1 <= len(text) <= MAX_CODE_LENGTH and text.isprintable() and text == text.strip()


def is_name(text: str) -> bool:
    """Tell whether `text` can be a name that people read."""
    return bool(text.strip()) and len(text) <= MAX_NAME_LENGTH and text.isprintable()


def is_time_zone(name: str) -> bool:
    """Tell whether `name` is a zone of the IANA database."""
    if not _ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "America" is a folder
        return False
    return True
