"""What a process costs, from Linux's own tables (proc(5))."""

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the CPU seconds, user and system, that all threads of the process have used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def resident_mb(pid: int) -> float:
    """Return the memory that the process has now."""
    return _mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """Return the most memory that the process ever had."""
    return _mb(pid, "VmHWM")


def _mb(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return round(int(kilobytes) / 1024, 1)
