"""The receipts that every load sends: small restaurant bills of random members, the same for both sides of a ratio."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

CHAIN = "chn_bench"
CURRENCY = "CNY"
TIME_ZONE = "Asia/Shanghai"
STORES = tuple(f"sto_{number:026}" for number in range(100))
ITEMS = tuple(f"item-{number:03}" for number in range(200))
LINES = 3
"""Of a receipt: two dishes and a drink."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What a till would print."""

    store: str
    number: str
    member: str
    lines: tuple[tuple[str, int], ...]  # item, amount in minor units

    @property
    def paid_minor(self) -> int:
        """The sum of its lines."""
        return sum(amount_minor for _, amount_minor in self.lines)


def member_name(number: int) -> str:
    """Return the id of the account with this number; as long as a real one."""
    return f"mem_{number:026}"


def bills(*, run: str, accounts: int) -> Iterator[Bill]:
    """Draw receipts for ever; two runs never share a number, and the same run draws the same again."""
    random = Random(run)  # noqa: S311 - not a secret
    number = 0
    while True:
        number += 1
        lines = tuple((ITEMS[random.randrange(len(ITEMS))], random.randrange(500, 5_000)) for _ in range(LINES))
        yield Bill(
            store=STORES[random.randrange(len(STORES))],
            number=f"{run}-{number:08}",
            member=member_name(random.randrange(accounts)),
            lines=lines,
        )
