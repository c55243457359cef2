"""Log lines: one line each for people, or one JSON object each for machines. Both carry the trace id."""

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import orjson

from services.kit.config import LogFormat
from services.kit.telemetry import trace_id

_QUIETER = {
    **dict.fromkeys(("aio_pika", "asyncio", "motor", "pymongo", "httpx", "httpcore", "urllib3"), "WARNING"),
    # It logs what it raises, twice a second while the broker is not there.
    "aiormq": "CRITICAL",
    # One line for a batch of spans that was lost, not one for each try.
    "opentelemetry": "ERROR",
}
"""Libraries that tell what only their makers want to know."""


def set_up(service: str, form: LogFormat, *, stream: TextIO | None = None) -> None:
    """Log everything from INFO on to `stream` (standard error); what was set up before is replaced."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.addFilter(_note_trace)
    handler.setFormatter(_Json(service) if form == "json" else _Text(service))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name, level in _QUIETER.items():
        logging.getLogger(name).setLevel(level)


def _note_trace(record: logging.LogRecord) -> bool:
    """Keep the trace id with the record while it is current; never drops a record."""
    record.trace = trace_id()
    return True


class _Text(logging.Formatter):
    """`12:00:01.250 INFO    points  ready  trace=4bf9…`; an exception's lines follow, indented."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone()
        trace = f"  trace={trace_id}" if (trace_id := getattr(record, "trace", "")) else ""
        message = record.getMessage().replace("\n", "\\n")
        line = f"{at:%H:%M:%S}.{at.microsecond // 1000:03} {record.levelname:<7} {self._service:<9} {message}{trace}"
        if record.exc_info:
            line += "\n" + "\n".join(f"    {part}" for part in self.formatException(record.exc_info).splitlines())
        return line


class _Json(logging.Formatter):
    """`{"at":"2026-03-01T04:00:00.250Z","level":"INFO","service":"points","message":"ready",…}`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {
            "at": at,
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := getattr(record, "trace", ""):
            line["trace_id"] = trace
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()
