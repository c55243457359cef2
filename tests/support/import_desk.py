"""A folder with the files of a small chain, and `huitou import` from it into a platform on paper."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from infra.cli.importing.command import Options, run
from tests.support.paper_platform import PaperPlatform

MAPPING = """
time_zone = "Asia/Shanghai"
[store]
code = "web"
[members]
file = "members.csv"
format = "csv"
fields = { external_id = "card", phone = "phone", enrolled_at = "joined" }
[purchases]
file = "sales.jsonl"
format = "jsonl"
filter = { kind = "sale" }
fields.member = "who.card"
fields.receipt_number = { template = "r-{row}" }
fields.occurred_at = { column = "hour", unit = "hours", since = 2019-01-01T00:00:00 }
fields.item_code = { constant = "unknown" }
fields.gross = "paid"
"""

GROUPED = """
time_zone = "Asia/Shanghai"
[purchases]
file = "lines.csv"
format = "csv"
group_by = "order"
fields = { store = "shop", member = "card", occurred_at = "at", item_code = "item", gross = "price" }
"""


class Quiet:
    """A progress that says nothing."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, title: str, *, total: int, unit: str = "") -> None: ...

    def advance(self, count: int) -> None: ...

    def note(self, words: str) -> None:
        self.notes.append(words)

    def finish(self) -> None: ...


@dataclass(frozen=True)
class Desk:
    """A folder with files, and a platform."""

    folder: Path
    platform: PaperPlatform

    def write(self, files: Mapping[str, str]) -> None:
        for name, content in files.items():
            (self.folder / name).write_text(content)

    def options(self) -> Options:
        return Options(
            source=self.folder,
            mapping=self.folder / "mapping.toml",
            url="http://127.0.0.1:1/graphql",
            key="htk_x",
            members=None,
            report=self.folder / "rejected.csv",
            state=self.folder / "state",
            batch=3,
            lanes=2,
            give_up_s=0,
            dry_run=False,
        )

    def run(self, **changes: object) -> int:
        return run(replace(self.options(), **changes), progress=Quiet(), transport=self.platform.transport)  # type: ignore[arg-type]  # names are checked by replace

    def rejected(self) -> list[list[str]]:
        with (self.folder / "rejected.csv").open(newline="") as file:
            return list(csv.reader(file))[1:]

    def forget(self) -> None:
        for path in (self.folder / "state").iterdir():
            path.unlink()


def sales(*rows: tuple[str, int, str], kind: str = "sale") -> str:
    return "".join(
        f'{{"kind": "{kind}", "who": {{"card": "{card}"}}, "hour": {hour}, "paid": {paid}}}\n'
        for card, hour, paid in rows
    )


def simple(desk: Desk) -> None:
    desk.write(
        {
            "mapping.toml": MAPPING,
            "members.csv": "card,phone,joined\nA,,2018-01-01\nB,+861,\nC,,2018-06-01T12:00:00Z\n",
            "sales.jsonl": sales(("A", 5, "499.995"), ("B", 1, "3"), kind="sale")
            + sales(("A", 0, "1"), kind="refund")
            + sales(("A", 6, "4.99"), ("A", 2, "0.01"), ("C", 0, "0.80")),
        }
    )
