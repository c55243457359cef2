"""The federation proof: `python -m tests.federation.prove` composes the subgraphs with the standard npm tool and
compares what comes out with the schema that the gateway merges. Needs node; installs the tool when it is missing.

`python -m tests.federation.prove print` prints the subgraphs' SDLs as JSON instead, for other tools.
"""

import difflib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson
from graphql import build_schema, lexicographic_sort_schema, print_schema

from services.kit.graph import MergedSchema, Subgraph

HERE = Path(__file__).parent
TOOL = HERE / "node_modules" / "@theguild" / "federation-composition"


def sdls(subgraphs: Sequence[Subgraph]) -> bytes:
    return orjson.dumps({subgraph.name: subgraph.schema().federation_sdl() for subgraph in subgraphs})


def composed(subgraphs: Sequence[Subgraph]) -> str:
    """Return the public schema that the npm tool makes, sorted; raise CalledProcessError when it does not compose."""
    command = ["node", str(HERE / "compose.mjs")]
    run = subprocess.run(command, input=sdls(subgraphs), stdout=subprocess.PIPE, check=True, timeout=60)
    return print_schema(lexicographic_sort_schema(build_schema(run.stdout.decode()))) + "\n"


def difference(subgraphs: Sequence[Subgraph]) -> str:
    """Return how the merged schema differs from the composed one; empty: not at all."""
    ours, theirs = MergedSchema(subgraphs).sdl(), composed(subgraphs)
    return "\n".join(difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "composed", "merged", lineterm=""))


def main() -> int:
    from gateway.graph import SUBGRAPHS  # noqa: PLC0415 - the toy graphs of the tests do not need the services

    if sys.argv[1:] == ["print"]:
        sys.stdout.write(sdls(SUBGRAPHS).decode() + "\n")
        return 0
    if not TOOL.exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=HERE, check=True)
    try:
        differing = difference(SUBGRAPHS)
    except subprocess.CalledProcessError:
        sys.stderr.write("The subgraphs do not compose: see above.\n")
        return 1
    sys.stdout.write(differing + "\n" if differing else "The composed schema equals the merged one.\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
