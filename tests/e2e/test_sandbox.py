"""A sandbox on the running platform: forty days pass, each of them in order, in all four services."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.kit.clock import system_clock
from tests.e2e.guests import enroll, receipt, record
from tests.support.importing import ROOT
from tests.support.platform import OpenedChain, Platform

AUTHORISE = """mutation ($input: AuthoriseHoldInput!) { authoriseHold(input: $input) {
  hold { id } userErrors { code } } }"""
SHOW = """query ($id: ID!) { member(id: $id) {
  points { held entries(first: 10) { nodes { kind bookedAt occurredAt } } }
  visits { count } coupons { nodes { issuedAt state } } invitations { invitedAt } } }"""


async def huitou(platform: Platform, *words: str) -> tuple[int | None, str, str]:
    """Run the command as an operator does; return its exit code and what it printed."""
    addresses = {f"{name.upper()}_ADDRESS": platform.address(name) for name in platform.ports}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "infra.cli", *words),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HUITOU_KEYS_DIR": str(platform.keys_dir), **addresses},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode(), err.decode()


def bought(chain: OpenedChain, number: str, member: str, at: datetime, *, paid_minor: int) -> dict[str, Any]:
    return receipt(chain, number, member, paid_minor=paid_minor) | {"occurredAt": at.isoformat()}


async def shown(platform: Platform, chain: OpenedChain, member: str) -> dict[str, Any]:
    found: dict[str, Any] = (await platform.graphql(SHOW, {"id": member}, key=chain.staff_key))["member"]
    return found


def moment(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


async def test_forty_days_pass_in_a_sandbox(platform: Platform, tmp_path: Path) -> None:
    chain = await platform.open_chain("sandbox-chain", stores={"A": "Bund"}, sandbox=True)
    assert chain.id.startswith("sbx_")
    async with platform.operator() as operator:
        await operator.save_tier_offer(
            chain.id, "silver-offer", level="silver", title="¥10 off", value_minor=1_000, valid_days=30
        )
    guest = await enroll(platform, chain, "sandbox guest")
    began = system_clock()
    await record(platform, chain.staff_key, bought(chain, "S1", guest, began, paid_minor=60_000))
    wish = {"key": "hold-1", "memberId": guest, "currency": "POINTS", "amount": 60}
    held = (await platform.graphql(AUTHORISE, {"input": wish}, key=chain.staff_key))["authoriseHold"]
    assert held["userErrors"] == []

    code, out, err = await huitou(platform, "sandbox", "move", chain.id, "--by", "40d")
    assert code == 0, err
    line = out.removeprefix(f"{chain.id} is at ").split()
    now = moment(line[0])
    assert now - began > timedelta(days=40)
    # From the start: the end of the hold, forty ends of days, and the target.
    assert line[1:] == ["after", "43", "steps"]
    today = began.astimezone(ZoneInfo("Asia/Shanghai")).date()
    assert [words.split()[0] for words in err.splitlines()[1:]] == [
        (today + timedelta(days=number)).isoformat() for number in range((now.date() - today).days + 1)
    ]

    # What was under way before has arrived: the coupon was issued at the start, for 30 days.
    before = await shown(platform, chain, guest)
    assert (before["points"]["held"], before["visits"]["count"]) == (0, 1)
    assert [one["state"] for one in before["coupons"]["nodes"]] == ["EXPIRED"]
    code, out, _ = await huitou(platform, "seals", "--chain", chain.id)
    seals = [json.loads(seal) for seal in out.splitlines()]
    settled = (now.astimezone(UTC) - timedelta(minutes=15)).date() - began.date()
    assert len(seals) == settled.days
    for seal in seals:
        ended = datetime.fromisoformat(f"{seal['day']}T00:15:00+00:00") + timedelta(days=1)
        assert moment(seal["sealed_at"]) == ended

    # A purchase of this very moment is no purchase of the future, and carries the sandbox's time in all services.
    await record(platform, chain.staff_key, bought(chain, "S2", guest, now, paid_minor=10_000))
    code, out, err = await huitou(platform, "sandbox", "move", chain.id, "--to", line[0])
    assert (code, out) == (0, f"{chain.id} is at {line[0]} after 1 steps\n"), err
    after = await shown(platform, chain, guest)
    entry = after["points"]["entries"]["nodes"][0]
    assert (entry["kind"], moment(entry["occurredAt"]), moment(entry["bookedAt"])) == ("PURCHASE", now, now)
    assert after["visits"]["count"] == 2
    assert now in [moment(one["invitedAt"]) for one in after["invitations"]]
    assert (await huitou(platform, "verify-ledger", "--chain", chain.id, "--state", str(tmp_path)))[0] == 0

    code, _, err = await huitou(platform, "sandbox", "move", chain.id, "--to", began.isoformat())
    assert (code, "time goes forward only" in err) == (1, True)
    code, _, err = await huitou(platform, "sandbox", "move", "sbx_nowhere", "--by", "1d")
    assert (code, "There is no such chain" in err) == (1, True)
