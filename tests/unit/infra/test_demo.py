import json
import shlex
import subprocess
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from infra.local.demo import show_query
from infra.local.demo_chain import MENU, STORES
from infra.local.demo_history import DAYS, HERO, History, history
from infra.local.demo_notes import DemoNotes
from infra.local.screen import Screen
from infra.local.settings import Servers, read_ports
from infra.local.welcome import paste, welcome

TODAY = date(2026, 3, 1)


@pytest.fixture(scope="module")
def story() -> History:
    return history(TODAY)


def test_the_same_day_gives_the_same_story(story: History) -> None:
    assert history(TODAY) == story
    assert history(TODAY + timedelta(days=1)) != story


def test_its_size(story: History) -> None:
    assert (len(STORES), len(MENU), len(story.guests), len(story.receipts)) == (4, 21, 300, 3289)
    assert sum(answer.score <= 6 for answer in story.answers) == 8


def test_receipts_are_in_order_and_named_once(story: History) -> None:
    times = [receipt.paid_at for receipt in story.receipts]
    assert times == sorted(times)
    assert len({(receipt.store, receipt.number) for receipt in story.receipts}) == len(story.receipts)


def test_everything_lies_in_the_days_before_today(story: History) -> None:
    days = {receipt.paid_at.date() for receipt in story.receipts}
    assert TODAY - timedelta(days=DAYS) <= min(days)
    assert max(days) < TODAY


def test_nobody_buys_before_joining(story: History) -> None:
    joined = {guest.number: guest.enrolled_at for guest in story.guests}
    assert all(joined[receipt.guest] < receipt.paid_at for receipt in story.receipts)
    assert {receipt.guest for receipt in story.receipts} == set(joined)


def test_lines_can_be_booked(story: History) -> None:
    for receipt in story.receipts:
        assert 1 <= len({dish.code for dish, _, _ in receipt.lines}) == len(receipt.lines)
        for dish, quantity, discount in receipt.lines:
            assert quantity >= 1
            assert 0 <= discount < dish.price_minor * quantity
            assert discount % 100 == 0


def test_the_hero_reaches_silver_and_complains(story: History) -> None:
    paid = [
        dish.price_minor * quantity - discount
        for receipt in story.receipts
        if receipt.guest == HERO
        for dish, quantity, discount in receipt.lines
    ]
    assert sum(paid) == 188_700
    assert [answer.score for answer in story.answers if answer.guest == HERO] == [3]


def notes(folder: Path) -> DemoNotes:
    keys = {kind: f"htk_{kind}" for kind in ("staff", "till", "partner", "member")}
    return DemoNotes(folder / "demo.json", "2026-03-01", chain="chn_1", hero="mem_1", keys=keys, done=True)


def test_notes_are_found_again(tmp_path: Path) -> None:
    notes(tmp_path).save()
    assert DemoNotes.load(tmp_path / "demo.json", today=TODAY + timedelta(days=9)) == notes(tmp_path)
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", '{"today": "2026-03-01", "other": 1}'])
def test_notes_that_cannot_be_read_are_new_ones(tmp_path: Path, content: str) -> None:
    (tmp_path / "demo.json").write_text(content)
    assert DemoNotes.load(tmp_path / "demo.json", today=TODAY) == DemoNotes(tmp_path / "demo.json", "2026-03-01")


def test_forgotten_notes_start_again(tmp_path: Path) -> None:
    noted = notes(tmp_path)
    noted.forget(today=TODAY + timedelta(days=1))
    assert noted == DemoNotes(tmp_path / "demo.json", "2026-03-02")
    assert DemoNotes.load(tmp_path / "demo.json", today=TODAY) == noted


def test_the_welcome_has_addresses_and_keys_but_no_password(tmp_path: Path) -> None:
    servers = Servers("mongodb://me:secret@db:27017/?replicaSet=rs0", "amqp://me:secret@mq:5672/")
    text = welcome(notes(tmp_path), read_ports({}), servers, seconds=12.3)
    assert "Huitou is up after 12 s." in text
    assert "http://127.0.0.1:8000/graphql" in text
    assert "mongodb://db:27017/?replicaSet=rs0" in text
    for kind in ("staff", "till", "partner", "member"):
        assert f"{kind:<8} htk_{kind}\n" in text
    assert "secret" not in text


def test_the_command_to_paste_sends_the_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/curl")
    query = show_query(notes(tmp_path))
    words = shlex.split(paste("http://127.0.0.1:8000/graphql", key="htk_1", query=query))
    assert words[:3] == ["curl", "-s", "http://127.0.0.1:8000/graphql"]
    assert "Authorization: Bearer htk_1" in words
    sent = json.loads(words[words.index("-d") + 1])
    assert sent["query"].split() == query.split()
    assert 'member(id: "mem_1")' in sent["query"]


def test_without_curl_the_command_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    command = paste("data:application/json,[1]", key="htk_1", query="{ me }")
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)  # noqa: S607 - the shell
    assert json.loads(run.stdout) == [1]


def test_a_process_is_named_once_in_its_lines() -> None:
    out = StringIO()
    screen = Screen(Console(file=out, width=40))
    screen.show("points", "12:00:00.000 INFO    points    ready: points on 127.0.0.1:7102")
    screen.show("points", "    a line of an exception [not markup]")
    screen.say("stopped")
    assert out.getvalue() == (
        "points    │ 12:00:00.000 INFO    ready: points on 127.0.0.1:7102\n"
        "points    │     a line of an exception [not markup]\n"
        "huitou    │ stopped\n"
    )
