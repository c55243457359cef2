"""Files that the service writes part by part, collected into one answer of the graph."""

from typing import Any

from services.kit.graph import Calls, Kind, Problem

EXPORT_BYTES = 5_000_000
"""An answer is held in memory as a whole."""

REPORT_S = 30.0
"""For one report, within the operation's own time."""


class ExportTooLongError(Problem):
    """The file has more than {most_mb} MB: ask for fewer days, stores or dimensions."""

    kind = Kind.REFUSED
    code = "EXPORT_TOO_LONG"


async def collected(points: Calls, method: Any, request: Any) -> str:
    """Return the whole file. Raises `ExportTooLongError`, without hearing the rest."""
    parts: list[str] = []
    size = 0
    async with points.ask_stream(method, request, timeout_s=REPORT_S) as answers:
        async for part in answers:
            size += len(part.csv.encode())
            if size > EXPORT_BYTES:
                raise ExportTooLongError(most_mb=EXPORT_BYTES // 1_000_000)
            parts.append(part.csv)
    return "".join(parts)
