"""`make bench-report`: docs/performance.md from what the benchmarks left in build/bench."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.bench.figures import FOLDER

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"

HEAD = """\
# Performance

Written by `make bench-report` from the last runs of `make bench-…`; nobody edits it by hand.

A ratio is of two things measured in turn in the same run (A B A B …, five rounds), each under load from another
process: the median, and from the lowest to the highest round. A run counts only if its books are right afterwards: as
many receipts, entries and events as were acknowledged, and the points of all accounts those of all entries.
"""


def page(folder: Path) -> str:
    """Return the page for all runs in `folder`."""
    runs = [_run(sheet) for sheet in sorted(folder.glob("*.jsonl"))]
    return "\n".join([HEAD, *runs])


def _run(sheet: Path) -> str:
    figures = [orjson.loads(line) for line in sheet.read_bytes().splitlines()]
    about = orjson.loads(sheet.with_suffix(".json").read_bytes())
    name, _, only = sheet.stem.partition("-")
    command = f"make bench-{name} ONLY={only}" if only else f"make bench-{name}"
    parts = [f"## {name.capitalize()}: `{command}`\n", *_about(about), "", *_table(figures)]
    for figure in figures:
        parts += ["", f"### `{figure['figure']}`\n", *_detail(figure["detail"])]
    return "\n".join(parts) + "\n"


def _about(about: Mapping[str, Any]) -> Iterator[str]:
    machine = about["machine"]
    yield f"- {about['date']}, commit {about['commit']}, SCALE={about['scale']} SECONDS={about['seconds']:g}"
    yield f"- {machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}"
    yield f"- {_plain({name: version for name, version in about['versions'].items() if version})}"


def _table(figures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| figure | value | spread | target |"
    yield "|---|---|---|---|"
    for figure in figures:
        low, high = figure["spread"]
        spread = f"{_plain(low)} – {_plain(high)}" if low != high else ""
        unit = "" if figure["unit"] == "ratio" else f" {figure['unit']}"
        target = figure["detail"].get("target", "")
        yield f"| `{figure['figure']}` | **{_plain(figure['value'])}**{unit} | {spread} | {target} |"


def _detail(detail: Mapping[str, Any]) -> Iterator[str]:
    for name, value in detail.items():
        if name != "target":
            yield f"- {name.replace('_', ' ')}: {_plain(value)}"


def _plain(value: object) -> str:
    """Return JSON's values as a person writes them."""
    if isinstance(value, Mapping):
        shown = (f"{name} {_inner(each)}".replace("_", " ") for name, each in value.items())
        return ", ".join(shown) or "none"
    if isinstance(value, list):
        return ", ".join(_inner(each) for each in value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _inner(value: object) -> str:
    return f"({_plain(value)})" if isinstance(value, Mapping | list) else _plain(value)


def main() -> int:
    """Write the page; 1 when there is nothing to write."""
    if not list(FOLDER.glob("*.jsonl")):
        sys.stderr.write("Nothing was measured yet: make bench-points\n")
        return 1
    PAGE.write_text(page(FOLDER))
    sys.stdout.write(f"{PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
