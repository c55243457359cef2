"""`huitou refunds-waiting`: refunds whose receipt never came, over the public graph."""

import argparse
import asyncio
import csv
import os
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from infra.cli.importing.command import KEY, URL, USUAL_URL, NoKeyError
from infra.cli.importing.platform import Patience, Platform, connect, real_sleep
from services.kit.clock import system_clock

AT_ONCE = 100
MOST_SHOWN = 1_000
"""In a table; people who have more want the CSV."""

MOST_DAYS = 36_500
WIDTH_IN_A_PIPE = 160

WAITING = """query ($before: Instant, $first: Int!, $after: String) {
  stores { id code }
  waitingRefunds(receivedBefore: $before, first: $first, after: $after) {
    nodes { storeId refundNumber receiptStoreId receiptNumber occurredAt bookedAt lines { amountMinor } }
    pageInfo { hasNextPage endCursor }
  }
}"""

HEADER = ("store", "refund", "receipt_store", "receipt", "occurred_at", "received_at", "days", "amount_minor")


def add_to(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "refunds-waiting", help="list refunds whose receipt has not come, the oldest first"
    )
    add = parser.add_argument
    add("--older-than", type=_days, default=0.0, metavar="DAYS", help="only those received so long ago")
    add("--csv", action="store_true", help="for programs and spreadsheets")
    add("--url", default=os.environ.get(URL, USUAL_URL), help="the GraphQL API; %(default)s")
    add("--key", default="", help=f"a staff API key with the scope purchases:read; better in {KEY}")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    key = (given.key or os.environ.get(KEY, "")).strip()
    if not key:
        raise NoKeyError
    return asyncio.run(show(given.url, key, older_than=timedelta(days=given.older_than), as_csv=given.csv))


async def show(
    url: str,
    key: str,
    *,
    older_than: timedelta,
    as_csv: bool,
    now: datetime | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> int:
    """Print them. `transport` is HTTP unless it is given, `now` the system's clock."""
    patience = Patience(give_up_s=30.0, now=time.monotonic, sleep=real_sleep, note=_note)
    moment = now or system_clock()
    async with connect(url=url, key=key, connections=1, transport=transport) as client:
        rows = _rows(Platform(url, client=client, patience=patience), moment, older_than)
        if as_csv:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(HEADER)
            async for row in rows:
                writer.writerow(row)
        else:
            shown: list[tuple[str, ...]] = []
            async for row in rows:
                if len(shown) == MOST_SHOWN:
                    sys.stderr.write(f"huitou: there are more than these {MOST_SHOWN:,}: --csv has all\n")
                    break
                shown.append(row)
            _print(shown)
    return 0


async def _rows(platform: Platform, now: datetime, older_than: timedelta) -> AsyncIterator[tuple[str, ...]]:
    after: str | None = None
    before = (now - older_than).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    while True:
        data = await platform.ask(WAITING, {"before": before, "first": AT_ONCE, "after": after})
        codes = {store["id"]: store["code"] for store in data["stores"]}
        page = data["waitingRefunds"]
        for one in page["nodes"]:
            received = datetime.fromisoformat(one["bookedAt"])
            amounts = [line["amountMinor"] for line in one["lines"]]
            yield (
                codes.get(one["storeId"], one["storeId"]),
                one["refundNumber"],
                codes.get(one["receiptStoreId"], one["receiptStoreId"]),
                one["receiptNumber"],
                one["occurredAt"],
                one["bookedAt"],
                str((now - received).days),
                str(sum(amounts)) if amounts and None not in amounts else "",
            )
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _print(rows: list[tuple[str, ...]]) -> None:
    if not rows:
        sys.stdout.write("no refund waits for its receipt\n")
        return
    table = Table(*(name.replace("_", " ") for name in HEADER))
    for row in rows:
        table.add_row(*row)
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_IN_A_PIPE)
    console.print(table, markup=False)


def _note(words: str) -> None:
    sys.stderr.write(f"huitou: {words}\n")


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days")
    return days
