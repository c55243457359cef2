"""What is not as it must be in a ledger."""

from dataclasses import dataclass
from enum import StrEnum


class Invariant(StrEnum):
    """What was broken."""

    SUM = "sum"  # an amount and its legs sum to zero
    BALANCES = "balances"  # what is there after a posting follows from what was there before
    CHAIN = "chain"  # the hash covers the content and the hash before it
    VERSION = "version"  # 1 to n without gaps, as far as the account's own version
    LOTS = "lots"  # the amount is the sum of what happened to lots, and the open lots are what the journal leaves
    HOLDS = "holds"  # what is held of the lots is the sum of the open holds' parts
    NEGATIVE = "negative"  # nothing is negative; debt only where the policy or a late redemption made it
    RECEIPT = "receipt"  # no key is booked twice, and each receipt names its entry
    SEAL = "seal"  # sealed roots and their signatures
    ACCOUNT = "account"  # the account's document says what its journal says


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be. Version 0: the account as a whole; no account: the chain as a whole."""

    invariant: Invariant
    account: str
    version: int
    message: str


MOST_FINDINGS = 50
"""Of one account: what is broken through and through does not get clearer by a thousand lines."""


class Findings:
    """Collects what is found of one account, at most `MOST_FINDINGS`, and how many there are besides."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._found: list[Finding] = []
        self._besides = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, invariant: Invariant, version: int, message: str) -> None:
        """Take one."""
        if len(self._found) < MOST_FINDINGS:
            self._found.append(Finding(invariant, self._account, version, message))
        else:
            self._besides += 1

    def all(self) -> list[Finding]:
        """Return them in the order in which they were found."""
        if not self._besides:
            return self._found
        last = self._found[-1]
        return [*self._found, Finding(last.invariant, self._account, 0, f"{self._besides} more like these")]
