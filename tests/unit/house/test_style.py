"""The style of the house, as far as a program can see it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = ("services", "gateway", "infra")
FUNCTION_LINES = 50
FILE_LINES = 400
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "managers", "process", "data"}
BELOW_THE_EDGE = ("domain", "usecases", "events", "store")
SOURCES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if "node_modules" not in path.parts and path.stat().st_size
)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_file_fits_a_sitting_and_its_functions_a_screen(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= FILE_LINES
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions(ast.parse(source)) if f.end_lineno is not None}
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_room_is_named_for_what_it_holds(path: Path) -> None:
    assert path.stem not in EMPTY_NAMES


def below_the_edge() -> list[Path]:
    return [path for path in SOURCES if path.parts[len(ROOT.parts)] == "services" and _room(path) in BELOW_THE_EDGE]


def _room(path: Path) -> str:
    inside = path.relative_to(ROOT / "services").parts
    return inside[1].removesuffix(".py") if inside[0] != "kit" else ""


@pytest.mark.parametrize("path", below_the_edge(), ids=named)
def test_nobody_below_the_edge_reads_a_clock_or_makes_an_id(path: Path) -> None:
    forbidden = {"now", "utcnow", "today", "time", "monotonic", "uuid4", "uuid7", "token_urlsafe", "urandom"}
    called = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time", "uuid", "secrets", "os"}
    }
    assert called & forbidden == set()
    imported = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported & {"system_clock", "make_id", "uuid4"} == set()


def test_the_project_speaks_only_of_itself() -> None:
    """No file names a package registry's host."""
    hosts = ("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "deb." + "debian.org")
    kinds = {".py", ".txt", ".toml", ".json", ".md", ".sh", ".yaml", ".yml", ".mjs", ".js", ".lock", ""}
    ignored = {".git", ".venv", ".state", "build", "node_modules", ".hypothesis"}
    found = [
        named(path)
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.suffix in kinds
        and not ignored & set(path.relative_to(ROOT).parts)
        and any(host in path.read_text(errors="ignore") for host in hosts)
    ]
    assert found == []
