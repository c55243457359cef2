"""Identities outside members are only ever keyed hashes."""

import hmac
from dataclasses import dataclass

from services.points.domain.accounts import PAYER_PREFIX


@dataclass(frozen=True, slots=True)
class IdentityHasher:
    """HMAC-SHA256 under the platform's key, over chain, kind and value: the same guest has another hash elsewhere."""

    key: bytes

    def hash(self, chain: str, kind: str, value: str) -> str:
        """Return 64 hex characters."""
        message = f"{chain}\0{kind}\0{value}".encode()
        return hmac.digest(self.key, message, "sha256").hex()


def payer_account(payer: str) -> str:
    """Return the account of a payer whom members could not be asked about."""
    return f"{PAYER_PREFIX}{payer}"


def payer_of(account: str) -> str:
    """Return whose account it is, the other way round."""
    return account.removeprefix(PAYER_PREFIX)
