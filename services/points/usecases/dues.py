"""What happens in points because its time has come: as a sandbox's clock is moved on, this says where it stops."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.points.domain.seals import SETTLES_AFTER, day_end
from services.points.usecases.reports import JournalSums, keep_days
from services.points.usecases.seal_ledger import SealingKey, Seals, seal_chain


@dataclass(frozen=True, slots=True)
class DayEnds:
    """The end of each day, once it has settled: its sums are kept, and the heads are sealed."""

    seals: Seals
    sums: JournalSums
    key: SealingKey

    async def next_due(self, chain: str, after: datetime) -> datetime | None:
        """Return when the first day that has not settled by `after` does; None before anything was booked."""
        if await self.seals.first_booked(chain) is None:
            return None
        return day_end((after - SETTLES_AFTER).astimezone(UTC).date()) + SETTLES_AFTER

    async def run(self, chain: str, now: datetime) -> None:
        """Keep the sums of the days that have ended, and seal them."""
        await keep_days(chain, now=now, sums=self.sums)
        await seal_chain(chain, seals=self.seals, key=self.key, now=now)
