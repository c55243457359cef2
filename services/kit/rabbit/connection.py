"""Connecting to the broker, with a deadline and one kind of error."""

import asyncio
from contextlib import suppress

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from services.kit.errors import Kind, Problem

CONNECT_TIMEOUT_S = 5.0

CALL_TIMEOUT_S = 10.0
"""For one question to the broker; making a quorum queue takes some 20 ms when it is idle."""

HEARTBEAT_S = 15
"""Twice this after a machine has vanished without a word, the broker gives its place to another."""

BROKER_ERRORS = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError)
"""What a call to the broker raises when it, or the way to it, is gone."""


class BrokerUnavailableError(Problem):
    """The message broker cannot be reached ({why})."""

    kind = Kind.UNAVAILABLE
    code = "BROKER_UNAVAILABLE"


class _Connection(aio_pika.Connection):
    def __del__(self) -> None:
        """Leave it: the library's would begin to close what never was connected, when no loop may run any more."""


async def connect(url: str, *, name: str) -> AbstractConnection:
    """Return a new connection that shows as `name` at the broker, or raise `BrokerUnavailableError`.

    It is not one of aio-pika's robust connections. Those bring channels and consumers back by themselves, but what
    was received on the old channel can never be acknowledged on the new one; so whoever holds messages has to know
    of the break, drop what it holds and begin anew.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await aio_pika.connect(
                url,
                heartbeat=HEARTBEAT_S,
                client_properties={"connection_name": name},
                connection_class=_Connection,
            )
    except BROKER_ERRORS as error:
        raise BrokerUnavailableError(why=type(error).__name__) from error


async def close(connection: AbstractConnection) -> None:
    """Close `connection`; that it is gone already, or cannot say good-bye in time, does not matter."""
    with suppress(*BROKER_ERRORS):
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await connection.close()
