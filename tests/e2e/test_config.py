"""What was tried in a sandbox is exported, compared with a live chain, and made so there."""

import json
from pathlib import Path

from tests.e2e.test_ledger import huitou
from tests.support.platform import Platform

FILL = """mutation {
  saveBrands(input: {brands: [{code: "a", name: "Alpha"}]}) { userErrors { code } }
  saveRegions(input: {regions: [{code: "s", name: "Shanghai", parent: "e"}, {code: "e", name: "East"}]}) {
    userErrors { code } }
  savePartners(input: {partners: [{code: "air", name: "Air"}]}) { userErrors { code } }
  saveStores(input: {stores: [{code: "B", name: "Bund", region: "s", brand: "a"
    address: {lines: ["1 Bund"], city: "Shanghai", country: "CN"}, position: {latitude: 31.24, longitude: 121.49}
    hours: {weekly: [[{opens: "11:00", closes: "02:00"}], [], [], [], [], [], []]}}]}) { userErrors { code } }
  saveMenuItems(input: {items: [{code: "t", name: "Tea", priceMinor: 500, costMinor: 120, brand: "a"}]}) {
    userErrors { code } }
}"""

APPLIED = [
    "brands: 1 added, 0 changed, 0 as they should be, 0 only in the chain (they stay)",
    "regions: 2 added, 0 changed, 0 as they should be, 0 only in the chain (they stay)",
    "partners: 1 added, 0 changed, 0 as they should be, 0 only in the chain (they stay)",
    "stores: 0 added, 1 changed, 0 as they should be, 1 only in the chain (they stay)",
    "menu: 1 added, 0 changed, 0 as they should be, 0 only in the chain (they stay)",
]
PUBLISHING = "`huitou program diff --draft config` compares it, `huitou program publish --draft config` publishes"


async def test_a_sandbox_is_made_live(platform: Platform, tmp_path: Path) -> None:
    sandbox = await platform.open_chain("config-sandbox", stores={"B": "Bund"}, sandbox=True)
    live = await platform.open_chain("config-live", stores={"B": "Old Bund", "X": "Only here"})
    filled = await platform.graphql(FILL, key=sandbox.staff_key)
    assert all(one["userErrors"] == [] for one in filled.values())

    async def config(*words: str) -> tuple[int | None, str]:
        return await huitou(platform, "config", *words, key=live.staff_key)

    code, exported = await huitou(platform, "config", "export", key=sandbox.staff_key)
    assert code == 0
    whole = json.loads(exported)
    assert sorted(whole) == ["brands", "currency", "format", "menu", "partners", "program", "regions", "stores"]
    assert sandbox.stores["B"] not in exported
    base = whole["program"]["earning"]["rules"][0]
    base["where"] = {**base.get("where", {}), "stores": ["B"]}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(whole))

    code, shown = await config("diff", str(file))
    assert code == 0
    lines = shown.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [*APPLIED, "program: differs in earning"]
    assert '  ~ B name: "Old Bund" → "Bund"' in lines
    assert "  = X" in lines
    assert await config("apply", str(file)) == (1, "")
    checked = await config("apply", str(file), "--dry-run")
    assert checked == (0, "\n".join([*APPLIED, "nothing was changed: a dry run", ""]))
    assert await config("diff", str(file)) == (0, shown)

    saved = f"program: saved as draft config, revision 1; {PUBLISHING}"
    assert await config("apply", str(file), "--yes") == (0, "\n".join([*APPLIED, saved, ""]))
    draft = '{ programDraft(name: "config") { terms { earning { rules { where { stores } } } } } }'
    kept = await platform.graphql(draft, key=live.staff_key)
    assert kept["programDraft"]["terms"]["earning"]["rules"][0]["where"]["stores"] == [live.stores["B"]]

    versions = "{ stores { code version } brands { version } regions { version } menu { version } }"
    before = await platform.graphql(versions, key=live.staff_key)
    code, again = await config("apply", str(file), "--yes")
    assert (code, [line.split(", ")[:2] for line in again.splitlines()[:-1]]) == (
        0,
        [[f"{part}: 0 added", "0 changed"] for part in ("brands", "regions", "partners", "stores", "menu")],
    )
    assert again.splitlines()[-1] == f"program: draft config, revision 1, is the same already; {PUBLISHING}"
    assert await platform.graphql(versions, key=live.staff_key) == before

    whole["stores"][0]["brnad"] = "a"
    file.write_text(json.dumps(whole))
    assert await config("diff", str(file)) == (1, "")
