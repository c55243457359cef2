"""What a load is asked for, and what it tells afterwards; both travel as a line of JSON."""

from dataclasses import dataclass, field
from typing import Literal

Shape = Literal["unary", "bulk", "stream"]

MOST_PER_CALL = 500
"""Receipts that a message of StreamPurchases takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A load of `seconds`. Without a rate each caller sends as soon as it was answered (closed loop); with one, calls
    are due at fixed times, whatever the answers do (open loop), as far as there are `callers` to make them."""

    run: str  # its receipts' numbers begin with it; never given twice on one database
    callers: int
    seconds: float
    accounts: int
    shape: Shape = "unary"
    per_call: int = 1
    calls_per_s: float = 0.0
    skip_s: float = 0.0  # at the beginning, until queues are as full as they get: not counted as in time
    alone: bool = False  # of the peer: its ledger without what points writes besides
    address: str = ""  # of the service; empty for a ledger within the load's own process


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of it, in purchases."""

    offered: int = 0
    acknowledged: int = 0  # in the end: receipts that the service says are booked
    in_time: int = 0  # of these, before the end of the load's time and after what is skipped
    refused: int = 0  # RESOURCE_EXHAUSTED in an open loop: not sent again
    failed: dict[str, int] = field(
        default_factory=dict
    )  # by status, each try; sent again, in an open loop after its time
    took_s: float = 0.0  # until the last answer
    cpu_s: float = 0.0  # of the load's process
    p50_ms: float = 0.0  # from when a call was due to its answer
    p99_ms: float = 0.0
    max_ms: float = 0.0

    def note(self, latencies_ms: list[float]) -> None:
        """Keep p50, p99 and max of all acknowledged calls."""
        if latencies_ms:
            ordered = sorted(latencies_ms)
            self.p50_ms = round(ordered[len(ordered) // 2], 2)
            self.p99_ms = round(ordered[len(ordered) * 99 // 100], 2)
            self.max_ms = round(ordered[-1], 2)
