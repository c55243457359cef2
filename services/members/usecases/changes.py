"""What every change of a member needs: its key, its chain, and a unit of work."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from services.kit.ids import MakeId
from services.kit.principal import Principal
from services.members.domain.chains import Chain
from services.members.domain.enrollment import check_command_key, content_hash
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.units import CommandKey, Unit, Units

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChangeDesk:
    """What changing members needs from outside. `payer_key` is what points hashes payment accounts with."""

    chains: ChainFinder
    units: Units
    make_id: MakeId
    payer_key: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """A change as it was asked for. The key makes it safe to ask again."""

    key: str
    caller: Principal
    now: datetime
    traceparent: str = ""

    @property
    def by(self) -> str:
        """Who asked, for the records."""
        return f"{self.caller.kind}:{self.caller.id}"


async def carry_out(
    change: Change,
    said: tuple[object, ...],
    body: Callable[[Unit, Chain, CommandKey], Awaitable[T]],
    *,
    desk: ChangeDesk,
) -> T:
    """Do `body` in one transaction. `said` is all that the caller said: the same key with other content is refused."""
    check_command_key(change.key)
    chain = await callers_chain(change.caller, chains=desk.chains)
    command = CommandKey(change.key, content_hash(*said, key=chain.identity_key))

    async def once(unit: Unit) -> T:
        return await body(unit, chain, command)

    return await desk.units.run(chain, once, now=change.now, traceparent=change.traceparent)
