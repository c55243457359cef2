"""`huitou import` as a process of its own, and what ought to come of it, told by a few lines of arithmetic."""

import asyncio
import os
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from tests.support.platform import Platform

ROOT = Path(__file__).parents[2]
LEVELS = ((1_000_000, "black_gold", 150), (200_000, "gold", 150), (50_000, "silver", 120), (0, "regular", 100))
"""From which spend on, which level, at how many percent: the program that all chains begin with."""

AT_ONCE = 40
"""Members in one query: the graph takes 50 aliases."""


@dataclass(frozen=True)
class Account:
    """What a member has in the end; `purchases` is how many were booked."""

    points: int
    level: str
    purchases: int


@dataclass
class Importer:
    """Imports a folder into one chain; a state folder of its own for each `state`."""

    platform: Platform
    key: str
    source: Path
    mapping: Path
    folder: Path

    async def start(self, *options: str, state: str = "state") -> asyncio.subprocess.Process:
        command = ["-W", "error", "-m", "infra.cli", "import", str(self.source), "--mapping", str(self.mapping)]
        given = ["--url", self.platform.graphql_url, "--state", str(self.folder / state), *options]
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            *given,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HUITOU_KEY": self.key},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *options: str, state: str = "state") -> dict[str, str]:
        """Import everything and return the summary, line by line."""
        return await summary(await self.start(*options, state=state))

    def known(self, query: str, *, state: str = "state") -> list[tuple[Any, ...]]:
        """Ask the staging file; nothing while there is none."""
        for path in (self.folder / state).glob("*.sqlite"):
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                return db.execute(query).fetchall()
        return []

    def booked(self) -> int:
        """Return how many purchases the import knows to be booked so far."""
        counted = self.known("SELECT count(*) FROM purchases WHERE state IN (1, 2)")
        return int(counted[0][0]) if counted else 0

    async def accounts(self, members: Sequence[str]) -> dict[str, Account]:
        """Ask the platform for the accounts of members, by their external ids."""
        found = self.known("SELECT external_id, member_id FROM members WHERE member_id <> ''")
        ids: dict[str, str] = dict(found)
        accounts: dict[str, Account] = {}
        for start in range(0, len(members), AT_ONCE):
            some = members[start : start + AT_ONCE]
            fields = "tier { level } points { lifetime entries(first: 100) { nodes { kind } } }"
            query = " ".join(f'm{n}: member(id: "{ids[one]}") {{ {fields} }}' for n, one in enumerate(some))
            answer = await self.platform.graphql(f"{{ {query} }}", key=self.key)
            for number, one in enumerate(some):
                member = answer[f"m{number}"]
                entries = member["points"]["entries"]["nodes"]
                count = sum(entry["kind"] == "PURCHASE" for entry in entries)
                accounts[one] = Account(member["points"]["lifetime"], member["tier"]["level"], count)
        return accounts


async def summary(process: asyncio.subprocess.Process) -> dict[str, str]:
    """Return what a process that ended well has printed."""
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return {line[:14].strip(): line[15:] for line in out.decode().splitlines()}


def expected(members: Sequence[str], purchases: Iterable[tuple[float, str, Decimal]]) -> Mapping[str, Account]:
    """Return the accounts after `purchases` (time, member, amount), given in the order of the file.

    A point for each full unit of money, times the factor of what was spent before the purchase.
    """
    spend, points, count = defaultdict[str, int](int), defaultdict[str, int](int), defaultdict[str, int](int)
    for _, member, amount in sorted(purchases, key=lambda purchase: purchase[0]):
        cents = int(amount.quantize(Decimal("0.01"), ROUND_HALF_UP) * 100)
        points[member] += cents * _reached(spend[member])[1] // 10_000
        spend[member] += cents
        count[member] += 1
    return {one: Account(points[one], _reached(spend[one])[0], count[one]) for one in members}


def _reached(spend: int) -> tuple[str, int]:
    return next((level, percent) for least, level, percent in LEVELS if spend >= least)
