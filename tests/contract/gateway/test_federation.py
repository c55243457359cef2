"""The merged graph is what a standard federation tool makes of the subgraphs, and the files say so."""

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway import schema
from gateway.graph import SUBGRAPHS
from services.kit.graph import Subgraph
from tests.federation.prove import TOOL, composed, difference
from tests.support.toy_graph import MEMBERS, POINTS

NEEDS_NODE = pytest.mark.skipif(
    shutil.which("node") is None or not TOOL.exists(),
    reason="the composition tool is not installed: `make federation` does it, and needs node",
)


@NEEDS_NODE
def test_the_merged_schema_is_the_composed_one() -> None:
    assert difference(SUBGRAPHS) == ""


@NEEDS_NODE
def test_what_does_not_compose_is_noticed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        composed([MEMBERS, POINTS, Subgraph("again", types=POINTS.types)])
    assert 'Non-shareable field "Member.points"' in capfd.readouterr().err


def test_the_files_are_fresh() -> None:
    assert schema.stale(schema.HERE, schema.files()) == []


def test_stale_files_are_found_and_mended(tmp_path: Path) -> None:
    wanted = schema.files([MEMBERS, POINTS])
    assert schema.stale(tmp_path, wanted) == list(wanted)
    schema.write(tmp_path, wanted)
    assert schema.stale(tmp_path, wanted) == []
    (tmp_path / "schema.graphql").write_text("type Query")
    (tmp_path / "subgraphs" / "gone.graphql").write_text("")
    assert schema.stale(tmp_path, wanted) == ["schema.graphql", "subgraphs/gone.graphql"]
    schema.write(tmp_path, wanted)
    assert sorted(path.name for path in tmp_path.rglob("*.graphql")) == [
        "members.graphql",
        "points.graphql",
        "schema.graphql",
    ]


def test_the_check_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "HERE", tmp_path)
    assert schema.main("check") == 1
    assert capsys.readouterr().err.startswith("Stale: gateway/schema.graphql, gateway/subgraphs/members.graphql, ")
    assert schema.main("write") == 0
    assert schema.main("check") == 0
