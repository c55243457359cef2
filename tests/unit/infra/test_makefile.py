import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_make_alone_lists_every_target_with_a_line() -> None:
    # As typed by a person, also when these tests are run by a make.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    run = subprocess.run(["make"], cwd=ROOT, env=environ, capture_output=True, text=True, check=True)  # noqa: S607 - the user's make
    listed = {line.split()[1]: line.split(maxsplit=2)[2] for line in run.stdout.splitlines()}
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(listed) == set(phony[1].split()) - {"help"}
    assert all(listed.values())
