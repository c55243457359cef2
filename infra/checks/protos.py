"""The code generated from protos: written by `python -m infra.checks.protos write`, compared by `check`."""

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PROTOS = ROOT / "protos"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def generate(target: Path) -> None:
    """Write the messages, stubs and their types under `target`."""
    sources = sorted(str(path.relative_to(ROOT)) for path in PROTOS.rglob("*.proto"))
    outputs = [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", *outputs, *sources]
    # protoc looks for its plugins on the PATH; ours stand beside this very Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={**os.environ, "PATH": path})
    for source in sources:
        if "\nservice " not in (ROOT / source).read_text():
            for stub in target.glob(source.replace(".proto", "_pb2_grpc.*")):
                stub.unlink()


def generated(folder: Path) -> Iterator[Path]:
    """Yield the generated files, relative to `folder`."""
    for pattern in GENERATED:
        yield from (path.relative_to(folder) for path in (folder / "protos").rglob(pattern))


def main(verb: str) -> int:
    """Write the generated code, or say what is stale."""
    with TemporaryDirectory() as name:
        fresh = Path(name)
        generate(fresh)
        paths = sorted({*generated(fresh), *generated(ROOT)})
        stale = [path for path in paths if not _same(fresh / path, ROOT / path)]
        if verb == "check":
            for path in stale:
                sys.stdout.write(f"{path} is not what the protos say: run `make protos`\n")
            return 1 if stale else 0
        for path in stale:
            (ROOT / path).unlink(missing_ok=True)
            if (fresh / path).exists():
                shutil.copy(fresh / path, ROOT / path)
        sys.stdout.write(f"{len(stale)} of {len(paths)} generated files written\n")
    return 0


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and filecmp.cmp(one, other, shallow=False)


if __name__ == "__main__":
    if sys.argv[1:] not in (["write"], ["check"]):
        sys.exit("usage: python -m infra.checks.protos write|check")
    sys.exit(main(sys.argv[1]))
