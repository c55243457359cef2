"""Chains: open one, show one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.principal import Principal
from services.members.domain.chains import Chain, NoChainError, check_chain
from services.members.domain.enrollment import check_command_key


class ChainFinder(Protocol):
    """Where chains are looked up."""

    async def find(self, chain: str) -> Chain | None:
        """Return the chain, None when there is none of that id."""


class ChainOpener(Protocol):
    """Where chains are opened."""

    async def open(self, chain: Chain, *, key: str, now: datetime) -> Chain:
        """Keep `chain`, or return the one that the same command key opened before.

        Raises KeyReusedError when that one is another.
        """


@dataclass(frozen=True, slots=True)
class WantedChain:
    """A chain as an operator wants it."""

    name: str
    currency: str
    time_zone: str
    sandbox: bool


async def open_chain(
    wanted: WantedChain, *, key: str, chain_id: str, identity_key: bytes, now: datetime, chains: ChainOpener
) -> Chain:
    """Open a chain. `chain_id` and `identity_key` (32 random bytes) are used only if the command key is new."""
    check_command_key(key)
    chain = Chain(
        id=chain_id,
        name=wanted.name,
        currency=wanted.currency,
        time_zone=wanted.time_zone,
        sandbox=wanted.sandbox,
        identity_key=identity_key,
    )
    check_chain(chain)
    return await chains.open(chain, key=key, now=now)


async def callers_chain(caller: Principal, *, chains: ChainFinder) -> Chain:
    """Return the caller's chain, or raise NoChainError."""
    if (chain := await chains.find(caller.chain)) is None:
        raise NoChainError
    return chain
