"""`huitou dead-letters` against the whole platform."""

import asyncio
import json
import os
import sys
from typing import Any

import aio_pika

from tests.support.eventually import eventually
from tests.support.importing import ROOT
from tests.support.platform import Platform


async def huitou(platform: Platform, *words: str) -> str:
    """Run the command as an operator does, and return what it printed."""
    addresses = {f"{name.upper()}_ADDRESS": platform.address(name) for name in platform.ports}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "infra.cli", "dead-letters", *words),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HUITOU_KEYS_DIR": str(platform.keys_dir), **addresses},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode()


async def test_a_message_that_is_no_event_is_shown_and_put_back(platform: Platform) -> None:
    queue = f"{platform.namespace}points.events.0"
    connection = await aio_pika.connect(platform.servers.amqp_url)
    async with connection, connection.channel() as channel:
        message = aio_pika.Message(b"nonsense", message_id="evt_nonsense")
        await channel.default_exchange.publish(message, routing_key=queue)

    async def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(await huitou(platform, "list", "--json"))
        return [letter for letter in found if letter["id"] == "evt_nonsense"]

    letters = await eventually(listed, within_s=60)
    assert [(one["service"], one["queue"], one["reason"]) for one in letters] == [("points", queue, "rejected")]
    assert "evt_nonsense" in await huitou(platform, "list", "--service", "points")
    assert '"base64": "bm9uc2Vuc2U="' in await huitou(platform, "show", "evt_nonsense")
    assert await huitou(platform, "replay", "evt_nonsense") == "points: 1 put back\n"
    # It is as wrong as before, and comes back.
    assert len(await eventually(listed, within_s=60)) == 1
