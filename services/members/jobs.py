"""What members does by the clock."""

from typing import Protocol

from services.kit.jobs import Job

AT_ONCE = 1_000


class Rewrapping(Protocol):
    """Where data keys are kept under wrapping keys."""

    async def rewrap(self, *, first: int) -> int:
        """Wrap up to `first` data keys anew that an older key wraps, and return how many."""


def rewrap_keys(vault: Rewrapping) -> Job:
    """Return the job that brings all data keys under the current wrapping key, after there is a new one."""

    async def run() -> None:
        while await vault.rewrap(first=AT_ONCE):
            pass

    return Job(name="rewrap-keys", every_s=60.0, run=run, within_s=3_600.0)
