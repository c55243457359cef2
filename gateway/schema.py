"""The schemas as files: `python -m gateway.schema write` writes them, `… check` tells when they are stale.

gateway/schema.graphql is what callers see; gateway/subgraphs/NAME.graphql is what composition tools take.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.graph import SUBGRAPHS
from services.kit.graph import MergedSchema, Subgraph

HERE = Path(__file__).parent
NOTE = "# Made by `make schema`. Change the types in services/NAME/graph instead.\n\n"


def files(subgraphs: Sequence[Subgraph] = SUBGRAPHS) -> Mapping[str, str]:
    """Return the content of each file, by its path in this folder."""
    merged = {"schema.graphql": NOTE + MergedSchema(subgraphs).sdl()}
    return merged | {f"subgraphs/{one.name}.graphql": NOTE + one.schema().federation_sdl() for one in subgraphs}


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write the files, and remove those of subgraphs that are gone."""
    for name, content in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    for path in _gone(folder, wanted):
        path.unlink()


def stale(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Return the files that are missing, differ, or should not be there."""
    differing = [
        name
        for name, content in wanted.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != content
    ]
    return differing + [path.relative_to(folder).as_posix() for path in _gone(folder, wanted)]


def _gone(folder: Path, wanted: Mapping[str, str]) -> list[Path]:
    there = sorted((folder / "subgraphs").glob("*.graphql"))
    return [path for path in there if path.relative_to(folder).as_posix() not in wanted]


def main(command: str) -> int:
    """Run `write` or `check`; return the exit status."""
    if command == "write":
        write(HERE, files())
        return 0
    if found := stale(HERE, files()):
        sys.stderr.write(f"Stale: {', '.join(f'gateway/{name}' for name in found)}. Run `make schema` and commit it.\n")
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["write"], ["check"]):
        sys.exit("python -m gateway.schema write | check")
    sys.exit(main(sys.argv[1]))
