"""The folder with staging files: one for each source, mapping and chain, used by one import at a time."""

import fcntl
from collections.abc import Iterator
from collections.abc import Mapping as Dict
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from infra.cli.importing.mapping import Mapping
from infra.cli.importing.rows import MissingFileError
from infra.cli.importing.staging import SCHEMA
from services.kit.errors import Kind, Problem

LOOK_BYTES = 64 * 1024


class ImportUnderWayError(Problem):
    """The same import is under way already ({path} is locked). Wait for it, or stop it."""

    kind = Kind.CONFLICT
    code = "IMPORT_UNDER_WAY"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one import keeps what it knows."""

    path: Path
    report: Path


class StateFolder:
    """A folder that may be deleted at any time when no import is under way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def open(self, mapping: Mapping, files: Dict[str, Path], *, chain: str) -> Iterator[Place]:
        """Lock and return the import's own place. Raises `ImportUnderWayError`, `MissingFileError`."""
        # A staging file of an earlier version of this program is not looked at.
        marks = [SCHEMA, mapping.fingerprint, chain, *(fingerprint(files[name]) for name in mapping.files)]
        name = sha256("\n".join(marks).encode()).hexdigest()[:16]
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{name}.lock").open("w") as lock:
            try:
                # The kernel lets go of it when the process ends, however it ends.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ImportUnderWayError(path=lock.name) from None
            yield Place(self._folder / f"{name}.sqlite", self._folder / f"{name}-rejected.csv")


def fingerprint(path: Path) -> str:
    """Return what tells a changed file of the same name: its name, size, time of change, first and last 64 KB."""
    try:
        with path.open("rb") as file:
            status = path.stat()
            digest = sha256(file.read(LOOK_BYTES))
            file.seek(max(0, status.st_size - LOOK_BYTES))
            digest.update(file.read(LOOK_BYTES))
    except (FileNotFoundError, IsADirectoryError):
        raise MissingFileError(path=path) from None
    return f"{path.name} {status.st_size} {status.st_mtime_ns} {digest.hexdigest()}"
