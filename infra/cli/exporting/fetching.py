"""Fetching a file over HTTP: under its name only when it is whole."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import orjson

from infra.cli.importing.platform import KeyRefusedError, UnreachableError
from services.kit.errors import Kind, Problem

IDLE_S = 60.0
"""How long the platform may say nothing while a file comes."""


class NotFetchedError(Problem):
    """The file was not sent: {said}"""  # noqa: D415 - the platform's own sentence, with its full stop

    kind = Kind.REFUSED
    code = "NOT_FETCHED"


class CutShortError(Problem):
    """The file broke off after {size:,} bytes. Run the command again."""

    kind = Kind.UNAVAILABLE
    code = "CUT_SHORT"


def beside(url: str, path: str) -> str:
    """Return where a path is on the host of the GraphQL API."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


async def fetch(
    client: httpx.AsyncClient, url: str, out: Path, *, whole: Callable[[Path], bool], note: Callable[[int], None]
) -> int:
    """Write what is at `url` to `out`, readable by its owner alone, and return its size in bytes.

    `whole` tells of the file as it lies whether that is all of it. Raises NotFetchedError, KeyRefusedError,
    UnreachableError, CutShortError.
    """
    partial = out.with_name(out.name + ".partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    size = 0
    try:
        async with client.stream("GET", url, timeout=IDLE_S) as response:
            if response.status_code != httpx.codes.OK:
                raise _refused(response.status_code, await response.aread())
            with partial.open("wb") as written:
                async for some in response.aiter_bytes():
                    size += written.write(some)
                    note(size)
    except httpx.TransportError as error:
        if size:
            raise CutShortError(size=size) from error
        raise UnreachableError(url=url, seconds=round(IDLE_S), why=str(error) or type(error).__name__) from error
    if not whole(partial):
        raise CutShortError(size=size)
    partial.replace(out)
    return size


def _refused(status: int, content: bytes) -> Problem:
    if status == httpx.codes.UNAUTHORIZED:
        return KeyRefusedError()
    try:
        said = orjson.loads(content)["errors"][0]["message"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        said = f"status {status}."
    return NotFetchedError(said=said)
