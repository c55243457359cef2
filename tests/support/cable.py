"""A wire between a client and a server that can be cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Cable:
    """`url` leads to the server; `cut()` ends every connection over it without a word.

    New ones get through unless it is `unplugged`.
    """

    url: str
    unplugged: bool = False
    _wires: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        for wire in self._wires:
            wire.cancel()


@asynccontextmanager
async def cable_to(url: str) -> AsyncIterator[Cable]:
    there = urlsplit(url)
    cable = Cable(url)

    def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if cable.unplugged:
            writer.transport.abort()
            return
        wire = asyncio.create_task(_carry(reader, writer, host=there.hostname, port=there.port))
        cable._wires.add(wire)
        wire.add_done_callback(cable._wires.discard)
        # Also where it is cut before it has begun.
        wire.add_done_callback(lambda _: writer.transport.abort())

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    credentials, at, _ = there.netloc.rpartition("@")
    cable.url = there._replace(netloc=f"{credentials}{at}127.0.0.1:{port}").geturl()
    yield cable
    server.close()
    cable.cut()
    await asyncio.gather(*cable._wires, return_exceptions=True)
    await server.wait_closed()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, host: str | None, port: int | None
) -> None:
    far_reader, far_writer = await asyncio.open_connection(host, port)
    try:
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    finally:
        far_writer.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await source.read(65_536):
            target.write(some)
            await target.drain()
    target.close()
