import asyncio
from collections.abc import AsyncIterator

import pytest


@pytest.fixture
async def silent_server() -> AsyncIterator[str]:
    """Yield the address of something that takes connections and never answers, as a database that hangs.

    Not a port where nothing listens: PyMongo's client leaves a socket open when it is closed while it connects.
    """

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0&serverSelectionTimeoutMS=200"
    server.close()
    for writer in writers:
        writer.close()
    await server.wait_closed()
