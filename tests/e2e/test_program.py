"""A chain keeps its program as a file: shown, changed, saved, compared, published, and booked by."""

import json
from pathlib import Path

from tests.e2e.test_ledger import huitou
from tests.support.platform import Platform


async def test_a_program_is_kept_as_a_file(platform: Platform, tmp_path: Path) -> None:
    chain = await platform.open_chain("program-chain", stores={"A": "Bund"})

    async def program(*words: str) -> tuple[int | None, str]:
        return await huitou(platform, "program", *words, key=chain.staff_key)

    code, shown = await program("show")
    terms = json.loads(shown)
    assert (code, terms["earning"]["rules"][0]["code"]) == (0, "base")
    file = tmp_path / "program.json"
    file.write_text(shown)
    assert await program("save", str(file)) == (0, "draft next, revision 1\n")
    assert await program("diff") == (0, "draft next, revision 1, and version 1:\nthey are the same\n")

    terms["earning"]["rules"][0]["effect"]["rate"]["points"] = 3
    file.write_text(json.dumps(terms))
    assert await program("save", str(file)) == (0, "draft next, revision 2\n")
    changed = "draft next, revision 2, and version 1:\nearning.rules.base.effect.rate.points: 1 → 3\n"
    assert await program("diff") == (0, changed)
    code, tried = await program("dry-run", "2026-03")
    assert (code, tried.splitlines()[0]) == (0, "2026-03: 0 receipts, 0 paid, in minor units")

    terms["remindDays"] = 91
    file.write_text(json.dumps(terms))
    assert await program("save", str(file)) == (1, "")
    assert await program("diff") == (0, changed)

    assert await program("publish", "--at", "2000-01-01T00:00:00Z") == (1, "")
    code, published = await program("publish")
    assert (code, published.startswith("version 2 takes effect at 20")) == (0, True)
    code, second = await program("show", "--version", "2")
    assert (code, json.loads(second)["earning"]["rules"][0]["effect"]["rate"]["points"]) == (0, 3)
    assert await program("show") == (0, shown)
    assert await program("publish") == (1, "")
