"""What is told at the end: a summary for people, and a CSV with every row that did not go in."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.cli.importing.loading import (
    REFUND_ROWS,
    REFUND_ROWS_MATCHED,
    ROWS_EMPTY,
    ROWS_FILTERED,
    ROWS_READ,
    ROWS_REPEATED,
)
from infra.cli.importing.records import Rejected, column_of
from infra.cli.importing.staged import State
from infra.cli.importing.staging import Staging

HEADER = ("file", "row", "column", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What this run did, besides what the staging file knows."""

    seconds: float
    sent: int  # members, balances, purchases and refunds
    sending_s: float
    dry: bool


def write_rejects(path: Path, rejects: Iterable[Rejected], labels: Mapping[str, Mapping[str, str]]) -> None:
    """Write the report; `labels` says for each file what the mapping calls the API's fields."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for one in rejects:
            writer.writerow((one.file, one.row, column_of(one.column, labels.get(one.file, {})), one.reason))


def summary(staging: Staging, run: Run, *, report: Path) -> str:
    """Return what people read at the end."""
    lines = [("rows read", _counted(_read(staging)))]
    for table, did in (("members", "enrolled"), ("openings", "opened"), ("purchases", "booked"), ("refunds", "booked")):
        states = staging.states(table)
        if sum(states.values()):
            lines.append((table, _counted(_outcomes(states, did, dry=run.dry))))
        if table == "openings":
            lines += [
                (f"  {name}", f"{amount:,} in {lots:,} lots") for name, (lots, amount) in staging.opened().items()
            ]
    if rows := staging.fact(REFUND_ROWS):
        matched = staging.fact(REFUND_ROWS_MATCHED)
        lines.append(("refund rows", _counted({"": rows, "matched": matched, "not matched": rows - matched})))
    if rejected := staging.reject_count():
        lines.append(("rejected", f"{rejected:,} rows, each with its reason in {report}"))
    if not run.dry:
        taken = f", {staging.points('refunds'):,} taken back" if staging.fact(REFUND_ROWS) else ""
        lines.append(("points", f"{staging.points():,} granted for these purchases{taken}"))
        reached = ", ".join(f"{count:,} × {level}" for level, count in staging.tiers().items())
        lines.append(("tiers reached", reached or "none"))
    sending = "" if run.dry else "; nothing was left to send"
    if run.sent:
        sending = f", {run.sending_s:.1f} s of it to send {run.sent:,} rows: {run.sent / run.sending_s:,.0f} a second"
    lines.append(("time", f"{run.seconds:.1f} s{sending}"))
    return "\n".join(f"{name:<14} {words}" for name, words in lines) + "\n"


def _read(staging: Staging) -> dict[str, int]:
    return {
        "": staging.fact(ROWS_READ),
        "left out by the filter": staging.fact(ROWS_FILTERED),
        "repeated": staging.fact(ROWS_REPEATED),
        "with nothing to open": staging.fact(ROWS_EMPTY),
    }


def _outcomes(states: Mapping[State, int], did: str, *, dry: bool) -> dict[str, int]:
    if dry:
        return {f"would be {did}": states[State.WAITING]}
    return {
        did: states[State.DONE],
        "there already": states[State.THERE_ALREADY],
        "rejected by the platform": states[State.REJECTED],
        "skipped": states[State.WAITING],
    }


def _counted(counts: Mapping[str, int]) -> str:
    """Return "1,200, 7 rejected": the first always, the others when there are any."""
    (first, count), *others = counts.items()
    words = [f"{count:,} {first}".strip()] + [f"{count:,} {name}" for name, count in others if count]
    return ", ".join(words)
