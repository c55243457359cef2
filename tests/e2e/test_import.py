"""`huitou import` against the whole platform."""

import gzip
import json
import os
import random
import signal
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.importing import ROOT, Account, Importer, expected, summary
from tests.support.platform import Platform

DATA = Path(os.environ.get("HUITOU_DATA", ROOT.parent / "shared" / "data")) / "starbucks"
MAPPING = """
time_zone = "Asia/Shanghai"
store.code = "web"
[members]
file = "members.csv"
format = "csv"
fields = { external_id = "card", name = "name", enrolled_at = "joined" }
[purchases]
file = "receipts.csv"
format = "csv"
group_by = "receipt"
fields = { member = "card", occurred_at = "at", item_code = "item", gross = "price", discount = "off" }
"""

Purchase = tuple[float, str, Decimal]


def made_up(folder: Path, *, members: int, receipts: int) -> tuple[list[str], list[Purchase]]:
    """Write files of a small chain; return the members and what they bought, in the order of the file."""
    chance = random.Random(members)  # noqa: S311 - the same every time
    cards = [f"card-{number}" for number in range(members)]
    bought: list[Purchase] = []
    with (folder / "receipts.csv").open("w") as file:
        file.write("receipt,card,at,item,price,off\n")
        for number in range(receipts):
            # Some guests come often and some hardly ever; many at the same minute, and not in the order of time.
            card = cards[min(chance.randrange(members), chance.randrange(members))]
            minute = chance.randrange(1_000)
            prices = [chance.randrange(9_000) for _ in range(chance.randint(1, 3))]
            for price in prices:
                at = f"2024-03-{1 + minute // 60:02} 12:{minute % 60:02}"
                file.write(f"R{number},{card},{at},rice,{price / 100:.2f},{price // 10 / 100:.2f}\n")
            bought.append((minute, card, Decimal(sum(price - price // 10 for price in prices)) / 100))
    rows = (f"{card},Guest {card},2023-05-06\n" for card in cards)
    (folder / "members.csv").write_text("card,name,joined\n" + "".join(rows))
    (folder / "mapping.toml").write_text(MAPPING)
    return cards, bought


async def importer(platform: Platform, name: str, folder: Path) -> Importer:
    chain = await platform.open_chain(name, stores={"web": "Web"})
    return Importer(platform, chain.staff_key, folder, folder / "mapping.toml", folder)


async def test_files_go_in_once_and_exactly(platform: Platform, tmp_path: Path) -> None:
    members, bought = made_up(tmp_path, members=40, receipts=600)
    wanted = expected(members, bought)
    assert {account.level for account in wanted.values()} == {"regular", "silver", "gold"}
    importing = await importer(platform, "import-made-up", tmp_path)
    total = sum(one.points for one in wanted.values())
    gold = sum(one.level == "gold" for one in wanted.values())
    silver = gold + sum(one.level == "silver" for one in wanted.values())  # they passed it

    first = await importing.run("--batch", "50")
    assert (first["members"], first["purchases"]) == ("40 enrolled", "600 booked")
    assert first["points"] == f"{total:,} granted for these purchases"
    assert first["tiers reached"] == f"{gold} × gold, {silver} × silver"

    again = await importing.run(state="another")
    assert (again["members"], again["purchases"]) == ("0 enrolled, 40 there already", "0 booked, 600 there already")
    assert again["points"] == first["points"]

    # The other system knows more of the same members by now: other commands, the same identities and receipts.
    names = tmp_path / "members.csv"
    names.write_text(names.read_text().replace("Guest", "Dear"))
    later = await importing.run(state="third")
    assert (later["members"], later["purchases"]) == (again["members"], again["purchases"])
    assert await importing.accounts(members) == wanted


@pytest.mark.timeout(240)
async def test_points_is_killed_in_the_middle(platform: Platform, tmp_path: Path) -> None:
    members, bought = made_up(tmp_path, members=41, receipts=1_500)
    importing = await importer(platform, "import-killed-points", tmp_path)
    process = await importing.start("--batch", "10", "--lanes", "4")
    await eventually(lambda: importing.booked() >= 100, within_s=60)
    platform.kill("points")
    before = importing.booked()
    assert before < 1_200, "it was over before the kill"
    platform.restart("points")
    done = await summary(process)
    assert done["members"] == "41 enrolled"
    # A batch whose answer was lost is found booked when it is sent again.
    counts = [int(words.split()[0].replace(",", "")) for words in done["purchases"].split(", ")]
    assert sum(counts) == 1_500
    assert await importing.accounts(members) == expected(members, bought)


@pytest.mark.timeout(240)
async def test_the_import_is_stopped_and_killed(platform: Platform, tmp_path: Path) -> None:
    members, bought = made_up(tmp_path, members=42, receipts=1_500)
    importing = await importer(platform, "import-killed", tmp_path)
    stopped = await importing.start("--batch", "10", "--lanes", "4")
    await eventually(lambda: importing.booked() >= 100, within_s=60)
    stopped.send_signal(signal.SIGINT)
    _, words = await stopped.communicate()
    assert stopped.returncode == 130
    assert words.decode().endswith("Stopped. The same command goes on where it was.\n")
    booked = importing.booked()
    assert 100 <= booked < 700

    killed = await importing.start("--batch", "10", "--lanes", "4")
    await eventually(lambda: importing.booked() >= booked + 100, within_s=60)
    killed.kill()
    await killed.communicate()
    assert importing.booked() < 1_400

    done = await importing.run()
    assert done["members"] == "42 enrolled"
    assert importing.booked() == 1_500
    assert await importing.accounts(members) == expected(members, bought)


@pytest.mark.timeout(480)
async def test_two_thousand_members_of_real_size(platform: Platform, tmp_path: Path) -> None:
    # The data is others', and too large to be part of this repository.
    if not DATA.exists():
        pytest.skip(f"the outside data is not there ({DATA}; HUITOU_DATA names another folder)")
    chain = await platform.open_chain("import-starbucks", stores={})
    mapping = ROOT / "infra" / "cli" / "mappings" / "starbucks.toml"
    importing = Importer(platform, chain.staff_key, DATA, mapping, tmp_path)
    with (DATA / "profile.json").open() as file:
        members = [json.loads(line)["id"] for line in file][:2_000]
    wanted, rows = starbucks(members)

    first = await importing.run("--members", "2000")
    assert first["members"] == "2,000 enrolled, 15,000 skipped"
    assert first["purchases"] == f"{rows:,} booked, {138_953 - rows:,} skipped"
    assert first["points"] == f"{sum(one.points for one in wanted.values()):,} granted for these purchases"

    again = await importing.run("--members", "2000", state="another")
    assert again["purchases"] == f"0 booked, {rows:,} there already, {138_953 - rows:,} skipped"
    assert await importing.accounts(members) == wanted


def starbucks(members: list[str]) -> tuple[Mapping[str, Account], int]:
    """Return what the first members should have, and how many purchases that takes, straight from the file."""
    chosen = set(members)
    with gzip.open(DATA / "transcript.json.gz", "rt") as file:
        events = [json.loads(line, parse_float=Decimal) for line in file]
    bought = [
        (event["time"], event["person"], Decimal(event["value"]["amount"]))
        for event in events
        if event["event"] == "transaction" and event["person"] in chosen
    ]
    return expected(members, bought), len(bought)
