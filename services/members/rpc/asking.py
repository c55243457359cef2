"""Who asks for a change, and when."""

from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.members.usecases.changes import Change


async def change_of(key: str, clocks: ChainClocks) -> Change:
    """Return the change that is asked for by the call that is being answered."""
    who = caller()
    return Change(key, who, await clocks.now(who.chain), current_traceparent())
