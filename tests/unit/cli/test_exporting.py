"""`huitou export` watches an export and has its file under its name only when it is whole."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.cli.exporting import command
from infra.cli.exporting.command import ExportGoneError, NoFileError, _ends, watched
from infra.cli.exporting.fetching import CutShortError, NotFetchedError, beside, fetch
from infra.cli.importing.platform import KeyRefusedError, Patience, Platform, connect, real_sleep
from infra.cli.main import parsed

ANSWER = {"id": "exp_1", "rowsEstimated": 3, "bytes": 10, "failure": None, "fileName": "members.csv", "path": None}


def export(state: str, rows: int, **more: Any) -> dict[str, Any]:
    return {**ANSWER, "state": state, "rowsDone": rows, **more}


async def no_sleep(_seconds: float) -> None:
    pass


def platform_of(answers: list[dict[str, Any] | None]) -> Platform:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": {"export": answers.pop(0)}})

    client = connect(url="http://127.0.0.1", key="htk_x", connections=1, transport=httpx.MockTransport(answer))
    patience = Patience(give_up_s=1.0, now=lambda: 0.0, sleep=real_sleep, note=lambda _text: None)
    return Platform("http://127.0.0.1", client=client, patience=patience)


async def test_it_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(command, "note", said.append)
    platform = platform_of([export("RUNNING", 2), export("RUNNING", 2), export("DONE", 3, path="/exports/exp_1")])
    done = await watched(platform, export("QUEUED", 0), sleep=no_sleep)
    assert done["path"] == "/exports/exp_1"
    assert said == ["queued: 0 of about 3 rows, 10 bytes", "running: 2 of about 3 rows, 10 bytes"]


async def test_without_a_file_it_says_why() -> None:
    with pytest.raises(NoFileError, match=r"The export is failed \(FILE_TOO_LARGE\): there is no file"):
        await watched(platform_of([]), export("FAILED", 2, failure="FILE_TOO_LARGE"), sleep=no_sleep)
    with pytest.raises(ExportGoneError):
        await watched(platform_of([None]), export("RUNNING", 2), sleep=no_sleep)


async def fetched(response: httpx.Response, out: Path) -> int:
    transport = httpx.MockTransport(lambda _request: response)
    async with httpx.AsyncClient(transport=transport) as client:
        return await fetch(client, "http://a/f", out, whole=lambda path: path.stat().st_size == 4, note=lambda _: None)


async def test_a_file_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "new" / "members.csv"
    assert await fetched(httpx.Response(200, content=b"abcd"), out) == 4
    assert (out.read_bytes(), out.stat().st_mode & 0o777) == (b"abcd", 0o600)
    with pytest.raises(CutShortError):
        await fetched(httpx.Response(200, content=b"abc"), out)
    assert out.read_bytes() == b"abcd"


async def test_a_refusal_is_told_in_the_platforms_words(tmp_path: Path) -> None:
    body = {"errors": [{"message": "There is no member mem_1 in this chain."}]}
    with pytest.raises(NotFetchedError, match="There is no member mem_1"):
        await fetched(httpx.Response(404, json=body), tmp_path / "f")
    with pytest.raises(NotFetchedError, match="status 502"):
        await fetched(httpx.Response(502, content=b"<html>"), tmp_path / "f")
    with pytest.raises(KeyRefusedError):
        await fetched(httpx.Response(401), tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_a_members_document_ends_as_it_should(tmp_path: Path) -> None:
    path = tmp_path / "f"
    for content, ends in (
        (b'{"points":{"accounts":[{}]}}\n', True),
        (b'{"points":{"accounts":[{}', False),
        (b"", False),
    ):
        path.write_bytes(content)
        assert _ends(path) is ends


def test_the_file_lies_beside_the_graph() -> None:
    assert beside("https://a.example:8443/graphql?x=1", "/exports/exp_1") == "https://a.example:8443/exports/exp_1"


def test_both_commands_are_there() -> None:
    given = parsed(["export", "members", "--format", "xlsx", "--tag", "vip"])
    assert (given.list, given.format, given.tag) == ("members", "xlsx", "vip")
    assert parsed(["export-member", "mem_1"]).member == "mem_1"
