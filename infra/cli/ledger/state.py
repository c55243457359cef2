"""Where a verification got to: a small file, and beside it what was found so far."""

import fcntl
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from services.kit.errors import Kind, Problem


class NothingToResumeError(Problem):
    """There is nothing to go on with ({path} is not there): no run was broken off. Leave --resume away."""

    kind = Kind.NOT_FOUND
    code = "NOTHING_TO_RESUME"


class DamagedStateError(Problem):
    """{path} is not what a run has written. Delete it and verify from the beginning, without --resume."""

    kind = Kind.INVALID
    code = "DAMAGED_STATE"


class VerificationUnderWayError(Problem):
    """The same ledger is being verified already ({path} is locked). Wait for it, or stop it."""

    kind = Kind.CONFLICT
    code = "VERIFICATION_UNDER_WAY"


class Place:
    """The files of one chain's verification. What they say is whole at every moment, kill -9 included."""

    def __init__(self, folder: Path, *, chain: str) -> None:
        name = quote(chain, safe="") or "ledger"
        self.path = folder / f"{name}.json"
        self.findings_path = folder / f"{name}.findings.jsonl"
        self._lock_path = folder / f"{name}.lock"
        self.cursor = ""
        self.accounts = self.postings = self.findings = 0
        self._bytes = 0  # of the findings' file

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others away until the block, or the process, ends. Raises `VerificationUnderWayError`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock_path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise VerificationUnderWayError(path=self._lock_path) from None
            yield

    def begin(self) -> None:
        """Forget an earlier run."""
        self.path.unlink(missing_ok=True)
        self.findings_path.unlink(missing_ok=True)

    def resume(self) -> None:
        """Go on where an earlier run was. Raises `NothingToResumeError`, `DamagedStateError`."""
        try:
            known = json.loads(self.path.read_text())
            self.cursor = str(known["cursor"])
            self.accounts, self.postings = int(known["accounts"]), int(known["postings"])
            self.findings, self._bytes = int(known["findings"]), int(known["findings_bytes"])
        except FileNotFoundError:
            raise NothingToResumeError(path=self.path) from None
        except (OSError, ValueError, KeyError, TypeError):
            raise DamagedStateError(path=self.path) from None
        if self.findings_path.exists():
            # What was found after the cursor will be found again.
            with self.findings_path.open("r+b") as file:
                file.truncate(self._bytes)

    def note(self, findings: Iterable[dict[str, Any]]) -> None:
        """Write findings; they count once `save` has been called."""
        lines = [json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in findings]
        if lines:
            with self.findings_path.open("ab") as file:
                file.writelines(lines)
            self.findings += len(lines)
            self._bytes += sum(map(len, lines))

    def save(self) -> None:
        """Write where the run is."""
        told = {
            "cursor": self.cursor,
            "accounts": self.accounts,
            "postings": self.postings,
            "findings": self.findings,
            "findings_bytes": self._bytes,
        }
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(told) + "\n")
        partial.replace(self.path)

    def finish(self) -> None:
        """Forget where the run was: it is at the end. The findings stay."""
        self.path.unlink(missing_ok=True)
